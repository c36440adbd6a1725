//! How many threads may plain functions have? A thread that does not come back is lost until it does, so their number is bounded, and
//! no tool can take them all.
//!
//! tokio's blocking pool has 512 threads for each runtime, which is one for each shard. Names of hosts are looked up there, too, and files
//! read. So the tools of a process have half of one such pool. A tool may have as many of these threads as it leaves free: the first one
//! that hangs takes half of them, the next one half of what is left, and so on (Choudhury and Hahne, "Dynamic queue length thresholds
//! for shared-memory packet switches", 1998).

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::chat::ToolSpec;

/// Of all tools of the process.
const MOST: usize = 256;

static THREADS: LazyLock<Arc<Threads>> = LazyLock::new(Arc::default);

/// A thread for this tool, as soon as there is one for it.
pub(super) async fn take(tool: &Arc<ToolSpec>) -> Thread {
    Threads::take(&THREADS, tool).await
}

#[derive(Debug, Default)]
struct Threads {
    taken: Mutex<TakenThreads>,
    freed: Notify,
}

/// A thread that is taken, until this is dropped.
#[derive(Debug)]
pub(super) struct Thread {
    threads: Arc<Threads>,
    tool: Arc<ToolSpec>,
}

impl Threads {
    async fn take(threads: &Arc<Self>, tool: &Arc<ToolSpec>) -> Thread {
        loop {
            let mut freed = pin!(threads.freed.notified());
            // Before it is looked: what comes back in between is not missed.
            freed.as_mut().enable();
            if threads.taken().begin(&tool.name, MOST) {
                return Thread { threads: threads.clone(), tool: tool.clone() };
            }
            freed.await;
        }
    }

    fn taken(&self) -> MutexGuard<'_, TakenThreads> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.threads.taken().end(&self.tool.name);
        self.threads.freed.notify_waiters();
    }
}

/// Who has how many.
#[derive(Debug, Default)]
struct TakenThreads {
    all: usize,
    of_tools: BTreeMap<String, usize>,
}

impl TakenThreads {
    /// Whether the tool may have one more; then it has.
    fn begin(&mut self, tool: &str, most: usize) -> bool {
        let has = self.of_tools.get(tool).copied().unwrap_or(0);
        if has >= most.saturating_sub(self.all) {
            return false;
        }
        self.all += 1;
        match self.of_tools.get_mut(tool) {
            Some(has) => *has += 1,
            None => drop(self.of_tools.insert(tool.to_owned(), 1)),
        }
        true
    }

    fn end(&mut self, tool: &str) {
        let Some(has) = self.of_tools.get_mut(tool) else { return };
        (self.all, *has) = (self.all.saturating_sub(1), has.saturating_sub(1));
        if *has == 0 {
            self.of_tools.remove(tool);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn tool() -> ToolSpec {
        ToolSpec { name: "a".to_owned(), description: String::new(), parameters: serde_json::Value::Null }
    }

    #[test]
    fn a_tool_that_takes_all_it_can_get_leaves_half_and_so_does_the_next() {
        let mut taken = TakenThreads::default();
        let mut fill = |tool: &str| (0..).take_while(|_| taken.begin(tool, MOST)).count();
        assert_eq!(["a", "b", "c", "d", "a"].map(&mut fill), [128, 64, 32, 16, 0]);
        (0..128).for_each(|_| taken.end("a"));
        assert_eq!((taken.all, taken.of_tools.len()), (112, 3));
        assert!(taken.begin("d", MOST) && !taken.of_tools.contains_key("a"));
    }

    #[test]
    fn who_waits_for_a_thread_has_the_next_that_comes_back() {
        let (threads, tool) = (Arc::<Threads>::default(), Arc::new(tool()));
        let take = || Threads::take(&threads, &tool);
        let mut taken: Vec<_> = (0..128).map(|_| take().now_or_never().unwrap()).collect();
        let mut waits = Box::pin(take());
        assert!((&mut waits).now_or_never().is_none());
        drop(taken.pop());
        assert!(waits.now_or_never().is_some());
    }
}
