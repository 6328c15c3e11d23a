//! The tasks of a service: one that ends while the service runs is begun again, and that is seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::say::say;
use crate::wiring;

/// How long it takes until a task that has ended is begun again.
const AGAIN: Duration = Duration::from_secs(1);

/// How often each task has ended before its time, and which are not running now.
#[derive(Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<BTreeMap<&'static str, Health>>>);

/// How a task is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Health {
    /// How often it has ended.
    pub(crate) ended: u64,
    /// Whether it waits to be begun again.
    pub(crate) down: bool,
}

impl Tasks {
    /// Each task by its name.
    pub(crate) fn all(&self) -> BTreeMap<&'static str, Health> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, name: &'static str, change: impl FnOnce(&mut Health)) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(tasks.entry(name).or_default());
    }

    /// Runs a task, again whenever it ends by a panic or by itself, until the process is to stop.
    pub(super) fn keep<F>(
        &self,
        name: &'static str,
        stopping: watch::Receiver<bool>,
        begin: impl Fn() -> F + Send + 'static,
    ) -> tokio::task::JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let tasks = self.clone();
        tasks.change(name, |_| {});
        tokio::spawn(async move {
            loop {
                let ended = tokio::spawn(begin()).await;
                if *stopping.borrow() {
                    return;
                }
                tasks.change(name, |it| (it.ended, it.down) = (it.ended + 1, true));
                let why = if ended.is_err() { "has failed" } else { "has ended" };
                say!("qopen: the task {name} {why}, and is begun again");
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    () = wiring::told(stopping.clone()) => return,
                }
                tasks.change(name, |it| it.down = false);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[tokio::test]
    async fn i16_a_task_that_ends_is_begun_again_and_seen() {
        let (tasks, begun) = (Tasks::default(), Arc::new(AtomicU64::new(0)));
        let (stop, stopping) = watch::channel(false);
        let count = Arc::clone(&begun);
        let kept = tasks.keep("test", stopping.clone(), move || {
            let (number, mut stopping) = (count.fetch_add(1, Ordering::Relaxed), stopping.clone());
            async move {
                match number {
                    0 => panic!("the first time"),
                    1 => {}
                    _ => drop(stopping.wait_for(|it| *it).await),
                }
            }
        });
        while begun.load(Ordering::Relaxed) < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let health = tasks.all()["test"];
        assert_eq!((health.ended, health.down), (2, false));
        stop.send_replace(true);
        kept.await.unwrap();
        assert_eq!(tasks.all()["test"].ended, 2);
    }
}
