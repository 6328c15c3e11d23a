//! What is in the segments, and where: everything but the payloads.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use qopen_types::Digest;

use super::frame::{Body, Header, Kind, owner_of};
use super::segment::Hole;
use crate::{Note, Noted, PullId, PullState};

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Location {
    pub(super) segment: u32,
    pub(super) offset: u32,
    /// Bytes up to the next record.
    pub(super) length: u32,
}

/// What a record says, besides its payload.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) pull: Option<PullId>,
    pub(super) reason: String,
    pub(super) note: Option<Note>,
}

impl Entry {
    /// `None` where it is a note that this version does not know.
    pub(super) fn of(header: &Header, body: &Body<'_>) -> Option<Self> {
        let note = match header.kind {
            Kind::Note => Some(serde_json::from_str(&body.payload()?).ok()?),
            _ => None,
        };
        Some(Self { pull: body.pull.clone(), reason: body.reason.to_owned(), note })
    }

    pub(super) fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    seq: u64,
    at: Location,
}

#[derive(Debug, Default)]
struct Pull {
    pages: BTreeMap<Digest, Kept>,
    notes: BTreeMap<u64, (Noted, Location)>,
    /// Pages that are lost, with the record that says so, where there is one.
    lost: BTreeMap<Digest, Option<Kept>>,
    bytes: u64,
    last_page: Option<SystemTime>,
}

/// Something in quarantine.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) pull: Option<PullId>,
    pub(super) digest: Digest,
    pub(super) reason: String,
    pub(super) noted: SystemTime,
    pub(super) at: Location,
}

/// A record that makes earlier ones void. It stands after all of those, wherever they are moved,
/// and is needed for as long as they may still be there: until its segment is the oldest.
#[derive(Debug)]
enum Void {
    Pull(PullId),
    Item,
}

#[derive(Debug, Default)]
pub(super) struct Segment {
    /// Where its last record ends.
    pub(super) end: u32,
    /// Bytes of records that are still wanted.
    pub(super) live: u32,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    pulls: BTreeMap<PullId, Pull>,
    pub(super) quarantine: BTreeMap<u64, Item>,
    voids: BTreeMap<u64, (Void, Location)>,
    pub(super) segments: BTreeMap<u32, Segment>,
    pub(super) next_seq: u64,
}

impl Index {
    pub(super) fn has_page(&self, pull: &PullId, digest: Digest) -> bool {
        self.pulls.get(pull).is_some_and(|pull| pull.pages.contains_key(&digest))
    }

    pub(super) fn has_item(&self, pull: Option<&PullId>, digest: Digest) -> bool {
        self.quarantine.values().any(|it| it.pull.as_ref() == pull && it.digest == digest)
    }

    /// Where the pages of a pull are, in the order in which they are stored.
    pub(super) fn pages(&self, pull: &PullId) -> Vec<(Location, Digest)> {
        let pages = self.pulls.get(pull).map(|pull| &pull.pages);
        let mut pages: Vec<_> =
            pages.into_iter().flatten().map(|(digest, kept)| (kept.at, *digest)).collect();
        pages.sort_unstable();
        pages
    }

    pub(super) fn page(&self, pull: &PullId, digest: Digest) -> Option<Location> {
        self.pulls.get(pull)?.pages.get(&digest).map(|kept| kept.at)
    }

    pub(super) fn names(&self) -> BTreeSet<PullId> {
        let items = self.quarantine.values().filter_map(|it| it.pull.as_ref());
        self.pulls.keys().chain(items).cloned().collect()
    }

    pub(super) fn state(&self, id: &PullId) -> Option<PullState> {
        let mut state = PullState::new(id.clone());
        let items = || self.quarantine.values().filter(|it| it.pull.as_ref() == Some(id));
        state.quarantined = items().count() as u64;
        let Some(pull) = self.pulls.get(id) else {
            state.last_page = items().map(|it| it.noted).max();
            return (state.quarantined > 0).then_some(state);
        };
        state.notes = pull.notes.values().map(|(noted, _)| noted.clone()).collect();
        state.pages = pull.pages.len() as u64;
        state.bytes = pull.bytes;
        state.last_page = pull.last_page.max(items().map(|it| it.noted).max());
        state.damaged = pull.lost.keys().copied().collect();
        Some(state)
    }

    /// Takes in a record that is stored; also one that was moved, and stands there twice for a while.
    pub(super) fn apply(&mut self, header: &Header, entry: Entry, at: Location) {
        self.next_seq = self.next_seq.max(header.seq + 1);
        let segment = self.segments.entry(at.segment).or_default();
        segment.end = segment.end.max(at.offset + at.length);
        let (digest, kept) = (header.digest, Kept { seq: header.seq, at });
        let before = match (header.kind, entry.pull) {
            (Kind::Page, Some(pull)) => {
                let pull = self.pulls.entry(pull).or_default();
                pull.last_page = pull.last_page.max(Some(header.at()));
                let before = pull.pages.insert(digest, kept).map(|kept| kept.at);
                let length = |at: &Location| u64::from(at.length);
                pull.bytes = pull.bytes + length(&at) - before.as_ref().map_or(0, length);
                let lost = pull.lost.remove(&digest).flatten();
                self.kill(lost.map(|kept| kept.at));
                before
            }
            (Kind::Lost, Some(pull)) => {
                let pull = self.pulls.entry(pull).or_default();
                if pull.pages.contains_key(&digest) {
                    return;
                }
                pull.lost.insert(digest, Some(kept)).flatten().map(|kept| kept.at)
            }
            (Kind::Note, Some(pull)) => {
                let Some(note) = entry.note else { return };
                let noted = Noted { at: header.at(), note };
                let notes = &mut self.pulls.entry(pull).or_default().notes;
                notes.insert(header.seq, (noted, at)).map(|(_, at)| at)
            }
            (Kind::Quarantined, pull) => {
                let (reason, noted) = (entry.reason, header.at());
                let item = Item { pull, digest, reason, noted, at };
                self.quarantine.insert(header.seq, item).map(|item| item.at)
            }
            (Kind::Released, pull) => {
                let same = |it: &Item| it.pull == pull && it.digest == digest;
                self.drop_items(header.seq, same);
                self.voids.insert(header.seq, (Void::Item, at)).map(|(_, at)| at)
            }
            (Kind::Forgotten, Some(pull)) => {
                self.forget(&pull, header.seq);
                self.voids.insert(header.seq, (Void::Pull(pull), at)).map(|(_, at)| at)
            }
            (_, None) => return,
        };
        self.kill(before);
        self.segments.entry(at.segment).or_default().live += at.length;
    }

