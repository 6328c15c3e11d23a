//! What a payload says, as Python's classes.

use std::sync::Arc;

use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use qopen_assembler::{ContentDigest, Fingerprint, Keyed, PageDigest, PullKey, Seed};
use qopen_types::{EventType, PayloadText};

use crate::errors;

/// A payload's content.
#[derive(Debug, IntoPyObject)]
pub(crate) enum Event {
    Page(Page),
    Report(ErrorReport),
    Unreadable(Unreadable),
    Other(OtherEvent),
}

/// A customer. Clones share its text.
#[pyclass(frozen, module = "qopen")]
#[derive(Clone, Debug)]
pub(crate) struct Account(Arc<Customer>);

struct Customer {
    id: Box<str>,
    raw: Box<str>,
    digest: ContentDigest,
}

impl std::fmt::Debug for Customer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Customer").field("bytes", &self.raw.len()).finish_non_exhaustive()
    }
}

impl Account {
    pub(crate) fn new(id: &str, raw: &str) -> Self {
        let digest = qopen_types::Digest::of(raw.as_bytes()).into();
        Self(Arc::new(Customer { id: id.into(), raw: raw.into(), digest }))
    }
}

impl Keyed for Account {
    fn fingerprint(&self, seed: &Seed) -> Fingerprint {
        seed.fingerprint(&self.0.id)
    }

    fn content(&self) -> ContentDigest {
        self.0.digest
    }
}

#[pymethods]
impl Account {
    #[getter]
    pub(crate) fn id(&self) -> &str {
        &self.0.id
    }

    /// Its JSON as the platform sent it.
    #[getter]
    pub(crate) fn raw(&self) -> &str {
        &self.0.raw
    }

    fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        loads(py, self.0.raw.as_bytes())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| {
            let other = other.get();
            self.id() == other.id() && self.raw() == other.raw()
        })
    }

    fn __hash__(&self) -> u64 {
        // The low half of the digest.
        self.0.digest.to_u128() as u64
    }

    fn __repr__(&self) -> String {
        format!("<qopen.Account of {} bytes>", self.0.raw.len())
    }
}

/// A page of a customer list.
#[pyclass(frozen, module = "qopen")]
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) key: PullKey,
    pub(crate) page_digest: PageDigest,
    #[pyo3(get)]
    pub(crate) has_more: Option<bool>,
    #[pyo3(get)]
    pub(crate) accounts: Vec<Account>,
    pub(crate) nameless: Vec<ContentDigest>,
    #[pyo3(get)]
    pub(crate) readings: Vec<&'static str>,
}

#[pymethods]
impl Page {
    #[getter]
    fn robot(&self) -> &str {
        self.key.robot()
    }

    #[getter]
    fn mark(&self) -> &str {
        self.key.mark()
    }

    /// The digest of the payload. Copies of a page have equal digests.
    #[getter]
    fn digest(&self) -> String {
        hex(self.page_digest)
    }

    /// Accounts that have no readable id.
    #[getter]
    fn unidentified(&self) -> usize {
        self.nameless.len()
    }

    fn __repr__(&self) -> String {
        let (key, accounts) = (&self.key, self.accounts.len());
        let more = match self.has_more {
            Some(true) => "more follow",
            Some(false) => "the last",
            None => "does not say whether more follow",
        };
        format!("<qopen.Page of {key}, {accounts} accounts, {more}>")
    }
}

/// The platform's report that a pull failed.
#[pyclass(frozen, get_all, module = "qopen")]
#[derive(Debug)]
pub(crate) struct ErrorReport {
    pub(crate) robot: Option<String>,
    pub(crate) mark: Option<String>,
    pub(crate) code: i64,
    pub(crate) message: String,
}

#[pymethods]
impl ErrorReport {
    fn __repr__(&self) -> String {
        format!("<qopen.ErrorReport of code {}>", self.code)
    }
}

/// A payload that may hold a page and cannot be read.
#[pyclass(frozen, module = "qopen")]
#[derive(Debug)]
pub(crate) struct Unreadable {
    #[pyo3(get)]
    pub(crate) robot: Option<String>,
    #[pyo3(get)]
    pub(crate) mark: Option<String>,
    /// Why; never quotes the payload.
    #[pyo3(get)]
    pub(crate) reason: String,
    pub(crate) page_digest: PageDigest,
    /// Whether its text is damaged, and with it perhaps its names.
    pub(crate) is_damaged: bool,
}

#[pymethods]
impl Unreadable {
    #[getter]
    fn digest(&self) -> String {
        hex(self.page_digest)
    }

    fn __repr__(&self) -> String {
        format!("<qopen.Unreadable: {}>", self.reason)
    }
}

/// An event that is no page.
#[pyclass(frozen, module = "qopen")]
#[derive(Debug)]
pub(crate) struct OtherEvent {
    pub(crate) event_type: EventType,
    /// What it would be, if a pull of its mark is open.
    pub(crate) suspect: Option<Unreadable>,
}

#[pymethods]
impl OtherEvent {
    #[getter]
    fn event_type(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        type_of(py, &self.event_type)
    }

    fn __repr__(&self) -> String {
        format!("<qopen.OtherEvent {}>", self.event_type)
    }
}

/// A digest as text.
pub(crate) fn hex(digest: PageDigest) -> String {
    format!("{:032x}", digest.to_u128())
}

/// An event type as a number, a text, or none.
pub(crate) fn type_of(py: Python<'_>, event_type: &EventType) -> PyResult<Py<PyAny>> {
    match event_type {
        EventType::Code(code) => code.into_py_any(py),
        EventType::Name(name) => name.into_py_any(py),
        _ => Ok(py.None()),
    }
}

/// Reads JSON by Python's own module: as it is, then repaired.
pub(crate) fn loads<'py>(py: Python<'py>, json: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let text = PayloadText::of(json);
    let loads = py.import("json")?.getattr("loads")?;
    let read = loads.call1((text.as_str(),));
    let read = match text.repaired() {
        Some(repaired) if read.is_err() => loads.call1((repaired.as_str(),)),
        _ => read,
    };
    // Python's own exception has the whole text as an attribute.
    read.map_err(|_| errors::payload(py, "the text is not JSON that Python can hold"))
}
