//! `qopen quarantine`: verified content that could not be read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use qopen::types::Digest;

use crate::args::QuarantineVerb;
use crate::exit::{Exit, Failure};
use crate::kept::Kept;
use crate::kept::item::{Item, PAGE};
use crate::lang::{Phrase, phrase};
use crate::marks::ENOUGH;
use crate::report::Noun;
use crate::say::{self, answer, tell};
use crate::settings::Settings;
use crate::table;

pub(crate) async fn run(verb: QuarantineVerb, settings: Settings) -> Result<Exit, Failure> {
    let kept = Kept::open(&settings).await?;
    let hint = kept.hint();
    match verb {
        QuarantineVerb::List { json } => {
            let items = kept.items().await?;
            if items.is_empty() && !json {
                tell!("nothing is in quarantine", "隔离区为空");
            }
            items.iter().for_each(|item| item.print(json));
            Ok(Exit::Complete)
        }
        QuarantineVerb::Show { item, raw } => {
            let items = kept.items().await?;
            let item = one_of(items.iter(), &item)?;
            let bytes = kept.bytes(item).await?;
            show(&bytes.ok_or_else(|| not_there(item.name()))?, raw);
            Ok(Exit::Complete)
        }
        QuarantineVerb::Release { item } => {
            let items = kept.items().await?;
            // Accounts without an id are released with their pages.
            let pages = items.iter().filter(|it| it.kind == PAGE);
            let name = match one_of(pages, &item) {
                Ok(item) => item.name(),
                // An item that is deleted may still count against a pull, whose notes name it in full.
                Err(_) if item.parse::<Digest>().is_ok() => &*item,
                Err(failure) => return Err(failure),
            };
            let pulls = kept.release(name).await?.ok_or_else(|| not_there(name))?;
            for pull in &pulls {
                table::line(&phrase!(
                    "{pull}: the item no longer counts against it",
                    "{pull}：该项不再影响它",
                    pull = Phrase::from(pull),
                ));
            }
            for pull in &pulls {
                table::line(&phrase!(
                    "{pull}: {how} publishes its list",
                    "{pull}：{how} 可发布其列表",
                    pull = Phrase::from(pull),
                    how = hint.of(&pull.mark_id),
                ));
            }
            Ok(Exit::Complete)
        }
        QuarantineVerb::Retry => Ok(kept.retry(&settings).await?.report(hint)),
    }
}

/// Returns the only item with this name or this beginning of a name.
fn one_of<'a>(items: impl Iterator<Item = &'a Item>, wanted: &str) -> Result<&'a Item, Failure> {
    if wanted.chars().count() < ENOUGH {
        return Err(Failure::usage(phrase!(
            "{wanted} names no item: the beginning of a name has at least {least} characters; `qopen quarantine list` shows all names",
            "{wanted} 不是任何项的名称：名称的开头至少需要 {least} 个字符；`qopen quarantine list` 列出全部名称",
            wanted = format!("{wanted:?}"),
            least = ENOUGH,
        )));
    }
    let mut found: Vec<&Item> = items.filter(|it| it.item.starts_with(wanted)).collect();
    // The same thing may lie in several pulls.
    found.sort_by_key(|it| &it.item);
    found.dedup_by_key(|it| &it.item);
    match found[..] {
        [item] => Ok(item),
        [] => Err(not_there(wanted)),
        _ => Err(Failure::usage(phrase!(
            "several items begin with {wanted}; give more of the name",
            "有多项以 {wanted} 开头；请多写几个字符",
            wanted = wanted,
        ))),
    }
}

fn not_there(wanted: &str) -> Failure {
    Failure::usage(phrase!(
        "no item in quarantine is called {wanted}; `qopen quarantine list` shows all names",
        "隔离区中没有名为 {wanted} 的项；`qopen quarantine list` 列出全部名称",
        wanted = wanted,
    ))
}

fn show(bytes: &[u8], raw: bool) {
    match std::str::from_utf8(bytes) {
        _ if raw => say::bytes_to_reader(bytes),
        Ok(_) => say::bytes_to_reader(&[bytes, b"\n"].concat()),
        Err(_) => {
            tell!(
                "the item is not text; its {bytes} as base64",
                "该项不是文本；以下为其 {bytes}的 base64",
                bytes = Noun::new("byte follows", "bytes follow", "字节").count(bytes.len() as u64),
            );
            answer!("{}", STANDARD.encode(bytes));
        }
    }
}
