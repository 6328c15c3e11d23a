//! The language of texts for people. JSON, and every other form that a program reads, is English.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use serde::{Serialize, Serializer};

/// A language of texts for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// English
    En,
    /// Chinese
    Zh,
}

/// Whether the process speaks Chinese.
static CHINESE: AtomicBool = AtomicBool::new(false);

/// Fixes the language of the process.
pub(crate) fn choose(lang: Lang) {
    CHINESE.store(lang == Lang::Zh, Ordering::Relaxed);
}

/// The language of the process: English until another one is chosen.
pub(crate) fn chosen() -> Lang {
    if CHINESE.load(Ordering::Relaxed) { Lang::Zh } else { Lang::En }
}

impl Lang {
    /// The language of a locale, such as `zh_CN.UTF-8`. The first variable of `LC_ALL`, `LC_MESSAGES` and `LANG` that
    /// is not empty decides, as in POSIX. A locale of a third language gives English.
    pub(crate) fn of_locale(env: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| env(name).filter(|it| !it.is_empty());
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
        let language = locale.as_deref().and_then(|it| it.split(['_', '.', '@', '-']).next());
        match language.is_some_and(|it| it.eq_ignore_ascii_case("zh")) {
            true => Self::Zh,
            false => Self::En,
        }
    }
}

/// A fixed text in both languages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    pub(crate) en: &'static str,
    pub(crate) zh: &'static str,
}

impl Text {
    pub(crate) const fn new(en: &'static str, zh: &'static str) -> Self {
        Self { en, zh }
    }

    pub(crate) fn of(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Zh => self.zh,
        }
    }

    /// The text in the language of the process.
    pub(crate) fn shown(&self) -> &'static str {
        self.of(chosen())
    }
}

/// A sentence in both languages. [`phrase!`] makes one, and does not compile without both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Phrase {
    en: String,
    zh: String,
}

impl Phrase {
    pub(crate) fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }

    /// A text that is the same in both languages: a name, or words of the platform, the system or a library.
    pub(crate) fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { en: text.clone(), zh: text }
    }

    /// Examples or names with `or` between.
    pub(crate) fn any_of(text: &str) -> Self {
        Self::new(text, text.replace(" or ", " 或 "))
    }

    pub(crate) fn of(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Zh => &self.zh,
        }
    }

    /// The sentence for programs.
    pub(crate) fn english(&self) -> &str {
        &self.en
    }

    /// The sentence for programs.
    pub(crate) fn into_english(self) -> String {
        self.en
    }

    /// The sentence in the language of the process.
    pub(crate) fn shown(&self) -> &str {
        self.of(chosen())
    }

    /// Changes the sentence in each language.
    pub(crate) fn map(&self, change: impl Fn(&str) -> String) -> Self {
        Self { en: change(&self.en), zh: change(&self.zh) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.en.is_empty()
    }

    /// What a sentence is about, and the sentence behind a colon.
    pub(crate) fn about(what: impl Into<Self>, why: impl Into<Self>) -> Self {
        let mut phrase = what.into();
        phrase.push(&Self::new(": ", "："));
        phrase.push(&why.into());
        phrase
    }

    /// Joins phrases, with a text between each two.
    pub(crate) fn join(all: &[Self], between: Text) -> Self {
        let of = |lang| all.iter().map(|it| it.of(lang)).collect::<Vec<_>>().join(between.of(lang));
        Self { en: of(Lang::En), zh: of(Lang::Zh) }
    }

    /// Asserts that the Chinese sentence is none in English: it has no two words of small Latin letters in a row.
    #[cfg(test)]
    pub(crate) fn assert_chinese(&self) {
        let is_word = |it: &str| it.len() > 1 && it.bytes().all(|it| it.is_ascii_lowercase());
        let words: Vec<bool> = self.zh.split(' ').map(is_word).collect();
        let is_han = |it: char| ('\u{4E00}'..='\u{9FFF}').contains(&it);
        let is_english = words.windows(2).any(|it| it == [true, true]);
        assert!(self.zh.contains(is_han) && !is_english, "{self:?}");
    }

    /// Adds a phrase at the end.
    pub(crate) fn push(&mut self, more: &Self) {
        self.en.push_str(&more.en);
        self.zh.push_str(&more.zh);
    }
}

/// What many failures begin with.
pub(crate) const THE_JOURNAL: Text = Text::new("the journal", "持久化存储");
pub(crate) const THE_OUTPUT: Text = Text::new("the output", "输出位置");

