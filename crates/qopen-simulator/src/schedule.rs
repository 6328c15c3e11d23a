//! Faults as data: a schedule describes what goes wrong, and replays the same way.

use qopen_types::RobotId;
use serde::{Deserialize, Serialize};

use crate::chance::{Chance, Dice};
pub use crate::odd_form::Odd;
use crate::robot::{Known, SimulatedRobot, SimulatedRobotKind};

/// An error report by callback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs, reason = "callers make it")]
pub struct ErrorFault {
    /// The code; not 0.
    pub code: i64,
    /// The message.
    pub message: String,
    /// Whether the report has `data` with the mark, or `data: null`.
    pub with_data: bool,
    /// How many pages go before it.
    pub after_pages: usize,
}

/// A refusal of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs, reason = "callers make it")]
pub struct Refusal {
    /// The code; not 0.
    pub code: i64,
    /// The message.
    pub message: String,
}

/// The platform's behaviour and its faults.
///
/// A schedule is plain data. In its JSON form every field has a default, so that a failing run fits
/// on one line and replays with `qopen simulate --schedule FILE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::exhaustive_structs, reason = "callers make it")]
pub struct Schedule {
    /// Seed of everything random.
    pub seed: u64,
    /// Customers of each robot.
    pub accounts: usize,
    /// Customers on a page.
    pub page_size: usize,
    /// Bytes of description in each customer's profile; 0 makes it short.
    pub description: usize,
    /// Callbacks in flight at once for one pull.
    pub parallel: usize,
    /// Attempts of a callback until it is answered `success`.
    pub max_attempts: usize,
    /// Sends the pages in random order.
    pub shuffle: bool,
    /// Sends the page with `has_more: false` first.
    pub last_page_first: bool,
    /// Chance that a page is sent once more.
    pub duplicates: Chance,
    /// Chance that an answer of `success` is lost, so that the callback is sent again.
    pub lost_acks: Chance,
    /// Never sends the last page.
    pub lost_last_page: bool,
    /// Pages never sent, by number from 0.
    pub lost_pages: Vec<usize>,
    /// Longest delay of a callback, in milliseconds.
    pub max_delay_ms: u64,
    /// A page, by number from 0, that leaves this many milliseconds after all others.
    pub late_page: Option<(usize, u64)>,
    /// Copies of the first page: their number, and the milliseconds before each.
    pub copies: Option<(usize, u64)>,
    /// Milliseconds after which a report without a mark is sent again, with the same bytes.
    pub repeated_report_ms: Option<u64>,
    /// Sends the callbacks before the answer to the request.
    pub callbacks_first: bool,
    /// Never sends a callback.
    pub silent: bool,
    /// Reports an error by callback.
    pub error: Option<ErrorFault>,
    /// Sends numbers as strings, strings as numbers, flags as 0 and 1.
    pub drift: bool,
    /// Sends `null` for empty values.
    pub nulls: bool,
    /// Sends undocumented codes and fields.
    pub unknown: bool,
    /// Puts white space and escapes into the JSON.
    pub spaces: bool,
    /// Customers on two pages, with different contents.
    pub conflicts: usize,
    /// Customers whose name is unreadable.
    pub broken_accounts: usize,
    /// A page, by number from 0, whose `account_list` is not a list.
    pub broken_page: Option<usize>,
    /// Pages in odd forms, by number from 0.
    pub odd_pages: Vec<(usize, Odd)>,
    /// The form of every page.
    pub odd: Option<Odd>,
    /// Other events, between the pages.
    pub foreign_events: usize,
    /// Damaged other events, between the pages.
    pub damaged_events: usize,
    /// Pages under marks that were never requested, between the pages.
    pub foreign_marks: usize,
    /// Callbacks with a wrong signature, between the pages.
    pub forged: usize,
    /// Sends timestamps from long ago.
    pub stale_timestamps: bool,
    /// Requests for which each access token is valid.
    pub token_uses: Option<usize>,
    /// Refuses the app's credentials.
    pub refuse_credentials: bool,
    /// Refuses the request.
    pub refusal: Option<Refusal>,
    /// Requests answered 503 before the first success.
    pub unavailable: usize,
    /// Answers the request without a code.
    pub answer_without_code: bool,
    /// Numbers, from 0, of each robot's requests that lose pages. `None`: all.
    pub lost_pages_on: Option<Vec<usize>>,
    /// Robots of the app. Without any, every robot exists and no list has one.
    pub robots: Vec<SimulatedRobot>,
    /// Refuses the list requests of robots that are offline or recycled. `None`: accepts them, and sends
    /// no callback.
    pub offline_refusal: Option<Refusal>,
    /// Customers that leave a robot with each accepted list request after the first.
    pub gone_each: usize,
    /// Customers that come with each accepted list request after the first.
    pub new_each: usize,
    /// Customers whose alias changes with each accepted list request after the first.
    pub changed_each: usize,
    /// Customers that remove the robot: `deleted_by_contact` becomes true,
    /// with each accepted list request after the first.
    pub lost_each: usize,
    /// Ids of customers that the operations by id leave out.
    pub by_ids_missing: Vec<String>,
    /// Refuses the operations by id.
    pub by_ids_refused: Option<Refusal>,
    /// Does not offer the operations by id.
    pub by_ids_not_offered: bool,
    /// Does not offer the second version of the operation by id.
    pub by_ids_v2_not_offered: bool,
    /// Requests by id answered 503 before the first success.
    pub by_ids_unavailable: usize,
    /// The most customers in one answer by id, which says whether it has more.
    pub by_ids_page: Option<usize>,
    /// The JSON of `data` in each answer by id, in place of the customers.
    pub by_ids_data: Option<String>,
    /// Refuses the lists of robots and their states.
    pub robots_refused: Option<Refusal>,
    /// Entries without an id at the end of the list of scan-code robots.
    pub robots_damaged: usize,
    /// Does not offer the lists of robots.
    pub robots_not_offered: bool,
    /// Does not offer the states of robots.
    pub states_not_offered: bool,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            seed: 1,
            accounts: 500,
            page_size: 100,
            description: 0,
            parallel: 4,
            max_attempts: 30,
            shuffle: false,
            last_page_first: false,
            duplicates: Chance::default(),
            lost_acks: Chance::default(),
            lost_last_page: false,
            lost_pages: Vec::new(),
            max_delay_ms: 0,
            late_page: None,
            copies: None,
            repeated_report_ms: None,
            callbacks_first: false,
            silent: false,
            error: None,
            drift: false,
            nulls: false,
            unknown: false,
            spaces: false,
            conflicts: 0,
            broken_accounts: 0,
            broken_page: None,
            odd_pages: Vec::new(),
            odd: None,
            foreign_events: 0,
            damaged_events: 0,
            foreign_marks: 0,
            forged: 0,
            stale_timestamps: false,
            token_uses: None,
            refuse_credentials: false,
            refusal: None,
            unavailable: 0,
            answer_without_code: false,
            lost_pages_on: None,
            robots: Vec::new(),
            offline_refusal: None,
            gone_each: 0,
            new_each: 0,
            changed_each: 0,
            lost_each: 0,
            by_ids_missing: Vec::new(),
            by_ids_refused: None,
            by_ids_not_offered: false,
            by_ids_v2_not_offered: false,
            by_ids_unavailable: 0,
            by_ids_page: None,
            by_ids_data: None,
            robots_refused: None,
            robots_damaged: 0,
            robots_not_offered: false,
            states_not_offered: false,
        }
    }
}

