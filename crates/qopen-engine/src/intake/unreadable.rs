//! Unreadable payloads, and the pulls that they count against.

use qopen_assembler::PageDigest;
use qopen_journal::{Layer, Note, Payload, PullId, PullState, Quarantined};
use qopen_types::EventType;
use tokio::time::Instant;

use super::state::Intake;
use crate::accepted::{Accepted, NotKept};
use crate::classify::{Unreadable, with_a_mark};
use crate::fact::Fact;
use crate::whose::{Against, counts_against, doubt_of};

impl Intake {
    /// Takes another event by its declaration, unless it names an open pull in the place of a
    /// page's mark.
    pub(super) async fn other_event(
        &self,
        arrived: Instant,
        event_type: EventType,
        payload: Payload,
    ) -> Result<Accepted, NotKept> {
        if let Some(unreadable) = with_a_mark(&event_type, payload.as_bytes()) {
            let _paused = self.adoption.pause().await;
            let open = self.open_pulls().await?;
            let ids = open.iter().map(|it| &it.pull);
            let Against { pulls, by_mark } =
                counts_against(payload.as_bytes(), unreadable.names(), false, ids);
            if by_mark {
                let Unreadable { layer, reason, .. } = unreadable;
                let against = of_these(open, &pulls);
                return self.quarantine(arrived, against, layer, reason, payload).await;
            }
        }
        Ok(Accepted::Other(event_type))
    }

    pub(super) async fn unreadable(
        &self,
        arrived: Instant,
        unreadable: Unreadable,
        payload: Payload,
    ) -> Result<Accepted, NotKept> {
        let mut paused = Some(self.adoption.pause().await);
        let open = self.open_pulls().await?;
        let ids = open.iter().map(|it| &it.pull);
        let (names, damaged) = (unreadable.names(), unreadable.is_damaged());
        let Against { mut pulls, by_mark } =
            counts_against(payload.as_bytes(), names, damaged, ids);
        // Ended and adopted pulls count too, if they are named in full.
        let mut known = None;
        if let Some(named) = names.pull().filter(|it| !pulls.contains(it)) {
            let ours = self.is_ours(&named) || self.is_in_journal(&named).await?;
            if ours {
                // Then it is not the damaged name of another pull.
                pulls.clear();
            }
            let is_external = (self.external.keep || self.external.adopt) && pulls.is_empty();
            if ours || is_external {
                // It counts against this pull alone, whichever else is adopted.
                paused = None;
                self.adopt(&named).await?;
                known = Some(PullState::new(named));
            }
        }
        if unreadable.says_other(payload.as_bytes()) && !by_mark && known.is_none() {
            return Ok(Accepted::Other(unreadable.event_type));
        }
        let mut against = of_these(open, &pulls);
        against.extend(known);
        let Unreadable { layer, reason, .. } = unreadable;
        let kept = self.quarantine(arrived, against, layer, reason, payload).await;
        drop(paused);
        kept
    }

    /// Keeps an unreadable payload, byte for byte, and counts it against these pulls.
    pub(super) async fn quarantine(
        &self,
        arrived: Instant,
        against: Vec<PullState>,
        layer: Layer,
        reason: String,
        payload: Payload,
    ) -> Result<Accepted, NotKept> {
        self.stats.count_unreadable();
        let item = match &against[..] {
            [one] => Quarantined::new(Some(one.pull.clone()), layer, reason, payload),
            _ => Quarantined::new(None, layer, reason, payload),
        };
        let digest = item.digest();
        for state in against.iter().filter(|it| self.is_ours(&it.pull)) {
            self.tell(arrived, Fact::Owed(state.pull.clone(), PageDigest::from(digest))).await?;
        }
        let (nameless, reason) = (item.pull.is_none(), item.reason.clone());
        if nameless && layer != Layer::Pull {
            // First: a pull may be adopted as soon as the item is there.
            self.adoption.remember(digest);
        }
        self.journal.quarantine(item).await.map_err(NotKept::Journal)?;
        self.outage.kept();
        tracing::warn!(
            layer = layer.as_str(),
            reason,
            pulls = against.len(),
            "a verified callback could not be read; it is in quarantine"
        );
        for state in &against {
            let mut stands = digest;
            if nameless {
                let doubts = state.doubts();
                stands = doubt_of(digest, doubts.len());
                if !doubts.contains(&stands) {
                    let note = Note::Doubted { item: stands, lost: false };
                    let noted = self.journal.note(&state.pull, note).await;
                    noted.map_err(NotKept::Journal)?;
                }
            }
            if self.is_ours(&state.pull) {
                // The item was owed, whatever stands for it from now on.
                let another = (stands != digest).then_some(stands);
                for digest in std::iter::once(digest).chain(another) {
                    let fact = Fact::Unreadable(state.pull.clone(), PageDigest::from(digest));
                    self.tell(Instant::now(), fact).await?;
                }
            }
        }
        Ok(Accepted::Quarantined)
    }
}

pub(super) fn of_these(open: Vec<PullState>, ids: &[PullId]) -> Vec<PullState> {
    open.into_iter().filter(|it| ids.contains(&it.pull)).collect()
}
