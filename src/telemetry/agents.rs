//! What are the agents of a runtime like? Counters of the whole runtime, and gauges of the agents that live, one for each
//! name that agents have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use callboard_actors::mailbox::{AgentInfo, DeadLetter};
use callboard_actors::runtime::RuntimeHandle;
use metrics::{Label, counter, gauge};

use super::with;

/// As many names have gauges of their own, for as long as the publisher lives; of those that are new at the same time,
/// the names of most agents. The rest is counted under [`OTHERS`].
pub const MOST_NAMES: usize = 100;

/// The name under which agents are counted whose own name is one too many.
pub const OTHERS: &str = "(others)";

/// Publishes the metrics of one runtime.
#[derive(Clone)]
pub struct Publisher {
    runtime: RuntimeHandle,
    /// Every name that has gauges of its own: one whose agents are gone is set to nothing.
    names: BTreeSet<String>,
    labels: Vec<Label>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Publisher({} names)", self.names.len())
    }
}

/// The agents of one name.
#[derive(Debug, Clone, Default, PartialEq)]
struct Sum {
    agents: u64,
    away: u64,
    waiting: u64,
    oldest: Duration,
    work: u64,
    handled: u64,
    dead_letters: u64,
    restarts: u64,
}

impl Sum {
    fn of(info: &AgentInfo) -> Self {
        Self {
            agents: 1,
            away: u64::from(info.is_away),
            waiting: info.depth as u64,
            oldest: info.oldest.unwrap_or_default(),
            work: info.work as u64,
            handled: info.handled,
            dead_letters: info.dead_letters,
            restarts: u64::from(info.restarts),
        }
    }

    fn add(&mut self, other: &Self) {
        self.agents += other.agents;
        self.away += other.away;
        self.waiting += other.waiting;
        self.oldest = self.oldest.max(other.oldest);
        self.work += other.work;
        self.handled += other.handled;
        self.dead_letters += other.dead_letters;
        self.restarts += other.restarts;
    }

    fn publish(&self, name: &str, labels: &[Label]) {
        let labels = with(labels, "name", name);
        let set = |metric: &'static str, value: f64| gauge!(metric, labels.clone()).set(value);
        set("callboard_agents", self.agents as f64);
        set("callboard_agents_away", self.away as f64);
        set("callboard_mailbox_messages", self.waiting as f64);
        set("callboard_mailbox_oldest_seconds", self.oldest.as_secs_f64());
        set("callboard_agent_work", self.work as f64);
        set("callboard_agent_handled", self.handled as f64);
        set("callboard_agent_dead_letters", self.dead_letters as f64);
        set("callboard_agent_restarts", self.restarts as f64);
    }
}

impl Publisher {
    /// Of this runtime; it neither keeps the runtime alive nor stops it.
    pub fn new(runtime: RuntimeHandle) -> Self {
        Self { runtime, names: BTreeSet::new(), labels: Vec::new() }
    }

    /// The same, with the label `runtime` on every metric.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.labels = vec![Label::new("runtime", name.into())];
        self
    }

    /// Publishes what everything is like right now. It looks at each agent once, a few hundred nanoseconds each: call it
    /// when somebody asks, or every few seconds, and not on a shard.
    pub fn publish(&mut self) {
        self.publish_counters();
        let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
        self.runtime.directory().visit(|info| match sums.get_mut(&info.name) {
            Some(sum) => sum.add(&Sum::of(&info)),
            None => drop(sums.insert(info.name.clone(), Sum::of(&info))),
        });
        let sums = bounded(sums, &mut self.names);
        let nobody = Sum::default();
        for name in self.names.iter().map(String::as_str).chain(sums.contains_key(OTHERS).then_some(OTHERS)) {
            sums.get(name).unwrap_or(&nobody).publish(name, &self.labels);
        }
    }

    /// [Publishes](Self::publish) now and every `period` (at least a millisecond) until the runtime has stopped, and once
    /// more at its end. Dropping the future ends it, too.
    ///
    /// # Panics
    /// Panics outside a tokio runtime with timers.
    pub async fn publish_every(mut self, period: Duration) {
        let mut ticks = tokio::time::interval(period.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let runtime = self.runtime.clone();
        let mut stopped = std::pin::pin!(runtime.stopped());
        loop {
            tokio::select! {
                biased;
                () = &mut stopped => return self.publish(),
                _ = ticks.tick() => self.publish(),
            }
        }
    }

    fn publish_counters(&self) {
        let ledger = self.runtime.ledger();
        counter!("callboard_messages_accepted_total", self.labels.clone()).absolute(ledger.accepted);
        counter!("callboard_messages_handled_total", self.labels.clone()).absolute(ledger.handled);
        for reason in DeadLetter::ALL {
            let labels = with(&self.labels, "reason", reason.code());
            counter!("callboard_dead_letters_total", labels).absolute(ledger.dead(reason));
        }
        for (number, shard) in self.runtime.shards().into_iter().enumerate() {
            let labels = with(&self.labels, "shard", &number.to_string());
            counter!("callboard_shard_blockages_total", labels.clone()).absolute(shard.blockages);
            let blocked = shard.blocked.map_or(0.0, |blocked| blocked.lasted.as_secs_f64());
            gauge!("callboard_shard_blocked_seconds", labels).set(blocked);
        }
    }
}

/// Keeps the known names apart, and new ones while there is room; adds the rest up.
fn bounded(sums: BTreeMap<String, Sum>, known: &mut BTreeSet<String>) -> BTreeMap<String, Sum> {
    let mut new: Vec<_> = sums.iter().filter(|(name, _)| !known.contains(*name)).collect();
    // Stable: of names with as many agents, the first in the alphabet are kept.
    new.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.agents));
    let room = MOST_NAMES.saturating_sub(known.len());
    let admitted: Vec<_> = new.into_iter().take(room).map(|(name, _)| name.clone()).collect();
    known.extend(admitted);
    let (mut kept, rest): (BTreeMap<_, _>, BTreeMap<_, _>) =
        sums.into_iter().partition(|(name, _)| known.contains(name));
    if known.len() >= MOST_NAMES {
        let others = kept.entry(OTHERS.to_owned()).or_default();
        rest.values().for_each(|sum| others.add(sum));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(agents: u64, oldest: u64) -> Sum {
        Sum { agents, oldest: Duration::from_secs(oldest), ..Sum::default() }
    }

    #[test]
    fn names_beyond_the_bound_are_added_up_and_a_name_keeps_its_place() {
        let few: BTreeMap<_, _> = (0..MOST_NAMES - 1).map(|number| (format!("a{number:04}"), sum(2, 1))).collect();
        let mut known = BTreeSet::new();
        assert_eq!(bounded(few.clone(), &mut known), few);
        let many = || (0..1000).map(|number| (format!("b{number:04}"), sum(1 + number / 999, number)));
        let both = bounded(few.into_iter().chain(many()).collect(), &mut known);
        assert_eq!((both.len(), known.len()), (MOST_NAMES + 1, MOST_NAMES));
        assert_eq!((&both["a0098"], &both["b0999"], &both[OTHERS]), (&sum(2, 1), &sum(2, 999), &sum(999, 998)));
        let later = bounded(many().collect(), &mut known);
        assert_eq!((later.len(), known.len()), (2, MOST_NAMES), "names that come and go take no place of others");
        assert_eq!(later[OTHERS], sum(999, 998));
    }
}
