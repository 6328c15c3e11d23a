//! Opening and expiring journals, and texts about times and pulls.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use qopen::journal::{Backend, EndState, JournalError, Note, Opened, PullId, PullState, Store};
use qopen::types::MarkId;
use tracing::Level;

use crate::beside;
use crate::exit::{Failure, chained};
use crate::lang::{Phrase, Text, phrase};
use crate::output::database::ListDatabase;
use crate::report::count;
use crate::say::{self, say, tell};
use crate::settings::Settings;
use crate::topics;

/// The location of a journal.
pub(crate) type Location = Arc<dyn Backend>;

/// Opens a journal and prints its damage.
pub(crate) async fn open_at(location: &Location) -> Result<Arc<dyn Store>, Failure> {
    opened(location, location.open().await)
}

/// Prints the damage of an opened journal, and removes the note of its previous service.
pub(crate) fn opened(
    location: &Location,
    opened: Result<Opened, JournalError>,
) -> Result<Arc<dyn Store>, Failure> {
    let opened = opened.map_err(|error| cannot_open(location, &error))?;
    if let Some(folder) = location.as_folder() {
        beside::remove(folder);
    }
    for damage in &opened.report.damage {
        if !damage.unfinished {
            let said = phrase!(
                "the journal in {location} is damaged: {damage}",
                "{location} 中的持久化存储有损坏：{damage}",
                location = location,
                damage = damage,
            );
            say::remark(Level::WARN, &topics::log::JOURNAL_DAMAGED, &said);
        }
    }
    Ok(opened.journal)
}

/// Fails if there is no journal.
pub(crate) async fn must_exist(location: &Location) -> Result<(), Failure> {
    if location.exists().await.map_err(|error| cannot_open(location, &error))? {
        return Ok(());
    }
    Err(Failure::usage(phrase!(
        "there is no journal in {location}; {elsewhere}",
        "{location} 中没有持久化存储；{elsewhere}",
        location = location,
        elsewhere = elsewhere(location),
    )))
}

fn elsewhere(location: &Location) -> Text {
    match location.is_shared() {
        true => Text::new(
            "`qopen migrate` makes its tables, and --journal names another",
            "`qopen migrate` 创建其表，--journal 可指定其他位置",
        ),
        false => Text::new("--data-dir names another folder", "--data-dir 可指定其他文件夹"),
    }
}

pub(crate) fn cannot_open(location: &Location, error: &JournalError) -> Failure {
    let control = location.as_folder().and_then(beside::read);
    let what = match (error, control) {
        (JournalError::Locked { .. }, Some(address)) => phrase!(
            "cannot be opened; ask the control API of `qopen serve` at http://{address}/v1/pulls, stop that process, or give another folder with --data-dir",
            "无法打开；请通过 `qopen serve` 的控制接口 http://{address}/v1/pulls 操作，停止该进程，或用 --data-dir 指定其他文件夹",
            address = address,
        ),
        (JournalError::Locked { .. }, None) => phrase!(
            "cannot be opened; wait for that process, stop it, or give another folder with --data-dir",
            "无法打开；请等待或停止该进程，或用 --data-dir 指定其他文件夹",
        ),
        _ if location.is_shared() => {
            phrase!(
                "cannot be opened; --journal names another",
                "无法打开；--journal 可指定其他位置"
            )
        }
        _ => phrase!(
            "cannot be opened; --data-dir names another folder",
            "无法打开；--data-dir 可指定其他文件夹",
        ),
    };
    let what = phrase!(
        "the journal in {location} {what}",
        "{location} 中的持久化存储{what}",
        location = location,
        what = what,
    );
    Failure::usage_of(what, error)
}

/// Checks the journal for `qopen doctor`.
pub(crate) async fn examine(settings: &Settings) -> Result<Phrase, Failure> {
    let location = settings.journal()?;
    if !location.exists().await.map_err(|error| cannot_open(&location, &error))? {
        return match location.is_shared() {
            true => {
                let location = location.to_string();
                Err(Failure::usage(Phrase::about(location, elsewhere(&settings.journal()?))))
            }
            false if location.as_folder().is_some_and(|it| it.is_dir()) => Ok(phrase!(
                "{it} holds no journal yet; the first pull makes one",
                "{it} 中还没有持久化存储；首次拉取会创建",
                it = location,
            )),
            false => Ok(phrase!("{it} will be made", "将会创建 {it}", it = location)),
        };
    }
    let opened = match location.open().await {
        Err(JournalError::Locked { holder }) => {
            return Ok(phrase!(
                "{it}: in use ({holder})",
                "{it}：正在使用（{holder}）",
                it = location,
                holder = holder,
            ));
        }
        opened => opened.map_err(|error| cannot_open(&location, &error))?,
    };
    let pulls = opened.journal.summary().await;
    let pulls = pulls.map_err(|error| cannot_open(&location, &error))?.pulls;
    let report = opened.report;
    let damage: Vec<_> = report.damage.iter().filter(|it| !it.unfinished).collect();
    let pulls = Phrase::new(count(pulls, "pull", "pulls"), format!("{pulls} 次拉取"));
    match damage.first() {
        None if location.is_shared() => Ok(Phrase::about(location.to_string(), pulls)),
        None => Ok(phrase!(
            "{it}: {pulls}, {mib} MiB",
            "{it}：{pulls}，{mib} MiB",
            it = location,
            pulls = pulls,
            mib = report.bytes.div_ceil(1 << 20),
        )),
        Some(first) => Err(Failure::usage(phrase!(
            "{location}: damaged in {places}, the first: {first}",
            "{location}：有 {n} 处损坏，第一处：{first}",
            location = location,
            places = count(damage.len() as u64, "place", "places"),
            n = damage.len(),
            first = first,
        ))),
    }
}

