//! Kept pulls and items: in the journal, or behind the `qopen serve` that holds it.

pub(crate) mod held;
pub(crate) mod item;
pub(crate) mod last;
pub(crate) mod listed;
pub(crate) mod note;
pub(crate) mod pull;
pub(crate) mod remains;
pub(crate) mod remote;
pub(crate) mod table;

use std::sync::Arc;

use qopen::journal::{JournalError, PullId, Store};
use qopen::types::{MarkId, RobotId};

use crate::beside;
use crate::exit::Failure;
use crate::journal::{self, cannot_open};
use crate::lang::THE_JOURNAL;
use crate::marks;
use crate::output::place::Place;
use crate::settings::Settings;
use item::{Item, Retried};
use note::NoteLine;
use pull::{Checked, Line, PullName, Resume};
use remains::Remains;
use remote::Remote;

/// The source of kept pulls and items.
pub(crate) enum Kept {
    /// The journal, and the way to resume its pulls.
    Journal(Arc<dyn Store>, Resume),
    /// The process that holds the journal.
    Served(Remote),
}

impl Kept {
    /// Opens the journal if it exists: reading must not create one. If a `qopen serve` holds it, its control
    /// API answers instead.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Failure> {
        let location = settings.journal()?;
        journal::must_exist(&location).await?;
        match location.open().await {
            Err(JournalError::Locked { holder }) => {
                match location.as_folder().and_then(beside::read) {
                    Some(address) => Ok(Self::Served(Remote::new(address, &holder, settings)?)),
                    None => Err(cannot_open(&location, &JournalError::Locked { holder })),
                }
            }
            opened => {
                let journal = journal::opened(&location, opened)?;
                Ok(Self::Journal(journal, Resume::by(settings)?))
            }
        }
    }

    /// As [`open`](Self::open), and `None` if there is no journal.
    pub(crate) async fn open_existing(settings: &Settings) -> Result<Option<Self>, Failure> {
        let location = settings.journal()?;
        match location.exists().await.map_err(|error| cannot_open(&location, &error))? {
            true => Self::open(settings).await.map(Some),
            false => Ok(None),
        }
    }

    /// Returns the way to resume a pull.
    pub(crate) fn hint(&self) -> Resume {
        match self {
            Self::Journal(_, hint) => *hint,
            Self::Served(remote) => Resume::Beside(remote.address()),
        }
    }

    /// Returns every pull.
    pub(crate) async fn pulls(&self) -> Result<Vec<Line>, Failure> {
        match self {
            Self::Journal(journal, _) => {
                Ok(journal::all(&**journal).await?.iter().map(Line::of).collect())
            }
            Self::Served(remote) => remote.pulls().await,
        }
    }

    /// Returns the pulls of a mark or of its beginning.
    pub(crate) async fn marked(&self, mark: &str) -> Result<Vec<Line>, Failure> {
        marks::marked(self.pulls().await?, mark, Line::mark)
    }

    /// Returns the notes of a pull.
    pub(crate) async fn notes(&self, line: &Line) -> Result<Vec<NoteLine>, Failure> {
        match self {
            Self::Journal(journal, _) => {
                let state = journal.facts_of(&id(&line.name())?).await.map_err(failed)?;
                Ok(state.iter().flat_map(|it| &it.notes).map(NoteLine::of).collect())
            }
            Self::Served(remote) => remote.notes(&line.name()).await,
        }
    }

    /// Deletes a pull, and what its unpublished list left beside the place of its list.
    /// [`compact`](Self::compact) frees its disk space.
    pub(crate) async fn purge(&self, line: &Line) -> Result<(), Failure> {
        let journal = match self {
            Self::Journal(journal, _) => journal,
            Self::Served(remote) => return remote.purge(&line.name()).await,
        };
        let id = id(&line.name())?;
        let of_robot = journal.pulls_of(&id.robot_id).await.map_err(failed)?;
        let state = of_robot.iter().find(|it| it.pull == id);
        let output = state.and_then(Place::of).and_then(|it| it.output().ok());
        let remains = state.map(|it| Remains::of(it, &of_robot, output.as_ref()));
        if let Some(state) = state {
            qopen::engine::supersede_earlier(&**journal, state).await.map_err(failed)?;
        }
        journal.forget(&id).await.map_err(failed)?;
        tokio::task::block_in_place(|| {
            if let Some(output) = output {
                output.sweep(line.robot());
            }
            remains.into_iter().for_each(Remains::remove);
        });
        Ok(())
    }

    pub(crate) async fn compact(&self) -> Result<(), Failure> {
        match self {
            Self::Journal(journal, _) => journal.compact(0).await.map(drop).map_err(failed),
            // The service compacts after each pull.
            Self::Served(_) => Ok(()),
        }
    }

    /// Reads the whole journal.
    pub(crate) async fn check(&self) -> Result<Checked, Failure> {
        match self {
            Self::Journal(journal, _) => pull::check(&**journal).await,
            Self::Served(remote) => remote.check().await,
        }
    }

    /// Returns every item in quarantine.
    pub(crate) async fn items(&self) -> Result<Vec<Item>, Failure> {
        match self {
            Self::Journal(journal, _) => item::items(&**journal).await,
            Self::Served(remote) => remote.items().await,
        }
    }

    /// Returns the bytes of an item, or `None` if it is gone.
    pub(crate) async fn bytes(&self, item: &Item) -> Result<Option<Vec<u8>>, Failure> {
        match self {
            Self::Journal(journal, _) => item::bytes(&**journal, item.name()).await,
            Self::Served(remote) => remote.bytes(item.name()).await.map(Some),
        }
    }

    /// Releases an item. Returns the pulls that it counted against; `None` if nothing has the name.
    pub(crate) async fn release(&self, name: &str) -> Result<Option<Vec<PullName>>, Failure> {
        match self {
            Self::Journal(journal, _) => item::release(&**journal, name).await,
            Self::Served(remote) => remote.release(name).await,
        }
    }

    /// Reads every item again.
    pub(crate) async fn retry(&self, settings: &Settings) -> Result<Retried, Failure> {
        match self {
            Self::Journal(journal, _) => {
                // Today's keys may open content that earlier ones did not.
                item::retry(&**journal, settings.ring().ok().as_ref()).await
            }
            Self::Served(remote) => remote.retry().await,
        }
    }
}

fn failed(error: JournalError) -> Failure {
    Failure::unexpected(THE_JOURNAL, &error)
}

/// Returns the id of a pull.
pub(crate) fn id(name: &PullName) -> Result<PullId, Failure> {
    let wrong = |error| Failure::usage_of(name.to_string(), &error);
    let robot_id = RobotId::new(&name.robot_id).map_err(wrong)?;
    Ok(PullId { robot_id, mark_id: MarkId::new(&name.mark_id).map_err(wrong)? })
}
