//! Gained and lost customers.

use maud::{Markup, html};
use qopen::types::ChangeCounts;

use super::visit::Visit;

/// Customers of a list that its predecessor lacked, or that returned.
pub(super) fn gained(counts: &ChangeCounts) -> u64 {
    counts.added + counts.returned
}

/// Customers that left: gone from the list, or deleted by either side.
pub(super) fn lost(counts: &ChangeCounts) -> u64 {
    counts.gone + counts.lost + counts.removed
}

/// Shows a number with its sign. A list without a comparison has a dash.
pub(super) fn signed(visit: &Visit, sign: char, count: Option<u64>) -> Markup {
    let class = if sign == '+' { "gained" } else { "lost" };
    html! {
        @match count {
            None => span.soft { "–" },
            Some(0) => span.soft { "0" },
            Some(count) => span class=(class) { (sign) (visit.number(count)) },
        }
    }
}
