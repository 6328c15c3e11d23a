//! The module `qopen._native`.

use pyo3::prelude::*;

use crate::{assembler, callback, event, fold, keyring, progress, read};

/// What the package `qopen` is made of. Import it from there.
#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<keyring::Keyring>()?;
    module.add_class::<callback::Opened>()?;
    module.add_class::<event::Account>()?;
    module.add_class::<event::Page>()?;
    module.add_class::<event::ErrorReport>()?;
    module.add_class::<event::Unreadable>()?;
    module.add_class::<event::OtherEvent>()?;
    module.add_class::<assembler::Assembler>()?;
    module.add_class::<fold::SharedFold>()?;
    module.add_class::<progress::Progress>()?;
    module.add_class::<progress::Evidence>()?;
    module.add_class::<progress::Progressed>()?;
    module.add_class::<progress::Completed>()?;
    module.add_class::<progress::Failed>()?;
    module.add_class::<progress::Reopened>()?;
    module.add_class::<progress::Revised>()?;
    module.add_class::<progress::Forgotten>()?;
    module.add_class::<progress::Stray>()?;
    module.add_function(wrap_pyfunction!(keyring::open, module)?)?;
    module.add_function(wrap_pyfunction!(read::read, module)?)
}
