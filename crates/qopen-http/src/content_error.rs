//! Answers that are JSON objects without the expected content.

/// The error of an answer without the expected content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The answer's `data` is absent, or has no list. That does not mean that the list is empty.
    #[error("`data` has no `{field}`; ask the platform's support, with the time of the request")]
    Absent {
        /// The field of the list.
        field: &'static str,
    },
    /// A page has nothing that the pages before did not have, although `has_more` is true.
    #[error(
        "the page at offset {offset} brings nothing new although `has_more` is true, so that the list would never end; ask again later"
    )]
    NothingNew {
        /// The page's offset.
        offset: i64,
    },
    /// The list has more pages than any list can have.
    #[error("the list has more than {pages} pages")]
    TooManyPages {
        /// The most pages that are read.
        pages: usize,
    },
}
