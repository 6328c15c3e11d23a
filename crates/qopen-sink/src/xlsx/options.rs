//! Options of XLSX.

use std::fmt;
use std::sync::Arc;

use crate::Labels;

/// Options of [`Format::Xlsx`](crate::Format::Xlsx). The default writes field names, codes and times in UTC.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct XlsxOptions {
    /// The language of the header and of the values of codes and flags. `None` writes the field names and
    /// the codes. An unknown code stays a number.
    pub labels: Option<Labels>,
    /// The zone of times.
    pub zone: XlsxZone,
}

impl XlsxOptions {
    /// Writes labels in a language.
    #[must_use]
    pub const fn labels(mut self, labels: Option<Labels>) -> Self {
        self.labels = labels;
        self
    }

    /// Writes times as clocks of a zone show them.
    #[must_use]
    pub fn zone(mut self, zone: XlsxZone) -> Self {
        self.zone = zone;
        self
    }
}

/// A time zone: its name, which headers show, and its offset at a time.
///
/// ```
/// use qopen_sink::XlsxZone;
///
/// let shanghai = XlsxZone::new("Asia/Shanghai", |_unix_seconds| 8 * 3600);
/// assert_eq!((shanghai.name(), shanghai.offset(0)), ("Asia/Shanghai", 28_800));
/// ```
#[derive(Clone)]
pub struct XlsxZone {
    name: Arc<str>,
    /// `None` is always 0.
    offset: Option<Arc<Offset>>,
}

/// The offset from UTC at a time in Unix seconds, in seconds.
type Offset = dyn Fn(i64) -> i32 + Send + Sync;

impl XlsxZone {
    /// Makes a zone from its name and a function that returns the offset from UTC, in seconds and positive
    /// east of Greenwich, at a time in Unix seconds.
    pub fn new(
        name: impl Into<Arc<str>>,
        offset: impl Fn(i64) -> i32 + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), offset: Some(Arc::new(offset)) }
    }

    /// The zone's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The offset from UTC at a time in Unix seconds, in seconds.
    #[must_use]
    pub fn offset(&self, unix_seconds: i64) -> i32 {
        self.offset.as_ref().map_or(0, |offset| offset(unix_seconds))
    }
}

impl Default for XlsxZone {
    /// UTC.
    fn default() -> Self {
        Self { name: "UTC".into(), offset: None }
    }
}

impl fmt::Debug for XlsxZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("XlsxZone").field(&self.name).finish()
    }
}
