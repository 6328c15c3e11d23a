//! The customers of a robot, and how they move between its list requests.

use qopen_types::{Account, RobotId};
use serde_json::json;

use crate::Schedule;
use crate::chance::Dice;
use crate::content::{Version, account, partly_read, version};

/// A customer with its contents.
pub(crate) struct Customer {
    account: Account,
    pub(crate) first: Version,
    /// Another content, on a later page.
    pub(crate) second: Option<Version>,
    /// Whether its name is unreadable.
    is_broken: bool,
}

/// The customers at the list request with this number, from 0.
pub(crate) fn of_generation(
    schedule: &Schedule,
    robot: &RobotId,
    need_tag_info: bool,
    generation: usize,
) -> Vec<Customer> {
    let mut dice = Dice::new(schedule.seed, &format!("accounts/{robot}"));
    let mut all: Vec<Customer> = (0..schedule.accounts)
        .map(|number| {
            let account = account(robot, number, need_tag_info, schedule, &mut dice);
            Customer::new(account, number, schedule, &mut dice)
        })
        .collect();
    let mut next = schedule.accounts;
    for generation in 1..=generation {
        let dice = &mut Dice::new(schedule.seed, &format!("moves/{robot}/{generation}"));
        for _ in 0..schedule.gone_each.min(all.len()) {
            all.remove(index(dice, all.len()));
        }
        let mut movable: Vec<usize> = (0..all.len()).filter(|at| !all[*at].is_broken).collect();
        dice.shuffle(&mut movable);
        // A customer moves in one way only, so that each number is the number of its kind.
        let (staying, lost): (Vec<usize>, Vec<usize>) =
            movable.into_iter().partition(|at| all[*at].account.deleted_by_contact);
        let (lost, rest) = lost.split_at(schedule.lost_each.min(lost.len()));
        for at in lost {
            all[*at].change(schedule, dice, |it| it.deleted_by_contact = true);
        }
        for at in rest.iter().chain(&staying).take(schedule.changed_each) {
            let mark = format!(" (changed {generation})");
            all[*at].change(schedule, dice, |it| it.profile.alias.push_str(&mark));
        }
        for number in next..next + schedule.new_each {
            let account = account(robot, number, need_tag_info, schedule, dice);
            // A later customer is neither broken nor in conflict.
            let first = version(account.clone(), schedule, dice);
            all.push(Customer { account, first, second: None, is_broken: false });
        }
        next += schedule.new_each;
    }
    all
}

impl Customer {
    fn new(account: Account, number: usize, schedule: &Schedule, dice: &mut Dice) -> Self {
        if number < schedule.broken_accounts {
            let id = account.account_id.as_str();
            let raw = json!({"account_id": id, "profile": {"name": ["?"]}}).to_string();
            let first = Version { account: partly_read(&raw), raw };
            return Self { account, first, second: None, is_broken: true };
        }
        let second = (number < schedule.broken_accounts + schedule.conflicts)
            .then(|| conflicting(&account, schedule, dice));
        let first = version(account.clone(), schedule, dice);
        Self { account, first, second, is_broken: false }
    }

    fn change(&mut self, schedule: &Schedule, dice: &mut Dice, with: impl FnOnce(&mut Account)) {
        with(&mut self.account);
        if self.second.is_some() {
            self.second = Some(conflicting(&self.account, schedule, dice));
        }
        self.first = version(self.account.clone(), schedule, dice);
    }
}

/// The same customer with another content.
fn conflicting(account: &Account, schedule: &Schedule, dice: &mut Dice) -> Version {
    let mut moved = account.clone();
    moved.profile.alias.push_str(" (moved)");
    version(moved, schedule, dice)
}

fn index(dice: &mut Dice, length: usize) -> usize {
    usize::try_from(dice.below(length as u64)).unwrap_or(0)
}
