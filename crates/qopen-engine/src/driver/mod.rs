//! The task that owns the clock and the assembler: facts in, events out.

mod command;
mod endings;
mod matching;
mod outage;
mod run;
mod settling;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use state::Driver;
