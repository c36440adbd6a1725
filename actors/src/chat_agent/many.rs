//! How are many questions asked at once? By so many agents like the one that is asked, each with one at a time, spread over the shards.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, Stream};
use tokio::time::Instant;

use super::answer::{Answer, ChatAgentError};
use super::question::Question;
use super::{Asking, ChatAgent};
use crate::error::AskError;

/// Asks at the same time when nothing else is said.
const AT_ONCE: usize = 8;

/// The shortest wait of one that was refused, which doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// How far many asks are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AskProgress {
    /// Answered.
    pub answered: usize,
    /// Failed, after all attempts.
    pub failed: usize,
    /// Being carried out.
    pub running: usize,
    /// Not begun yet, or to be asked again.
    pub waiting: usize,
}

/// Many asks. They begin when it is polled. Dropping it ends those that are under way.
#[must_use = "nothing is asked before `next` or `collect`"]
pub struct AskAll {
    agent: ChatAgent,
    limit: usize,
    attempts: u32,
    waiting: VecDeque<Item>,
    /// Those that were refused, each with the time when it is asked again.
    refused: Vec<(Instant, Item)>,
    /// Until the first of those times.
    timer: Option<(Instant, BoxFuture<'static, bool>)>,
    running: FuturesUnordered<Running>,
    /// Those that have nothing to do.
    idle: Vec<ChatAgent>,
    progress: AskProgress,
}

struct Item {
    number: usize,
    question: Question,
    made: u32,
    /// How long it may take, which it does not wait longer than that to be asked again.
    within: Duration,
}

struct Running {
    /// `None` once it is over.
    item: Option<(Item, ChatAgent)>,
    asking: Asking,
}

impl Future for Running {
    type Output = (Item, ChatAgent, Result<Answer, ChatAgentError>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.asking).poll(cx));
        match self.item.take() {
            Some((item, agent)) => Poll::Ready((item, agent, answer)),
            None => Poll::Pending,
        }
    }
}

impl ChatAgent {
    /// Asks many questions: by default 8 at a time, each once. They are asked of agents like this one, which live as long as the
    /// [`AskAll`]; its own line is not touched. When this one is [stopped](Self::stop) or [drained](Self::drain), those under way are
    /// answered, and the rest is told that it has stopped.
    pub fn ask_all<Q: Into<Question>>(&self, questions: impl IntoIterator<Item = Q>) -> AskAll {
        let item = |(number, question): (usize, Q)| {
            let question = question.into();
            Item { number, within: self.host.plan.time_of(&question), question, made: 0 }
        };
        let waiting: VecDeque<_> = questions.into_iter().enumerate().map(item).collect();
        let progress = AskProgress { waiting: waiting.len(), ..AskProgress::default() };
        let (running, idle) = (FuturesUnordered::new(), Vec::new());
        let (agent, refused) = (self.clone(), Vec::new());
        AskAll { agent, limit: AT_ONCE, attempts: 1, waiting, refused, timer: None, running, idle, progress }
    }
}

impl AskAll {
    /// So many at a time. 0 counts as 1: none at a time would never end.
    pub fn limit(mut self, asks: usize) -> Self {
        self.limit = asks.max(1);
        self
    }

