//! How many threads may plain functions have? A thread that does not come back is lost until it does, so their number is bounded, and
//! no tool can take them all.
//!
//! tokio's blocking pool has 512 threads for each runtime, which is one for each shard. Names of hosts are looked up there, too, and files
//! read. So the tools of a process have half of one such pool. A tool may have as many of these threads as it leaves free: the first one
//! that hangs takes half of them, the next one half of what is left, and so on (Choudhury and Hahne, "Dynamic queue length thresholds
//! for shared-memory packet switches", 1998). A thread that comes back is given to whoever has waited longest, of those that may have one.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::chat::ToolSpec;

/// Of all tools of the process.
const MOST: usize = 256;

static THREADS: LazyLock<Arc<Threads>> = LazyLock::new(Arc::default);

/// A thread for this tool, as soon as there is one for it.
pub(super) async fn take(tool: &Arc<ToolSpec>) -> Thread {
    Threads::take(&THREADS, tool).await
}

/// Whether there will be one for it when all calls have ended that are within their time.
pub(super) fn may_come(tool: &ToolSpec, now: Instant) -> bool {
    THREADS.taken().may_come(&tool.name, MOST, now)
}

#[derive(Debug, Default)]
struct Threads(Mutex<TakenThreads<Waiter>>);

/// A thread that is taken, until this is dropped.
#[derive(Debug)]
pub(super) struct Thread {
    threads: Arc<Threads>,
    tool: Arc<ToolSpec>,
    /// When its call is over by its own time; `None` as long as it has not begun.
    until: Option<Instant>,
}

/// To whom a thread is given.
#[derive(Debug)]
struct Waiter {
    tool: Arc<ToolSpec>,
    given: oneshot::Sender<Thread>,
}

/// Stands in line until this is dropped.
struct InLine<'a> {
    threads: &'a Threads,
    tool: &'a ToolSpec,
    number: u64,
}

impl Threads {
    async fn take(threads: &Arc<Self>, tool: &Arc<ToolSpec>) -> Thread {
        loop {
            let (given, comes) = oneshot::channel();
            let waiter = Waiter { tool: tool.clone(), given };
            let Some(number) = threads.taken().begin(&tool.name, waiter, MOST) else {
                return Thread { threads: threads.clone(), tool: tool.clone(), until: None };
            };
            let _in_line = InLine { threads, tool, number };
            if let Ok(thread) = comes.await {
                return thread;
            }
        }
    }

    fn taken(&self) -> MutexGuard<'_, TakenThreads<Waiter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.threads.taken().leave(&self.tool.name, self.number);
    }
}

impl Thread {
    /// Its call begins, and is over by its own time then.
    pub(super) fn begin(&mut self, until: Instant) {
        self.threads.taken().begun(&self.tool.name, until);
        self.until = Some(until);
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        let next = self.threads.taken().end(&self.tool.name, self.until, MOST);
        for Waiter { tool, given } in next {
            // Whoever leaves the line at this moment does not take it: it comes back here, and goes to the next.
            drop(given.send(Self { threads: self.threads.clone(), tool, until: None }));
        }
    }
}

/// Who has how many, and who waits.
#[derive(Debug)]
struct TakenThreads<W> {
    all: usize,
    /// How many have waited so far.
    waited: u64,
    of_tools: BTreeMap<String, OfTool<W>>,
}

#[derive(Debug)]
struct OfTool<W> {
    has: usize,
    /// When the calls that have them are over by their own time, of those that have begun.
    times: Vec<Instant>,
    line: BTreeMap<u64, W>,
}

impl<W> OfTool<W> {
    /// Those whose call went over its time.
    fn late(&self, now: Instant) -> usize {
        self.times.iter().filter(|until| **until <= now).count()
    }
}

impl<W> Default for TakenThreads<W> {
    fn default() -> Self {
        Self { all: 0, waited: 0, of_tools: BTreeMap::new() }
    }
}

impl<W> TakenThreads<W> {
    /// One more for the tool, if it may have one; otherwise its number in the line. Nobody is passed: whoever waits may not have one.
    fn begin(&mut self, tool: &str, waiter: W, most: usize) -> Option<u64> {
        if !self.of_tools.contains_key(tool) {
            self.of_tools.insert(tool.to_owned(), OfTool { has: 0, times: Vec::new(), line: BTreeMap::new() });
        }
        let of_tool = self.of_tools.get_mut(tool)?;
        if of_tool.has < most.saturating_sub(self.all) {
            (of_tool.has, self.all) = (of_tool.has + 1, self.all + 1);
            return None;
        }
        self.waited += 1;
        of_tool.line.insert(self.waited, waiter);
        Some(self.waited)
    }

    fn begun(&mut self, tool: &str, until: Instant) {
        if let Some(of_tool) = self.of_tools.get_mut(tool) {
            of_tool.times.push(until);
        }
    }

    fn may_come(&self, tool: &str, most: usize, now: Instant) -> bool {
        let late: usize = self.of_tools.values().map(|of_tool| of_tool.late(now)).sum();
        self.of_tools.get(tool).map_or(0, |of_tool| of_tool.late(now)) < most.saturating_sub(late)
    }

    /// One comes back. Gives those who have one now, which may be more than one: a tool may have more when others have less.
    fn end(&mut self, tool: &str, until: Option<Instant>, most: usize) -> Vec<W> {
        let mut next = Vec::new();
        let Some(of_tool) = self.of_tools.get_mut(tool) else { return next };
        (of_tool.has, self.all) = (of_tool.has.saturating_sub(1), self.all.saturating_sub(1));
        if let Some(at) = of_tool.times.iter().position(|time| Some(*time) == until) {
            of_tool.times.swap_remove(at);
        }
        loop {
            let free = most.saturating_sub(self.all);
            let may = self.of_tools.values_mut().filter(|of_tool| of_tool.has < free && !of_tool.line.is_empty());
            let Some(first) = may.min_by_key(|of_tool| of_tool.line.keys().next().copied()) else { break };
            (first.has, self.all) = (first.has + 1, self.all + 1);
            next.extend(first.line.pop_first().map(|(_, waiter)| waiter));
        }
        self.forget(tool);
        next
    }

