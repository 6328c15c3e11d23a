//! The summary of a pull for a person.

use std::time::Duration;

use qopen::journal::{Changes, Comparison};
use qopen::types::ChangeCounts;

use super::states::end_state;
use super::status::kind;
use super::summary::Summary;
use super::words::{COPIES, CUSTOMERS, Noun, PAGES};
use crate::lang::{COMMA, Phrase, SEMICOLON, Text, phrase};
use crate::say::MORE;
use crate::topics::{Topic, lists};

const FIELDS: Noun = Noun::new("field", "fields", "个字段");

impl Summary {
    /// Returns the summary in the language of the process, one fact per line.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("{}\n", self.head().shown());
        for fact in self.facts() {
            text.push_str(&format!("  {}\n", fact.shown()));
        }
        let topics = self.topics();
        if !topics.is_empty() {
            let more = MORE.shown();
            text.push_str(&format!("  {more}qopen explain {}\n", topics.join(" ")));
        }
        if let Some(next) = &self.next {
            let next = phrase!("next: {next}", "下一步：{next}", next = next);
            text.push_str(&format!("  {}\n", next.shown()));
        }
        text
    }

    /// Returns the summary on one line, for the log of a service.
    pub(crate) fn to_line(&self) -> Phrase {
        phrase!(
            "robot {robot}, mark {mark}: {status}; {facts}",
            "机器人 {robot}，标记 {mark}：{status}；{facts}",
            robot = self.robot_id,
            mark = self.mark_id,
            status = end_state(&self.status),
            facts = Phrase::join(&self.facts(), SEMICOLON),
        )
    }

    fn head(&self) -> Phrase {
        phrase!(
            "robot {robot}: {status} (mark {mark})",
            "机器人 {robot}：{status}（标记 {mark}）",
            robot = self.robot_id,
            status = end_state(&self.status),
            mark = self.mark_id,
        )
    }

    /// The names of the entries that tell more: of the reason, then of what a person may look into.
    fn topics(&self) -> Vec<&'static str> {
        let unread = (self.unread_fields > 0).then_some(&lists::UNREAD_FIELDS);
        let of_troubles = self.troubles.iter().map(|(topic, _)| *topic);
        let all = self.topic.into_iter().chain(of_troubles).chain(unread);
        let mut names: Vec<&'static str> = Vec::new();
        for Topic { name, .. } in all {
            if !names.contains(name) {
                names.push(name);
            }
        }
        names
    }

    fn facts(&self) -> Vec<Phrase> {
        let mut facts = Vec::new();
        if self.pages > 0 || self.accounts > 0 {
            facts.push(self.figures());
        }
        facts.push(self.why.clone());
        if self.revision > 1 {
            let changes = self.revised.map(in_words);
            let changes = changes.map(|it| phrase!(": {it}", "：{it}", it = it));
            facts.push(phrase!(
                "revision {revision}: pages came after the list was complete{changes}",
                "修订 {revision}：列表完整之后又收到了分页{changes}",
                revision = self.revision,
                changes = changes.unwrap_or_default(),
            ));
        }
        facts.extend(self.troubles.iter().map(|(_, said)| said.clone()));
        if !self.readings.is_empty() {
            let reading = |(name, n): (&&str, &u64)| Phrase::same(format!("{n} {name}"));
            let readings: Vec<_> = self.readings.iter().map(reading).collect();
            facts.push(phrase!(
                "tolerated spellings: {readings}",
                "容许的写法：{readings}",
                readings = Phrase::join(&readings, COMMA),
            ));
        }
        if self.unread_fields > 0 {
            facts.push(phrase!(
                "{fields} could not be read, kept under _unread",
                "{fields}无法读取，保存在 _unread 下",
                fields = FIELDS.count(self.unread_fields),
            ));
        }
        if self.quarantined > 0 {
            let file = self.quarantine_file.as_deref();
            let place = file.map(|it| phrase!(", kept in {it}", "，保存在 {it}", it = it));
            facts.push(phrase!(
                "{n} could not be read{place}",
                "{n} 项无法读取{place}",
                n = self.quarantined,
                place = place.unwrap_or_default(),
            ));
        }
        facts.push(self.written());
        facts.extend(self.changes.as_ref().map(compared_in_words));
        facts
    }

    /// Where the list is.
    fn written(&self) -> Phrase {
        match (self.output.as_deref(), &self.superseded) {
            (Some("-"), _) => phrase!("written to standard output", "已写到标准输出"),
            (Some(output), _) if self.is_kept_apart => phrase!(
                "kept apart in {output}; the last complete list is unchanged",
                "另存于 {output}；上一份完整的列表不变",
                output = output,
            ),
            (Some(output), _) => phrase!("written to {it}", "已写入 {it}", it = output),
            (None, Some(why)) => {
                phrase!("nothing was written: {why}", "没有写出任何内容：{why}", why = why)
            }
            (None, None) => phrase!("nothing was written", "没有写出任何内容"),
        }
    }

    fn figures(&self) -> Phrase {
        let seconds = Duration::from_millis(self.elapsed_ms).as_secs_f64();
        let mut figures = phrase!(
            "{customers} on {pages} in {seconds} s",
            "{customers}，{pages}，用时 {seconds} 秒",
            customers = CUSTOMERS.count(self.accounts),
            pages = PAGES.count(self.pages as u64),
            seconds = format!("{seconds:.1}"),
        );
        if self.duplicate_pages > 0 {
            let copies = COPIES.count(self.duplicate_pages);
            figures.push(&phrase!(", {copies}", "，{copies}", copies = copies));
        }
        if self.conflicts > 0 {
            figures.push(&phrase!(
                ", {customers} with conflicting contents",
                "，其中 {customers}内容有冲突",
                customers = CUSTOMERS.count(self.conflicts as u64),
            ));
        }
        figures
    }
}

/// Describes the changes since the previous revision.
pub(crate) fn in_words(changes: Changes) -> Phrase {
    let Changes { added, changed } = changes;
    phrase!(
        "{added} more, {changed} with other contents",
        "增加 {added}，{changed} 位内容有变",
        added = CUSTOMERS.count(added),
        changed = changed,
    )
}

/// Describes the changes since the last complete list.
pub(crate) fn compared_in_words(compared: &Comparison) -> Phrase {
    let Comparison { baseline, since, counts, .. } = compared;
    if *baseline {
        return phrase!(
            "first list: later changes count from it",
            "首份列表：之后的变化以它为基准"
        );
    }
    let since = match since {
        None => Text::new("the last list", "上一份列表").into(),
        Some(mark) => phrase!("the list of {mark}", "{mark} 的列表", mark = mark),
    };
    match kinds_in_words(counts) {
        None => phrase!("no changes since {since}", "相对{since}没有变化", since = since),
        Some(kinds) => {
            phrase!("since {since}: {kinds}", "相对{since}：{kinds}", since = since, kinds = kinds)
        }
    }
}

/// Counts the changes of each kind that has any. `None` without changes.
pub(crate) fn kinds_in_words(counts: &ChangeCounts) -> Option<Phrase> {
    let named = counts.named().into_iter().filter(|(_, count)| *count > 0);
    let of = |(name, n): (&str, u64)| phrase!("{n} {kind}", "{kind} {n}", n = n, kind = kind(name));
    let named: Vec<_> = named.map(of).collect();
    (!named.is_empty()).then(|| Phrase::join(&named, COMMA))
}