/// Between the items of an enumeration.
pub(crate) const COMMA: Text = Text::new(", ", "、");

/// Between the parts of a sentence.
pub(crate) const SEMICOLON: Text = Text::new("; ", "；");

impl From<String> for Phrase {
    fn from(text: String) -> Self {
        Self::same(text)
    }
}

impl From<&str> for Phrase {
    fn from(text: &str) -> Self {
        Self::same(text)
    }
}

impl From<Text> for Phrase {
    fn from(text: Text) -> Self {
        Self::new(text.en, text.zh)
    }
}

impl From<&Phrase> for Phrase {
    fn from(phrase: &Phrase) -> Self {
        phrase.clone()
    }
}

impl From<&Cow<'_, str>> for Phrase {
    fn from(text: &Cow<'_, str>) -> Self {
        Self::same(&**text)
    }
}

impl From<&String> for Phrase {
    fn from(text: &String) -> Self {
        Self::same(text)
    }
}

/// Programs read English.
impl Serialize for Phrase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.en)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.en)
    }
}

/// A value within a [`phrase!`].
pub(crate) trait Part {
    fn part(&self, lang: Lang) -> String;
}

impl<T: Display + ?Sized> Part for T {
    fn part(&self, _: Lang) -> String {
        self.to_string()
    }
}

impl Part for Phrase {
    fn part(&self, lang: Lang) -> String {
        self.of(lang).to_owned()
    }
}

impl Part for Text {
    fn part(&self, lang: Lang) -> String {
        self.of(lang).to_owned()
    }
}

/// Makes a [`Phrase`]: `phrase!("{n} of {all}", "共 {all} 个，其中 {n} 个", n = 1, all = what)`. A value that is a phrase
/// itself appears in each language.
macro_rules! phrase {
    ($en:literal, $zh:literal $(, $name:ident = $value:expr)* $(,)?) => {{
        #[allow(unused_imports, reason = "a phrase may have no value")]
        use $crate::lang::Part as _;
        match ($(&$value,)*) {
            ($($name,)*) => $crate::lang::Phrase::new(
                $crate::lang::phrase!(@in En, $en $(, $name)*),
                $crate::lang::phrase!(@in Zh, $zh $(, $name)*),
            ),
        }
    }};
    (@in $lang:ident, $text:literal $(, $name:ident)*) => {{
        $(let $name = $name.part($crate::lang::Lang::$lang);)*
        // A language may do without a value.
        $(let _ = &$name;)*
        format!($text)
    }};
}

pub(crate) use phrase;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        for (env, lang) in [
            (&[][..], Lang::En),
            (&[("LANG", "zh_CN.UTF-8")], Lang::Zh),
            (&[("LANG", "zh")], Lang::Zh),
            (&[("LANG", "ZH-Hans")], Lang::Zh),
            (&[("LANG", "zhuang")], Lang::En),
            (&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")], Lang::En),
            (&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "")], Lang::Zh),
            (&[("LANG", "en_GB.UTF-8"), ("LC_MESSAGES", "zh_TW")], Lang::Zh),
            (&[("LC_MESSAGES", "zh_TW"), ("LC_ALL", "de_DE")], Lang::En),
            (&[("LANGUAGE", "zh"), ("LC_CTYPE", "zh_CN")], Lang::En),
        ] {
            let of = |name: &str| env.iter().find(|it| it.0 == name).map(|it| it.1.to_owned());
            assert_eq!(Lang::of_locale(of), lang, "{env:?}");
        }
    }

    #[test]
    fn a_phrase_has_its_values_in_each_language_and_programs_read_english() {
        let inner = phrase!("{n} pages", "{n} 页", n = 2);
        let outer =
            phrase!("robot {name}: {inner}", "机器人 {name}：{inner}", name = "{n}", inner = inner);
        assert_eq!(outer.of(Lang::En), "robot {n}: 2 pages");
        assert_eq!(outer.of(Lang::Zh), "机器人 {n}：2 页");
        let both = Phrase::join(&[inner, Phrase::same("r1")], COMMA);
        assert_eq!((both.of(Lang::En), both.of(Lang::Zh)), ("2 pages, r1", "2 页、r1"));
        assert_eq!(serde_json::to_string(&both).ok().as_deref(), Some("\"2 pages, r1\""));
    }
}
