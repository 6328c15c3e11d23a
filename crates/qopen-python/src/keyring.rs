//! The keys of an app's callbacks.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use qopen_callback::{CallbackKeys, Padding};
use qopen_types::Secret;

use crate::callback::{Opened, Policy, opened};
use crate::errors;

/// An app's key, and every pair of callback token and EncodingAESKey that is valid at present.
#[pyclass(frozen, module = "qopen")]
#[derive(Debug)]
pub(crate) struct Keyring {
    ring: qopen_callback::Keyring,
    pairs: usize,
}

#[pymethods]
impl Keyring {
    #[new]
    fn new(
        py: Python<'_>,
        app_key: String,
        token: String,
        encoding_aes_key: String,
    ) -> PyResult<Self> {
        let keys = pair(py, token, encoding_aes_key)?;
        Ok(Self { ring: qopen_callback::Keyring::new(app_key, keys), pairs: 1 })
    }

    /// Returns a ring with one more pair, tried after the earlier ones.
    fn with_keys(&self, py: Python<'_>, token: String, encoding_aes_key: String) -> PyResult<Self> {
        let keys = pair(py, token, encoding_aes_key)?;
        Ok(Self { ring: self.ring.clone().with_keys(keys), pairs: self.pairs + 1 })
    }

    #[getter]
    fn app_key(&self) -> &str {
        self.ring.app_key()
    }

    /// Verifies and decrypts a callback, as `qopen.open` does.
    #[pyo3(signature = (envelope, *, now=None, tolerance=300.0, refuse_stale=false))]
    fn open(
        &self,
        envelope: &Bound<'_, PyAny>,
        now: Option<f64>,
        tolerance: f64,
        refuse_stale: bool,
    ) -> PyResult<Opened> {
        opened(&self.ring, envelope, Policy::new(now, tolerance, refuse_stale)?)
    }

    /// Encrypts and signs a payload with the first pair, as the platform does. Returns the body.
    #[pyo3(signature = (payload, *, nonce, timestamp, padding=16))]
    fn seal<'py>(
        &self,
        py: Python<'py>,
        payload: &[u8],
        nonce: &str,
        timestamp: u64,
        padding: u8,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let padding = match padding {
            16 => Padding::Pkcs7,
            32 => Padding::Wecom,
            _ => return Err(errors::value("padding must be 16 or 32")),
        };
        let content = self.ring.encrypt(payload, padding);
        let envelope = self.ring.sign(content, nonce, timestamp.to_string());
        let body = serde_json::to_vec(&envelope).map_err(|error| errors::value(&error))?;
        Ok(PyBytes::new(py, &body))
    }

    /// Shows the public app key alone.
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let app_key = PyString::new(py, self.ring.app_key()).repr()?;
        Ok(format!("Keyring(app_key={app_key}, pairs={})", self.pairs))
    }
}

fn pair(py: Python<'_>, token: String, encoding_aes_key: String) -> PyResult<CallbackKeys> {
    CallbackKeys::new(token, &Secret::new(encoding_aes_key))
        .map_err(|error| errors::invalid_key(py, &error))
}

/// Verifies and decrypts a callback.
#[pyfunction]
#[pyo3(signature = (envelope, keys, *, now=None, tolerance=300.0, refuse_stale=false))]
pub(crate) fn open(
    envelope: &Bound<'_, PyAny>,
    keys: &Bound<'_, Keyring>,
    now: Option<f64>,
    tolerance: f64,
    refuse_stale: bool,
) -> PyResult<Opened> {
    opened(&keys.get().ring, envelope, Policy::new(now, tolerance, refuse_stale)?)
}
