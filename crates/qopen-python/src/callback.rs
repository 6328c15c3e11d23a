//! Opens callbacks.

use std::borrow::Cow;
use std::time::Duration;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyMemoryView, PyString};
use qopen_callback::{Keyring, TimestampAge, TimestampPolicy};
use qopen_types::EventType;

use crate::errors;
use crate::event::{Event, loads, type_of};
use crate::read::{self, detached};

/// What `open` does about timestamps. Without `now` nothing is compared.
pub(crate) struct Policy {
    now: Option<u64>,
    timestamps: TimestampPolicy,
}

impl Policy {
    pub(crate) fn new(now: Option<f64>, tolerance: f64, refuse_stale: bool) -> PyResult<Self> {
        let seconds = |name, value| {
            Duration::try_from_secs_f64(value)
                .map_err(|error| errors::value(&format!("{name} is out of range: {error}")))
        };
        let now = now.map(|now| seconds("now", now)).transpose()?.map(|it| it.as_secs());
        if refuse_stale && now.is_none() {
            return Err(errors::value("refuse_stale needs the time: give now=time.time()"));
        }
        let timestamps = TimestampPolicy::default().tolerance(seconds("tolerance", tolerance)?);
        Ok(Self { now, timestamps: if refuse_stale { timestamps.refuse() } else { timestamps } })
    }
}

/// A callback that was verified and decrypted.
#[pyclass(frozen, module = "qopen")]
#[derive(Debug)]
pub(crate) struct Opened {
    payload: Py<PyBytes>,
    event_type: EventType,
    #[pyo3(get)]
    key_index: usize,
    #[pyo3(get)]
    signed_at: Option<u64>,
    #[pyo3(get)]
    freshness: Option<&'static str>,
    #[pyo3(get)]
    readings: Vec<&'static str>,
}

#[pymethods]
impl Opened {
    /// The decrypted payload, byte for byte.
    #[getter]
    pub(crate) fn payload(&self, py: Python<'_>) -> Py<PyBytes> {
        self.payload.clone_ref(py)
    }

    #[getter]
    fn event_type(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        type_of(py, &self.event_type)
    }

    /// Reads the payload as an event.
    fn event(&self, py: Python<'_>) -> Event {
        read::read(py, self.payload.as_bytes(py))
    }

    /// Reads the payload as JSON.
    fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        loads(py, self.payload.as_bytes(py))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let (event_type, bytes) = (&self.event_type, self.payload.as_bytes(py).len());
        let key = self.key_index;
        format!("<qopen.Opened event {event_type}, {bytes} bytes, key {key}>")
    }
}

pub(crate) fn opened(
    ring: &Keyring,
    envelope: &Bound<'_, PyAny>,
    Policy { now, timestamps }: Policy,
) -> PyResult<Opened> {
    let py = envelope.py();
    let body = body_of(envelope)?;
    // Without a time the policy refuses nothing, and its result is not shown.
    let work = || ring.open(&body, now.unwrap_or_default(), timestamps);
    let opened = detached(py, &body, work).map_err(|error| errors::refused(py, &error))?;
    let freshness = now.map(|_| match opened.timestamp_age() {
        TimestampAge::Fresh => "fresh",
        TimestampAge::Stale { .. } => "stale",
        _ => "unreadable",
    });
    Ok(Opened {
        event_type: opened.event_type(),
        key_index: opened.matched_key(),
        signed_at: opened.signed_at(),
        freshness,
        readings: opened.readings().iter().map(|it| it.as_str()).collect(),
        payload: PyBytes::new(py, opened.payload()).unbind(),
    })
}

/// The body of an envelope: its bytes, its text, or what a framework has read from it.
fn body_of<'a>(envelope: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    let py = envelope.py();
    if let Ok(bytes) = envelope.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().into());
    }
    if let Ok(text) = envelope.cast::<PyString>() {
        // A lone surrogate is no text that could have been sent.
        let text = text.extract::<String>();
        let text = text.map_err(|_| errors::malformed(py, "the body is not text in Unicode"))?;
        return Ok(text.into_bytes().into());
    }
    if let Ok(fields) = envelope.cast::<PyDict>() {
        return body_of_fields(fields).map(Cow::from);
    }
    if let Ok(bytes) = envelope.cast::<PyByteArray>() {
        return Ok(bytes.to_vec().into());
    }
    if envelope.is_instance_of::<PyMemoryView>() {
        return Ok(envelope.call_method0("tobytes")?.extract::<Vec<u8>>()?.into());
    }
    let given = envelope.get_type().name()?;
    Err(PyTypeError::new_err(format!("an envelope is bytes, str or dict, not {given}")))
}

/// The five fields, written again. A number keeps the digits that Python gives it.
fn body_of_fields(fields: &Bound<'_, PyDict>) -> PyResult<Vec<u8>> {
    let mut body = serde_json::Map::new();
    for name in ["app_key", "nonce", "timestamp", "signature", "encoding_content"] {
        let Some(value) = fields.get_item(name)? else { continue };
        let is_number = value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>();
        let text = if value.is_instance_of::<PyBool>() {
            None
        } else if is_number {
            // An integer of more digits than Python prints has no text.
            value.repr().and_then(|digits| digits.extract::<String>()).ok()
        } else {
            value.extract::<String>().ok()
        };
        // A field of another kind is refused by its name.
        body.insert(name.to_owned(), text.map_or(serde_json::Value::Bool(false), Into::into));
    }
    serde_json::to_vec(&body).map_err(|error| errors::value(&error))
}
