//! The tasks of a service. A task that ends while the service runs is restarted and counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::lang::Text;
use crate::say::tell;
use crate::wiring;

pub(super) const RELOAD: &str = "reload";
pub(super) const SCHEDULE: &str = "schedule";
pub(super) const FORWARD: &str = "forward";
pub(super) const RETENTION: &str = "retention";
pub(super) const REFUSALS: &str = "refusals";
/// The task of a process that receives callbacks.
pub(super) const RECEIVING: &str = "callbacks";

/// The names of all tasks. A process runs those of its role.
pub(super) const NAMES: [&str; 6] = [RELOAD, SCHEDULE, FORWARD, RETENTION, REFUSALS, RECEIVING];

/// Delay before the restart of a task.
const AGAIN: Duration = Duration::from_secs(1);

/// Counts of unexpected ends by task, and the tasks that are not running.
#[derive(Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<BTreeMap<&'static str, Health>>>);

/// The state of a task.
#[derive(Clone, Copy, Default)]
pub(crate) struct Health {
    /// Number of unexpected ends.
    pub(crate) ended: u64,
    /// Whether it waits for its restart.
    pub(crate) down: bool,
}

impl Tasks {
    /// The tasks by name.
    pub(crate) fn all(&self) -> BTreeMap<&'static str, Health> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, name: &'static str, change: impl FnOnce(&mut Health)) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(tasks.entry(name).or_default());
    }

    /// Runs a task until the process stops, and restarts it when it ends or panics.
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
                let why = match ended.is_err() {
                    true => Text::new("has failed", "已失败"),
                    false => Text::new("has ended", "已结束"),
                };
                tell!(
                    "the task {name} {why}, and is restarted",
                    "任务 {name} {why}，正在重新启动",
                    name = name,
                    why = why,
                );
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
