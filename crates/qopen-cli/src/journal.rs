//! Opening and expiring journals, and texts about times and pulls.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use qopen::journal::{
    Backend, EndState, Examined, JournalError, Note, Opened, PullId, PullState, Store,
};
use qopen::types::Upgrade;
use tracing::Level;

use crate::beside;
use crate::exit::{Failure, chained};
use crate::lang::{Phrase, Text, phrase};
use crate::output::database::ListDatabase;
use crate::report::{Noun, noted_end};
use crate::say::{self, say, tell};
use crate::settings::Settings;
use crate::topics;

pub(crate) const PULLS: Noun = Noun::new("pull", "pulls", "次拉取");

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
    if let Some(doubted) = opened.report.doubted {
        say_doubted(location, doubted);
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

/// Creates or updates the tables of a journal, and says if it was restored. Returns the number of steps.
pub(crate) async fn migrate(location: &Location) -> Result<usize, JournalError> {
    // A migration says why the journal cannot be looked at.
    let is_restored =
        location.is_shared() && location.examine().await.is_ok_and(|it| it.is_restored);
    let steps = location.migrate().await?;
    if is_restored {
        say_restored(location, &phrase!("its unfinished pulls", "其未完成的拉取"));
    }
    Ok(steps)
}

fn say_restored(location: &Location, pulls: &Phrase) {
    tell!(
        "the journal in {location} was restored from a backup, and may lack pages that were acknowledged after it: {pulls} cannot become complete; pull the robots again (`qopen explain quarantine-lost`)",
        "{location} 中的持久化存储由备份恢复，可能缺少备份之后已确认的分页：{pulls}不会算作完整；请重新拉取这些机器人（`qopen explain quarantine-lost`）",
        location = location,
        pulls = pulls,
    );
}

/// Says what a restored journal counts against its pulls.
pub(crate) fn say_doubted(location: &Location, doubted: u64) {
    const UNFINISHED: Noun = Noun::new("unfinished pull", "unfinished pulls", "次未完成的拉取");
    match doubted {
        0 => tell!(
            "the journal in {location} was restored, and has no unfinished pull",
            "{location} 中的持久化存储由备份恢复，没有未完成的拉取",
            location = location,
        ),
        doubted => say_restored(location, &UNFINISHED.count(doubted)),
    }
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

/// What `qopen doctor` says of the journal.
pub(crate) struct Look {
    pub(crate) line: Result<Phrase, Failure>,
    /// What the first use by this version does to the format. `None` if there is no journal.
    pub(crate) format: Option<Upgrade>,
    /// Whether it was restored from a backup, which no process has counted yet.
    pub(crate) is_restored: bool,
}

/// Looks at the journal for `qopen doctor`. Changes nothing.
pub(crate) async fn examine(settings: &Settings) -> Look {
    let failed = |failure| Look { line: Err(failure), format: None, is_restored: false };
    let location = match settings.journal() {
        Ok(location) => location,
        Err(failure) => return failed(failure),
    };
    match location.examine().await {
        Err(error) => failed(cannot_open(&location, &error)),
        Ok(found) => Look {
            line: line_of(&location, &found).await,
            is_restored: found.is_restored,
            format: found.upgrade.filter(|it| it.found.is_some()),
        },
    }
}

async fn line_of(location: &Location, found: &Examined) -> Result<Phrase, Failure> {
    if !location.exists().await.map_err(|error| cannot_open(location, &error))? {
        if location.is_shared() {
            return Err(Failure::usage(Phrase::about(location.to_string(), elsewhere(location))));
        }
        return Ok(match location.as_folder().is_some_and(|it| it.is_dir()) {
            true => phrase!(
                "{location} holds no journal yet; the first pull makes one",
                "{location} 中还没有持久化存储；首次拉取时创建",
                location = location,
            ),
            false => phrase!("{location} will be made", "将创建 {location}", location = location),
        });
    }
    if let Some(holder) = &found.holder {
        return Ok(phrase!(
            "{location}: in use ({holder})",
            "{location}：正在使用（{holder}）",
            location = location,
            holder = holder,
        ));
    }
    let report = &found.report;
    let damage: Vec<_> = report.damage.iter().filter(|it| !it.unfinished).collect();
    let pulls = PULLS.count(report.pulls);
    match damage.first() {
        None if location.is_shared() => Ok(Phrase::about(location.to_string(), pulls)),
        None => Ok(phrase!(
            "{location}: {pulls}, {n} MiB",
            "{location}：{pulls}，{n} MiB",
            location = location,
            pulls = pulls,
            n = report.bytes.div_ceil(1 << 20),
        )),
        Some(first) => Err(Failure::usage(phrase!(
            "{location}: damaged in {places}, the first: {first}",
            "{location}：有 {places}损坏，第一处：{first}",
            location = location,
            places = Noun::new("place", "places", "处").count(damage.len() as u64),
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
                    "删除了早于 --retain 的 {pulls}",
                    pulls = PULLS.count(gone.pulls.len() as u64),
                );
            }
            if gone.events > 0 {
                tell!(
                    "deleted {events}, which could not be forwarded in time",
                    "删除了未能及时转发的 {events}",
                    events = Noun::new("old event", "old events", "个旧事件").count(gone.events),
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
                "从 {location} 的历史中移除了早于 --retain 的 {lists}",
                lists = Noun::new("list", "lists", "份列表").count(lists),
                location = location,
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
pub(crate) fn why_incomplete(state: &PullState) -> Phrase {
    match state.ended().map(|noted| &noted.note) {
        Some(Note::Ended { status, why, evidence, reason, .. })
            if *status != EndState::Complete =>
        {
            noted_end(why, evidence.as_ref(), reason.as_ref())
        }
        Some(_) => phrase!("pages are lost that the list was made from", "列表所依据的分页已丢失"),
        None => phrase!("the pull has not ended", "拉取尚未结束"),
    }
}

/// Refuses a list that is not complete, on the command line and over the control API.
pub(crate) fn needs_partial(why: &Phrase) -> Phrase {
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
        pull = Phrase::from(pull),
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
