//! The consumers of the example `consumer_group`, with deaths, rebalances and copies at any moment.

use std::collections::BTreeMap;
use std::iter::repeat_n;
use std::time::Duration;

use proptest::prelude::*;

use super::group::broker::Broker;
use super::group::consumer::{Consumer, Last};
use super::group::store::Store;
use super::pages::{Sent, expected};

const QUIET: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
enum Step {
    Produce,
    Copy(prop::sample::Index),
    Join,
    /// The broker hears nothing more of a consumer, which goes on all the same.
    Evict(prop::sample::Index),
    Heartbeat(prop::sample::Index),
    Work {
        consumer: prop::sample::Index,
        most: usize,
    },
    /// The consumer dies after a step.
    Die(prop::sample::Index, Last),
    Pass,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    let last = prop_oneof![
        Just(Last::Folded),
        Just(Last::Published),
        Just(Last::Kept),
        Just(Last::Committed),
    ];
    let work = (index(), 1..5_usize).prop_map(|(consumer, most)| Step::Work { consumer, most });
    prop_oneof![
        6 => Just(Step::Produce),
        2 => index().prop_map(Step::Copy),
        1 => Just(Step::Join),
        1 => index().prop_map(Step::Evict),
        3 => index().prop_map(Step::Heartbeat),
        6 => work,
        2 => (index(), last).prop_map(|(consumer, last)| Step::Die(consumer, last)),
        1 => Just(Step::Pass),
    ]
}

/// The pages of four lists in any order.
fn pages() -> impl Strategy<Value = Vec<Sent>> {
    let page = |at: usize| {
        let (mark, number) = (["a", "b", "c", "d"][at % 4], at / 4);
        let ids = [number, number + 1].map(|it| format!("{it}"));
        let name = format!("{number}");
        Sent::new(mark, number < 3, &[(&ids[0], &name), (&ids[1], &name)])
    };
    Just((0..16).map(page).collect::<Vec<_>>()).prop_shuffle()
}

fn produce(broker: &mut Broker, page: &Sent) {
    broker.produce(&page.mark, serde_json::to_string(page).unwrap());
}

proptest! {
    #[test]
    fn each_list_of_a_queue_comes_out_once_and_whole(
        pages in pages(),
        // Fewer than 60 seconds pass before the last page.
        steps in prop::collection::vec(step(), 1..50),
        more in prop::collection::vec(step(), 1..50),
    ) {
        let (mut broker, mut store) = (Broker::new(3), Store::default());
        let mut consumers = vec![Consumer::join(&mut broker, QUIET)];
        let mut sent = 0;
        let rest = repeat_n(Step::Produce, pages.len());
        let quiet = repeat_n(Step::Pass, 60);
        for step in steps.into_iter().chain(rest).chain(more).chain(quiet) {
            let consumer = |index: prop::sample::Index| index.index(consumers.len().max(1));
            match step {
                Step::Produce => {
                    if let Some(page) = pages.get(sent) {
                        produce(&mut broker, page);
                        sent += 1;
                    }
                }
                Step::Copy(index) if sent > 0 => produce(&mut broker, index.get(&pages[..sent])),
                Step::Join => consumers.push(Consumer::join(&mut broker, QUIET)),
                Step::Evict(index) => {
                    if let Some(it) = consumers.get(consumer(index)) {
                        broker.evict(it.member);
                    }
                }
                Step::Heartbeat(index) => {
                    let at = consumer(index);
                    if let Some(it) = consumers.get_mut(at) {
                        it.heartbeat(&broker, &store);
                    }
                }
                Step::Work { consumer: index, most } => {
                    let at = consumer(index);
                    if let Some(it) = consumers.get_mut(at) {
                        it.step(&mut broker, &mut store, most, Last::Committed).unwrap();
                    }
                }
                Step::Die(index, last) if !consumers.is_empty() => {
                    let mut it = consumers.remove(consumer(index));
                    it.step(&mut broker, &mut store, 100, last).unwrap();
                    broker.evict(it.member);
                }
                Step::Pass => broker.pass(Duration::from_secs(1)),
                Step::Copy(_) | Step::Die(..) => {}
            }
        }
        // One that died without a word keeps its partitions until the broker notices.
        for it in consumers.drain(..) {
            broker.evict(it.member);
        }
        let mut last = Consumer::join(&mut broker, QUIET);
        last.heartbeat(&broker, &store);
        // It lags by more than the quiet, and reads a little at a time.
        for _ in 0..200 {
            prop_assert!(!last.step(&mut broker, &mut store, 1, Last::Committed).unwrap());
        }
        prop_assert_eq!(broker.lag(), 0);
        broker.pass(QUIET);
        prop_assert!(!last.step(&mut broker, &mut store, 1, Last::Committed).unwrap());
        let lists = store.lists().iter().map(|(key, list)| (key.clone(), list.contacts.clone()));
        prop_assert_eq!(lists.collect::<BTreeMap<_, _>>(), expected(&pages));
        // Copies and repetitions made no revision.
        prop_assert!(store.lists().values().all(|it| it.revision == 1 && it.pages == 4));
    }
}
