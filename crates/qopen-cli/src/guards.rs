//! Conditions of a publication that a schedule sets in place of those of the service.

use std::fmt;
use std::sync::Arc;

use qopen::PullPolicy;
use qopen::engine::{AccountLookup, MaxGone};
use qopen::journal::PullState;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::format::{Layout, OutputFormat};
use crate::lang::{Phrase, Text, phrase};
use crate::output::Output;
use crate::output::place::Place;

/// Conditions of a publication. Those that are `None` are the service's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Guards {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allow_empty: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", with = "in_text")]
    pub(crate) max_gone: Option<MaxGone>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verify_gone: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) confirm: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry: Option<u32>,
}

/// The part of a pull's label that has its guards.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Label {
    guards: Guards,
}

impl Guards {
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Returns these conditions, and `others` for the rest.
    fn or(&self, others: &Self) -> Self {
        Self {
            allow_empty: self.allow_empty.or(others.allow_empty),
            max_gone: self.max_gone.or(others.max_gone),
            verify_gone: self.verify_gone.or(others.verify_gone),
            confirm: self.confirm.or(others.confirm),
            retry: self.retry.or(others.retry),
        }
    }

    /// Checks that the lists of an output are compared, if a guard needs that. `service` has the conditions for
    /// the rest.
    ///
    /// # Errors
    /// The lists are not compared: the key of the guard, and the lists.
    pub(crate) fn check(
        &self,
        service: &Self,
        output: &Output,
        layout: Layout,
    ) -> Result<(), (&'static str, Text)> {
        let all = self.or(service);
        let guard = match (all.max_gone, all.verify_gone) {
            (Some(_), _) => "max_gone",
            (None, Some(true)) => "verify_gone",
            (None, _) => return Ok(()),
        };
        uncompared(output, layout).map_or(Ok(()), |what| Err((guard, what)))
    }

    /// Returns the guards noted with a pull.
    pub(crate) fn of(state: &PullState) -> Self {
        let label = state.started().and_then(|(_, started)| started.label.as_deref());
        let label = label.and_then(|it| serde_json::from_str::<Label>(it).ok());
        label.unwrap_or_default().guards
    }

    /// Returns the label of a pull with a place and these guards; `None` if it has neither.
    pub(crate) fn label(&self, place: Option<&Place>) -> Option<String> {
        let place = place.map(Place::label);
        if self.is_nothing() {
            return place;
        }
        let place = place.unwrap_or_else(|| "{}".to_owned());
        let mut label: serde_json::Map<_, _> = serde_json::from_str(&place).unwrap_or_default();
        // Plain data always encodes.
        label.insert("guards".to_owned(), serde_json::to_value(self).unwrap_or_default());
        serde_json::to_string(&label).ok()
    }

    /// Returns these conditions, and those of the service for the rest.
    pub(crate) fn policy(
        &self,
        service: &PullPolicy,
        lookup: &Arc<dyn AccountLookup>,
    ) -> PullPolicy {
        let mut policy = service.clone();
        let publish = &mut policy.publish;
        publish.allow_empty = self.allow_empty.unwrap_or(publish.allow_empty);
        publish.max_gone = self.max_gone.or(publish.max_gone);
        match self.verify_gone {
            Some(true) => publish.verify_gone = Some(Arc::clone(lookup)),
            Some(false) => publish.verify_gone = None,
            None => {}
        }
        if publish.max_gone.is_some() || publish.verify_gone.is_some() {
            // A guard needs the last list.
            publish.compare = publish.compare.new_baseline(false);
        }
        policy.confirm = self.confirm.unwrap_or(policy.confirm);
        policy.retries = self.retry.unwrap_or(policy.retries);
        policy
    }
}

/// The keys that differ from the service, as a schedule spells them.
impl fmt::Display for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flag = |name: &str, value: Option<bool>| value.map(|it| format!("{name} = {it}"));
        let keys = [
            flag("allow_empty", self.allow_empty),
            self.max_gone.map(|it| format!("max_gone = \"{it}\"")),
            flag("verify_gone", self.verify_gone),
            flag("confirm", self.confirm),
            self.retry.map(|it| format!("retry = {it}")),
        ];
        f.write_str(&keys.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// Names the lists of an output that are not compared with the last ones.
fn uncompared(output: &Output, layout: Layout) -> Option<Text> {
    match layout.format {
        _ if output.is_stdout() => Some(Text::new("on standard output", "写到标准输出")),
        format if format.is_compared() || !output.has_files() => None,
        OutputFormat::Xlsx => Some(Text::new("in XLSX", "XLSX 格式")),
        _ => Some(Text::new("in Parquet", "Parquet 格式")),
    }
}

/// Explains that lists are not compared.
pub(crate) fn not_compared(what: Text) -> Phrase {
    phrase!(
        "a list {what} is not compared with the last one; publish JSON Lines or CSV to a file or a folder, or publish to a database",
        "{what}的列表不会与上一份比较；请将 JSON Lines 或 CSV 发布到文件或文件夹，或发布到数据库",
        what = what,
    )
}

/// A limit in its own spelling.
mod in_text {
    use super::{Deserialize, Deserializer, MaxGone, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde gives a reference")]
    pub(super) fn serialize<S: Serializer>(
        limit: &Option<MaxGone>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        limit.map(|it| it.to_string()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<MaxGone>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|it| it.parse().map_err(serde::de::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_label_has_a_place_or_guards_or_both() {
        let place = Place {
            out: PathBuf::from("/lists"),
            format: OutputFormat::Jsonl,
            csv: crate::format::CsvArgs::default(),
            folder: true,
        };
        let guards = Guards {
            max_gone: "2.5%".parse().ok(),
            verify_gone: Some(false),
            retry: Some(2),
            ..Guards::default()
        };
        assert_eq!(Guards::default().label(None), None);
        assert_eq!(Guards::default().label(Some(&place)), Some(place.label()));
        for place in [None, Some(&place)] {
            let label = guards.label(place).expect("it has guards");
            let read: Label = serde_json::from_str(&label).expect("it is a label");
            assert_eq!(read.guards, guards, "{label}");
            assert_eq!(serde_json::from_str::<Place>(&label).ok().as_ref(), place, "{label}");
        }
        assert_eq!(guards.to_string(), "max_gone = \"2.5%\", verify_gone = false, retry = 2");
    }
}
