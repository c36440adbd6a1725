//! Which agent blocks its shard? The clock's thread looks at all shards now and then, and names who has one for too long.
//!
//! A handler that computes or waits for long stops all other agents of its shard. Shards only count their turns: a turn
//! that is still the same after so many looks has lasted that long.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Shared;
use super::pulse::Look;
use crate::mailbox::AgentId;

/// The longest time between two looks. It is also how exactly the ages of messages are known.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// One agent kept a shard to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blockage {
    /// Who.
    pub agent: AgentId,
    /// Its name.
    pub name: String,
    /// How long, or how long so far; to within the pause between two looks, 50 milliseconds at most.
    pub lasted: Duration,
}

/// What one shard is like at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShardInfo {
    /// Who blocks it right now for longer than [`RuntimeConfig::blocked_after`](super::RuntimeConfig::blocked_after).
    pub blocked: Option<Blockage>,
    /// How often it was blocked, the present time included.
    pub blockages: u64,
    /// The longest blockage so far.
    pub longest: Option<Blockage>,
}

/// What is known of one shard between two looks.
#[derive(Debug, Default)]
struct Watch {
    /// The turn that was seen last, and since when.
    turn: Option<(Look, Instant)>,
}

impl Watch {
    /// Who has had the shard for longer than `limit`, and for how long.
    fn look(&mut self, look: Look, now: Instant, limit: Duration) -> Option<(AgentId, Duration)> {
        let (_, since) = self.turn.filter(|(seen, _)| *seen == look).unwrap_or((look, now));
        self.turn = Some((look, since));
        let lasted = now.saturating_duration_since(since);
        look.agent.filter(|_| lasted >= limit).map(|agent| (agent, lasted))
    }
}

impl ShardInfo {
    /// Takes note of a look: the blockage that has begun, or is over.
    fn note(&mut self, blocks: Option<(AgentId, Duration)>, name_of: impl FnOnce(AgentId) -> String) -> Option<News> {
        let Some((agent, lasted)) = blocks else {
            return self.blocked.take().map(News::Over);
        };
        let known = self.blocked.take();
        let is_new = known.is_none();
        let blockage = Blockage { agent, name: known.map_or_else(|| name_of(agent), |known| known.name), lasted };
        self.blockages += u64::from(is_new);
        if self.longest.as_ref().is_none_or(|longest| longest.lasted < lasted) {
            self.longest = Some(blockage.clone());
        }
        self.blocked = Some(blockage.clone());
        is_new.then_some(News::Begun(blockage))
    }
}

/// What the log is told.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Begun(Blockage),
    Over(Blockage),
}

impl News {
    fn tell(self, shard: usize) {
        match self {
            Self::Begun(Blockage { agent, name, lasted }) => {
                tracing::warn!(shard, %agent, name, ?lasted, "an agent blocks its shard");
            }
            Self::Over(Blockage { agent, name, lasted }) => {
                tracing::warn!(shard, %agent, name, ?lasted, "an agent blocked its shard, and does no longer");
            }
        }
    }
}

/// What all shards are like.
#[derive(Debug)]
pub(super) struct Health {
    shards: Mutex<Vec<(Watch, ShardInfo)>>,
}

impl Health {
    pub(super) fn new(shards: usize) -> Self {
        Self { shards: Mutex::new((0..shards).map(|_| Default::default()).collect()) }
    }

    pub(super) fn all(&self) -> Vec<ShardInfo> {
        self.lock().iter().map(|(_, info)| info.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Watch, ShardInfo)>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at all shards until it is dropped.
pub(super) async fn watch(shared: Arc<Shared>, limit: Duration) {
    let pause = (limit / 2).clamp(Duration::from_millis(1), LONGEST_PAUSE);
    loop {
        tokio::time::sleep(pause).await;
        let now = Instant::now();
        shared.tell_time(now);
        let looks: Vec<_> = shared.looks().collect();
        let mut news = Vec::new();
        for (shard, ((watch, info), look)) in shared.health().lock().iter_mut().zip(looks).enumerate() {
            let blocks = watch.look(look, now, limit);
            news.extend(info.note(blocks, |agent| shared.directory().name_of(agent)).map(|news| (shard, news)));
        }
        // Not under the lock: whoever listens to the log may ask for what it holds.
        news.into_iter().for_each(|(shard, news)| news.tell(shard));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);

    /// What is known after looks at these turns, 60 ms apart; an agent in each of them.
    fn after(turns: &[(u64, u64)]) -> (ShardInfo, Vec<News>) {
        let (mut watch, mut info, mut news) = (Watch::default(), ShardInfo::default(), Vec::new());
        let began = Instant::now();
        for ((agent, turn), number) in turns.iter().zip(0..) {
            let look = Look { agent: Some(AgentId(*agent)).filter(|agent| agent.0 != 0), turn: *turn };
            let blocks = watch.look(look, began + number * Duration::from_millis(60), LIMIT);
            news.extend(info.note(blocks, |agent| agent.to_string()));
        }
        (info, news)
    }

    #[test]
    fn only_a_turn_that_stays_the_same_for_long_is_a_blockage() {
        for turns in [&[(1, 1), (1, 2), (1, 3), (1, 4)][..], &[(0, 9), (0, 9), (0, 9)], &[(1, 1), (1, 1), (1, 2)]] {
            assert_eq!(after(turns), (ShardInfo::default(), Vec::new()), "{turns:?}");
        }
    }

    #[test]
    fn a_blockage_is_told_when_it_begins_and_when_it_is_over_and_counted_once() {
        let (info, news) = after(&[(7, 1), (7, 1), (7, 1), (7, 1)]);
        let told = |lasted| Blockage { agent: AgentId(7), name: "agent-7".to_owned(), lasted };
        let (begun, later) = (told(Duration::from_millis(120)), told(Duration::from_millis(180)));
        assert_eq!((info.blockages, info.blocked, info.longest), (1, Some(later.clone()), Some(later.clone())));
        assert_eq!(news, [News::Begun(begun.clone())]);
        let (info, news) = after(&[(7, 1), (7, 1), (7, 1), (7, 1), (7, 2), (7, 2), (7, 2)]);
        assert_eq!((info.blockages, info.blocked, info.longest), (2, Some(begun.clone()), Some(later.clone())));
        assert_eq!(news, [News::Begun(begun.clone()), News::Over(later), News::Begun(begun)]);
    }
}
