//! A robot's list: its pages, and what must come out of them.

use std::collections::{BTreeMap, BTreeSet};

use qopen_types::{Account, Digest, MarkId, RobotId};
use serde_json::json;

use crate::content::Version;
use crate::{Schedule, customers};

/// A page of a robot's list.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TestPage {
    /// Its number, from 0.
    pub number: usize,
    /// Whether it is marked as the last page.
    pub last: bool,
    /// Its payload.
    pub payload: String,
}

/// A robot's customers by a schedule.
#[derive(Clone, Debug)]
pub struct Dataset {
    robot: RobotId,
    schedule: Schedule,
    pages: Vec<Vec<Version>>,
}

impl Dataset {
    /// The customers of a robot at its first list request: the same for the same seed, robot and
    /// `need_tag_info`.
    #[must_use]
    pub fn new(schedule: &Schedule, robot: &RobotId, need_tag_info: bool) -> Self {
        Self::of_generation(schedule, robot, need_tag_info, 0)
    }

    /// The customers of a robot at its list request with this number, from 0. Between two requests the
    /// list moves by `gone_each`, `new_each`, `changed_each` and `lost_each` of the schedule.
    #[must_use]
    pub fn of_generation(
        schedule: &Schedule,
        robot: &RobotId,
        need_tag_info: bool,
        generation: usize,
    ) -> Self {
        let customers = customers::of_generation(schedule, robot, need_tag_info, generation);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for customer in customers {
            first.push(customer.first);
            second.extend(customer.second);
        }
        // The second contents come at the end of the list, so mostly on other pages.
        first.extend(second);
        let mut pages: Vec<Vec<Version>> =
            first.chunks(schedule.page_size.max(1)).map(<[_]>::to_vec).collect();
        if pages.is_empty() {
            pages.push(Vec::new());
        }
        Self { robot: robot.clone(), schedule: schedule.clone(), pages }
    }

    /// The first content of each customer whose id can be read.
    pub(crate) fn customers(&self) -> impl Iterator<Item = (&Account, &str)> {
        let mut seen = BTreeSet::new();
        let versions = self.pages.iter().flatten();
        let known = versions.filter_map(|it| Some((it.account.as_ref()?, it.raw.as_str())));
        known.filter(move |(account, _)| seen.insert(account.account_id.clone()))
    }

    /// The pages of the list under a mark.
    #[must_use]
    pub fn pages(&self, mark: &MarkId) -> Vec<TestPage> {
        let last = self.pages.len() - 1;
        let page = |(number, accounts): (usize, &Vec<Version>)| TestPage {
            number,
            last: number == last,
            payload: self.payload(mark, number, number != last, accounts),
        };
        self.pages.iter().enumerate().map(page).collect()
    }

    /// The expected list if every page arrives: each customer with its winning content.
    #[must_use]
    pub fn expected(&self) -> BTreeMap<String, Account> {
        self.expected_of(|_| true)
    }

    /// The expected list if only these pages arrive.
    #[must_use]
    pub fn expected_of(&self, came: impl Fn(usize) -> bool) -> BTreeMap<String, Account> {
        let mut winners: BTreeMap<String, (u128, Account)> = BTreeMap::new();
        let pages = self.pages.iter().enumerate().filter(|(number, _)| came(*number));
        for version in pages.flat_map(|(_, page)| page) {
            let Some(account) = &version.account else {
                continue;
            };
            // The lowest bit does not count: see the conflict rule of the assembler.
            let rank = Digest::of(version.raw.as_bytes()).to_u128() >> 1;
            let id = account.account_id.to_string();
            match winners.get(&id) {
                Some((best, _)) if *best >= rank => {}
                _ => {
                    winners.insert(id, (rank, account.clone()));
                }
            }
        }
        winners.into_iter().map(|(id, (_, account))| (id, account)).collect()
    }

    fn payload(
        &self,
        mark: &MarkId,
        number: usize,
        has_more: bool,
        accounts: &[Version],
    ) -> String {
        let list = match () {
            () if self.schedule.broken_page == Some(number) => "\"not a list\"".to_owned(),
            () if accounts.is_empty() && self.schedule.nulls => "null".to_owned(),
            () => {
                let raws: Vec<&str> = accounts.iter().map(|version| version.raw.as_str()).collect();
                format!("[{}]", raws.join(","))
            }
        };
        let (robot, mark) = (json!(self.robot), json!(mark));
        let has_more = match self.schedule.drift {
            true => json!(i32::from(has_more)),
            false => json!(has_more),
        };
        format!(
            r#"{{"event_type":42016,"err_code":0,"err_msg":"success","robot_id":{robot},"data":{{"has_more":{has_more},"mark_id":{mark},"account_list":{list}}}}}"#
        )
    }
}
