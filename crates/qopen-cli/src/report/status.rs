//! The end of a pull in words: why its list is complete, or why not.

use qopen::assembler::Failure;
use qopen::journal::{EndReason, Evidence};
use qopen::{Status, send_error};

use crate::exit::chained;
use crate::lang::{Lang, Phrase, Text};
use crate::say::one_line;

/// Describes how a pull ended.
pub(crate) fn ended(status: &Status) -> Phrase {
    Phrase::new(status.to_string(), chinese(status))
}

/// Describes how a pull ended, by the note of its end. `why` is the sentence that the note has.
pub(crate) fn noted_end(
    why: &str,
    evidence: Option<&Evidence>,
    reason: Option<&EndReason>,
) -> Phrase {
    let why = one_line(why);
    let zh = match (evidence, reason) {
        (Some(evidence), _) => Some(grounds(evidence, 0)),
        (None, reason) => reason.and_then(of_reason),
    };
    Phrase::new(&*why, zh.unwrap_or_else(|| why.clone()))
}

/// Describes the basis of a list that lacks `gone` customers of the last one.
pub(crate) fn basis(evidence: &Evidence, gone: u64) -> Phrase {
    Phrase::new(evidence.basis(gone), grounds(evidence, gone))
}

fn chinese(status: &Status) -> String {
    match status {
        Status::Complete(basis) => match (basis.earlier, status.evidence()) {
            (true, Some(evidence)) => format!("列表此前已完整：{}", grounds(&evidence, 0)),
            (false, Some(evidence)) => grounds(&evidence, 0),
            (_, None) => "列表此前已完整".to_owned(),
        },
        Status::Refused(error) | Status::NotSent(error) => match send_error(error) {
            Some(error) => chained("", error).of(Lang::Zh).to_owned(),
            None => status.to_string(),
        },
        Status::Reported { code, message } => {
            format!("平台报告了错误 {code}：{}", one_line(message))
        }
        Status::Incomplete(Failure::LimitReached(limit)) => format!("拉取达到上限：{limit:?}"),
        other => other.reason().and_then(|it| of_reason(&it)).unwrap_or_else(|| other.to_string()),
    }
}

/// Describes a reason in Chinese. `None` if the words of the platform or of the system say more.
fn of_reason(reason: &EndReason) -> Option<String> {
    Some(match reason {
        EndReason::NoCallback => {
            "没有收到任何分页：平台后台中的回调地址是否指向本监听器？".to_owned()
        }
        EndReason::LastPageMissing => "收到了分页，但没有一个标记为末页；请重新拉取".to_owned(),
        EndReason::FewerThanExpected { expected } => {
            format!("末页已到，但客户数少于预期的 {expected}；请重新拉取")
        }
        EndReason::UnreadablePages => "有回调无法读取并已隔离，列表可能缺少其中的客户".to_owned(),
        EndReason::UnidentifiedAccounts { accounts } => format!(
            "{accounts} 位客户没有可读的 ID，未列入列表；--allow-unidentified {accounts} 可接受这种情况"
        ),
        EndReason::OwedPages => {
            "有分页到达时未能保存，或被持久化存储丢失，且没有重新发送；请重新拉取".to_owned()
        }
        EndReason::Deadline => "到时限时仍不断收到分页；请调大时限，或重新拉取".to_owned(),
        EndReason::LimitReached => "拉取达到分页数或客户数的上限".to_owned(),
        EndReason::Cancelled => "在列表完整之前被结束".to_owned(),
        _ => return None,
    })
}

