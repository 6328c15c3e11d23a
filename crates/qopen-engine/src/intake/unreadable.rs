//! Unreadable payloads, and the pulls that they count against.

use qopen_assembler::PageDigest;
use qopen_journal::{Layer, Note, Payload, PullId, PullState, Quarantined};
use qopen_types::{Digest, EventType};
use tokio::time::Instant;

use super::state::{Intake, ids_of};
use crate::accepted::{Accepted, NotKept};
use crate::adoption::exists;
use crate::classify::{Unreadable, with_a_mark};
use crate::fact::Fact;
use crate::whose::{Against, Names, counts_against, doubt_of};

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
        let (names, damaged) = (unreadable.names(), unreadable.is_damaged());
        let named = names.pull();
        // A pull of which nothing has come may be no more than a damaged name.
        let exists = match &named {
            Some(named) if damaged => self.exists(named).await?,
            _ => true,
        };
        let ids = open.iter().map(|it| &it.pull).filter(|it| exists || Some(*it) != named.as_ref());
        let Against { mut pulls, by_mark } =
            counts_against(payload.as_bytes(), names, damaged, ids);
        // Ended and adopted pulls count too, if they are named in full.
        let mut known = None;
        if let Some(named) = named.filter(|it| !pulls.contains(it)) {
            let ours = self.is_ours(&named) || self.is_in_journal(&named).await?;
            if ours && exists {
                // Then it is not the damaged name of another pull.
                pulls.clear();
            }
            let is_external = (self.external.keep || self.external.adopt) && pulls.is_empty();
            if ours || is_external {
                paused = None;
                self.adopt(&named).await?;
                let is_open = open.iter().find(|it| it.pull == named).cloned();
                known = Some(is_open.unwrap_or_else(|| PullState::new(named)));
                if !exists {
                    paused = Some(self.adoption.pause().await);
                }
            }
        }
        if unreadable.says_other(payload.as_bytes()) && !by_mark && known.is_none() {
            return Ok(Accepted::Other(unreadable.event_type));
        }
        let (named, were_open) = (known.as_ref().map(|it| it.pull.clone()), ids_of(&open));
        let mut against = of_these(open, &pulls);
        against.extend(known);
        let (layer, reason) = (unreadable.layer, unreadable.reason.clone());
        let kept = self.quarantine(arrived, against, layer, reason, payload.clone()).await?;
        // A pull that exists and is named is the only one, whichever else is adopted.
        if named.is_none() || !exists {
            let named = named.as_ref();
            self.count_against_newer(&were_open, named, Some(&unreadable), &payload).await?;
        }
        drop(paused);
        Ok(kept)
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
        if layer != Layer::Pull {
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
            let stands = if nameless { self.doubt(state, digest).await? } else { digest };
            self.tell_unreadable(&state.pull, digest, stands).await?;
        }
        Ok(Accepted::Quarantined)
    }

    /// Counts an item in quarantine against external pulls of which another process has kept the first page since `open`
    /// was read. A later one is looked for in quarantine. The item counts already against the pull that it names in full,
    /// perhaps by a damaged name.
    pub(super) async fn count_against_newer(
        &self,
        open: &[PullId],
        named: Option<&PullId>,
        unreadable: Option<&Unreadable>,
        item: &Payload,
    ) -> Result<(), NotKept> {
        let mut now_open = self.open_pulls().await?;
        now_open.retain(|it| named != Some(&it.pull));
        let ids = now_open.iter().map(|it| &it.pull);
        let (names, damaged) = match unreadable {
            Some(it) => (it.names(), it.is_damaged()),
            None => (Names { robot_id: None, mark_id: None }, false),
        };
        let against = counts_against(item.as_bytes(), names, damaged, ids).pulls;
        let is_newer = |it: &PullState| it.started().is_none() && !open.contains(&it.pull);
        let digest = Digest::of(item.as_bytes());
        for state in of_these(now_open, &against).iter().filter(|it| is_newer(it)) {
            let stands = self.doubt(state, digest).await?;
            self.tell_unreadable(&state.pull, digest, stands).await?;
        }
        Ok(())
    }

    /// Whether a pull is more than a name, which may be damaged.
    async fn exists(&self, pull: &PullId) -> Result<bool, NotKept> {
        exists(&*self.journal, pull).await.map_err(NotKept::Journal)
    }

    /// Notes an item against a pull that does not own it. Returns what stands for the item there.
    async fn doubt(&self, state: &PullState, item: Digest) -> Result<Digest, NotKept> {
        let doubts = state.doubts();
        let stands = doubt_of(item, doubts.len());
        if !doubts.contains(&stands) {
            let note = Note::Doubted { item: stands, lost: false };
            self.journal.note(&state.pull, note).await.map_err(NotKept::Journal)?;
        }
        Ok(stands)
    }

    async fn tell_unreadable(
        &self,
        pull: &PullId,
        item: Digest,
        stands: Digest,
    ) -> Result<(), NotKept> {
        if self.is_ours(pull) {
            // The item was owed, whatever stands for it from now on.
            let another = (stands != item).then_some(stands);
            for digest in std::iter::once(item).chain(another) {
                let fact = Fact::Unreadable(pull.clone(), PageDigest::from(digest));
                self.tell(Instant::now(), fact).await?;
            }
        }
        Ok(())
    }
}

pub(super) fn of_these(open: Vec<PullState>, ids: &[PullId]) -> Vec<PullState> {
    open.into_iter().filter(|it| ids.contains(&it.pull)).collect()
}
