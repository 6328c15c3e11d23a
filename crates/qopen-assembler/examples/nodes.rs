//! Several nodes fold shares of the pages and exchange their folds; any node can finish the list.
//! `cargo run -p qopen-assembler --example nodes --features serde`

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use qopen_assembler::{
    Assembler, Config, ContentDigest, Entry, Event, Fold, PageDigest, PullKey, PullOptions, Time,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = PullKey::new("robot", "mark");
    let page = |number: u8| {
        let seed = Fold::new(&key).seed();
        let entry = move |n: u8| Entry {
            fingerprint: seed.fingerprint(&format!("{}", u16::from(number) * 50 + u16::from(n))),
            content: ContentDigest::of(&[n % 2]),
        };
        (PageDigest::of(&[number]), number < 9, (0..100).map(entry))
    };
    // Some pages reach more than one node.
    let shares: [&[u8]; 3] = [&[0, 3, 6, 9], &[1, 4, 7, 0], &[2, 5, 8, 9]];
    let mut sent = Vec::new();
    for share in shares {
        let mut fold = Fold::new(&key);
        for number in share {
            let (digest, has_more, accounts) = page(*number);
            fold.add_page(digest, has_more, accounts, |_| {});
        }
        sent.push(serde_json::to_string(&fold)?);
    }

    let mut assembler = Assembler::<Entry>::new(Config::default());
    assembler.start(Time::ZERO, key.clone(), PullOptions::default())?;
    for fold in sent {
        assembler.merge(Time::ZERO, &key, &serde_json::from_str(&fold)?)?;
    }
    assembler.declare_finished(Time::ZERO, &key)?;
    while let Some(event) = assembler.poll_event() {
        if let Event::Completed { progress, .. } = event {
            let (accounts, pages) = (progress.figures.accounts, progress.figures.pages);
            println!(
                "complete: {accounts} accounts on {pages} pages, {} in conflict",
                progress.figures.conflicts
            );
        }
    }
    Ok(())
}
