//! How an account is laid out: the fields of its JSON, and its columns.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::{Account, Extra};

/// A field of an object, as the JSON of a record has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field(pub(crate) &'static str, pub(crate) Kind);

/// What a field may hold in the common form.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A plain string that is an identifier.
    Id,
    /// A string, an integer in its place, or null.
    Text,
    /// An integer or null.
    Integer,
    /// True, false or null.
    Flag,
    Object(&'static [Field]),
    /// A list of such objects, or null.
    List(&'static [Field]),
}

/// The unknown fields of an object in an account.
pub(crate) type Extras = for<'a> fn(&'a Account) -> &'a Extra;

/// A column of an account in flat outputs, such as CSV and SQL.
///
/// ```
/// use qopen_types::{Account, Cell};
///
/// let name = Account::COLUMNS.iter().find(|it| it.path == "profile.name");
/// let Some(Cell::Text(read)) = name.map(|it| it.cell) else { unreachable!() };
/// let mut account = Account::new("customer".parse()?);
/// account.profile.name = "Ann".to_owned();
/// assert_eq!(read(&account), "Ann");
/// # Ok::<(), qopen_types::InvalidId>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Column {
    /// The column's name: lowercase ASCII, unique among the columns of an account.
    pub name: &'static str,
    /// The path of the field from the account down, such as `profile.name`.
    pub path: &'static str,
    /// The Chinese label.
    pub label_zh: &'static str,
    /// The English label.
    pub label_en: &'static str,
    /// Whether a table of accounts has the column.
    pub in_tables: bool,
    /// How the value is read from an account.
    pub cell: Cell,
}

impl Column {
    /// A column of a field that [`Account`] does not have, with its name as path and labels.
    #[must_use]
    pub const fn new(name: &'static str, cell: Cell) -> Self {
        Self { name, path: name, label_zh: name, label_en: name, in_tables: true, cell }
    }
}

/// How the value of a [`Column`] is read from an account, by its kind.
///
/// Exhaustive: an output that forgets a kind does not compile.
#[derive(Clone, Copy, Debug)]
pub enum Cell {
    /// A text.
    Text(for<'a> fn(&'a Account) -> &'a str),
    /// An integer.
    Integer(fn(&Account) -> i64),
    /// A time, in seconds since the Unix epoch; 0 when not given.
    UnixSeconds(fn(&Account) -> i64),
    /// A flag.
    Flag(fn(&Account) -> bool),
    /// A code of an open enumeration.
    Code(fn(&Account) -> Code),
    /// A list whose elements are a few texts each, and the character between those.
    Rows(char, for<'a> fn(&'a Account) -> Rows<'a>),
    /// Any other list, as JSON.
    Json(fn(&Account) -> String),
}

/// The elements of a list, each with its texts.
pub type Rows<'a> = Vec<Vec<Cow<'a, str>>>;

/// A code of an open enumeration, with its labels if it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Code {
    /// The number on the wire.
    pub code: i64,
    /// The Chinese label.
    pub label_zh: Option<&'static str>,
    /// The English label.
    pub label_en: Option<&'static str>,
}

impl Code {
    /// A known code.
    #[must_use]
    pub const fn known(code: i64, label_zh: &'static str, label_en: &'static str) -> Self {
        Self { code, label_zh: Some(label_zh), label_en: Some(label_en) }
    }

    /// A code without labels.
    #[must_use]
    pub const fn unknown(code: i64) -> Self {
        Self { code, label_zh: None, label_en: None }
    }
}
