//! Pages from standard input, one JSON object a line: `{"robot", "mark", "has_more", "accounts":
//! [{"id", …}]}`. Prints how each pull ended.
//! `cargo run -p qopen-assembler --example ndjson < crates/qopen-assembler/examples/pages.ndjson`

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use qopen_assembler::{
    Assembler, Config, ContentDigest, Event, Fingerprint, Keyed, Page, PageDigest, PullKey,
    PullOptions, Seed, Time,
};
use serde_json::Value;

struct Account(Value);

impl Keyed for Account {
    fn fingerprint(&self, seed: &Seed) -> Fingerprint {
        seed.fingerprint(self.0["id"].as_str().unwrap_or_default())
    }
    fn content(&self) -> ContentDigest {
        ContentDigest::of(self.0.to_string().as_bytes())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::default();
    // A page of an unknown pull opens that pull.
    config.adopt = Some(PullOptions::default());
    let mut assembler = Assembler::new(config);
    for line in std::io::stdin().lines() {
        let line = line?;
        let mut page: Value = serde_json::from_str(&line)?;
        let accounts = page["accounts"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let text = |name: &str| page[name].as_str().unwrap_or_default();
        let key = PullKey::new(text("robot"), text("mark"));
        let (digest, has_more) = (PageDigest::of(line.as_bytes()), page["has_more"].as_bool());
        let page = Page::new(key, digest, has_more, accounts.into_iter().map(Account));
        assembler.handle_page(Time::ZERO, page);
    }
    let open: Vec<PullKey> = assembler.open_pulls().cloned().collect();
    for key in open {
        assembler.declare_finished(Time::ZERO, &key)?;
    }
    while let Some(event) = assembler.poll_event() {
        match event {
            Event::Completed { key, progress, .. } => {
                println!(
                    "{key}: complete, {} accounts, {} in conflict",
                    progress.figures.accounts, progress.figures.conflicts
                );
            }
            Event::Failed { key, failure, .. } => println!("{key}: {failure:?}"),
            _ => {}
        }
    }
    Ok(())
}
