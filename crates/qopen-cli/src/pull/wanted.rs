//! The robots that `qopen pull` requests, and the interrupted pulls that it resumes.

use std::collections::BTreeSet;
use std::time::SystemTime;

use qopen::journal::{Note, PullState, Store};
use qopen::types::RobotId;

use crate::args::PullArgs;
use crate::database;
use crate::exit::Failure;
use crate::format::{Asked, Layout};
use crate::lang::{Text, phrase};
use crate::output::place::Place;
use crate::report::PAGES;
use crate::say::tell;
use crate::values::in_units;
use crate::values::out::is_database;

/// The lists to request and the pulls to resume.
pub(super) struct Wanted {
    pub(super) new: Vec<RobotId>,
    pub(super) resumed: Vec<PullState>,
    /// Interrupted pulls, each replaced by a new one.
    pub(super) replaced: Vec<PullState>,
}

impl Wanted {
    pub(super) async fn of(
        args: &PullArgs,
        robots: Vec<RobotId>,
        journal: &dyn Store,
    ) -> Result<Self, Failure> {
        let mut wanted = Self { new: Vec::new(), resumed: Vec::new(), replaced: Vec::new() };
        if !args.resume.is_empty() {
            let marks: BTreeSet<&String> = args.resume.iter().collect();
            for mark in marks {
                wanted.resumed.extend(crate::marks::of_mark(journal, mark).await?);
            }
            // Two beginnings may be of one mark.
            wanted.resumed.sort_by(|one, other| one.pull.cmp(&other.pull));
            wanted.resumed.dedup_by(|one, other| one.pull == other.pull);
            if let Some(held) = wanted.resumed.iter().find(|it| it.held().is_some()) {
                return Err(Failure::usage(crate::journal::held(&held.pull)));
            }
            wanted.check()?;
            wanted.resumed.iter().for_each(|state| say_unfollowed(state, args));
            return Ok(wanted);
        }
        let known = match args.new {
            true => Vec::new(),
            false => crate::journal::all(journal).await?,
        };
        for robot in robots {
            let ours = |it: &&PullState| it.pull.robot_id == robot && it.started().is_some();
            let youngest = known.iter().filter(ours).max_by_key(|it| it.order);
            let Some(state) = youngest.filter(|it| is_interrupted(it)) else {
                wanted.new.push(robot);
                continue;
            };
            let mark = &state.pull.mark_id;
            let replaced = if !is_as_asked(state, args) {
                Some(Text::new("was started with other options", "的选项不同"))
            } else if is_stale(state) {
                Some(Text::new("is past its deadline", "已超过时限"))
            } else if !state.damaged.is_empty() {
                Some(Text::new("has lost pages in the journal", "在持久化存储中丢失了分页"))
            } else if is_without_customers(state) && !args.receiving.allow_empty {
                Some(Text::new(
                    "has no customers, which only --allow-empty publishes",
                    "没有客户，只有 --allow-empty 才会发布",
                ))
            } else if is_empty(state) {
                Some(Text::new("has no page", "没有分页"))
            } else {
                None
            };
            if let Some(why) = replaced {
                tell!(
                    "the interrupted pull {mark} of robot {robot} {why}; requesting the list anew",
                    "机器人 {robot} 中断的拉取 {mark} {why}；正在重新请求列表",
                    mark = mark,
                    robot = robot,
                    why = why,
                );
                wanted.replaced.push(state.clone());
                wanted.new.push(robot);
                continue;
            }
            tell!(
                "resuming the interrupted pull {mark} of robot {robot}, {pages} so far (--new requests the list anew)",
                "继续机器人 {robot} 中断的拉取 {mark}，目前 {pages}（--new 可重新请求列表）",
                mark = mark,
                robot = robot,
                pages = PAGES.count(state.pages),
            );
            say_unfollowed(state, args);
            wanted.resumed.push(state.clone());
        }
        Ok(wanted)
    }

    /// Checks that the resumed pulls have one list per robot.
    fn check(&self) -> Result<(), Failure> {
        let mut robots = BTreeSet::new();
        for state in &self.resumed {
            if !robots.insert(&state.pull.robot_id) {
                let robot = &state.pull.robot_id;
                return Err(Failure::usage(phrase!(
                    "two of these pulls are of robot {robot}; resume them one by one",
                    "其中两次拉取属于机器人 {robot}；请逐个继续",
                    robot = robot,
                )));
            }
        }
        Ok(())
    }

