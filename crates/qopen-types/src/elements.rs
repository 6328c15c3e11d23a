//! The names of texts in lists.

use crate::Column;
use crate::generated::layout::RECORD;
use crate::layout::Kind;

impl Column {
    /// The names of the texts of each element, for [`Cell::Rows`](crate::Cell::Rows). Empty for other kinds, and for a field that
    /// [`Account`](crate::Account) does not have.
    ///
    /// ```
    /// use qopen_types::Account;
    ///
    /// let tags = Account::COLUMNS.iter().find(|it| it.name == "tags").expect("a column");
    /// assert_eq!(tags.element_names().collect::<Vec<_>>(), ["parent_tag_name", "tag_name"]);
    /// ```
    pub fn element_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        let mut kind = Some(Kind::Object(RECORD));
        for name in self.path.split('.') {
            kind = match kind {
                Some(Kind::Object(fields)) => fields.iter().find(|it| it.0 == name).map(|it| it.1),
                _ => None,
            };
        }
        let fields = match kind {
            Some(Kind::List(fields)) => fields,
            _ => &[],
        };
        fields.iter().map(|it| it.0)
    }
}
