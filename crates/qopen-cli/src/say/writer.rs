//! Standard error, written by its own thread: a slow reader delays no work.

use std::io::{self, Write as _};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum number of waiting bytes. Further texts are dropped and counted.
const ROOM: usize = 4 << 20;

/// The time between two checks of the limit of waiting.
const LOOK: Duration = Duration::from_millis(50);

static QUEUE: Mutex<Queue> = Mutex::new(Queue::new());
static CHANGED: Condvar = Condvar::new();

struct Queue {
    is_running: bool,
    is_writing: bool,
    waiting: Vec<u8>,
    dropped: u64,
}

impl Queue {
    const fn new() -> Self {
        Self { is_running: false, is_writing: false, waiting: Vec::new(), dropped: 0 }
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.is_writing
    }

    /// Queues a text, or counts it as dropped.
    fn push(&mut self, text: &[u8]) {
        if self.waiting.len() + text.len() > ROOM {
            self.dropped += 1;
        } else {
            self.waiting.extend_from_slice(text);
        }
    }
}

/// Held for an operation on memory, never during a write.
fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread. `on_dropped` gets the number of dropped texts. Without the thread, callers write
/// directly.
pub(super) fn start(on_dropped: fn(u64)) {
    let thread = thread::Builder::new().name("stderr".to_owned());
    queue().is_running = thread.spawn(move || write_on(on_dropped)).is_ok();
}

fn write_on(on_dropped: fn(u64)) {
    loop {
        let (texts, dropped) = {
            let mut queue = queue();
            while queue.waiting.is_empty() {
                queue = CHANGED.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            queue.is_writing = true;
            (std::mem::take(&mut queue.waiting), std::mem::take(&mut queue.dropped))
        };
        let _ = io::stderr().lock().write_all(&texts);
        if dropped > 0 {
            on_dropped(dropped);
        }
        queue().is_writing = false;
        CHANGED.notify_all();
    }
}

/// Writes a text directly or by the thread.
pub(super) fn write(text: &[u8]) {
    let mut queue = queue();
    if queue.is_running {
        queue.push(text);
        CHANGED.notify_all();
    } else {
        drop(queue);
        let _ = io::stderr().lock().write_all(text);
    }
}

/// Waits until everything is written, up to `limit` at each check. `None` is no limit. Afterwards callers
/// write directly.
pub(crate) fn flush(limit: impl Fn() -> Option<Duration>) {
    let began = Instant::now();
    let mut queue = queue();
    while queue.is_running && !queue.is_idle() {
        if limit().is_some_and(|limit| began.elapsed() >= limit) {
            return;
        }
        queue = CHANGED.wait_timeout(queue, LOOK).unwrap_or_else(PoisonError::into_inner).0;
    }
    queue.is_running = false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_counted_and_what_waits_is_whole() {
        let mut queue = Queue::new();
        queue.push(&vec![b'a'; ROOM - 2]);
        queue.push(b"bcd");
        queue.push(b"ef");
        assert_eq!((queue.waiting.len(), queue.dropped), (ROOM, 1));
        assert!(queue.waiting.ends_with(b"aef") && !queue.is_idle());
    }
}
