//! A broker in this process with Kafka's semantics: a topic of partitions, a group of consumers, committed offsets.

use std::collections::BTreeMap;

use qopen_assembler::{PageDigest, Time};

/// A message. Its offset is its place in the partition.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) offset: usize,
    /// When the broker appended it. Later records of a partition have no earlier time.
    pub(crate) at: Time,
    pub(crate) value: String,
}

/// A member of the group, by its number.
pub(crate) type Member = u64;

/// The error of a member whose partition is another's by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fenced;

pub(crate) struct Broker {
    partitions: Vec<Vec<Record>>,
    committed: Vec<usize>,
    /// The members, and which partitions each has.
    members: BTreeMap<Member, Vec<usize>>,
    /// Grows with each rebalance.
    generation: u64,
    last_member: Member,
    now: Time,
}

impl Broker {
    pub(crate) fn new(partitions: usize) -> Self {
        Self {
            partitions: vec![Vec::new(); partitions],
            committed: vec![0; partitions],
            members: BTreeMap::new(),
            generation: 0,
            last_member: 0,
            now: Time::ZERO,
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.now
    }

    pub(crate) fn pass(&mut self, time: std::time::Duration) {
        self.now = self.now + time;
    }

    /// Appends a message to the partition that its key chooses: messages of one key keep their order.
    pub(crate) fn produce(&mut self, key: &str, value: String) {
        let hash = PageDigest::of(key.as_bytes()).to_u128() % self.partitions.len() as u128;
        let partition = &mut self.partitions[usize::try_from(hash).unwrap_or(0)];
        partition.push(Record { offset: partition.len(), at: self.now, value });
    }

    /// A consumer joins the group. Partitions move.
    pub(crate) fn join(&mut self) -> Member {
        self.last_member += 1;
        self.members.insert(self.last_member, Vec::new());
        self.rebalance();
        self.last_member
    }

    /// A consumer has left, or sent no heartbeat for too long. Partitions move; it may not know that.
    pub(crate) fn evict(&mut self, member: Member) {
        if self.members.remove(&member).is_some() {
            self.rebalance();
        }
    }

    fn rebalance(&mut self) {
        self.generation += 1;
        let members = self.members.len();
        for (at, partitions) in self.members.values_mut().enumerate() {
            // Another generation begins elsewhere, so that a partition seldom stays where it was.
            let place = |it: usize| it.wrapping_add(usize::try_from(self.generation).unwrap_or(0));
            partitions.clear();
            partitions.extend((0..self.partitions.len()).filter(|it| place(*it) % members == at));
        }
    }

    /// A heartbeat: the present generation, and the member's partitions in it.
    pub(crate) fn heartbeat(&self, member: Member) -> Result<(u64, &[usize]), Fenced> {
        self.members.get(&member).map(|it| (self.generation, &it[..])).ok_or(Fenced)
    }

    /// The next messages of a partition, and whether these are all. A reader need not be in the group.
    pub(crate) fn fetch(&self, partition: usize, offset: usize, most: usize) -> (&[Record], bool) {
        let rest = &self.partitions[partition][offset..];
        (&rest[..most.min(rest.len())], rest.len() <= most)
    }

    pub(crate) fn committed(&self, partition: usize) -> usize {
        self.committed[partition]
    }

    /// Commits the offset of the next message. Only a member of the present generation may.
    pub(crate) fn commit(
        &mut self,
        member: Member,
        generation: u64,
        partition: usize,
        offset: usize,
    ) -> Result<(), Fenced> {
        let (present, partitions) = self.heartbeat(member)?;
        if present != generation || !partitions.contains(&partition) {
            return Err(Fenced);
        }
        self.committed[partition] = offset;
        Ok(())
    }

    /// Messages that no commit covers.
    pub(crate) fn lag(&self) -> usize {
        self.partitions.iter().zip(&self.committed).map(|(it, done)| it.len() - done).sum()
    }
}
