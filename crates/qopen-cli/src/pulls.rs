//! `qopen pulls`: lists, shows, accepts, exports and purges the pulls of the journal.

use crate::args::PullsVerb;
use crate::exit::{Exit, Failure};
use crate::kept::pull::Checked;
use crate::kept::{self, Kept};
use crate::report::count;
use crate::say::{answer, say};
use crate::settings::Settings;

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
                (false, true) => say!("qopen: the journal has no pulls"),
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
                say!("qopen: {} is deleted", line.name());
            }
            kept.compact().await?;
        }
        PullsVerb::Check => {
            let Checked { files, bytes, records, pulls, damage } = kept.check().await?;
            let (files, bytes) = (count(files, "file", "files"), count(bytes, "byte", "bytes"));
            let records = count(records, "record", "records");
            answer!("{files}, {bytes}, {records}, {}", count(pulls, "pull", "pulls"));
            for damage in &damage {
                answer!("DAMAGED {damage}");
            }
            if !damage.is_empty() {
                return Ok(Exit::Unexpected);
            }
            answer!("the whole journal can be read");
        }
        PullsVerb::Export(_) | PullsVerb::Accept { .. } => {}
    }
    Ok(Exit::Complete)
}
