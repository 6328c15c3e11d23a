//! Results of the checks.

use qopen::types::{FormatChange, Upgrade};

use crate::exit::{Exit, Failure};
use crate::lang::Phrase;
use crate::say::answer;

/// The failures so far.
#[derive(Default)]
pub(super) struct Report {
    exits: Vec<Exit>,
    /// Settings that a line has named already.
    faulty: Vec<&'static str>,
}

impl Report {
    /// Prints a setting that cannot be used.
    pub(super) fn fault(&mut self, failure: &Failure) {
        self.faulty.extend(failure.setting());
        self.fail("", failure);
    }

    /// Prints the result of a check. A failure of a setting that a line has named already adds no line.
    pub(super) fn check<T: Into<Phrase>>(
        &mut self,
        what: impl Into<Phrase>,
        result: Result<T, Failure>,
    ) {
        match result {
            Ok(fine) => answer!("ok    {}", Phrase::about(what, fine).shown()),
            Err(failure) if failure.setting().is_some_and(|it| self.faulty.contains(&it)) => {}
            Err(failure) => {
                self.fail(Phrase::about(what, Phrase::default()).shown(), &failure);
            }
        }
    }

    /// Prints what the first use by this version does to a format.
    pub(super) fn change(&mut self, what: impl Into<Phrase>, upgrade: &Upgrade) {
        let is_fine = upgrade.is_nothing() || upgrade.found.is_none();
        let word = if is_fine { "ok   " } else { "WARN " };
        answer!("{word} {}", Phrase::about(what, in_words(upgrade)).shown());
    }

    pub(super) fn fail(&mut self, what: &str, failure: &Failure) {
        self.exits.push(failure.exit);
        let (message, topic) = (failure.message().shown(), failure.topic().name);
        let (first, rest) = message.split_at(message.find('\n').unwrap_or(message.len()));
        answer!("FAIL  {what}{first} [{topic}]{}", rest.replace('\n', "\n    "));
    }

    pub(super) fn exit(&self) -> Exit {
        match self.exits.contains(&Exit::Usage) {
            true => Exit::Usage,
            false => Exit::worst(self.exits.iter().copied()),
        }
    }
}

fn in_words(upgrade: &Upgrade) -> Phrase {
    let Upgrade { found, written, change, .. } = upgrade;
    let mut zh = match found {
        Some(found) => format!("版本 {found}"),
        None => "尚未保存任何内容".to_owned(),
    };
    zh.push_str(&match change {
        FormatChange::None => "；本版 qopen 可读写，无需处理".to_owned(),
        FormatChange::Made => format!("；将创建版本 {written}"),
        FormatChange::WrittenOn => {
            format!("；本版 qopen 就地读取，并在其后写入版本 {written}")
        }
        FormatChange::Migrated(added) => {
            format!("；将升级为版本 {written}：{}", added.join("、"))
        }
        FormatChange::Widened(added) => format!("；将添加：{}", added.join("、")),
        _ => return Phrase::same(upgrade.to_string()),
    });
    match (found, upgrade.can_go_back()) {
        (Some(_), false) => zh.push_str("；此后更早的 qopen 无法使用：如需降级，请先备份"),
        (Some(_), true) if !upgrade.is_nothing() => zh.push_str("；更早的 qopen 可以继续使用"),
        _ => {}
    }
    Phrase::new(upgrade.to_string(), zh)
}
