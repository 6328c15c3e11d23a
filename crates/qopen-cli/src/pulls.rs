//! `qopen pulls`: lists, shows, accepts, exports and purges the pulls of the journal.

use crate::args::PullsVerb;
use crate::exit::{Exit, Failure};
use crate::journal::PULLS;
use crate::kept::pull::{Checked, PART};
use crate::kept::{self, Kept};
use crate::lang::{Phrase, phrase};
use crate::report::{BYTES, Noun};
use crate::say::tell;
use crate::settings::Settings;
use crate::table;

pub(crate) async fn run(verb: PullsVerb, settings: Settings) -> Result<Exit, Failure> {
    if let PullsVerb::Export(args) = verb {
        return crate::export::run(&args, &settings).await;
    }
    if let PullsVerb::Accept { mark } = verb {
        return crate::accept::run(&mark, &settings).await;
    }
    let kept = Kept::open(&settings).await?;
    let hint = kept.hint();
    match verb {
        PullsVerb::List { json } => {
            let pulls = kept.pulls().await?;
            match (json, pulls.is_empty()) {
                (true, _) => pulls.iter().for_each(|line| line.print(json, hint)),
                (false, true) => tell!("the journal has no pulls", "持久化存储中没有拉取"),
                (false, false) => kept::table::print(&pulls, hint),
            }
        }
        PullsVerb::Show { mark, json } => {
            for line in kept.marked(&mark).await? {
                line.print(json, hint);
                kept.notes(&line).await?.iter().for_each(|note| note.print(json));
            }
        }
        PullsVerb::Purge { mark } => {
            for line in kept.marked(&mark).await? {
                kept.purge(&line).await?;
                tell!("{pull} is deleted", "已删除 {pull}", pull = Phrase::from(&line.name()));
            }
            kept.compact().await?;
        }
        PullsVerb::Check => {
            let Checked { files, bytes, records, pulls, damage } = kept.check().await?;
            let figures = [
                Noun::new("file", "files", "个文件").count(files),
                BYTES.count(bytes),
                Noun::new("record", "records", "条记录").count(records),
                PULLS.count(pulls),
            ];
            table::line(&Phrase::join(&figures, PART));
            for damage in &damage {
                table::line(&phrase!("DAMAGED {damage}", "损坏 {damage}", damage = damage));
            }
            if !damage.is_empty() {
                return Ok(Exit::Unexpected);
            }
            table::line(&phrase!("the whole journal can be read", "整个持久化存储均可读取"));
        }
        PullsVerb::Export(_) | PullsVerb::Accept { .. } => {}
    }
    Ok(Exit::Complete)
}
