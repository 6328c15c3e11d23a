//! Times and durations as Python's seconds.

use std::time::Duration;

use pyo3::prelude::*;
use qopen_assembler::Time;

use crate::errors;

/// A number of seconds from an argument, in whole microseconds: a float holds no more until the year 2242.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds(pub(crate) Duration);

impl Seconds {
    /// A default.
    pub(crate) const fn of(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

/// From here on a float of seconds is coarser than a microsecond.
const LIMIT: u64 = 1 << 33;

impl<'py> FromPyObject<'_, 'py> for Seconds {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let given = object.extract::<f64>()?;
        let duration = Duration::try_from_secs_f64(given).ok();
        let exact = duration.filter(|it| it.as_secs() < LIMIT).ok_or_else(|| {
            let text = format!("{given} is out of range: give seconds from 0 to {LIMIT}");
            errors::value(&text)
        })?;
        let micros = exact.as_secs() * 1_000_000 + u64::from(exact.subsec_nanos() + 500) / 1000;
        Ok(Self(Duration::from_micros(micros)))
    }
}

impl From<Seconds> for Time {
    fn from(Seconds(distance): Seconds) -> Self {
        Self::since_epoch(distance)
    }
}

/// A duration as seconds. Rounded up, so that what is due then is due at the result.
pub(crate) fn seconds(duration: Duration) -> f64 {
    let micros = duration.as_nanos().div_ceil(1000);
    micros as f64 / 1e6
}