/// The evidence of a complete list.
fn grounds(evidence: &Evidence, gone: u64) -> String {
    let mut out = String::from(match evidence.implied_end {
        true => "收到了没有说明是否还有后续的分页",
        false => "已收到末页",
    });
    match evidence.quiet_ms {
        Some(quiet) if quiet % 1_000 == 0 => {
            out.push_str(&format!("，其后静默 {} 秒", quiet / 1_000));
        }
        Some(quiet) => {
            out.push_str(&format!("，其后静默 {}.{} 秒", quiet / 1_000, quiet % 1_000 / 100))
        }
        None => out.push_str("，且不会再有分页"),
    }
    if let Some(expected) = evidence.expected_accounts {
        out.push_str(&format!("，客户数达到 {expected}"));
    }
    if evidence.refused_callbacks > 0 {
        out.push_str(&format!("；期间拒绝了 {} 条回调", evidence.refused_callbacks));
    }
    if evidence.outage_ms > 0 {
        let (seconds, tenths) = (evidence.outage_ms / 1_000, evidence.outage_ms % 1_000 / 100);
        out.push_str(&format!("；持久化存储有 {seconds}.{tenths} 秒没有响应"));
    }
    if evidence.interrupted {
        out.push_str("；拉取曾中断，若平台在此期间放弃了某个分页，列表会缺少它");
    }
    if evidence.unidentified > 0 {
        out.push_str(&format!("；允许缺少 {} 位没有可读 ID 的客户", evidence.unidentified));
    }
    out + additions(evidence, gone).of(Lang::Zh)
}

/// The evidence that was found after the end of a pull. Begins with a semicolon unless it is empty.
pub(super) fn additions(evidence: &Evidence, gone: u64) -> Phrase {
    let mut zh = String::new();
    if let Some(by) = &evidence.confirmed_by {
        zh.push_str(&format!("；拉取 {by} 得到相同的客户，已确认"));
    }
    match evidence.gone_verified {
        Some(true) => zh.push_str(&format!("；已核实 {gone} 位消失的客户")),
        Some(false) => {
            zh.push_str(&format!("；{gone} 位消失的客户未核实：平台不提供该接口"));
        }
        None => {}
    }
    if evidence.accepted {
        zh.push_str("；列表曾被拦下，经人工接受");
    }
    Phrase::new(evidence.additions(gone), zh)
}

/// The word for a change of this kind.
pub(super) fn kind(name: &str) -> Text {
    match name {
        "added" => Text::new("added", "新增"),
        "gone" => Text::new("gone", "消失"),
        "lost" => Text::new("lost", "被客户删除"),
        "removed" => Text::new("removed", "被员工删除"),
        "returned" => Text::new("returned", "回归"),
        "changed" => Text::new("changed", "有变化"),
        _ => Text::new("other", "其他"),
    }
}

#[cfg(test)]
mod tests {
    use qopen::assembler::Limit;
    use qopen::types::ChangeCounts;

    use super::*;

    #[test]
    fn each_end_has_words_of_its_own_in_chinese() {
        let is_han = |it: char| ('\u{4E00}'..='\u{9FFF}').contains(&it);
        for failure in [
            Failure::LastPageMissing,
            Failure::FewerThanExpected { expected: 7 },
            Failure::UnreadablePages,
            Failure::UnidentifiedAccounts { accounts: 7 },
            Failure::OwedPages,
            Failure::Deadline,
            Failure::LimitReached(Limit::Pages),
        ] {
            let said = ended(&Status::Incomplete(failure));
            assert!(said.of(Lang::Zh).contains(is_han), "{said:?}");
            let has_number = |lang| said.of(lang).contains('7');
            assert_eq!(has_number(Lang::En), has_number(Lang::Zh), "{said:?}");
        }
        for (name, _) in ChangeCounts::default().named() {
            assert_eq!(kind(name).en, name);
        }
    }

    #[test]
    fn evidence_in_chinese_has_each_part() {
        let mut evidence = Evidence::default();
        (evidence.quiet_ms, evidence.expected_accounts) = (Some(1_500), Some(10));
        (evidence.refused_callbacks, evidence.outage_ms) = (2, 4_200);
        (evidence.interrupted, evidence.unidentified) = (true, 3);
        (evidence.gone_verified, evidence.accepted) = (Some(true), true);
        assert_eq!(
            grounds(&evidence, 5),
            "已收到末页，其后静默 1.5 秒，客户数达到 10；期间拒绝了 2 条回调；持久化存储有 4.2 秒没有响应；拉取曾中断，若平台在此期间放弃了某个分页，列表会缺少它；允许缺少 3 位没有可读 ID 的客户；已核实 5 位消失的客户；列表曾被拦下，经人工接受"
        );
        assert_eq!(additions(&Evidence::default(), 9), Phrase::default());
    }
}
