//! The exceptions. Their classes are in `qopen/_errors.py`.

use std::error::Error;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use qopen_callback::{InvalidAesKey, OpenError, RejectReason};

/// Makes an exception of a class in `_errors.py`. If that fails, returns the failure.
fn new(py: Python<'_>, class: &str, message: String) -> PyErr {
    let made = || py.import("qopen._errors")?.getattr(class)?.call1((message,));
    made().map_or_else(|error| error, PyErr::from_value)
}

/// The same with a reason of its own.
fn with_reason(py: Python<'_>, class: &str, reason: &str, message: String) -> PyErr {
    let error = new(py, class, message);
    match error.value(py).setattr("reason", reason) {
        Ok(()) => error,
        Err(failure) => failure,
    }
}

/// The refusal of a callback. Its cause, if it has one, never quotes the body.
pub(crate) fn refused(py: Python<'_>, error: &OpenError) -> PyErr {
    let message = error.to_string();
    let refused = match error.reason() {
        RejectReason::Malformed => new(py, "EnvelopeError", message),
        RejectReason::AppKey => new(py, "AppKeyError", message),
        RejectReason::Signature => new(py, "SignatureError", message),
        RejectReason::Stale => new(py, "StaleError", message),
        RejectReason::Undecryptable => new(py, "UndecryptableError", message),
        other => with_reason(py, "OpenError", other.as_str(), message),
    };
    let cause = error.source().map(|cause| PyValueError::new_err(cause.to_string()));
    refused.set_cause(py, cause);
    refused
}

/// A body that is no text to begin with.
pub(crate) fn malformed(py: Python<'_>, message: &str) -> PyErr {
    new(py, "EnvelopeError", message.to_owned())
}

pub(crate) fn invalid_key(py: Python<'_>, error: &InvalidAesKey) -> PyErr {
    new(py, "InvalidKeyError", error.to_string())
}

pub(crate) fn payload(py: Python<'_>, message: &str) -> PyErr {
    new(py, "PayloadError", message.to_owned())
}

/// An argument out of its range.
pub(crate) fn value(message: &(impl ToString + ?Sized)) -> PyErr {
    PyValueError::new_err(message.to_string())
}

/// A failure, away from the interpreter.
#[derive(Debug)]
pub(crate) struct Fault {
    class: &'static str,
    reason: &'static str,
    message: String,
}

impl Fault {
    pub(crate) fn pull(reason: &'static str, message: &impl ToString) -> Self {
        Self { class: "PullError", reason, message: message.to_string() }
    }

    pub(crate) fn state(reason: &'static str, message: &impl ToString) -> Self {
        Self { class: "StateError", reason, message: message.to_string() }
    }

    /// What was saved is not what was saved here. Does not quote it.
    pub(crate) fn damaged() -> Self {
        Self::state("damaged", &"the saved state is damaged; was it saved by this package?")
    }

    pub(crate) fn raise(&self, py: Python<'_>) -> PyErr {
        with_reason(py, self.class, self.reason, self.message.clone())
    }
}

/// Checks the version of what was saved, before anything else is read.
pub(crate) fn check_version(data: &[u8], version: u32) -> Result<(), Fault> {
    #[derive(serde::Deserialize)]
    struct Version {
        version: u32,
    }
    let found = serde_json::from_slice::<Version>(data).map_err(|_| Fault::damaged())?.version;
    if found == version {
        return Ok(());
    }
    let message = format!("saved in version {found}; this package restores version {version}");
    Err(Fault::state("unknown_version", &message))
}
