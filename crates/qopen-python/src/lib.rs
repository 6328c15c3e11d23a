//! The extension module of the Python package `qopen`. Its README has the use, `_native.pyi` the types.

#[cfg(feature = "module")]
mod assembler;
#[cfg(feature = "module")]
mod callback;
#[cfg(feature = "module")]
mod errors;
#[cfg(feature = "module")]
mod event;
#[cfg(feature = "module")]
mod fold;
#[cfg(feature = "module")]
mod keyring;
#[cfg(feature = "module")]
mod module;
#[cfg(feature = "module")]
mod progress;
#[cfg(feature = "module")]
mod pulls;
#[cfg(feature = "module")]
mod read;
#[cfg(feature = "module")]
mod seconds;
