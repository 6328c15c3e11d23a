//! Arguments of `qopen explain`.

use std::path::PathBuf;

use clap::Args;

use crate::values::home::home_path;

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Explain these names of messages, or diagnose a callback's body
    ///
    /// Messages name what explains them, such as no-callback or rejected-signature. docs/ERRORS.md has
    /// every name. A body is read from a file; - is stdin. Write ./ before a file that is called like a
    /// name.
    #[arg(value_name = "NAME|FILE", default_value = "-", value_parser = home_path())]
    pub(crate) what: Vec<PathBuf>,
}
