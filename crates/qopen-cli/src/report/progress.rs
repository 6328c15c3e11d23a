//! A pull's progress on one line, as wide as the terminal.

use std::time::Duration;

use qopen::Progress;
use qopen::assembler::WaitingFor;
use serde::Serialize;

use super::words::{count, cut};
use crate::say::one_line;

/// Formats the progress of a pull in at most `width` columns.
pub(super) fn line(progress: &Progress, since: Duration, troubles: &str, width: usize) -> String {
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
    shown.within(width)
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
    troubles: &'a str,
}

impl Shown<'_> {
    /// Formats the line. With less room it loses detail, then the end of the robot's id, and last what the
    /// pull waits for.
    fn within(&self, width: usize) -> String {
        let forms = [0, 1, 2, 3].map(|detail| self.figures(detail));
        let columns = console::measure_text_width;
        let fits = |rest: &&String| columns(self.robot) + columns(rest) <= width;
        if let Some(rest) = forms.iter().find(fits) {
            return format!("{}{rest}", self.robot);
        }
        let [.., shortest] = forms;
        match width.saturating_sub(columns(&shortest)) {
            0..4 => cut(shortest.trim_start_matches([':', ' ']), width),
            room => format!("{}{shortest}", cut(self.robot, room)),
        }
    }

    /// Formats the part behind the robot's id. Greater numbers give less detail.
    fn figures(&self, detail: u8) -> String {
        let Self { pages, customers, copies, quiet, wanted, troubles, .. } = self;
        let wanted = match detail {
            0 | 1 => format!("waiting for {}", waiting_for(*wanted)),
            2 => waiting_for(*wanted).to_owned(),
            _ => in_short(*wanted).to_owned(),
        };
        let (counted, customers) =
            (count(*pages, "page", "pages"), count(*customers, "customer", "customers"));
        let copies = match copies {
            0 => String::new(),
            n => format!(", {}", count(*n, "copy", "copies")),
        };
        let troubles = match *troubles {
            "" => String::new(),
            troubles => format!("; {troubles}"),
        };
        match detail {
            0 => format!(
                ": {counted}, {customers}{copies}; {quiet} s since the last; {wanted}{troubles}"
            ),
            1 => format!(": {counted}, {customers}; {quiet} s; {wanted}{troubles}"),
            2 => format!(": {counted}, {quiet} s; {wanted}{troubles}"),
            _ => format!(": {pages}p {quiet}s; {wanted}"),
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
            waiting_for: waiting_for(progress.waiting_for),
            rejected_callbacks,
            elapsed_ms: u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

pub(crate) fn waiting_for(what: WaitingFor) -> &'static str {
    match what {
        WaitingFor::Acceptance => "the request to be accepted",
        WaitingFor::FirstPage => "the first page",
        WaitingFor::LastPage => "the last page",
        WaitingFor::OwedPages => "a page that could not be kept",
        WaitingFor::UnreadablePages => "a page that can be read",
        WaitingFor::Identification => "accounts with a readable id",
        WaitingFor::MoreAccounts => "more customers",
        WaitingFor::Quiet => "quiet",
        _ => "nothing",
    }
}

/// The same in one or two words, for narrow terminals.
fn in_short(what: WaitingFor) -> &'static str {
    match what {
        WaitingFor::Acceptance => "acceptance",
        WaitingFor::FirstPage => "first page",
        WaitingFor::LastPage => "last page",
        WaitingFor::OwedPages => "owed page",
        WaitingFor::UnreadablePages => "readable page",
        WaitingFor::Identification => "readable ids",
        WaitingFor::MoreAccounts => "more customers",
        WaitingFor::Quiet => "quiet",
        _ => "nothing",
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

    fn shown(robot: &str, wanted: WaitingFor) -> Shown<'_> {
        let (pages, customers, copies, quiet) = (1234, 123_400, 17, 59);
        Shown { robot, pages, customers, copies, quiet, wanted, troubles: "12 rejected" }
    }

    #[test]
    fn a_line_fits_and_says_what_it_waits_for() {
        for robot in [
            "r1",
            "机器人一二三四五六七",
            "a-robot-with-an-id-of-64-characters-as-wecom-has-them-0123456789",
        ] {
            for wanted in WAITS {
                for width in 1..200 {
                    let line = shown(robot, wanted).within(width);
                    assert!(console::measure_text_width(&line) <= width, "{width}: {line}");
                    if width >= 32 {
                        let says =
                            line.contains(waiting_for(wanted)) || line.contains(in_short(wanted));
                        assert!(says, "{width}: {line}");
                    }
                }
            }
        }
    }

    #[test]
    fn lines_of_80_and_of_40_columns() {
        let of = |width| shown("wo-robot-1", WaitingFor::LastPage).within(width);
        assert_eq!(
            of(200),
            "wo-robot-1: 1234 pages, 123400 customers, 17 copies; 59 s since the last; waiting for the last page; 12 rejected"
        );
        assert_eq!(of(77), "wo-robot-1: 1234 pages, 59 s; the last page; 12 rejected");
        assert_eq!(of(37), "wo-robot-1: 1234p 59s; last page");
        let one = Shown {
            pages: 1,
            customers: 1,
            copies: 1,
            troubles: "",
            ..shown("r1", WaitingFor::Quiet)
        };
        assert_eq!(
            one.within(200),
            "r1: 1 page, 1 customer, 1 copy; 59 s since the last; waiting for quiet"
        );
    }
}
