//! The history of a kept pull.

use qopen::journal::{Note, Noted};
use serde::{Deserialize, Serialize};

use super::held::HeldBecause;
use super::pull::print_json;
use crate::app_robots::{SHOWN, names};
use crate::journal::time;
use crate::lang::{Phrase, SEMICOLON, phrase};
use crate::report::{
    CUSTOMERS, PAGES, ROBOTS, basis, compared_in_words, end_state, in_words, noted_end,
};
use crate::say::one_line;
use crate::table;

/// A note on one line: an object of `--json` and of the control API.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NoteLine {
    r#type: String,
    at: String,
    #[serde(flatten)]
    note: Note,
    /// The basis of a published list, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    basis: Option<String>,
}

impl NoteLine {
    pub(crate) fn of(noted: &Noted) -> Self {
        let basis = basis_of(&noted.note).map(|it| it.english().to_owned());
        Self { r#type: "note".to_owned(), at: time(noted.at), note: noted.note.clone(), basis }
    }

    pub(crate) fn print(&self, json: bool) {
        match json {
            true => print_json(self),
            false => table::line(&phrase!(
                "  {at}  {note}",
                "  {at}  {note}",
                at = self.at,
                note = with(words(&self.note), basis_of(&self.note)),
            )),
        }
    }
}

/// Returns the basis of a published list.
fn basis_of(note: &Note) -> Option<Phrase> {
    match note {
        Note::Published { compared, evidence: Some(evidence), .. } => {
            Some(basis(evidence, compared.as_ref().map_or(0, |it| it.counts.gone)))
        }
        _ => None,
    }
}

/// Adds a part, if there is one.
fn with(what: Phrase, more: Option<Phrase>) -> Phrase {
    Phrase::join(&[Some(what), more].into_iter().flatten().collect::<Vec<_>>(), SEMICOLON)
}

/// Describes a note.
fn words(note: &Note) -> Phrase {
    match note {
        Note::Started(started) => match started.need_tag_info {
            true => phrase!("started, with tags", "已开始，含标签"),
            false => phrase!("started", "已开始"),
        },
        Note::Accepted { serial_no: Some(serial_no) } => phrase!(
            "the request was accepted, serial number {serial_no}",
            "请求已被接受，流水号 {serial_no}",
            serial_no = serial_no,
        ),
        Note::Accepted { serial_no: None } => {
            phrase!("the request was accepted", "请求已被接受")
        }
        Note::Reported { code, message, .. } => phrase!(
            "the platform reported error {code}: {message}",
            "平台报告了错误 {code}：{message}",
            code = code,
            message = one_line(message),
        ),
        Note::Ended { status, why, accounts, pages, evidence, reason } => phrase!(
            "{status}: {accounts} on {pages}; {why}",
            "{status}：{accounts}，{pages}；{why}",
            status = end_state(status),
            accounts = CUSTOMERS.count(*accounts),
            pages = PAGES.count(*pages),
            why = noted_end(why, evidence.as_ref(), reason.as_ref()),
        ),
        Note::Doubted { item, lost: false } => phrase!(
            "the item {item} in quarantine may be a page of it",
            "隔离区中的项 {item} 可能是它的分页",
            item = item,
        ),
        Note::Doubted { item, lost: true } => phrase!(
            "the journal may have lost pages of it, which the item {item} represents",
            "持久化存储可能丢失了它的分页，由隔离项 {item} 代表",
            item = item,
        ),
        Note::Released { item, read: true } => {
            phrase!("the item {item} was read later", "项 {item} 后来已读取", item = item)
        }
        Note::Released { item, read: false } => {
            phrase!("the item {item} was released", "项 {item} 已放行", item = item)
        }
        Note::Resumed => phrase!("resumed", "已继续"),
        Note::Requested => phrase!("the request is about to be sent", "即将发送请求"),
        Note::Adopted => {
            phrase!("adopted: another system requested it", "已收取：由其他系统请求")
        }
        Note::CancelRequested => phrase!("its end was requested", "已请求结束"),
        Note::Published { revision, accounts, location, changes, compared, .. } => {
            let published = phrase!(
                "revision {revision} published: {accounts} in {location}",
                "修订 {revision} 已发布：{accounts}，位于 {location}",
                revision = revision,
                accounts = CUSTOMERS.count(*accounts),
                location = location,
            );
            with(with(published, changes.map(in_words)), compared.as_ref().map(compared_in_words))
        }
        Note::PublicationRequested => phrase!("a publication was requested", "已请求发布"),
        Note::GoneAsked { asked, present, .. } => phrase!(
            "the platform was asked about {asked} who are gone, and has {present} of them",
            "就消失的 {asked}询问了平台，其中 {present} 位仍在平台上",
            asked = CUSTOMERS.count(*asked),
            present = present,
        ),
        Note::Confirmed { by } => phrase!(
            "confirmed by pull {by}, which has the same customers",
            "拉取 {by} 得到相同的客户，已确认",
            by = by,
        ),
        Note::HeldAccepted => phrase!("its held list was accepted", "被拦下的列表已被接受"),
        Note::Held { revision, gone, before, location, .. } => {
            let place = location.as_ref();
            let place = place.map(|it| phrase!(", kept in {it}", "，保存在 {it}", it = it));
            phrase!(
                "revision {revision} held: {why}{place}",
                "修订 {revision} 被拦下：{why}{place}",
                revision = revision,
                why = why_held(note, *gone, *before),
                place = place.unwrap_or_default(),
            )
        }
        Note::Ordered { location, order } => phrase!(
            "its list has place {order} in {location}",
            "其列表在 {location} 中的次序为 {order}",
            order = order,
            location = location,
        ),
        Note::Superseded { by, revision } => {
            let later = by.as_ref().map(|it| phrase!(", {it}", "（{it}）", it = it));
            phrase!(
                "revision {revision} not published: a later pull{later} was published before",
                "修订 {revision} 未发布：更晚的拉取{later}已先发布",
                revision = revision,
                later = later.unwrap_or_default(),
            )
        }
        other => format!("{other:?}").into(),
    }
}

/// Describes why a list is held that lacks `gone` of the `before` customers of the last one.
fn why_held(note: &Note, gone: u64, before: u64) -> Phrase {
    match HeldBecause::of(note) {
        Some(HeldBecause::Present(present)) => phrase!(
            "it lacks {present} that the platform still has",
            "缺少平台上仍存在的 {present}",
            present = CUSTOMERS.count(present),
        ),
        Some(HeldBecause::Unconfirmed) => {
            phrase!("no other pull confirmed it", "没有其他拉取确认它")
        }
        Some(HeldBecause::LeftOut(left_out)) => phrase!(
            "it leaves out {robots} of the last list: {names}",
            "缺少上一份列表中的 {robots}：{names}",
            robots = ROBOTS.count(left_out.len() as u64),
            names = names(left_out.iter(), SHOWN),
        ),
        _ => phrase!(
            "{gone} of {before} customers are gone",
            "{before} 位客户中有 {gone} 位消失",
            gone = gone,
            before = before,
        ),
    }
}