    /// Returns the place of the lists: from the arguments, else from the start of the pulls.
    pub(super) fn place(&self, args: &PullArgs) -> Result<Place, Failure> {
        let mut before = None;
        if !args.resume.is_empty() {
            let places: Vec<_> = self.resumed.iter().map(Place::of).collect();
            if args.out.is_none() && places.windows(2).any(|pair| pair[0] != pair[1]) {
                return Err(Failure::usage(phrase!(
                    "the lists of these pulls have different places; give --out PATH, or resume the pulls one by one",
                    "这些拉取的列表位置不同；请给出 --out PATH，或逐个继续",
                )));
            }
            before = places.into_iter().next().flatten();
        }
        let noted = before.as_ref().map(Place::layout).unwrap_or_default();
        let layout = match (&args.out, &before) {
            (Some(out), _) => args.layout.at(out, noted)?,
            (None, Some(before)) if !args.layout.is_nothing() => {
                // The format may have come from an option, not from the name.
                let is_file = !is_database(&before.out);
                let format = args.layout.format.or(is_file.then_some(noted.format));
                Asked { format, ..args.layout }.at(&before.out, noted)?
            }
            (None, _) => noted,
        };
        if let Some(url) = args.out.as_deref().and_then(database::of) {
            database::refuse_password("--out", url)?;
        }
        let out = args.out.clone().or(before.map(|it| it.out));
        let unknown = phrase!(
            "this pull has no place for its list; give --out PATH",
            "该拉取没有列表的位置；请给出 --out PATH",
        );
        let out = out.ok_or_else(|| Failure::usage(unknown))?;
        let folder = out.is_dir();
        let Layout { format, csv } = layout;
        Ok(Place { out, format, csv, folder })
    }

    pub(super) fn robots(&self) -> Vec<&str> {
        let resumed = self.resumed.iter().map(|it| &it.pull.robot_id);
        self.new.iter().chain(resumed).map(RobotId::as_str).collect()
    }
}

/// Whether a pull is open, or complete and not published.
fn is_interrupted(state: &PullState) -> bool {
    state.ended().is_none() || crate::journal::is_unpublished(state)
}

/// Whether a pull has no end past its deadline. A wrong clock costs a request or a wait.
fn is_stale(state: &PullState) -> bool {
    let Some((at, started)) = state.started() else { return false };
    let age = SystemTime::now().duration_since(at).unwrap_or_default();
    age >= started.deadline
}

/// Whether an interrupted pull has the options of these arguments.
fn is_as_asked(state: &PullState, args: &PullArgs) -> bool {
    state.started().is_some_and(|(_, started)| {
        started.need_tag_info == args.need_tags && started.expect_accounts == args.expect_accounts
    })
}

/// Whether an accepted pull has no page. The platform may have given up its pages.
fn is_empty(state: &PullState) -> bool {
    let came = state.pages + state.quarantined + state.damaged.len() as u64;
    state.is_accepted() && came == 0 && state.doubts().is_empty()
}

/// Whether a complete list that was not published has no customers.
fn is_without_customers(state: &PullState) -> bool {
    let ended = state.ended().map(|it| &it.note);
    state.is_complete() && matches!(ended, Some(Note::Ended { accounts: 0, .. }))
}

/// Prints the options that a resumed pull keeps although these arguments differ.
fn say_unfollowed(state: &PullState, args: &PullArgs) {
    let Some((_, started)) = state.started() else { return };
    if state.is_complete() {
        return;
    }
    let given = &args.receiving;
    let times = [
        ("--settle", started.settle, given.settle),
        ("--idle-timeout", started.idle_timeout, given.idle_timeout),
        ("--deadline", started.deadline, given.deadline),
    ];
    let differing = times.iter().filter(|(_, kept, given)| kept != given);
    let mut kept: Vec<_> =
        differing.map(|(flag, kept, _)| format!("{flag} {}", in_units(*kept))).collect();
    if started.expect_accounts != args.expect_accounts {
        kept.push(match started.expect_accounts {
            Some(accounts) => format!("--expect-accounts {accounts}"),
            None => "no --expect-accounts".to_owned(),
        });
    }
    if started.need_tag_info != args.need_tags {
        kept.push(if started.need_tag_info { "--need-tags" } else { "no --need-tags" }.to_owned());
    }
    if started.allow_unidentified != given.allow_unidentified {
        kept.push(format!("--allow-unidentified {}", started.allow_unidentified));
    }
    if !kept.is_empty() {
        let (mark, kept) = (&state.pull.mark_id, kept.join(" "));
        tell!(
            "the resumed pull {mark} keeps {kept} of its start",
            "继续的拉取 {mark} 沿用开始时的 {kept}",
            mark = mark,
            kept = kept,
        );
    }
}
