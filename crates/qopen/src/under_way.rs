//! A pull that is being started: held, requested, and cancelled when nobody wants it any more.

use std::sync::{Arc, Mutex, PoisonError};

use qopen_http::Sender;
use qopen_journal::{Journal, Note, PullId};
use qopen_types::RobotAccountListRequest;
use tokio::sync::mpsc;

use crate::messages::Command;
use crate::pull::CancelOnDrop;
use crate::tenure::{self, Generation, Tenure};

/// Holds what comes of a pull until the pull is started, or this is dropped.
pub(crate) struct Hold {
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) id: PullId,
    pub(crate) generation: Generation,
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Where the pull was started, nothing is held any more; nor without a driver.
        let _ = self.commands.send(Command::Release(self.id.clone(), self.generation));
    }
}

/// A pull that is being started. Dropped, it takes the pull with it.
pub(crate) struct UnderWay {
    pub(crate) id: PullId,
    pub(crate) generation: Generation,
    pub(crate) cancel: CancelOnDrop,
    commands: mpsc::UnboundedSender<Command>,
    sending: Arc<Mutex<Option<tokio::task::AbortHandle>>>,
}

impl UnderWay {
    pub(crate) fn new(
        commands: mpsc::UnboundedSender<Command>,
        id: PullId,
        generation: Generation,
    ) -> Self {
        let sending = Arc::new(Mutex::new(None));
        let cancel = cancel(commands.clone(), id.clone(), generation, Arc::clone(&sending));
        Self { id, generation, cancel, commands, sending }
    }

    /// Sends the request in the background.
    pub(crate) fn send(
        &self,
        sender: Sender,
        journal: Arc<dyn Journal>,
        tenure: Option<Arc<Tenure>>,
        need_tag_info: bool,
    ) {
        let mut request =
            RobotAccountListRequest::new(self.id.robot_id.clone(), self.id.mark_id.clone());
        request.need_tag_info = need_tag_info;
        let (commands, id) = (self.commands.clone(), self.id.clone());
        let generation = self.generation;
        let sending = Sending { sender, journal, tenure, commands, id, generation };
        let task = tokio::spawn(sending.run(request));
        *self.sending.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
    }
}

/// Cancels the pull, and with it the request, when it is called or dropped.
fn cancel(
    commands: mpsc::UnboundedSender<Command>,
    id: PullId,
    generation: Generation,
    sending: Arc<Mutex<Option<tokio::task::AbortHandle>>>,
) -> CancelOnDrop {
    CancelOnDrop::new(move || {
        if let Some(task) = sending.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        // Without a driver the pull is gone as it is.
        let _ = commands.send(Command::Cancel(id.clone(), generation));
    })
}

struct Sending {
    sender: Sender,
    journal: Arc<dyn Journal>,
    tenure: Option<Arc<Tenure>>,
    commands: mpsc::UnboundedSender<Command>,
    id: PullId,
    generation: Generation,
}

impl Sending {
    async fn run(self, request: RobotAccountListRequest) {
        let Self { sender, journal, tenure, commands, id, generation } = self;
        let command = match sender.request_account_list(&request).await {
            Ok(accepted) => {
                tracing::info!(pull = %id, serial_no = accepted.serial_no, "request accepted");
                let note = Note::Accepted { serial_no: accepted.serial_no };
                if let Err(error) = tenure::note(&*journal, tenure.as_ref(), &id, note).await {
                    // At worst the request is sent again, under the same mark.
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(pull = %id, error, "the acceptance was not journaled");
                }
                Command::Accepted(id, generation)
            }
            Err(error) => Command::NotSent(id, generation, error),
        };
        // Without a driver nobody waits for it.
        let _ = commands.send(command);
    }
}