    fn leave(&mut self, tool: &str, number: u64) {
        if let Some(of_tool) = self.of_tools.get_mut(tool) {
            of_tool.line.remove(&number);
        }
        self.forget(tool);
    }

    fn forget(&mut self, tool: &str) {
        if self.of_tools.get(tool).is_some_and(|of_tool| of_tool.has == 0 && of_tool.line.is_empty()) {
            self.of_tools.remove(tool);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;

    use futures_util::FutureExt;

    use super::*;

    fn tool(name: &str) -> Arc<ToolSpec> {
        let (name, description) = (name.to_owned(), String::new());
        Arc::new(ToolSpec { name, description, parameters: serde_json::Value::Null.into() })
    }

    type Takes<'a> = Pin<Box<dyn Future<Output = Thread> + 'a>>;

    fn is_given(waits: &mut Takes<'_>) -> Option<Thread> {
        waits.as_mut().now_or_never()
    }

    #[test]
    fn a_tool_that_takes_all_it_can_get_leaves_half_and_so_does_the_next() {
        let mut taken = TakenThreads::default();
        let mut fill = |tool: &str| {
            let count = (0..).take_while(|_| taken.begin(tool, (), MOST).is_none()).count();
            taken.leave(tool, taken.waited);
            count
        };
        assert_eq!(["a", "b", "c", "d", "a"].map(&mut fill), [128, 64, 32, 16, 0]);
        assert!((0..128).all(|_| taken.end("a", None, MOST).is_empty()));
        assert_eq!((taken.all, taken.of_tools.len()), (112, 3));
        assert!(taken.begin("d", (), MOST).is_none() && !taken.of_tools.contains_key("a"));
    }

    #[test]
    fn what_may_come_depends_on_those_that_went_over_their_time() {
        let (mut taken, now) = (TakenThreads::default(), Instant::now());
        let later = now + std::time::Duration::from_secs(1);
        for number in 0..128 {
            assert!(taken.begin("a", (), MOST).is_none());
            taken.begun("a", if number == 0 { later } else { now });
        }
        assert!(taken.may_come("a", MOST, now) && !taken.may_come("a", MOST, later));
        assert!(taken.begin("b", (), MOST).is_none() && taken.may_come("b", MOST, later));
        // That another tool goes on in time is no help to this one.
        taken.begun("b", later + (later - now));
        assert!(!taken.may_come("a", MOST, later));
        taken.end("a", Some(now), MOST);
        assert!(taken.may_come("a", MOST, later));
    }

    #[test]
    fn the_time_of_a_call_counts_from_its_begin_until_its_thread_comes_back() {
        let (threads, tool, now) = (Arc::<Threads>::default(), tool("a"), Instant::now());
        let take = || is_given(&mut (Box::pin(Threads::take(&threads, &tool)) as Takes<'_>)).unwrap();
        let (mut begun, _other) = (take(), take());
        let late = || threads.taken().of_tools["a"].late(now);
        assert_eq!(late(), 0);
        begun.begin(now);
        assert_eq!(late(), 1);
        drop(begun);
        assert_eq!(late(), 0);
    }

    #[test]
    fn who_waits_longest_has_the_next_that_comes_back_and_nobody_else_is_woken() {
        let (threads, tool) = (Arc::<Threads>::default(), tool("a"));
        let take = || -> Takes<'_> { Box::pin(Threads::take(&threads, &tool)) };
        let mut taken: Vec<_> = (0..128).map(|_| is_given(&mut take()).unwrap()).collect();
        let mut waits: Vec<_> = (0..4).map(|_| take()).collect();
        assert!(waits.iter_mut().all(|waits| is_given(waits).is_none()));
        drop(waits.remove(1));
        for _ in 0..3 {
            drop(taken.pop());
            assert!(is_given(&mut take()).is_none(), "who comes later is behind them");
            // Those behind are asked first: it is not for them.
            let others = waits.iter_mut().skip(1).rev().filter_map(is_given).count();
            taken.insert(0, is_given(&mut waits[0]).unwrap());
            assert_eq!(others, 0);
            drop(waits.remove(0));
        }
    }

    #[test]
    fn one_that_was_given_to_somebody_who_left_goes_to_the_next_and_a_tool_that_may_have_none_holds_up_nobody() {
        let (threads, [a, b]) = (Arc::<Threads>::default(), ["a", "b"].map(tool));
        let take = |tool| -> Takes<'_> { Box::pin(Threads::take(&threads, tool)) };
        let mut of_a: Vec<_> = (0..128).map(|_| is_given(&mut take(&a)).unwrap()).collect();
        let mut of_b: Vec<_> = (0..64).map(|_| is_given(&mut take(&b)).unwrap()).collect();
        let [mut first, mut second, mut third] = [&a, &b, &b].map(take);
        assert!([&mut first, &mut second, &mut third].into_iter().all(|waits| is_given(waits).is_none()));
        drop(of_b.pop());
        drop(second);
        assert!(is_given(&mut first).is_none() && is_given(&mut third).is_some());
        drop((first, third));
        of_a.clear();
        of_b.clear();
        let taken = threads.taken();
        assert_eq!((taken.all, taken.of_tools.len()), (0, 0), "nothing is left of them");
    }
}
