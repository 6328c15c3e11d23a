//! The language of a page.

use axum::http::{HeaderMap, header};

use super::cookies;
pub(super) use crate::lang::Lang;

/// The cookie of the language that the reader chose.
pub(super) const COOKIE: &str = "qopen-lang";

/// Pages have both languages.
impl Lang {
    pub(super) const ALL: [Self; 2] = [Self::En, Self::Zh];

    /// The name in a query and a cookie.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// The language tag of pages.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh-Hans",
        }
    }

    /// The language's name in itself.
    pub(super) fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Zh => "中文",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Returns the language that the reader chose, else the browser's, else English.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let chosen = cookies::named(headers, COOKIE).find_map(Self::named);
        chosen.or_else(|| Self::accepted(headers)).unwrap_or(Self::En)
    }

    /// Returns the language with the greatest weight in `Accept-Language`. The first of equal ones wins.
    fn accepted(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(header::ACCEPT_LANGUAGE).iter();
        let ranges = values.filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(','));
        let ranges: Vec<(&str, u16)> = ranges.filter_map(range).collect();
        let weight = |lang: Self| {
            let of_lang = ranges.iter().enumerate().filter(|(_, (tag, _))| {
                let first = tag.split('-').next().unwrap_or_default();
                first.eq_ignore_ascii_case(lang.name())
            });
            let any = ranges.iter().enumerate().filter(|(_, (tag, _))| *tag == "*");
            // A named language outranks `*`, even with a lower weight.
            let best = |it: &mut dyn Iterator<Item = (usize, &(&str, u16))>| {
                it.map(|(at, (_, weight))| (*weight, std::cmp::Reverse(at))).max()
            };
            best(&mut of_lang.into_iter()).or_else(|| best(&mut any.into_iter()))
        };
        let weighed = Self::ALL.into_iter().filter_map(|lang| Some((weight(lang)?, lang)));
        // The last of equal ones wins. English wins if `*` covers both.
        let best = weighed.filter(|((weight, _), _)| *weight > 0).rev();
        best.max_by_key(|it| it.0).map(|(_, lang)| lang)
    }
}

/// Reads a range and its weight in thousandths. `None` for a malformed one.
fn range(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';');
    let tag = parts.next()?.trim();
    let mut weight = 1000;
    for part in parts {
        let (name, value) = part.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("q") {
            let value: f32 = value.trim().parse().ok()?;
            if !(0.0..=1.0).contains(&value) {
                return None;
            }
            weight = (value * 1000.0).round() as u16;
        }
    }
    (!tag.is_empty()).then_some((tag, weight))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn of(accepted: &[&str], cookie: &str) -> &'static str {
        let mut headers = HeaderMap::new();
        for value in accepted {
            headers.append(header::ACCEPT_LANGUAGE, value.parse().unwrap());
        }
        headers.append(header::COOKIE, cookie.parse().unwrap());
        Lang::of(&headers).name()
    }

    #[test]
    fn the_language_is_the_chosen_one_else_the_browsers_best_one() {
        for (accepted, expected) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
            ("en-US,en;q=0.9,zh-CN;q=0.8", "en"),
            ("en;q=0.8, zh;q=0.9", "zh"),
            ("en;q=0.8,zh-Hant-TW;q=0.8", "en"),
            ("zh;q=0.8,en;q=0.8", "zh"),
            ("ZH-cn", "zh"),
            ("fr,de;q=0.9", "en"),
            ("fr, zh;q=0.001", "zh"),
            ("fr, zh;q=0", "en"),
            ("zh;q=0, en;q=0.1", "en"),
            ("*", "en"),
            ("*;q=0.5, en;q=0", "zh"),
            ("en;q=0.1, *;q=0.9", "zh"),
            ("zhx", "en"),
            ("zh;q=2", "en"),
            ("zh;q=NaN", "en"),
            ("zh;q=", "en"),
            (";;;,,q=1,zh ; q = 1", "zh"),
            ("", "en"),
        ] {
            assert_eq!(of(&[accepted], ""), expected, "{accepted}");
        }
        assert_eq!(of(&["en;q=0.5", "zh"], ""), "zh", "two headers");
        assert_eq!(of(&["en"], "a=b; qopen-lang=zh"), "zh");
        assert_eq!(of(&["zh"], "qopen-lang=xx"), "zh");
    }
}