impl Schedule {
    /// The entry of a robot; of two the scan-code one.
    pub(crate) fn entry_of(&self, robot: &RobotId) -> Option<&SimulatedRobot> {
        let all = self.robots.iter().filter(|it| it.robot_id == *robot);
        all.min_by_key(|it| it.kind == SimulatedRobotKind::Platform)
    }

    pub(crate) fn known(&self, robot: &RobotId) -> Known {
        match self.entry_of(robot) {
            None if self.robots.is_empty() => Known::Online,
            None => Known::Unknown,
            Some(it) if it.is_offline() => Known::Offline,
            Some(_) => Known::Online,
        }
    }

    /// Schedules with one fault each that must not cost a customer, on this plain one.
    #[must_use]
    pub fn each_survivable(plain: &Self) -> Vec<Self> {
        let (plain, all) = (|| plain.clone(), Chance::new(100));
        vec![
            Self { shuffle: true, ..plain() },
            Self { last_page_first: true, ..plain() },
            Self { duplicates: all, ..plain() },
            Self { lost_acks: all, ..plain() },
            Self { max_delay_ms: 300, ..plain() },
            Self { callbacks_first: true, ..plain() },
            Self { drift: true, ..plain() },
            Self { nulls: true, ..plain() },
            Self { unknown: true, ..plain() },
            Self { spaces: true, ..plain() },
            Self { conflicts: 20, shuffle: true, ..plain() },
            Self { foreign_events: 9, ..plain() },
            Self { foreign_marks: 9, ..plain() },
            Self { forged: 9, ..plain() },
            Self { stale_timestamps: true, ..plain() },
            Self { token_uses: Some(1), ..plain() },
            Self { unavailable: 2, ..plain() },
            Self { answer_without_code: true, ..plain() },
            Self { accounts: 0, ..plain() },
            Self { accounts: 0, nulls: true, ..plain() },
        ]
    }

    /// Mixes, by the seed, every fault that must not cost a customer. A pull must end complete and
    /// correct under all of them.
    #[must_use]
    pub fn survivable(seed: u64) -> Self {
        let mut dice = Dice::new(seed, "schedule");
        let mut coin = |percent| dice.happens(Chance::new(percent));
        let (shuffle, last_page_first, callbacks_first) = (coin(70), coin(30), coin(20));
        let (drift, nulls, unknown, spaces) = (coin(50), coin(50), coin(50), coin(50));
        let (stale_timestamps, answer_without_code, conflicting, tokens) =
            (coin(10), coin(10), coin(50), coin(30));
        let odd = coin(40);
        let mut number = |below| usize::try_from(dice.below(below)).unwrap_or(0);
        Self {
            seed,
            accounts: number(400),
            page_size: 1 + number(60),
            parallel: 1 + number(8),
            shuffle,
            last_page_first,
            duplicates: Chance::new(u8::try_from(number(60)).unwrap_or(0)),
            lost_acks: Chance::new(u8::try_from(number(40)).unwrap_or(0)),
            max_delay_ms: number(30) as u64,
            callbacks_first,
            drift,
            nulls,
            unknown,
            spaces,
            conflicts: if conflicting { number(10) } else { 0 },
            odd_pages: match odd {
                true => {
                    let readable: Vec<Odd> =
                        Odd::ALL.into_iter().filter(|it| it.keeps_spelling()).collect();
                    let mut any = || readable[number(readable.len() as u64)];
                    (0..4).map(|page| (page, any())).collect()
                }
                false => Vec::new(),
            },
            foreign_events: number(5),
            damaged_events: number(3),
            foreign_marks: number(5),
            forged: number(5),
            stale_timestamps,
            token_uses: tokens.then_some(1),
            unavailable: number(3),
            answer_without_code,
            ..Self::default()
        }
    }
}
