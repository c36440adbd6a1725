//! How does a runtime stop without losing what could still be done, and without waiting for what never ends?

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::shard::ShardThread;
use super::shared::Shared;
use crate::mailbox::{AgentId, AgentInfo, AnyAgent};
use crate::supervision::{Down, ExitReason, Next};

/// How long agents and threads may take to end once they are told to, after the drain is over.
const GRACE: Duration = Duration::from_secs(1);

/// How many agents that have nothing left to do are told to end before anybody waits for them.
const AT_ONCE: usize = 256;

/// An agent that did not come to its end in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abandoned {
    /// Who.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// Messages that waited at its end and became dead letters. Of one that did not end: all that are not handled.
    pub pending: u64,
    /// Futures that were dropped.
    pub work: usize,
}

impl Abandoned {
    fn of(info: AgentInfo) -> Self {
        Self { id: info.id, name: info.name, pending: info.pending, work: info.work }
    }
}

/// What a stop left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StopReport {
    /// So many agents handled everything they had. They are not named: there may be a million, and none of them needs anybody.
    pub drained: usize,
    /// Agents that were cut short, in the order in which they were told to stop.
    pub abandoned: Vec<Abandoned>,
    /// Threads that did not end because an agent blocks them; they are left to themselves.
    pub stuck_threads: usize,
    /// Those threads, with the agent that blocks each of them.
    pub stuck: Vec<StuckThread>,
}

/// The thread of a shard that did not end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckThread {
    /// The number of the shard.
    pub shard: usize,
    /// The agent whose turn it was, its own code or work of its, by id and name; when it was nobody's, the one whose work on a thread of
    /// its own ([`WorkBeside`](super::WorkBeside)), such as a plain function that is a tool, has lasted longest. `None` when neither was seen
    /// at that moment.
    pub agent: Option<(AgentId, String)>,
}

impl StopReport {
    /// Adds an agent that ended while it drained.
    fn add_ended(&mut self, down: Option<Down>, info: AgentInfo) {
        let was_cut_short =
            down.is_some_and(|down| matches!(down.reason, ExitReason::Panicked(_) | ExitReason::Abandoned));
        if was_cut_short || info.pending > 0 {
            self.abandoned.push(Abandoned::of(info));
        } else {
            self.drained += 1;
        }
    }

    /// Whether nothing was cut short.
    pub fn is_clean(&self) -> bool {
        self.abandoned.is_empty() && self.stuck_threads == 0
    }

    /// An agent that leaves nothing behind when it is told to stop, and does stop, counts as drained.
    fn count(&mut self, told: AgentInfo, ends: bool) {
        if ends && told.pending == 0 && told.work == 0 {
            self.drained += 1;
        } else {
            self.abandoned.push(Abandoned::of(told));
        }
    }
}

pub(super) async fn stop(shared: &Shared, threads: Vec<ShardThread>, within: Duration) -> StopReport {
    shared.refuse_new();
    let mut report = StopReport::default();
    let late = drain(shared, within, &mut report).await;
    cut_short(shared, late, &mut report).await;
    report.stuck = join(shared, threads).await.into_iter().map(|shard| stuck(shared, shard, &report)).collect();
    report.stuck_threads = report.stuck.len();
    shared.close();
    report
}

/// For a thread that drives the agents itself, and can therefore not wait for them.
pub(super) fn at_once(shared: &Shared) -> StopReport {
    shared.refuse_new();
    let mut report = StopReport::default();
    for (_, agent) in shared.directory().in_order().into_iter().rev() {
        report.count(agent.info(), true);
        agent.stop();
    }
    shared.close();
    report
}

