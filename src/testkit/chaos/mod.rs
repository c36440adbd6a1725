//! How does a program fare with a provider that does its worst? A model that does what providers do badly, all of it out of one
//! seed: a call's fate depends on the seed and on its number among the calls, and on nothing else.

mod fault;
mod sequence;

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use callboard_actors::chat::{ChatReply, ChatRequest, Role};
use callboard_actors::error::ModelError;
use callboard_actors::ports::{ChatModel, ModelCall, RateKey};
use futures_util::future::BoxFuture;

pub use fault::ChaosFault;

use super::FunctionModel;
use fault::Spoiled;
use sequence::{Fate, Sequence};

/// Faults that are kept to be looked at, the newest.
const KEPT: usize = 10_000;

/// A model with faults in front of another one. A call that gets no reply does not reach the one behind it, so that a script loses
/// nothing by it; one without a fault is handed on as it is. Clones are the same model.
#[derive(Clone)]
pub struct ChaosModel {
    behind: Arc<dyn ChatModel>,
    state: Arc<Mutex<State>>,
}

struct State {
    sequence: Sequence,
    faults: VecDeque<Option<ChaosFault>>,
}

impl std::fmt::Debug for ChaosModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChaosModel({:?})", self.state().sequence)
    }
}

impl ChaosModel {
    /// In front of `model`, without a fault yet.
    pub fn new(seed: u64, model: impl ChatModel) -> Self {
        let state = State { sequence: Sequence::new(seed), faults: VecDeque::new() };
        Self { behind: Arc::new(model), state: Arc::new(Mutex::new(state)) }
    }

    /// With nothing behind it: it repeats what it was asked.
    pub fn alone(seed: u64) -> Self {
        let repeats = |request: &ChatRequest| {
            let asked = request.turns.iter().rfind(|turn| turn.role == Role::User);
            Ok(ChatReply::text(format!("You asked: {}", asked.map_or("", |turn| &turn.text))))
        };
        Self::new(seed, FunctionModel::new(repeats))
    }

    /// So large a share of the calls has this fault, each for itself. Shares are 1 together at most; what they leave has none.
    ///
    /// # Panics
    /// Panics when the share, or all of them together, are not between 0 and 1.
    #[must_use]
    pub fn fault(self, fault: ChaosFault, share: f64) -> Self {
        self.burst(fault, share, 1..=1)
    }

    /// With so large a share of the calls that are in no burst a burst begins: this fault lasts for so many calls, whoever makes
    /// them and whenever.
    ///
    /// # Panics
    /// As [`ChaosModel::fault`], and when `calls` is empty or begins with 0.
    #[must_use]
    pub fn burst(self, fault: ChaosFault, share: f64, calls: RangeInclusive<u64>) -> Self {
        let added = self.state().sequence.add(fault, share, calls);
        added.unwrap_or_else(|wrong| panic!("{wrong}"));
        self
    }

    /// Some of everything: a third of the calls, bursts of 429 and of 529 among them.
    ///
    /// # Panics
    /// Panics when there are so many faults already that no third is left.
    #[must_use]
    pub fn bad_day(self) -> Self {
        let single = [
            ChaosFault::Unavailable { status: 500, retry_after: None },
            ChaosFault::Reset,
            ChaosFault::BadJson,
            ChaosFault::Silence,
            ChaosFault::Empty,
            ChaosFault::Cut,
            ChaosFault::Stall,
            ChaosFault::BadArguments,
            ChaosFault::NoUsage,
        ];
        single
            .into_iter()
            .fold(self, |model, fault| model.fault(fault, 0.02))
            .burst(ChaosFault::rate_limited(Duration::from_secs(2)), 0.01, 2..=8)
            .burst(ChaosFault::too_many_at_once(), 0.01, 2..=8)
            .burst(ChaosFault::overloaded(), 0.01, 2..=8)
    }

    /// What became of each call, oldest first: the newest 10,000. `None` is a call without a fault.
    pub fn faults(&self) -> Vec<Option<ChaosFault>> {
        self.state().faults.iter().copied().collect()
    }

    /// The fate of the next call.
    fn next(&self) -> Fate {
        let mut state = self.state();
        let fate = state.sequence.next();
        if state.faults.len() == KEPT {
            state.faults.pop_front();
        }
        state.faults.push_back(fate.fault);
        fate
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChatModel for ChaosModel {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let Fate { fault, far } = self.next();
        let Some(fault) = fault else { return self.behind.complete(call) };
        let ModelCall { request, timeouts, chunks } = call;
        if !fault.spoils_a_reply(chunks.is_some()) {
            return Box::pin(async move { fault.instead(&request, timeouts, chunks.is_some()).await });
        }
        let first_tool = request.tools.first().map(|tool| tool.name.clone());
        let whole = self.behind.complete(ModelCall { request, timeouts, chunks: None });
        Box::pin(async move { fault.spoil(whole.await?, Spoiled { first_tool, timeouts, chunks, far }).await })
    }

    fn rate_key(&self) -> Option<RateKey> {
        self.behind.rate_key()
    }
}
