//! Storage that fails or waits on command.

#[cfg(not(feature = "faults"))]
use std::io;

#[cfg(not(feature = "faults"))]
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(());

#[cfg(not(feature = "faults"))]
#[allow(clippy::unused_self, reason = "as with the feature")]
impl Faults {
    pub(super) fn before_write(&self) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn before_sync(&self) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn before_create(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn before_again(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(feature = "faults")]
pub use on_command::Faults;

#[cfg(feature = "faults")]
mod on_command {
    use std::io;
    use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

    /// Makes a journal's storage fail or wait. Clones command the same storage.
    #[derive(Clone, Debug, Default)]
    pub struct Faults(Arc<(Mutex<State>, Condvar)>);

    #[derive(Debug, Default)]
    struct State {
        write: Option<io::ErrorKind>,
        sync: Option<io::ErrorKind>,
        create: Option<io::ErrorKind>,
        full: bool,
        again: Option<io::ErrorKind>,
        held: bool,
        syncs: u64,
    }

    impl Faults {
        /// Every write fails so from now on; `None` lets them succeed again.
        pub fn fail_writes(&self, with: Option<io::ErrorKind>) {
            self.state().write = with;
        }

        /// Every sync fails so from now on; `None` lets them succeed again.
        pub fn fail_syncs(&self, with: Option<io::ErrorKind>) {
            self.state().sync = with;
        }

        /// No file can be made from now on; `None` lets them be made again.
        pub fn fail_creates(&self, with: Option<io::ErrorKind>) {
            self.state().create = with;
        }

        /// No file can be made from now on as long as the journal's reserve exists.
        pub fn fill(&self, full: bool) {
            self.state().full = full;
        }

        /// Nothing that is stored can be written over itself from now on; `None` lets it succeed again.
        pub fn fail_again(&self, with: Option<io::ErrorKind>) {
            self.state().again = with;
        }

        /// Every sync waits from now on, until they are released.
        pub fn hold_syncs(&self, hold: bool) {
            self.state().held = hold;
            self.0.1.notify_all();
        }

        /// How many syncs were begun.
        #[must_use]
        pub fn syncs(&self) -> u64 {
            self.state().syncs
        }

        fn state(&self) -> MutexGuard<'_, State> {
            self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(in crate::disk) fn before_write(&self) -> io::Result<()> {
            self.state().write.map_or(Ok(()), |kind| Err(kind.into()))
        }

        pub(in crate::disk) fn before_create(&self, reserved: bool) -> io::Result<()> {
            let state = self.state();
            let full = (state.full && reserved).then_some(io::ErrorKind::StorageFull);
            state.create.or(full).map_or(Ok(()), |kind| Err(kind.into()))
        }

        pub(in crate::disk) fn before_again(&self) -> io::Result<()> {
            self.state().again.map_or(Ok(()), |kind| Err(kind.into()))
        }

        pub(in crate::disk) fn before_sync(&self) -> io::Result<()> {
            let mut state = self.state();
            state.syncs += 1;
            self.0.1.notify_all();
            while state.held {
                state = self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.sync.map_or(Ok(()), |kind| Err(kind.into()))
        }
    }
}