/// From the youngest to the oldest: each closes its front door, handles what it has, and stops. An agent is told when the
/// younger ones have ended, or when all that is left of them is to end: they rest, and nobody hears of their ends.
///
/// Gives back those that were told and did not end in time.
async fn drain(shared: &Shared, within: Duration, report: &mut StopReport) -> Vec<Arc<dyn AnyAgent>> {
    let mut time_is_up = std::pin::pin!(shared.sleep(within));
    // An agent that was being started while the door closed is found by the next look.
    while !shared.directory().is_empty() {
        let mut ending = Vec::new();
        for (_, agent) in shared.directory().in_order().into_iter().rev() {
            let is_unwatched = agent.is_unwatched();
            if !is_unwatched {
                let late = have_ended(&mut ending, report, time_is_up.as_mut()).await;
                if !late.is_empty() {
                    return late;
                }
            }
            ending.push((agent.clone(), agent.info(), gone(&*agent)));
            agent.drain();
            let is_quiet = is_unwatched && agent.is_at_rest();
            if !is_quiet || ending.len() == AT_ONCE {
                let late = have_ended(&mut ending, report, time_is_up.as_mut()).await;
                if !late.is_empty() {
                    return late;
                }
            }
        }
        let late = have_ended(&mut ending, report, time_is_up.as_mut()).await;
        if !late.is_empty() {
            return late;
        }
    }
    Vec::new()
}

/// Waits for the ends of these agents. Gives back those for which the time was too short.
async fn have_ended<G: Future<Output = Option<Down>>>(
    ending: &mut Vec<(Arc<dyn AnyAgent>, AgentInfo, G)>,
    report: &mut StopReport,
    mut time_is_up: Pin<&mut Sleep>,
) -> Vec<Arc<dyn AnyAgent>> {
    let mut late = Vec::new();
    for (agent, info, gone) in ending.drain(..) {
        tokio::select! {
            biased;
            down = gone => report.add_ended(down, AgentInfo { pending: agent.left(), ..info }),
            () = &mut time_is_up => late.push(agent),
        }
    }
    late
}

/// Stops what is left: those that were told and are late, and all that were not told.
async fn cut_short(shared: &Shared, late: Vec<Arc<dyn AnyAgent>>, report: &mut StopReport) {
    let told: BTreeSet<_> = late.iter().map(|agent| agent.info().id).collect();
    let untold = shared.directory().in_order().into_iter().rev().filter(|(id, _)| !told.contains(id));
    let left: Vec<_> = late.into_iter().chain(untold.map(|(_, agent)| agent)).collect();
    let stopping: Vec<_> = left.iter().map(|agent| (agent.info(), gone(&**agent))).collect();
    for agent in &left {
        agent.stop();
    }
    let mut time_is_up = std::pin::pin!(shared.sleep(GRACE));
    for (agent, (info, gone)) in left.iter().zip(stopping) {
        tokio::select! {
            biased;
            _ = gone => report.count(AgentInfo { pending: agent.left(), ..info }, true),
            () = &mut time_is_up => report.count(info, false),
        }
    }
}

/// What is known of a thread that is stuck. An agent that is in no directory any more has its name in the report.
fn stuck(shared: &Shared, shard: usize, report: &StopReport) -> StuckThread {
    let has_turn = shared.looks().nth(shard).and_then(|look| look.agent);
    let agent = has_turn.or_else(|| shared.oldest_beside(shard)).map(|id| {
        let abandoned = report.abandoned.iter().find(|agent| agent.id == id).map(|agent| agent.name.clone());
        (id, abandoned.unwrap_or_else(|| shared.directory().name_of(id)))
    });
    StuckThread { shard, agent }
}

/// Ends the threads and joins those that end. Which do not?
async fn join(shared: &Shared, mut threads: Vec<ShardThread>) -> Vec<usize> {
    for thread in &threads {
        thread.end();
    }
    let mut time_is_up = std::pin::pin!(shared.sleep(GRACE));
    let mut stuck = Vec::new();
    for (shard, thread) in threads.iter_mut().enumerate() {
        tokio::select! {
            biased;
            () = thread.ended() => thread.join(),
            () = &mut time_is_up => stuck.push(shard),
        }
    }
    stuck
}

/// Ends when the agent is gone, with its last notice.
fn gone(agent: &dyn AnyAgent) -> impl Future<Output = Option<Down>> + use<> {
    let (sender, receiver) = oneshot::channel();
    let mut sender = Some(sender);
    agent.watch(Box::new(move |down| {
        if down.next == Next::Gone
            && let Some(sender) = sender.take()
        {
            let _nobody_waits = sender.send(down.clone());
        }
    }));
    async move { receiver.await.ok() }
}
