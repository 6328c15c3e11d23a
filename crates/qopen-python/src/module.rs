//! The module `qopen._native`.

use pyo3::prelude::*;

use crate::{callback, event, keyring, read};

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
    module.add_function(wrap_pyfunction!(callback::open, module)?)?;
    module.add_function(wrap_pyfunction!(read::read, module)?)
}
