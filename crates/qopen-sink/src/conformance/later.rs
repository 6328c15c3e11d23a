//! Columns that a later version may have.

use qopen_types::{Account, Cell, Code, Column};

/// Returns a column of each kind, as a later version may have behind the columns of an account. Their values are
/// unknown fields of the account now: `nickname`, `order`, `level` and `seen_at`.
///
/// # Panics
/// When a value is read of an account whose `order`, `level` or `seen_at` is no number.
#[must_use]
pub fn later_columns() -> Vec<Column> {
    fn number(account: &Account, name: &str) -> i64 {
        account.extra.get(name).map_or(0, |it| it.as_str().parse().unwrap())
    }
    let text: for<'a> fn(&'a Account) -> &'a str =
        |it| it.extra.get("nickname").map_or("", |it| it.as_str().trim_matches('"'));
    [
        Column::new("nickname", Cell::Text(text)),
        Column::new("order", Cell::Integer(|it| number(it, "order"))),
        Column::new("level", Cell::Code(|it| Code::unknown(number(it, "level")))),
        Column::new("seen_at", Cell::UnixSeconds(|it| number(it, "seen_at"))),
        Column::new("vip", Cell::Flag(|it| number(it, "order") > 0)),
        Column::new("things", Cell::Json(|_| r#"[{"a":"\\"}]"#.to_owned())),
        Column::new("pairs", Cell::Rows(':', |it| vec![vec![it.account_id.as_str().into()]])),
    ]
    .into()
}
