//! Pulls by their marks, or by beginnings of marks.

use std::collections::BTreeSet;

use qopen::journal::{PullState, Store};
use qopen::types::MarkId;

use crate::exit::Failure;
use crate::journal::all;
use crate::lang::{Phrase, Text, phrase};

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
