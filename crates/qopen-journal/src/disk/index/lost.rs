//! Lost pages: in holes that were found at opening, and in files that were damaged since.

use qopen_types::Digest;

use super::super::frame::{Kind, owner_of};
use super::super::loss::Stored;
use super::super::scan::Hole;
use super::{Index, Pull};
use crate::PullId;

impl Index {
    pub(in super::super) fn is_lost(&self, pull: &PullId, digest: Digest) -> bool {
        self.pulls.get(pull).is_some_and(|pull| pull.lost.contains_key(&digest))
    }

    /// The pages and the quarantined items in a segment.
    pub(in super::super) fn stored_in(&self, segment: u32) -> Vec<Stored> {
        let pages = self.pulls.iter().flat_map(|(pull, it)| {
            let pages = it.pages.iter().filter(|(_, kept)| kept.at.segment == segment);
            pages.map(|(digest, kept)| Stored {
                pull: Some(pull.clone()),
                digest: *digest,
                at: kept.at,
                quarantined: None,
            })
        });
        let items = self.quarantine.iter().filter(|(_, it)| it.at.segment == segment);
        let items = items.map(|(seq, it)| Stored {
            pull: it.pull.clone(),
            digest: it.digest,
            at: it.at,
            quarantined: Some(*seq),
        });
        pages.chain(items).collect()
    }

    /// Marks a page or an item as lost, if it is still in that place.
    pub(in super::super) fn lose(&mut self, stored: &Stored) -> bool {
        let Stored { pull, digest, at, quarantined } = stored;
        let found = match (quarantined, pull) {
            (Some(seq), _) => self.quarantine.get(seq).map(|it| it.at),
            (None, pull) => pull.as_ref().and_then(|pull| self.page(pull, *digest)),
        };
        if found != Some(*at) {
            return false;
        }
        self.places.remove(*at);
        if let Some(seq) = quarantined {
            self.quarantine.remove(seq);
        }
        // An item of an unknown pull counts against the pulls that note it.
        let Some(pull) = pull else { return true };
        let owner = self.pulls.entry(pull.clone()).or_default();
        if quarantined.is_none() {
            owner.pages.remove(digest);
            owner.bytes -= u64::from(at.length);
        }
        owner.lost.entry(*digest).or_default();
        true
    }

    /// The pages that a hole may have lost, each with its pull.
    pub(in super::super) fn blame(&mut self, segment: u32, hole: &Hole) -> Vec<(PullId, Digest)> {
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
            // Its pull is unknown. An append in flight was never acknowledged.
            None if hole.unfinished => {}
            None => {
                let stand_in = Digest::of(format!("hole {segment} {}", hole.at).as_bytes());
                let place = (segment, hole.at);
                let lacks = |pull: &Pull| pull.began_before(place) && !pull.is_whole();
                let lacking = self.pulls.iter().filter(|(_, pull)| lacks(pull));
                lost.extend(lacking.map(|(id, _)| (id.clone(), stand_in)));
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
