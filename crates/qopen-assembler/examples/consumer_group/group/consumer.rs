//! A consumer of the group: one assembler for each of its partitions.

use std::collections::BTreeMap;
use std::time::Duration;

use qopen_assembler::{Assembler, Config, Event, PageDigest, PullKey, PullOptions, Timing};

use super::super::pages::{Contact, Contacts, Sent};
use super::broker::{Broker, Fenced, Member};
use super::store::{Published, Share, Store};

/// The last thing that a consumer does before it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Last {
    Folded,
    Published,
    Kept,
    Committed,
}

pub(crate) struct Consumer {
    pub(crate) member: Member,
    generation: u64,
    partitions: BTreeMap<usize, Partition>,
    quiet: Duration,
}

struct Partition {
    number: usize,
    next: usize,
    assembler: Assembler<Contact>,
    contacts: BTreeMap<PullKey, Contacts>,
    /// Pulls with pages that the store may lack, and the newest page of each.
    changed: BTreeMap<PullKey, PageDigest>,
}

impl Consumer {
    /// Joins the group. A list is complete after so much quiet.
    pub(crate) fn join(broker: &mut Broker, quiet: Duration) -> Self {
        Self { member: broker.join(), generation: 0, partitions: BTreeMap::new(), quiet }
    }

    /// Reads at most `most` messages of each partition, and does what follows from them, up to and including `last`.
    /// Returns whether another consumer has a partition that this one still worked on.
    pub(crate) fn step(
        &mut self,
        broker: &mut Broker,
        store: &mut Store,
        most: usize,
        last: Last,
    ) -> serde_json::Result<bool> {
        for partition in self.partitions.values_mut() {
            partition.fold(broker, most)?;
        }
        let mut is_fenced = false;
        for partition in self.partitions.values_mut() {
            // Each step may be repeated, by this consumer or the next. Only after all of them, the messages are done.
            if last >= Last::Published {
                partition.publish(store);
            }
            if last >= Last::Kept {
                partition.keep(store);
            }
            if last >= Last::Committed {
                let (number, next) = (partition.number, partition.next);
                let committed = broker.commit(self.member, self.generation, number, next);
                is_fenced |= committed == Err(Fenced);
            }
        }
        Ok(is_fenced)
    }

    /// Asks which partitions it has, and takes over those that are new. A real consumer does so with each poll.
    pub(crate) fn heartbeat(&mut self, broker: &Broker, store: &Store) {
        let (generation, mine) = broker.heartbeat(self.member).unwrap_or_default();
        if generation == self.generation {
            return;
        }
        self.generation = generation;
        // What another has had in between is out of date here.
        self.partitions.clear();
        let take = |number: &usize| (*number, Partition::take(*number, broker, store, self.quiet));
        self.partitions.extend(mine.iter().map(take));
    }
}

impl Partition {
    /// Continues at the committed offset, with all that any consumer has kept of its pulls. That may be more than the
    /// offset says; the messages between come again, and are copies.
    fn take(number: usize, broker: &Broker, store: &Store, quiet: Duration) -> Self {
        let options = PullOptions::default().timing(Timing::default().settle(quiet));
        let mut config = Config::default();
        // Another system requests the lists.
        config.adopt = Some(options);
        config.stream = true;
        // Longer than the topic keeps messages: a copy for a forgotten pull would begin a new one.
        config.retention = Duration::from_secs(24 * 3600);
        let (mut assembler, mut contacts) = (Assembler::new(config), BTreeMap::new());
        let now = broker.now();
        for (key, share) in store.of(number) {
            contacts.insert(key.clone(), share.contacts.clone());
            // Neither can fail: the assembler is new, and the fold is the pull's.
            let _ = match store.list(key) {
                Some(list) => {
                    let late = (share.fold.pages() > list.pages).then_some(share.newest);
                    let (key, fold) = (key.clone(), share.fold.clone());
                    assembler.start_completed(now, key, options, fold, list.revision, late).is_ok()
                }
                None => {
                    assembler.start(now, key.clone(), options).is_ok()
                        && assembler.merge(now, key, &share.fold).is_ok()
                }
            };
        }
        let (next, changed) = (broker.committed(number), BTreeMap::new());
        Self { number, next, assembler, contacts, changed }
    }

    /// Folds the next messages. At the end of the partition, it is as late as the broker says: until then, a consumer
    /// that lags would take its own lag for quiet.
    fn fold(&mut self, broker: &Broker, most: usize) -> serde_json::Result<()> {
        let (records, is_end) = broker.fetch(self.number, self.next, most);
        for record in records {
            let page = serde_json::from_str::<Sent>(&record.value)?.into_page()?;
            self.changed.insert(page.key.clone(), page.digest);
            self.assembler.handle_page(record.at, page);
            self.next = record.offset + 1;
        }
        if is_end {
            self.assembler.handle_timeout(broker.now());
        }
        Ok(())
    }

    fn publish(&mut self, store: &mut Store) {
        while let Some(event) = self.assembler.poll_event() {
            match event {
                Event::Fresh { key, accounts } => {
                    let accounts = accounts.into_iter().map(|it| (it.id.clone(), it));
                    self.contacts.entry(key).or_default().extend(accounts);
                }
                Event::Completed { key, .. } | Event::Revised { key, .. } => {
                    let Some(progress) = self.assembler.progress(&key) else { continue };
                    let (revision, pages) = (progress.figures.revision, progress.figures.pages);
                    let contacts = self.contacts.get(&key).cloned().unwrap_or_default();
                    store.publish(&key, Published { revision, pages, contacts });
                }
                Event::Forgotten { key } => drop(self.contacts.remove(&key)),
                _ => {}
            }
        }
    }

    fn keep(&mut self, store: &mut Store) {
        for (key, newest) in std::mem::take(&mut self.changed) {
            let (Some(fold), Some(contacts)) = (self.assembler.fold(&key), self.contacts.get(&key))
            else {
                continue;
            };
            let (partition, fold, contacts) = (self.number, fold.clone(), contacts.clone());
            store.keep(&key, &Share { partition, fold, contacts, newest });
        }
    }
}
