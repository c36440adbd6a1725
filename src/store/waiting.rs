//! How many bytes wait for the thread of a file? What is too much beside what waits is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callboard_actors::chat::ToolCall;

/// Bytes that wait for one thread.
const MOST: usize = 32 << 20;

/// Who hands over and the thread have the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// Whether so many bytes may come in; they are counted then, until [`over`](Self::over). Who is larger than all the room there is comes
    /// in alone.
    pub(super) fn begin(&self, size: usize) -> bool {
        let before = self.0.fetch_add(size, Ordering::Relaxed);
        let may = before == 0 || before.saturating_add(size) <= MOST;
        if !may {
            self.over(size);
        }
        may
    }

    /// They are not waiting any more.
    pub(super) fn over(&self, size: usize) {
        self.0.fetch_sub(size, Ordering::Relaxed);
    }
}

/// Bytes of what the calls of a reply or a turn say.
pub(super) fn of_calls(calls: &[ToolCall]) -> usize {
    calls.iter().map(|call| call.id.len() + call.name.len() + call.arguments.len()).sum()
}
