//! The class `Assembler`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple, PyType};
use qopen_assembler::{PageDigest, PullKey, PullOptions, Time, Timing};

use crate::callback::Opened;
use crate::errors::{self, Fault};
use crate::event::{Account, ErrorReport, OtherEvent, Page, Unreadable};
use crate::fold::SharedFold;
use crate::progress::{Outcome, Progress};
use crate::pulls::{Given, Pulls, Settings, digest_of};
use crate::read::classify;
use crate::seconds::{Seconds, seconds};

/// Folds the pages of many pulls into one list per pull.
///
/// Every method waits for the lock away from the interpreter, and holds it while it uses no Python object: threads
/// may share an assembler.
#[pyclass(frozen, module = "qopen")]
#[derive(Debug)]
pub(crate) struct Assembler(Mutex<Pulls>);

impl Assembler {
    fn lock(&self) -> MutexGuard<'_, Pulls> {
        // A panic would be a defect of this package. The next call may go on.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Pulls) -> T + Send) -> T {
        py.detach(|| work(&mut self.lock()))
    }

    fn try_with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Pulls) -> Result<T, Fault> + Send,
    ) -> PyResult<T> {
        self.with(py, work).map_err(|fault| fault.raise(py))
    }
}

#[pymethods]
impl Assembler {
    #[new]
    #[pyo3(signature = (
        *, settle=Seconds::of(3), idle_timeout=Seconds::of(60), deadline=Seconds::of(1800),
        retention=Seconds::of(600), adopt=false, keep_accounts=true
    ), text_signature = "(*, settle=3.0, idle_timeout=60.0, deadline=1800.0, retention=600.0, \
        adopt=False, keep_accounts=True)")]
    fn new(
        settle: Seconds,
        idle_timeout: Seconds,
        deadline: Seconds,
        retention: Seconds,
        adopt: bool,
        keep_accounts: bool,
    ) -> Self {
        let timing = Timing::default().settle(settle.0).idle_timeout(idle_timeout.0);
        let timing = timing.deadline(deadline.0);
        let settings = Settings { timing, retention: retention.0, adopt, keep_accounts };
        Self(Mutex::new(Pulls::new(settings)))
    }

    #[pyo3(signature = (
        robot, mark, now, *, expect_accounts=None, allow_unidentified=0, await_acceptance=false,
        requested_before=Seconds::of(0), interrupted=false
    ), text_signature = "(self, robot, mark, now, *, expect_accounts=None, allow_unidentified=0, \
        await_acceptance=False, requested_before=0.0, interrupted=False)")]
    #[expect(clippy::too_many_arguments, reason = "most are options by name")]
    fn start(
        &self,
        py: Python<'_>,
        robot: &str,
        mark: &str,
        now: Seconds,
        expect_accounts: Option<u64>,
        allow_unidentified: u64,
        await_acceptance: bool,
        requested_before: Seconds,
        interrupted: bool,
    ) -> PyResult<()> {
        let mut options = PullOptions::default().expect_accounts(expect_accounts);
        options.allow_unidentified = allow_unidentified;
        options.await_acceptance = await_acceptance;
        options.requested_before = requested_before.0;
        options.interrupted = interrupted;
        let key = PullKey::new(robot, mark);
        self.try_with(py, |pulls| pulls.start(now.into(), key, options))
    }

    /// Takes in an event, and says what became of it.
    #[pyo3(signature = (event, now, *, signed_at=None))]
    fn push(
        &self,
        event: &Bound<'_, PyAny>,
        now: Seconds,
        signed_at: Option<Seconds>,
    ) -> PyResult<String> {
        let py = event.py();
        let (now, signed) = (Time::from(now), signed_at.map(Time::from));
        let push = |given| self.with(py, |pulls| pulls.push(now, given, signed));
        let bytes = match event.cast::<Opened>() {
            Ok(opened) => Some(opened.get().payload(py).into_bound(py)),
            Err(_) => event.cast::<PyBytes>().ok().cloned(),
        };
        if let Some(bytes) = bytes {
            let payload = bytes.as_bytes();
            // Reading needs no lock.
            let event = py.detach(|| classify(payload));
            return Ok(push(Given::from(&event)));
        }
        if let Ok(page) = event.cast::<Page>() {
            return Ok(push(Given::Page(page.get())));
        }
        if let Ok(report) = event.cast::<ErrorReport>() {
            return Ok(push(Given::Report(report.get())));
        }
        if let Ok(unreadable) = event.cast::<Unreadable>() {
            return Ok(push(Given::Unreadable(unreadable.get())));
        }
        if let Ok(other) = event.cast::<OtherEvent>() {
            return Ok(push(Given::Other(other.get())));
        }
        let given = event.get_type().name()?;
        Err(PyTypeError::new_err(format!(
            "an event is what open or read returns, or a payload's bytes, not {given}"
        )))
    }

    fn tick(&self, py: Python<'_>, now: Seconds) {
        self.with(py, |pulls| pulls.assembler.handle_timeout(now.into()));
    }

    fn due(&self, py: Python<'_>) -> Option<f64> {
        let due = self.with(py, |pulls| pulls.assembler.poll_timeout());
        due.map(|due| seconds(due.to_duration()))
    }

    fn events(&self, py: Python<'_>) -> Vec<Outcome> {
        self.with(py, Pulls::events)
    }

    fn progress(&self, py: Python<'_>, robot: &str, mark: &str) -> Option<Progress> {
        let key = PullKey::new(robot, mark);
        self.with(py, |pulls| pulls.progress(&key))
    }

    fn accounts(&self, py: Python<'_>, robot: &str, mark: &str) -> PyResult<Vec<Account>> {
        let key = PullKey::new(robot, mark);
        self.try_with(py, |pulls| pulls.accounts(&key))
    }

    fn open_pulls(&self, py: Python<'_>) -> Vec<(String, String)> {
        let names = |key: &PullKey| (key.robot().to_owned(), key.mark().to_owned());
        self.with(py, |pulls| pulls.assembler.open_pulls().map(names).collect())
    }

    fn accepted(&self, py: Python<'_>, robot: &str, mark: &str, now: Seconds) {
        let key = PullKey::new(robot, mark);
        self.with(py, |pulls| pulls.assembler.handle_accepted(now.into(), &key));
    }

    fn finish(&self, py: Python<'_>, robot: &str, mark: &str, now: Seconds) -> PyResult<()> {
        let key = PullKey::new(robot, mark);
        self.try_with(py, |pulls| {
            let finished = pulls.assembler.declare_finished(now.into(), &key);
            finished.map_err(|error| Fault::pull("not_open", &error))
        })
    }

    fn cancel(&self, py: Python<'_>, robot: &str, mark: &str, now: Seconds) -> PyResult<()> {
        let key = PullKey::new(robot, mark);
        self.try_with(py, |pulls| {
            let cancelled = pulls.assembler.cancel(now.into(), &key);
            cancelled.map_err(|error| Fault::pull("not_open", &error))
        })
    }

    fn forget(&self, py: Python<'_>, robot: &str, mark: &str, now: Seconds) -> PyResult<()> {
        let key = PullKey::new(robot, mark);
        self.try_with(py, |pulls| {
            let forgotten = pulls.assembler.forget(now.into(), &key);
            forgotten.map_err(|error| Fault::pull("not_ended", &error))
        })
    }

    fn owe(&self, py: Python<'_>, robot: &str, mark: &str, digest: Digest, now: Seconds) {
        let key = PullKey::new(robot, mark);
        self.with(py, |pulls| pulls.assembler.handle_owed_page(now.into(), &key, digest.0));
    }

    fn release(&self, py: Python<'_>, robot: &str, mark: &str, digest: Digest, now: Seconds) {
        let key = PullKey::new(robot, mark);
        self.with(py, |pulls| pulls.assembler.handle_released(now.into(), &key, digest.0));
    }

    #[pyo3(signature = (now, count=1))]
    fn refused(&self, py: Python<'_>, now: Seconds, count: u64) {
        self.with(py, |pulls| pulls.assembler.handle_refusals(now.into(), count));
    }

    fn outage_began(&self, py: Python<'_>, now: Seconds, since: Seconds) {
        self.with(py, |pulls| pulls.assembler.handle_outage_began(now.into(), since.into()));
    }

    fn outage_ended(&self, py: Python<'_>, now: Seconds) {
        self.with(py, |pulls| pulls.assembler.handle_outage_ended(now.into()));
    }

    fn fold(&self, py: Python<'_>, robot: &str, mark: &str) -> Option<SharedFold> {
        let key = PullKey::new(robot, mark);
        self.with(py, |pulls| pulls.fold(&key))
    }

    fn merge(&self, py: Python<'_>, fold: &Bound<'_, SharedFold>, now: Seconds) -> PyResult<()> {
        let fold = fold.get();
        self.try_with(py, |pulls| pulls.merge(now.into(), fold))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.try_with(py, Pulls::saved)?;
        Ok(PyBytes::new(py, &bytes))
    }

    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        let pulls = py.detach(|| Pulls::from_bytes(data)).map_err(|fault| fault.raise(py))?;
        Ok(Self(Mutex::new(pulls)))
    }

    /// For `pickle` and `copy`.
    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyType>, Bound<'py, PyTuple>, Bound<'py, PyBytes>)> {
        let py = slf.py();
        Ok((slf.get_type(), PyTuple::empty(py), slf.get().to_bytes(py)?))
    }

    fn __setstate__(&self, py: Python<'_>, state: &[u8]) -> PyResult<()> {
        let restored = py.detach(|| Pulls::from_bytes(state)).map_err(|fault| fault.raise(py))?;
        self.with(py, |pulls| *pulls = restored);
        Ok(())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let open = self.with(py, |pulls| pulls.assembler.open_pulls().len());
        format!("<qopen.Assembler with {open} open pulls>")
    }
}

/// A page's digest, from an argument.
#[derive(Clone, Copy, Debug)]
struct Digest(PageDigest);

impl<'py> FromPyObject<'_, 'py> for Digest {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let text = object.extract::<String>()?;
        let digest = digest_of(&text);
        digest.map(Self).ok_or_else(|| errors::value("a digest has 32 hexadecimal digits"))
    }
}
