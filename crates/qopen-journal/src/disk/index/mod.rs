//! The index of the segments: the content and place of every record, without the payloads.

mod items;
mod lost;
mod states;

use std::collections::BTreeMap;
use std::time::SystemTime;

use qopen_types::Digest;

use super::events::{Event, Events, Segments};
use super::frame::{Body, Header, Kind};
use super::places::Places;
use super::segment::Location;
use crate::state::end_of;
use crate::{Note, Noted, PullId, PullState};
use items::Items;

/// A record's content, without its payload.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) pull: Option<PullId>,
    pub(super) reason: String,
    pub(super) note: Option<Note>,
}

impl Entry {
    /// `None` for a note that this version does not know.
    pub(super) fn of(header: &Header, body: &Body<'_>) -> Option<Self> {
        let note = match header.kind {
            Kind::Note => Some(serde_json::from_slice(&body.payload()?).ok()?),
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
    /// Lost pages, each with the record that notes the loss, if there is one.
    lost: BTreeMap<Digest, Option<Kept>>,
    bytes: u64,
    last_page: Option<SystemTime>,
    /// The number of the first and of the last record that was stored of it.
    first: Option<u64>,
    newest: u64,
}

impl Pull {
    fn stored(&mut self, seq: u64) {
        self.first = Some(self.first.map_or(seq, |first| first.min(seq)));
        self.newest = self.newest.max(seq);
    }

    /// The number of its `Started` note, or of its first record.
    fn order(&self) -> u64 {
        self.started().map(|(seq, _)| seq).or(self.first).unwrap_or_default()
    }

    /// Whether any of its records is before that place.
    fn began_before(&self, place: (u32, u32)) -> bool {
        let pages = self.pages.values().map(|kept| kept.at);
        let mut all = pages.chain(self.notes.values().map(|(_, at)| *at));
        all.any(|at| (at.segment, at.offset) < place)
    }

    /// Whether it has ended, and every page that it had then is there.
    fn is_whole(&self) -> bool {
        match self.ended().map(|it| &it.note) {
            Some(Note::Ended { pages, .. }) => *pages <= self.pages.len() as u64,
            _ => false,
        }
    }

    /// Its `Started` note, with the number.
    fn started(&self) -> Option<(u64, &Noted)> {
        let mut notes = self.notes.iter().map(|(seq, (noted, _))| (*seq, noted));
        notes.find(|(_, noted)| matches!(noted.note, Note::Started(_)))
    }

    /// The note of its end; `None` while it is open.
    fn ended(&self) -> Option<&Noted> {
        end_of(self.notes.values().map(|(noted, _)| noted))
    }
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

/// A record that makes earlier ones void. It follows all of them, wherever they are moved. It is
/// needed for as long as one of them may exist: until its segment is the oldest, or until the
/// segments that are known to hold them are gone.
#[derive(Debug)]
enum Void {
    Pull(PullId),
    Item,
    Event(Segments),
}

#[derive(Debug, Default)]
pub(super) struct Index {
    pulls: BTreeMap<PullId, Pull>,
    pub(super) quarantine: BTreeMap<u64, Item>,
    pub(super) events: Events,
    voids: BTreeMap<u64, (Void, Location)>,
    void_at: BTreeMap<(u32, u32), u64>,
    places: Places,
    /// Each segment's number, and where its last record ends.
    pub(super) segments: BTreeMap<u32, u32>,
    pub(super) next_seq: u64,
}

impl Index {
    pub(super) fn has_page(&self, pull: &PullId, digest: Digest) -> bool {
        self.pulls.get(pull).is_some_and(|pull| pull.pages.contains_key(&digest))
    }

    pub(super) fn has_item(&self, pull: Option<&PullId>, digest: Digest) -> bool {
        self.quarantine.values().any(|it| it.pull.as_ref() == pull && it.digest == digest)
    }

    /// Where the pages of a pull are, in the order in which they were kept.
    pub(super) fn pages(&self, pull: &PullId) -> Vec<(Location, Digest)> {
        let pages = self.pulls.get(pull).map(|pull| &pull.pages);
        let mut pages: Vec<_> = pages.into_iter().flatten().collect();
        pages.sort_unstable_by_key(|(_, kept)| kept.seq);
        pages.into_iter().map(|(digest, kept)| (kept.at, *digest)).collect()
    }

    pub(super) fn page(&self, pull: &PullId, digest: Digest) -> Option<Location> {
        self.pulls.get(pull)?.pages.get(&digest).map(|kept| kept.at)
    }

    pub(super) fn knows(&self, pull: &PullId) -> bool {
        let its = |it: &Item| it.pull.as_ref() == Some(pull);
        self.pulls.contains_key(pull) || self.quarantine.values().any(its)
    }

    pub(super) fn state(&self, id: &PullId) -> Option<PullState> {
        let mut items = Items::default();
        let its = self.quarantine.values().filter(|it| it.pull.as_ref() == Some(id));
        its.for_each(|it| items.add(it.noted));
        self.state_with(id, items)
    }

    /// The state of a pull that has these items in quarantine.
    fn state_with(&self, id: &PullId, items: Items) -> Option<PullState> {
        let mut state = PullState::new(id.clone());
        (state.quarantined, state.last_page) = (items.count, items.last);
        let Some(pull) = self.pulls.get(id) else {
            return (items.count > 0).then_some(state);
        };
        state.notes = pull.notes.values().map(|(noted, _)| noted.clone()).collect();
        state.pages = pull.pages.len() as u64;
        state.bytes = pull.bytes;
        state.last_page = pull.last_page.max(items.last);
        state.damaged = pull.lost.keys().copied().collect();
        state.order = pull.order();
        Some(state)
    }

    /// The number of a pull's newest record; `None` if it has none.
    pub(super) fn newest(&self, id: &PullId) -> Option<u64> {
        let items = self.quarantine.iter().filter(|(_, it)| it.pull.as_ref() == Some(id));
        let newest = self.pulls.get(id).map(|pull| pull.newest);
        newest.max(items.map(|(seq, _)| *seq).max())
    }

    /// The number of the item of no pull that has that digest.
    pub(super) fn nameless(&self, digest: Digest) -> Option<u64> {
        let same = |it: &Item| it.pull.is_none() && it.digest == digest;
        self.quarantine.iter().filter(|(_, it)| same(it)).map(|(seq, _)| *seq).max()
    }

    /// Indexes a stored record; also a moved one, which is stored twice for a while.
    pub(super) fn apply(&mut self, header: &Header, entry: Entry, at: Location) {
        self.next_seq = self.next_seq.max(header.seq + 1);
        let end = self.segments.entry(at.segment).or_default();
        *end = (*end).max(at.offset + at.length);
        let (digest, kept) = (header.digest, Kept { seq: header.seq, at });
        let Self { pulls, places, .. } = self;
        match (header.kind, entry.pull) {
            (Kind::Page, Some(pull)) => {
                let pull = pulls.entry(pull).or_default();
                pull.stored(header.seq);
                pull.last_page = pull.last_page.max(Some(header.at()));
                if let Some(Some(lost)) = pull.lost.remove(&digest) {
                    places.remove(lost.at);
                }
                let before = pull.pages.insert(digest, kept).map(|kept| kept.at);
                pull.bytes += u64::from(at.length);
                pull.bytes -= before.map_or(0, |before| u64::from(before.length));
                places.replace(before, at);
            }
            (Kind::Lost, Some(pull)) => {
                let pull = pulls.entry(pull).or_default();
                if !pull.pages.contains_key(&digest) {
                    pull.stored(header.seq);
                    let before = pull.lost.insert(digest, Some(kept)).flatten();
                    places.replace(before.map(|kept| kept.at), at);
                }
            }
            (Kind::Note, Some(pull)) => {
                let Some(note) = entry.note else { return };
                let noted = Noted { at: header.at(), note };
                let pull = pulls.entry(pull).or_default();
                pull.stored(header.seq);
                let before = pull.notes.insert(header.seq, (noted, at));
                places.replace(before.map(|(_, at)| at), at);
            }
            (Kind::Quarantined, pull) => {
                let (reason, noted) = (entry.reason, header.at());
                let item = Item { pull, digest, reason, noted, at };
                let before = self.quarantine.insert(header.seq, item);
                places.replace(before.map(|it| it.at), at);
            }
            (Kind::Released, pull) => {
                let same = |it: &Item| it.pull == pull && it.digest == digest;
                self.quarantine.retain(|seq, it| {
                    let stays = *seq > header.seq || !same(it);
                    if !stays {
                        places.remove(it.at);
                    }
                    stays
                });
                self.make_void(header.seq, Void::Item, at);
            }
            (Kind::Forgotten, Some(pull)) => {
                self.forget(&pull, header.seq);
                self.make_void(header.seq, Void::Pull(pull), at);
            }
            (Kind::Event, _) => {
                let before = self.events.insert(header.seq, Event::new(digest, header.at(), at));
                places.replace(before, at);
            }
            (Kind::Taken, _) => {
                if let Some(event) = self.events.remove(digest, header.seq) {
                    places.remove(event.at);
                    self.make_void(header.seq, Void::Event(event.stood), at);
                } else if let Some((_, before)) = self.voids.get_mut(&header.seq) {
                    self.void_at.remove(&(before.segment, before.offset));
                    self.void_at.insert((at.segment, at.offset), header.seq);
                    *before = at;
                }
            }
            // A record that must name a pull and does not was not written by this version.
            (_, None) => {}
        }
    }

    fn make_void(&mut self, seq: u64, void: Void, at: Location) {
        if let Some((_, before)) = self.voids.insert(seq, (void, at)) {
            self.void_at.remove(&(before.segment, before.offset));
        }
        self.void_at.insert((at.segment, at.offset), seq);
    }

    /// Whether a record of a pull with this number was forgotten since.
    fn is_void(&self, id: &PullId, seq: u64) -> bool {
        let of = |void: &Void| matches!(void, Void::Pull(pull) if pull == id);
        self.voids.range(seq..).any(|(_, (void, _))| of(void))
    }

    /// Forgets every earlier record of a pull.
    fn forget(&mut self, id: &PullId, before: u64) {
        let Self { pulls, places, quarantine, .. } = self;
        let mut stays = |seq: u64, at: Location| {
            if seq <= before {
                places.remove(at);
            }
            seq > before
        };
        quarantine.retain(|seq, it| it.pull.as_ref() != Some(id) || stays(*seq, it.at));
        let Some(pull) = pulls.get_mut(id) else { return };
        pull.pages.retain(|_, it| stays(it.seq, it.at));
        pull.notes.retain(|seq, (_, at)| stays(*seq, *at));
        pull.lost.retain(|_, it| it.is_some_and(|it| stays(it.seq, it.at)));
        pull.bytes = pull.pages.values().map(|kept| u64::from(kept.at.length)).sum();
        let kept = pull.pages.values().chain(pull.lost.values().flatten()).map(|it| it.seq);
        pull.first = kept.chain(pull.notes.keys().copied()).min();
        if pull.first.is_none() {
            pulls.remove(id);
        }
    }

    /// The needed records of a segment that goes, in their order. Records that void others go with
    /// the segments for which they are needed.
    pub(super) fn wanted(&self, segment: u32) -> Vec<Location> {
        let oldest = self.segments.keys().next() == Some(&segment);
        let needed = |void: &Void| !oldest && self.is_needed(void, Some(segment));
        self.records(segment, needed)
    }

    /// Whether a record that this one voids is left outside that segment.
    fn is_needed(&self, void: &Void, but_for: Option<u32>) -> bool {
        match void {
            Void::Pull(_) | Void::Item => true,
            Void::Event((first, last)) => {
                self.segments.range(first..=last).any(|(number, _)| Some(*number) != but_for)
            }
        }
    }

    /// The records of a segment that count, in their order.
    pub(super) fn live(&self, segment: u32) -> Vec<Location> {
        self.records(segment, |void| self.is_needed(void, None))
    }

    fn records(&self, segment: u32, needed: impl Fn(&Void) -> bool) -> Vec<Location> {
        let voids = self.void_at.range((segment, 0)..=(segment, u32::MAX));
        let voids = voids.filter_map(|(_, seq)| self.voids.get(seq));
        let voids = voids.filter(|(void, _)| needed(void)).map(|(_, at)| *at);
        let mut wanted: Vec<_> = self.places.of(segment).chain(voids).collect();
        wanted.sort_unstable();
        wanted
    }

    /// Whether a record at that place counts, as it did when it was found there.
    pub(super) fn is_live(&self, at: Location) -> bool {
        let place = (at.segment, at.offset);
        self.places.live.contains_key(&place) || self.void_at.contains_key(&place)
    }

    /// Bytes of a segment that count, voids apart.
    pub(super) fn bytes_of(&self, segment: u32) -> u64 {
        self.places.bytes.get(&segment).copied().unwrap_or_default()
    }

    /// A segment's file is gone.
    pub(super) fn drop_segment(&mut self, number: u32) {
        self.segments.remove(&number);
        self.places.bytes.remove(&number);
        let voids = self.void_at.range((number, 0)..=(number, u32::MAX));
        for (at, seq) in voids.map(|(at, seq)| (*at, *seq)).collect::<Vec<_>>() {
            self.void_at.remove(&at);
            self.voids.remove(&seq);
        }
    }
}