/// Deletes pulls and events older than `retain`, except the pulls in `spare`. Returns the deleted pulls.
pub(crate) async fn expire(
    journal: &dyn Store,
    retain: Duration,
    spare: &BTreeSet<PullId>,
) -> Vec<PullId> {
    match journal.expire(retain, spare).await {
        Ok(gone) => {
            if !gone.pulls.is_empty() {
                tell!(
                    "deleted {pulls} older than --retain",
                    "删除了早于 --retain 的 {n} 次拉取",
                    pulls = count(gone.pulls.len() as u64, "pull", "pulls"),
                    n = gone.pulls.len(),
                );
            }
            if gone.events > 0 {
                tell!(
                    "deleted {events}, which could not be forwarded in time",
                    "删除了未能及时转发的 {n} 个旧事件",
                    events = count(gone.events, "old event", "old events"),
                    n = gone.events,
                );
            }
            gone.pulls
        }
        Err(error) => {
            let what = phrase!("old pulls could not be deleted", "旧的拉取无法删除");
            say!("qopen: {}", chained(what, &error).shown());
            Vec::new()
        }
    }
}

/// Removes the lists of deleted pulls from the history of a database. Each robot's last list stays.
pub(crate) async fn forget(database: ListDatabase, pulls: Vec<PullId>) {
    let location = database.location();
    let forgotten = tokio::task::spawn_blocking(move || database.sink().forget(&pulls)).await;
    match forgotten {
        Ok(Ok(0)) => {}
        Ok(Ok(lists)) => {
            tell!(
                "removed {lists} older than --retain from the history in {location}",
                "从 {location} 的历史中移除了早于 --retain 的 {n} 份列表",
                lists = count(lists, "list", "lists"),
                location = location,
                n = lists,
            );
        }
        Ok(Err(error)) => {
            let what = phrase!(
                "old lists stay in the history in {location}",
                "旧列表仍在 {location} 的历史中",
                location = location,
            );
            say!("qopen: {}", chained(what, &error).shown());
        }
        // The process ends.
        Err(_) => {}
    }
}

/// Returns the pulls of a mark: one, unless marks were chosen by hand.
pub(crate) async fn of_mark(journal: &dyn Store, mark: &str) -> Result<Vec<PullState>, Failure> {
    marked(all(journal).await?, mark, |state| state.pull.mark_id.as_str())
}

/// Minimum length of an abbreviated mark or item name, in characters.
pub(crate) const ENOUGH: usize = 4;

/// Maximum number of marks in a message.
const LISTED: usize = 10;

/// Returns the elements of the only mark that is `wanted` or begins with it.
pub(crate) fn marked<T>(
    mut all: Vec<T>,
    wanted: &str,
    mark: impl Fn(&T) -> &str,
) -> Result<Vec<T>, Failure> {
    // A terminal shows a long mark up to there.
    let wanted = wanted.strip_suffix('…').unwrap_or(wanted);
    MarkId::new(wanted).map_err(|error| {
        let wanted = format!("{wanted:?}");
        Failure::usage_of(phrase!("the mark {wanted}", "标记 {wanted}", wanted = wanted), &error)
    })?;
    if all.iter().any(|it| mark(it) == wanted) {
        all.retain(|it| mark(it) == wanted);
        return Ok(all);
    }
    let there = Text::new("`qopen pulls list` shows all marks", "`qopen pulls list` 列出全部标记");
    if wanted.chars().count() < ENOUGH {
        return Err(Failure::usage(phrase!(
            "the journal has no pull of mark {wanted}; the beginning of a mark has at least {least} characters; {there}",
            "持久化存储中没有标记为 {wanted} 的拉取；标记的开头至少需要 {least} 个字符；{there}",
            wanted = wanted,
            least = ENOUGH,
            there = there,
        )));
    }
    all.retain(|it| mark(it).starts_with(wanted));
    let marks: BTreeSet<&str> = all.iter().map(&mark).collect();
    match marks.len() {
        0 => Err(Failure::usage(phrase!(
            "the journal has no pull whose mark begins with {wanted}; {there}",
            "持久化存储中没有标记以 {wanted} 开头的拉取；{there}",
            wanted = wanted,
            there = there,
        ))),
        1 => Ok(all),
        count => {
            let mut message = phrase!(
                "{count} marks begin with {wanted}; give more of one:",
                "{count} 个标记以 {wanted} 开头；请多写几个字符：",
                count = count,
                wanted = wanted,
            );
            for mark in marks.iter().take(LISTED) {
                message.push(&Phrase::same(format!("\n  {mark}")));
            }
            if count > LISTED {
                message.push(&phrase!(
                    "\n  and {more} more; {there}",
                    "\n  以及另外 {more} 个；{there}",
                    more = count - LISTED,
                    there = there,
                ));
            }
            Err(Failure::usage(message))
        }
    }
}

