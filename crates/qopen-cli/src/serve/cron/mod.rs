//! Times of a schedule in the five fields of cron, computed on `jiff`.
//!
//! A schedule of fixed times (neither minute nor hour begins with `*`) is due once for each local minute that
//! matches: a skipped one at the first minute after the gap, a repeated one at its first occurrence. A schedule
//! whose minute or hour begins with `*` follows the clock: it is due at each minute whose local time matches.

mod next;
mod parse;
#[cfg(test)]
mod tests;

/// The minutes, hours and days that match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    /// Bits 0 to 59.
    minutes: u64,
    /// Bits 0 to 23.
    hours: u64,
    /// Bits 1 to 31.
    days: u64,
    /// Bits 1 to 12.
    months: u64,
    /// Bits 0 (Sunday) to 6 (Saturday).
    weekdays: u64,
    /// Whether one of day of month and day of week suffices: neither begins with `*`.
    either_day: bool,
    /// Whether minute or hour begins with `*`.
    follows_clock: bool,
}
