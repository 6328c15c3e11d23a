//! A channel between threads, without an async runtime: one thread sends pages, another owns the
//! assembler and the clock. `cargo run -p qopen-assembler --example threads`

#![allow(clippy::print_stdout, reason = "an example shows its result")]
#![allow(
    clippy::disallowed_methods,
    reason = "here, not in the machine, is where the clock is read"
)]

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use qopen_assembler::{
    Assembler, Collector, Config, ContentDigest, Event, Fingerprint, Keyed, Page, PageDigest,
    PullKey, PullOptions, Seed, StartError, Time, Timing,
};

struct Contact {
    id: String,
    name: &'static str,
}

impl Keyed for Contact {
    fn fingerprint(&self, seed: &Seed) -> Fingerprint {
        seed.fingerprint(&self.id)
    }
    fn content(&self) -> ContentDigest {
        ContentDigest::of(self.name.as_bytes())
    }
}

fn main() -> Result<(), StartError> {
    let key = PullKey::new("robot", "mark");
    let (pages, arriving) = channel();
    let sender = {
        let key = key.clone();
        thread::spawn(move || {
            for (number, has_more) in [(2_u8, false), (0, true), (1, true), (0, true)] {
                let contact = |n| Contact { id: format!("contact {number}-{n}"), name: "Ada" };
                let accounts: Vec<Contact> = (0..10).map(contact).collect();
                let page = Page::new(key.clone(), PageDigest::of(&[number]), has_more, accounts);
                if pages.send(page).is_err() {
                    return;
                }
            }
        })
    };

    let mut config = Config::default();
    config.stream = true;
    let (mut assembler, mut collector) = (Assembler::new(config), Collector::new(&key));
    let epoch = Instant::now();
    let now = || Time::since_epoch(epoch.elapsed());
    let timing = Timing::default().settle(Duration::from_millis(50));
    assembler.start(now(), key.clone(), PullOptions::default().timing(timing))?;
    loop {
        let due = assembler.poll_timeout().unwrap_or(now());
        match arriving.recv_timeout(due.since(now())) {
            Ok(page) => drop(assembler.handle_page(now(), page)),
            // All senders are gone. What is due is still to come.
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(due.since(now()));
                assembler.handle_timeout(now());
            }
            Err(RecvTimeoutError::Timeout) => assembler.handle_timeout(now()),
        }
        while let Some(event) = assembler.poll_event() {
            match event {
                Event::Fresh { accounts, .. } => collector.extend(accounts),
                Event::Completed { progress, .. } => {
                    // The sender has finished, since its last page is here.
                    let _ = sender.join();
                    let list = collector.into_sorted_by_key(|contact| contact.id.clone());
                    println!(
                        "complete: {} contacts, {} copies",
                        list.len(),
                        progress.figures.duplicate_pages
                    );
                    return Ok(());
                }
                Event::Failed { failure, .. } => {
                    println!("failed: {failure:?}");
                    return Ok(());
                }
                _ => {}
            }
        }
    }
}
