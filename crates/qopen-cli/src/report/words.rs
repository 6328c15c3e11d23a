//! Numbers with their nouns, and widths of text on a terminal.

use std::fmt::Display;

use qopen::journal::PullId;

use crate::lang::{Phrase, phrase};

/// Returns the noun in the number of `n`.
pub(super) fn of<'a>(n: u64, one: &'a str, many: &'a str) -> &'a str {
    if n == 1 { one } else { many }
}

/// A noun in both languages. Chinese has a measure word or nothing before it: `2 个分页`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noun {
    pub(crate) one: &'static str,
    pub(crate) many: &'static str,
    pub(crate) zh: &'static str,
}

impl Noun {
    pub(crate) const fn new(one: &'static str, many: &'static str, zh: &'static str) -> Self {
        Self { one, many, zh }
    }

    /// A number and its noun.
    pub(crate) fn count(self, n: u64) -> Phrase {
        let en = of(n, self.one, self.many);
        phrase!("{n} {en}", "{n} {zh}", n = n, en = en, zh = self.zh)
    }
}

pub(crate) const PAGES: Noun = Noun::new("page", "pages", "个分页");
pub(crate) const CUSTOMERS: Noun = Noun::new("customer", "customers", "位客户");
pub(crate) const CUSTOMERS_ARE: Noun = Noun::new("customer is", "customers are", "位客户");
pub(crate) const COPIES: Noun = Noun::new("copy", "copies", "个重复分页");
pub(crate) const BYTES: Noun = Noun::new("byte", "bytes", "字节");
pub(crate) const ROBOTS: Noun = Noun::new("robot", "robots", "个机器人");

/// The pull of a robot with a mark, in English as the journal spells it.
pub(crate) fn named(robot: impl Display, mark: impl Display) -> Phrase {
    phrase!("robot {robot} mark {mark}", "机器人 {robot} 标记 {mark}", robot = robot, mark = mark)
}

impl From<&PullId> for Phrase {
    fn from(pull: &PullId) -> Self {
        named(&pull.robot_id, &pull.mark_id)
    }
}

/// Truncates the text to `width` columns, with `…` at a cut end.
pub(super) fn cut(text: &str, width: usize) -> String {
    if console::measure_text_width(text) <= width {
        return text.to_owned();
    }
    console::truncate_str(text, width, "…").into_owned()
}

/// Returns the columns of the terminal at standard error.
pub(super) fn columns() -> usize {
    crate::terminal::columns(&console::Term::stderr())
}
