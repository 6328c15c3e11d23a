//! The smallest use: pages of bare ids, out of order.
//! `cargo run -p qopen-assembler --example ids`

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use qopen_assembler::{
    Assembler, Config, ContentDigest, Event, Fingerprint, Keyed, Page, PageDigest, PullKey,
    PullOptions, Seed, StartError, Time,
};

struct Id(&'static str);

impl Keyed for Id {
    fn fingerprint(&self, seed: &Seed) -> Fingerprint {
        seed.fingerprint(self.0)
    }
    fn content(&self) -> ContentDigest {
        ContentDigest::of(b"") // an id has no content that could differ
    }
}

fn main() -> Result<(), StartError> {
    let (mut assembler, key) = (Assembler::new(Config::default()), PullKey::new("robot", "mark"));
    assembler.start(Time::ZERO, key.clone(), PullOptions::default())?;
    for (has_more, ids) in [(false, ["e", "f"]), (true, ["a", "b"]), (true, ["c", "d"])] {
        let digest = PageDigest::of(ids.concat().as_bytes());
        let page = Page::new(key.clone(), digest, has_more, ids.map(Id));
        assembler.handle_page(Time::ZERO, page);
    }
    // The end is known, so the list need not wait for quiet.
    let _ = assembler.declare_finished(Time::ZERO, &key);
    while let Some(event) = assembler.poll_event() {
        if let Event::Completed { progress, .. } = event {
            println!(
                "complete: {} accounts on {} pages",
                progress.figures.accounts, progress.figures.pages
            );
        }
    }
    Ok(())
}