    /// Whether what was stored of a pull with that number was forgotten since.
    fn is_void(&self, id: &PullId, seq: u64) -> bool {
        let of = |void: &Void| matches!(void, Void::Pull(pull) if pull == id);
        self.voids.range(seq..).any(|(_, (void, _))| of(void))
    }

    /// Everything of a pull that was stored before.
    fn forget(&mut self, id: &PullId, before: u64) {
        let ours = |it: &Item| it.pull.as_ref() == Some(id);
        self.drop_items(before, ours);
        let mut gone = Vec::new();
        if let Some(pull) = self.pulls.get_mut(id) {
            let mut keep = |seq: u64, at: Option<Location>| {
                gone.extend(at.filter(|_| seq < before));
                seq >= before
            };
            pull.pages.retain(|_, it| keep(it.seq, Some(it.at)));
            pull.notes.retain(|seq, (_, at)| keep(*seq, Some(*at)));
            pull.lost.retain(|_, it| keep(it.map_or(0, |it| it.seq), it.map(|it| it.at)));
            pull.bytes = pull.pages.values().map(|kept| u64::from(kept.at.length)).sum();
            if pull.pages.is_empty() && pull.notes.is_empty() && pull.lost.is_empty() {
                self.pulls.remove(id);
            }
        }
        gone.into_iter().for_each(|at| self.kill(Some(at)));
    }

    fn drop_items(&mut self, before: u64, which: impl Fn(&Item) -> bool) {
        let mut gone = Vec::new();
        self.quarantine.retain(|seq, it| {
            let goes = *seq < before && which(it);
            gone.extend(goes.then_some(it.at));
            !goes
        });
        gone.into_iter().for_each(|at| self.kill(Some(at)));
    }

    fn kill(&mut self, at: Option<Location>) {
        if let Some(at) = at
            && let Some(segment) = self.segments.get_mut(&at.segment)
        {
            segment.live = segment.live.saturating_sub(at.length);
        }
    }

    /// Everything that is still wanted of a segment, in the order in which it is stored. Records
    /// that make others void go with the oldest segment: there is nothing left for them.
    pub(super) fn wanted(&self, segment: u32) -> Vec<Location> {
        let oldest = self.segments.keys().next() == Some(&segment);
        let voids = self.voids.values().map(|(_, at)| *at).filter(|_| !oldest);
        let pulls = self.pulls.values().flat_map(|pull| {
            let pages = pull.pages.values().map(|kept| kept.at);
            let notes = pull.notes.values().map(|(_, at)| *at);
            pages.chain(notes).chain(pull.lost.values().flatten().map(|kept| kept.at))
        });
        let items = self.quarantine.values().map(|it| it.at);
        let mut wanted: Vec<_> =
            pulls.chain(items).chain(voids).filter(|at| at.segment == segment).collect();
        wanted.sort_unstable();
        wanted
    }

    /// A segment's file is gone.
    pub(super) fn drop_segment(&mut self, number: u32) {
        self.segments.remove(&number);
        self.voids.retain(|_, (_, at)| at.segment != number);
    }

    /// What a hole means for pulls: the pages that are lost by it, each with its pull.
    pub(super) fn blame(&mut self, segment: u32, hole: &Hole) -> Vec<(PullId, Digest)> {
        let mut lost = Vec::new();
        match hole.header {
            Some(header) => {
                let of_a_page = matches!(header.kind, Kind::Page | Kind::Quarantined | Kind::Lost);
                let owner = |pull: &&PullId| owner_of(Some(pull)) == header.owner;
                let void = |pull: &PullId| self.is_void(pull, header.seq);
                if of_a_page
                    && let Some(pull) = self.pulls.keys().find(owner).filter(|it| !void(it))
                {
                    lost.push((pull.clone(), header.digest));
                }
            }
            // It may have been anybody's. An append that was under way was answered to nobody.
            None if hole.unfinished => {}
            None => {
                let stand_in = Digest::of(format!("hole {segment} {}", hole.at).as_bytes());
                let open = |id: &PullId| self.state(id).is_some_and(|it| it.ended().is_none());
                let open = self.pulls.keys().filter(|id| open(id));
                lost.extend(open.map(|pull| (pull.clone(), stand_in)));
            }
        }
        lost.retain(|(id, digest)| {
            let Some(pull) = self.pulls.get_mut(id) else { return false };
            let known = pull.pages.contains_key(digest) || pull.lost.contains_key(digest);
            if !known {
                pull.lost.insert(*digest, None);
            }
            !known
        });
        lost
    }
}
