//! A pull's progress on one line, as wide as the terminal.

use std::time::Duration;

use qopen::Progress;
use qopen::assembler::WaitingFor;
use serde::Serialize;

use super::words::{COPIES, CUSTOMERS, PAGES, cut};
use crate::lang::{self, Lang, Phrase, Text, phrase};
use crate::say::one_line;

/// Formats the progress of a pull in at most `width` columns.
pub(super) fn line(
    progress: &Progress,
    since: Duration,
    troubles: &Phrase,
    width: usize,
) -> String {
    let robot = one_line(progress.pull.robot_id.as_str());
    let shown = Shown {
        robot: &robot,
        pages: progress.figures.pages as u64,
        customers: progress.figures.accounts as u64,
        copies: progress.figures.duplicate_pages,
        quiet: (progress.quiet + since).as_secs(),
        wanted: progress.waiting_for,
        troubles,
    };
    shown.within(lang::chosen(), width)
}

/// The content of a line.
struct Shown<'a> {
    robot: &'a str,
    pages: u64,
    customers: u64,
    copies: u64,
    /// Seconds since the last event of the pull.
    quiet: u64,
    wanted: WaitingFor,
    troubles: &'a Phrase,
}

impl Shown<'_> {
    /// Formats the line. With less room it loses detail, then the end of the robot's id, and last what the
    /// pull waits for.
    fn within(&self, lang: Lang, width: usize) -> String {
        let forms = [0, 1, 2, 3].map(|detail| self.figures(detail).of(lang).to_owned());
        let columns = console::measure_text_width;
        let fits = |rest: &&String| columns(self.robot) + columns(rest) <= width;
        if let Some(rest) = forms.iter().find(fits) {
            return format!("{}{rest}", self.robot);
        }
        let [.., shortest] = forms;
        match width.saturating_sub(columns(&shortest)) {
            0..4 => cut(shortest.trim_start_matches([':', '：', ' ']), width),
            room => format!("{}{shortest}", cut(self.robot, room)),
        }
    }

    /// Formats the part behind the robot's id. Greater numbers give less detail.
    fn figures(&self, detail: u8) -> Phrase {
        let Self { pages, customers, copies, quiet, wanted, troubles, .. } = self;
        let wanted = match detail {
            0 | 1 => phrase!("waiting for {it}", "正在等待{it}", it = waiting_for(*wanted)),
            2 => waiting_for(*wanted).into(),
            _ => in_short(*wanted).into(),
        };
        let copies = match copies {
            0 => Phrase::default(),
            n => phrase!(", {copies}", "，{copies}", copies = COPIES.count(*n)),
        };
        let troubles = match troubles.is_empty() {
            true => Phrase::default(),
            false => phrase!("; {it}", "；{it}", it = troubles),
        };
        let (counted, people) = (PAGES.count(*pages), CUSTOMERS.count(*customers));
        match detail {
            0 => phrase!(
                ": {counted}, {people}{copies}; {quiet} s since the last; {wanted}{troubles}",
                "：{counted}，{people}{copies}；距上一个 {quiet} 秒；{wanted}{troubles}",
                counted = counted,
                people = people,
                copies = copies,
                quiet = quiet,
                wanted = wanted,
                troubles = troubles,
            ),
            1 => phrase!(
                ": {counted}, {people}; {quiet} s; {wanted}{troubles}",
                "：{counted}，{people}；{quiet} 秒；{wanted}{troubles}",
                counted = counted,
                people = people,
                quiet = quiet,
                wanted = wanted,
                troubles = troubles,
            ),
            2 => phrase!(
                ": {counted}, {quiet} s; {wanted}{troubles}",
                "：{counted}，{quiet} 秒；{wanted}{troubles}",
                counted = counted,
                quiet = quiet,
                wanted = wanted,
                troubles = troubles,
            ),
            _ => phrase!(
                ": {pages}p {quiet}s; {wanted}",
                "：{pages} 页 {quiet} 秒；{wanted}",
                pages = pages,
                quiet = quiet,
                wanted = wanted,
            ),
        }
    }
}

#[derive(Serialize)]
pub(super) struct ProgressLine<'a> {
    r#type: &'static str,
    robot_id: &'a str,
    mark_id: &'a str,
    pages: usize,
    accounts: usize,
    duplicate_pages: u64,
    last_page_seen: bool,
    waiting_for: &'static str,
    /// Rejected callbacks of all pulls.
    rejected_callbacks: u64,
    elapsed_ms: u64,
}