    /// Each is asked so often at most when it fails in a way that may pass. 0 counts as 1, which is the default: it is asked. The gateway's own
    /// retries of model calls come before these. One that was refused before a model was asked (behind an open breaker, for a pause, for
    /// want of room) is asked again when the wait that its error asks for is over, others meanwhile; it does not wait for longer than it
    /// may take.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The next answer that comes, with the number of its question, counted from 0; `None` when all have come.
    pub async fn next(&mut self) -> Option<(usize, Result<Answer, ChatAgentError>)> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// All answers that [`next`](Self::next) has not given yet, in the order of their questions.
    pub async fn collect(mut self) -> Vec<Result<Answer, ChatAgentError>> {
        let mut answers: Vec<_> = Vec::with_capacity(self.waiting.len() + self.running.len());
        while let Some(answer) = self.next().await {
            answers.push(answer);
        }
        answers.sort_by_key(|(number, _)| *number);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// How far it is.
    pub fn progress(&self) -> AskProgress {
        self.progress
    }

    /// The numbers of the questions that have no answer yet, in their order; those that failed are not among them.
    pub fn left(&self) -> Vec<usize> {
        let running = self.running.iter().filter_map(|running| running.item.as_ref().map(|(item, _)| item.number));
        let refused = self.refused.iter().map(|(_, item)| item.number);
        let mut left: Vec<_> = self.waiting.iter().map(|item| item.number).chain(refused).chain(running).collect();
        left.sort_unstable();
        left
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, Result<Answer, ChatAgentError>)>> {
        loop {
            self.look_at_the_refused(cx);
            self.begin();
            let Some((item, agent, answer)) = ready!(Pin::new(&mut self.running).poll_next(cx)) else {
                return if self.refused.is_empty() { Poll::Ready(None) } else { Poll::Pending };
            };
            self.progress.running -= 1;
            // One that could not even begin to live is not asked again.
            if !matches!(answer, Err(ChatAgentError::Agent(AskError::Overloaded))) {
                self.idle.push(agent);
            }
            match &answer {
                Err(error) if error.is_retryable() && item.made < self.attempts => {
                    self.progress.waiting += 1;
                    match wait(error, item.made) {
                        None => self.waiting.push_back(item),
                        Some(wait) => self.refused.push((Instant::now() + wait.min(item.within), item)),
                    }
                    continue;
                }
                Err(_) => self.progress.failed += 1,
                Ok(_) => self.progress.answered += 1,
            }
            return Poll::Ready(Some((item.number, answer)));
        }
    }

    /// Those that have waited long enough stand in line again, in the order of their times; a timer is set for the next one.
    fn look_at_the_refused(&mut self, cx: &mut Context<'_>) {
        while let Some(next) = self.refused.iter().map(|(at, _)| *at).min() {
            let timer = match &mut self.timer {
                Some((at, timer)) if *at == next => timer,
                other => {
                    let left = next.saturating_duration_since(Instant::now());
                    &mut other.insert((next, Box::pin(self.agent.host.plan.gateway.sleeps(left)))).1
                }
            };
            let Poll::Ready(is_open) = timer.as_mut().poll(cx) else { return };
            self.timer = None;
            // Of a runtime that has stopped no timer goes off: all of them learn that.
            let is_due = |(at, _): &(Instant, Item)| *at <= next || !is_open;
            let (due, later) = std::mem::take(&mut self.refused).into_iter().partition(is_due);
            self.refused = later;
            let due: Vec<_> = due;
            self.waiting.extend(due.into_iter().map(|(_, item)| item));
        }
    }

    /// Begins as many as may be.
    fn begin(&mut self) {
        while self.running.len() < self.limit
            && let Some(mut item) = self.waiting.pop_front()
        {
            self.progress.waiting -= 1;
            let agent = self.idle.pop().unwrap_or_else(|| self.agent.another());
            item.made += 1;
            let question =
                if item.made < self.attempts { item.question.clone() } else { std::mem::take(&mut item.question) };
            // They are the agent's: one that was told to end is asked nothing more.
            let asking = match self.agent.host.is_leaving() {
                true => Asking::refused(AskError::Stopped),
                false => agent.ask(question),
            };
            self.progress.running += 1;
            self.running.push(Running { item: Some((item, agent)), asking });
        }
    }
}

/// How long one waits that was refused before a model was asked, after so many attempts; `None` of one that took its time. What is told
/// may be nothing at all, and each attempt waits for twice as long as the one before at least.
fn wait(error: &ChatAgentError, made: u32) -> Option<Duration> {
    let least = FIRST_WAIT.saturating_mul(1 << made.saturating_sub(1).min(16));
    match error {
        ChatAgentError::Model { error, .. } if error.was_refused_here() => {
            Some(error.retry_after().unwrap_or_default().max(least))
        }
        // What a provider asks for, the gateway has waited for between its own attempts, and not after the last one.
        ChatAgentError::Model { error, .. } => error.retry_after(),
        ChatAgentError::Agent(AskError::Overloaded) => Some(least),
        _ => None,
    }
}
