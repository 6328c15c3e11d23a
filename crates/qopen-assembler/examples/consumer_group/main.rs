//! The assembler behind a queue with partitions, a group of consumers, and delivery at least once: consumers die between
//! folding and committing, and partitions move in the middle of a list. Folds can be joined in any order, so that each
//! list comes out once. `cargo run -p qopen-assembler --features serde --example consumer_group`

#![allow(clippy::print_stdout, reason = "an example shows its result")]

mod group;
#[path = "../pages/mod.rs"]
mod pages;

use std::error::Error;
use std::time::Duration;

use crate::group::broker::Broker;
use crate::group::consumer::{Consumer, Last};
use crate::group::store::Store;
use crate::pages::{Sent, expected};

const QUIET: Duration = Duration::from_secs(3);

fn main() -> Result<(), Box<dyn Error>> {
    let (mut broker, mut store) = (Broker::new(4), Store::default());
    let mut sent = Vec::new();
    for pull in 0..12 {
        for page in 0..5 {
            let ids = [page * 2, page * 2 + 1, page * 2 + 2].map(|it| format!("contact {it}"));
            // Neighbouring pages share a contact, with two contents.
            let name = format!("as page {page} has it");
            let contacts: Vec<_> = ids.iter().map(|id| (&**id, &*name)).collect();
            sent.push(Sent::new(&format!("mark {pull}"), page < 4, &contacts));
        }
    }
    let produce = |broker: &mut Broker, page: &Sent| -> serde_json::Result<()> {
        // The mark is the key: all pages of a pull are in one partition.
        broker.produce(&page.mark, serde_json::to_string(page)?);
        Ok(())
    };

    // The lists' pages come together, and one consumer has all partitions.
    let mut first = Consumer::join(&mut broker, QUIET);
    first.heartbeat(&broker, &store);
    for page in sent.iter().step_by(2) {
        produce(&mut broker, page)?;
    }
    first.step(&mut broker, &mut store, 3, Last::Committed)?;

    // Another one joins in the middle of the lists. The first one does not know yet: its commits are refused.
    let mut second = Consumer::join(&mut broker, QUIET);
    second.heartbeat(&broker, &store);
    assert!(first.step(&mut broker, &mut store, 3, Last::Committed)?, "its generation is over");
    first.heartbeat(&broker, &store);

    // One dies after it folded and kept messages, and before it committed them. They are delivered again.
    second.step(&mut broker, &mut store, 3, Last::Kept)?;
    second.step(&mut broker, &mut store, 3, Last::Folded)?;
    broker.evict(second.member);
    drop(second);
    for page in sent.iter().skip(1).step_by(2) {
        produce(&mut broker, page)?;
    }
    // The producer repeats some, too.
    for page in sent.iter().step_by(7) {
        produce(&mut broker, page)?;
    }
    first.heartbeat(&broker, &store);
    first.step(&mut broker, &mut store, 100, Last::Committed)?;
    assert_eq!(
        (broker.lag(), store.lists().len()),
        (0, 0),
        "all is read, and nothing is quiet yet"
    );

    // One dies after it published, before it kept or committed anything: the next one publishes the same lists.
    broker.pass(QUIET);
    first.step(&mut broker, &mut store, 100, Last::Published)?;
    broker.evict(first.member);
    drop(first);
    let mut third = Consumer::join(&mut broker, QUIET);
    third.heartbeat(&broker, &store);
    broker.pass(QUIET);
    third.step(&mut broker, &mut store, 100, Last::Committed)?;

    let lists = store.lists().iter();
    assert!(lists.clone().all(|(_, list)| list.revision == 1 && list.pages == 5));
    let lists: Vec<_> = lists.map(|(key, list)| (key.clone(), list.contacts.clone())).collect();
    assert_eq!(lists, expected(&sent).into_iter().collect::<Vec<_>>());
    println!("{} lists, each once and equal to what its pages make", lists.len());
    Ok(())
}
