//! Every text of the console, in both languages.

use std::fmt::Display;

use super::lang::Lang;
pub(super) use crate::lang::Text;

/// Declares texts: `NAME: "English", "中文";`. `{0}`, `{1}` and so on are places for values.
macro_rules! texts {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        $(pub(in crate::serve::console) const $name: $crate::lang::Text =
            $crate::lang::Text::new($en, $zh);)*

        /// Every text of the file, with its name.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, $crate::lang::Text)] =
            &[$((stringify!($name), $name)),*];
    };
}

pub(super) mod callbacks;
pub(super) mod frame;
pub(super) mod held;
pub(super) mod listing;
pub(super) mod pull;
pub(super) mod pulls;
pub(super) mod quarantine;
pub(super) mod robot;
pub(super) mod robots;
pub(super) mod why;

impl Text {
    /// Puts values into the places of the text.
    pub(super) fn fill(&self, lang: Lang, values: &[&dyn Display]) -> String {
        let text = self.of(lang);
        let mut parts = text.split('{');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            // A test reads every place.
            let (place, rest) = part.split_once('}').unwrap_or(("", part));
            let value = place.parse().ok().and_then(|it: usize| values.get(it));
            if let Some(value) = value {
                filled.push_str(&value.to_string());
            }
            filled.push_str(rest);
        }
        filled
    }
}

/// Every text, with the name of its file and its own.
#[cfg(test)]
fn all() -> Vec<(&'static str, &'static str, Text)> {
    let files = [
        ("callbacks", callbacks::ALL),
        ("frame", frame::ALL),
        ("held", held::ALL),
        ("pull", pull::ALL),
        ("quarantine", quarantine::ALL),
        ("why", why::ALL),
        ("listing", listing::ALL),
        ("pulls", pulls::ALL),
        ("robot", robot::ALL),
        ("robots", robots::ALL),
    ];
    let of_file = |(file, texts): (&'static str, &'static [(&'static str, Text)])| {
        texts.iter().map(move |(name, text)| (file, *name, *text))
    };
    files.into_iter().flat_map(of_file).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Texts that are the same in both languages.
    const SAME: [&str; 1] = ["JSON"];

    fn places(text: &str) -> BTreeSet<usize> {
        let places = text.split('{').skip(1).map(|it| it.split_once('}').expect("a place ends").0);
        places.map(|it| it.parse().expect("a place is a number")).collect()
    }

    #[test]
    fn every_text_is_in_both_languages() {
        let is_han = |it: char| ('\u{4E00}'..='\u{9FFF}').contains(&it);
        for (file, name, text) in all() {
            let what = format!("{file}::{name}");
            assert!(!text.en.trim().is_empty() && !text.zh.trim().is_empty(), "{what} is empty");
            assert_eq!(places(text.en), places(text.zh), "{what} has the same places");
            assert!(!text.en.chars().any(is_han), "{what}: the English text is Chinese");
            let is_same = SAME.contains(&name);
            assert!(is_same || text.zh.chars().any(is_han), "{what}: the Chinese text is not");
        }
    }

    #[test]
    fn values_are_put_into_their_places_and_are_never_places() {
        let text = Text::new("{1} of {0}, {0}", "共 {0} 个");
        assert_eq!(text.fill(Lang::En, &[&"{1}", &2]), "2 of {1}, {1}");
        assert_eq!(text.fill(Lang::Zh, &[&7]), "共 7 个");
    }
}
