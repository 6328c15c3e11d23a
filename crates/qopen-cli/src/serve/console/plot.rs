//! The plot of a robot's sizes. The table beside it has the same numbers.

use std::time::SystemTime;

use maud::{Markup, html};

use super::texts::robot as texts;
use super::visit::Visit;

/// The size of a list.
pub(super) struct Point {
    pub(super) at: SystemTime,
    pub(super) size: u64,
}

const WIDTH: u64 = 720;
const HEIGHT: u64 = 200;
/// The space of the labels at the left, and around the rest.
const LEFT: u64 = 80;
const AROUND: u64 = 12;

/// Draws sizes over time. The axis begins where a small change can still be seen.
pub(super) fn plot(visit: &Visit, points: &[Point]) -> Markup {
    let places = places(points);
    let line: Vec<String> = places.iter().map(|(x, y)| format!("{x},{y}")).collect();
    let Range { low, least, most } = range(points);
    let (low, least, most) = (visit.number(low), visit.number(least), visit.number(most));
    let label = visit.fill(&texts::PLOT, &[&points.len(), &least, &most]);
    let (top, bottom, right) = (AROUND, HEIGHT - AROUND, WIDTH - AROUND);
    html! {
        svg.plot role="img" aria-label=(label) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } {
            line.axis x1=(LEFT) x2=(right) y1=(bottom) y2=(bottom) {}
            line.axis x1=(LEFT) x2=(right) y1=(top) y2=(top) {}
            text x=(LEFT - AROUND) y=(top + 4) text-anchor="end" { (most) }
            text x=(LEFT - AROUND) y=(bottom + 4) text-anchor="end" { (low) }
            polyline.size points=(line.join(" ")) {}
            @for (x, y) in &places { circle.dot cx=(x) cy=(y) r="3" {} }
        }
    }
}

/// The sizes of a plot.
struct Range {
    /// Where the axis begins.
    low: u64,
    least: u64,
    most: u64,
}

fn range(points: &[Point]) -> Range {
    let most = points.iter().map(|it| it.size).max().unwrap_or_default();
    let least = points.iter().map(|it| it.size).min().unwrap_or_default();
    let low = match most - least {
        0 => 0,
        spread => least.saturating_sub(spread / 2),
    };
    Range { low, least, most }
}

/// Returns the place of each point. The clock may have jumped back, so points are in the order of their times.
fn places(points: &[Point]) -> Vec<(u64, u64)> {
    let Range { low, most, .. } = range(points);
    let first = points.iter().map(|it| it.at).min().unwrap_or(SystemTime::UNIX_EPOCH);
    let since = |it: &Point| it.at.duration_since(first).unwrap_or_default().as_millis();
    let longest = points.iter().map(since).max().unwrap_or_default().max(1);
    let (width, height) = (WIDTH - LEFT - AROUND, HEIGHT - 2 * AROUND);
    let place = |it: &Point| {
        let x = u128::from(width) * since(it) / longest;
        let y = u128::from(height) * u128::from(it.size - low) / u128::from((most - low).max(1));
        // Both are at most the width and the height.
        (LEFT + x as u64, HEIGHT - AROUND - y as u64)
    };
    let mut places: Vec<(u64, u64)> = points.iter().map(place).collect();
    places.sort_by_key(|it| it.0);
    places
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn points_are_inside_the_plot_whatever_their_values() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let point = |(seconds, size)| Point { at: at(seconds), size };
        for points in [
            vec![],
            vec![(5, 0)],
            vec![(5, 0), (5, 0)],
            vec![(9, 7), (3, 1), (5, u64::MAX)],
            vec![(0, 1), (1 << 40, 2)],
        ] {
            let points: Vec<Point> = points.into_iter().map(point).collect();
            let places = places(&points);
            assert!(places.is_sorted_by_key(|it| it.0));
            for (x, y) in places {
                assert!((LEFT..=WIDTH - AROUND).contains(&x), "{x}");
                assert!((AROUND..=HEIGHT - AROUND).contains(&y), "{y}");
            }
        }
        let same = places(&[point((0, 50)), point((1, 50))]);
        assert_eq!(same, [(LEFT, AROUND), (WIDTH - AROUND, AROUND)]);
        // The axis begins at 25: a third of the way up is 50.
        let grown = places(&[point((0, 50)), point((1, 100))]);
        assert_eq!(
            grown,
            [(LEFT, HEIGHT - AROUND - (HEIGHT - 2 * AROUND) / 3), (WIDTH - AROUND, AROUND)]
        );
    }
}