impl<'a> ProgressLine<'a> {
    pub(super) fn of(progress: &'a Progress, rejected_callbacks: u64) -> Self {
        Self {
            r#type: "progress",
            robot_id: progress.pull.robot_id.as_str(),
            mark_id: progress.pull.mark_id.as_str(),
            pages: progress.figures.pages,
            accounts: progress.figures.accounts,
            duplicate_pages: progress.figures.duplicate_pages,
            last_page_seen: progress.figures.last_page_seen,
            waiting_for: waiting_for(progress.waiting_for).en,
            rejected_callbacks,
            elapsed_ms: u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

pub(crate) fn waiting_for(what: WaitingFor) -> Text {
    match what {
        WaitingFor::Acceptance => Text::new("the request to be accepted", "平台接受请求"),
        WaitingFor::FirstPage => Text::new("the first page", "第一个分页"),
        WaitingFor::LastPage => Text::new("the last page", "末页"),
        WaitingFor::OwedPages => {
            Text::new("a page that could not be kept", "未能保存的分页重新到达")
        }
        WaitingFor::UnreadablePages => Text::new("a page that can be read", "能够读取的分页"),
        WaitingFor::Identification => Text::new("accounts with a readable id", "有可读 ID 的客户"),
        WaitingFor::MoreAccounts => Text::new("more customers", "更多客户"),
        WaitingFor::Quiet => Text::new("quiet", "静默"),
        _ => NOTHING,
    }
}

const NOTHING: Text = Text::new("nothing", "结束");

/// The same in one or two words, for narrow terminals.
fn in_short(what: WaitingFor) -> Text {
    match what {
        WaitingFor::Acceptance => Text::new("acceptance", "待接受"),
        WaitingFor::FirstPage => Text::new("first page", "待首页"),
        WaitingFor::LastPage => Text::new("last page", "待末页"),
        WaitingFor::OwedPages => Text::new("owed page", "待补页"),
        WaitingFor::UnreadablePages => Text::new("readable page", "待可读页"),
        WaitingFor::Identification => Text::new("readable ids", "待可读 ID"),
        WaitingFor::MoreAccounts => Text::new("more customers", "待更多客户"),
        WaitingFor::Quiet => Text::new("quiet", "静默中"),
        _ => NOTHING,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: [WaitingFor; 8] = [
        WaitingFor::Acceptance,
        WaitingFor::FirstPage,
        WaitingFor::LastPage,
        WaitingFor::OwedPages,
        WaitingFor::UnreadablePages,
        WaitingFor::Identification,
        WaitingFor::MoreAccounts,
        WaitingFor::Quiet,
    ];

    fn rejected() -> Phrase {
        Phrase::new("12 rejected", "12 条被拒绝")
    }

    fn shown<'a>(robot: &'a str, wanted: WaitingFor, troubles: &'a Phrase) -> Shown<'a> {
        let (pages, customers, copies, quiet) = (1234, 123_400, 17, 59);
        Shown { robot, pages, customers, copies, quiet, wanted, troubles }
    }

    #[test]
    fn a_line_fits_and_says_what_it_waits_for() {
        for robot in [
            "r1",
            "机器人一二三四五六七",
            "a-robot-with-an-id-of-64-characters-as-wecom-has-them-0123456789",
        ] {
            for (wanted, lang) in WAITS.into_iter().flat_map(|it| [(it, Lang::En), (it, Lang::Zh)])
            {
                let [long, short] = [waiting_for(wanted), in_short(wanted)].map(|it| it.of(lang));
                for width in 1..200 {
                    let line = shown(robot, wanted, &rejected()).within(lang, width);
                    assert!(console::measure_text_width(&line) <= width, "{width}: {line}");
                    if width >= 32 {
                        assert!(line.contains(long) || line.contains(short), "{width}: {line}");
                    }
                }
            }
        }
    }

    #[test]
    fn lines_of_80_and_of_40_columns() {
        let troubles = rejected();
        let line = shown("wo-robot-1", WaitingFor::LastPage, &troubles);
        let of = |width| line.within(Lang::En, width);
        assert_eq!(
            of(200),
            "wo-robot-1: 1234 pages, 123400 customers, 17 copies; 59 s since the last; waiting for the last page; 12 rejected"
        );
        assert_eq!(of(77), "wo-robot-1: 1234 pages, 59 s; the last page; 12 rejected");
        assert_eq!(of(37), "wo-robot-1: 1234p 59s; last page");
        let of = |width| line.within(Lang::Zh, width);
        assert_eq!(
            of(200),
            "wo-robot-1：1234 个分页，123400 位客户，17 个重复分页；距上一个 59 秒；正在等待末页；12 条被拒绝"
        );
        assert_eq!(
            of(77),
            "wo-robot-1：1234 个分页，123400 位客户；59 秒；正在等待末页；12 条被拒绝"
        );
        assert_eq!(of(37), "wo-robot-1：1234 页 59 秒；待末页");
        let (pages, customers, copies, none) = (1, 1, 1, Phrase::default());
        let one = Shown { pages, customers, copies, ..shown("r1", WaitingFor::Quiet, &none) };
        assert_eq!(
            one.within(Lang::En, 200),
            "r1: 1 page, 1 customer, 1 copy; 59 s since the last; waiting for quiet"
        );
    }
}
