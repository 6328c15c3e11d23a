//! Suggestions for mistyped names.

use super::declared::ALL;
use super::spec::Spec;
use crate::lang::{Phrase, phrase};

/// Returns the setting that `name` resembles, in any case, with dashes or without `QOPEN_`.
pub(super) fn nearest(name: &str) -> Option<&'static Spec> {
    let name = name.trim().to_lowercase().replace(['-', '.', ' '], "_");
    let name = name.strip_prefix("qopen_").unwrap_or(&name);
    let exact = ALL.iter().find(|spec| spec.name == name);
    exact.or_else(|| by_words(name)).or_else(|| by_letters(name)).copied()
}

/// Returns the only setting with all of the words, such as `encoding_aes_key` for `aes_key`.
fn by_words(name: &str) -> Option<&'static &'static Spec> {
    let has_all = |spec: &&&Spec| {
        let words: Vec<&str> = spec.name.split('_').collect();
        name.split('_').all(|word| words.contains(&word))
    };
    // A shorter name never means `…_next`.
    let mut found = ALL.iter().filter(has_all).filter(|spec| !spec.name.ends_with("_next"));
    found.next().filter(|_| found.next().is_none())
}

fn by_letters(name: &str) -> Option<&'static &'static Spec> {
    let squeezed = |text: &str| text.replace('_', "");
    let distance = |spec: &Spec| {
        strsim::osa_distance(&squeezed(spec.name), &squeezed(name))
            .min(strsim::osa_distance(spec.name, name))
    };
    let (distance, spec) = ALL.iter().map(|spec| (distance(spec), spec)).min_by_key(|it| it.0)?;
    (distance <= 2 && distance * 3 <= name.len()).then_some(spec)
}

/// Describes an environment variable that looks like a setting and is none.
pub(super) fn stray_variable(name: &str) -> Option<Phrase> {
    /// Variables of qopen that are no settings.
    const OTHERS: [&str; 3] = ["QOPEN_LOG", "QOPEN_LOG_FORMAT", "QOPEN_LANG"];
    let upper = name.to_uppercase();
    let bare = upper.strip_prefix("QOPEN_")?;
    let known = OTHERS.contains(&name) || ALL.iter().any(|spec| spec.env == name);
    if known || bare.starts_with("TEST_") {
        return None;
    }
    let meant = OTHERS.into_iter().find(|it| *it == upper).or_else(|| Some(nearest(bare)?.env))?;
    Some(phrase!(
        "{name} in the environment is not a setting; did you mean {meant}?",
        "环境变量 {name} 不是设置；是否想用 {meant}？",
        name = name,
        meant = meant,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_finds_its_setting_and_others_find_none() {
        for (name, expected) in [
            ("QOPEN_APP_KEY", "app_key"),
            ("qopen_app_key", "app_key"),
            ("app-key", "app_key"),
            ("appkey", "app_key"),
            ("app_sekret", "app_secret"),
            ("APP_SECRT", "app_secret"),
            ("AES_KEY", "encoding_aes_key"),
            ("EncodingAESKey", "encoding_aes_key"),
            ("Base URL", "base_url"),
            ("lsiten", "listen"),
            ("datadir", "data_dir"),
        ] {
            assert_eq!(nearest(name).map(|it| it.name), Some(expected), "{name}");
        }
        for name in ["", "key", "token", "chaos_seed", "robots", "x", "soak_seconds", "home"] {
            assert_eq!(nearest(name).map(|it| it.name), None, "{name}");
        }
        for name in ["QOPEN_APP_KEY", "QOPEN_LOG", "QOPEN_TEST_LISTEN", "QOPENAPP_KEY", "PATH"] {
            assert_eq!(stray_variable(name), None);
        }
        assert!(
            stray_variable("QOPEN_log").is_some_and(|it| it.english().ends_with("mean QOPEN_LOG?"))
        );
        assert!(stray_variable("Qopen_App_Key").is_some());
    }
}
