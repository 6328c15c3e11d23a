//! Long lists: search, order and pages.

use maud::{Markup, html};

use super::links;
use super::texts::listing as texts;
use super::visit::Visit;

/// Rows of a page.
pub(super) const ROWS: usize = 100;

/// A part of a list.
pub(super) struct Part<'a, T> {
    pub(super) rows: &'a [T],
    /// The page's number, from 1.
    page: usize,
    pages: usize,
    all: usize,
}

impl<'a, T> Part<'a, T> {
    /// Returns the page of that number, or the nearest one.
    pub(super) fn of(all: &'a [T], page: usize) -> Self {
        let pages = all.len().div_ceil(ROWS).max(1);
        let page = page.clamp(1, pages);
        let start = (page - 1) * ROWS;
        let rows = &all[start..(start + ROWS).min(all.len())];
        Self { rows, page, pages, all: all.len() }
    }

    /// Returns how many rows the list has, and links to its other pages. `parameters` are those of the list.
    pub(super) fn pager(&self, visit: &Visit, path: &str, parameters: &[(&str, &str)]) -> Markup {
        let link = |page: usize| {
            let page = page.to_string();
            let parameters = [parameters, &[("page", &page)]].concat();
            links::with(path, &parameters)
        };
        let values: [&dyn std::fmt::Display; 2] = [&self.page, &self.pages];
        html! {
            nav.pages aria-label=(visit.say(&texts::PAGES)) {
                span { (visit.fill(&texts::COUNT, &[&visit.number(self.all as u64)])) }
                @if self.pages > 1 {
                    @if self.page > 1 {
                        a href=(link(1)) { (visit.say(&texts::FIRST)) }
                        a href=(link(self.page - 1)) rel="prev" { (visit.say(&texts::PREVIOUS)) }
                    }
                    span { (visit.fill(&texts::PAGE, &values)) }
                    @if self.page < self.pages {
                        a href=(link(self.page + 1)) rel="next" { (visit.say(&texts::NEXT)) }
                        a href=(link(self.pages)) { (visit.say(&texts::LAST)) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_on_one_page_and_any_number_is_a_page() {
        for length in [0, 1, ROWS - 1, ROWS, ROWS + 1, 3 * ROWS] {
            let all: Vec<usize> = (0..length).collect();
            let pages = Part::of(&all, 1).pages;
            let rows: Vec<usize> =
                (1..=pages).flat_map(|it| Part::of(&all, it).rows).copied().collect();
            assert_eq!(rows, all);
            assert_eq!(Part::of(&all, 0).page, 1);
            assert_eq!(Part::of(&all, usize::MAX).page, pages);
        }
    }
}