pub(crate) async fn all(journal: &dyn Store) -> Result<Vec<PullState>, Failure> {
    let pulls = journal.pulls().await;
    let what = || phrase!("the journal cannot be read", "持久化存储无法读取");
    pulls.map_err(|error| Failure::unexpected(what(), &error))
}

/// Returns the status of a pull in one word.
pub(crate) fn status(state: &PullState) -> &str {
    state.end_state().map_or("open", EndState::as_str)
}

/// Returns the reason why a pull's list is not complete.
pub(crate) fn why_incomplete(state: &PullState) -> String {
    match state.ended().map(|noted| &noted.note) {
        Some(Note::Ended { status, why, .. }) if *status != EndState::Complete => why.clone(),
        Some(_) => "pages are lost that the list was made from".to_owned(),
        None => "the pull has not ended".to_owned(),
    }
}

/// Refuses a list that is not complete, on the command line and over the control API.
pub(crate) fn needs_partial(why: &str) -> Phrase {
    phrase!(
        "the list is not complete: {why}; --partial, or ?partial=true of the control API, gives the incomplete list",
        "列表不完整：{why}；--partial（控制接口为 ?partial=true）给出不完整的列表",
        why = why,
    )
}

/// Refuses to accept a list that was not held.
pub(crate) const NOT_HELD: Text = Text::new(
    "no list of this pull is held; --max-gone, --verify-gone and --confirm hold lists",
    "该拉取没有被拦下的列表；--max-gone、--verify-gone 和 --confirm 会拦下列表",
);

/// Refuses to accept a list that a later one replaced.
pub(crate) const SUPERSEDED: Text = Text::new(
    "the list of this pull is superseded: the list of a later pull was published, and an earlier one must not replace it; pull again for the current list",
    "该拉取的列表已被取代：已发布更晚的拉取的列表，较早的列表不能替换它；需要当前列表请重新拉取",
);

/// Refuses to resume a pull whose list is held.
pub(crate) fn held(pull: &PullId) -> Phrase {
    phrase!(
        "the list of {pull} is held; `qopen pulls accept {mark}` publishes it",
        "{pull} 的列表被拦下；`qopen pulls accept {mark}` 可发布它",
        pull = pull,
        mark = pull.mark_id,
    )
}

/// Whether a pull is complete and its list was never published. A held list waits for a person.
pub(crate) fn is_unpublished(state: &PullState) -> bool {
    let is_decided = state.is_superseded() || state.held().is_some();
    state.is_complete() && state.published().is_none() && !is_decided
}

/// Formats a time in UTC, to the second.
pub(crate) fn time(at: SystemTime) -> String {
    match Timestamp::try_from(at) {
        Ok(at) => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::marked;
    use crate::exit::Exit;

    #[test]
    fn a_mark_is_named_by_an_unambiguous_beginning() {
        let marks = ["0199-aaaa", "0199-aabb", "0199-aa", "tiny", "müßig-1", "0199-aabb"];
        let find = |wanted| marked(marks.to_vec(), wanted, |it| it);
        assert_eq!(find("0199-aaa").unwrap(), ["0199-aaaa"]);
        assert_eq!(find("0199-aab").unwrap(), ["0199-aabb"; 2], "one mark of two robots");
        assert_eq!(find("0199-aa").unwrap(), ["0199-aa"], "exact, and the beginning of others");
        assert_eq!(find("müßi").unwrap(), ["müßig-1"]);
        assert_eq!(find("0199-aaa…").unwrap(), ["0199-aaaa"], "cut by a table");
        assert_eq!(marked(vec!["abc"], "abc", |it| it).unwrap(), ["abc"], "exact and short");
        for (wanted, what) in [
            ("0199", "3 marks begin with 0199; give more of one:\n  0199-aa\n  0199-aaaa\n"),
            ("019", "at least 4 characters"),
            ("0200", "no pull whose mark begins with 0200"),
            ("0199-aaaa-more", "no pull whose mark begins with"),
            ("", "cannot be empty"),
        ] {
            let failure = find(wanted).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.to_string().contains(what), "{failure}");
        }
        let many: Vec<String> = (0..12).map(|it| format!("many-{it:02}")).collect();
        let failure = marked(many, "many", |it| it).unwrap_err().to_string();
        assert!(failure.contains("many-09\n  and 2 more") && !failure.contains("many-10"));
    }
}
