//! How are many questions asked at once? By so many agents like the one that is asked, each with one at a time, spread over the shards.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::stream::{FuturesUnordered, Stream};

use super::answer::{Answer, ChatAgentError};
use super::question::Question;
use super::{Asking, ChatAgent};
use crate::error::AskError;

/// Asks at the same time when nothing else is said.
const AT_ONCE: usize = 8;

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
    running: FuturesUnordered<Running>,
    /// Those that have nothing to do.
    idle: Vec<ChatAgent>,
    progress: AskProgress,
}

struct Item {
    number: usize,
    question: Question,
    made: u32,
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
        let item = |(number, question): (usize, Q)| Item { number, question: question.into(), made: 0 };
        let waiting: VecDeque<_> = questions.into_iter().enumerate().map(item).collect();
        let progress = AskProgress { waiting: waiting.len(), ..AskProgress::default() };
        let (running, idle) = (FuturesUnordered::new(), Vec::new());
        AskAll { agent: self.clone(), limit: AT_ONCE, attempts: 1, waiting, running, idle, progress }
    }
}

impl AskAll {
    /// So many at a time. 0 counts as 1: none at a time would never end.
    pub fn limit(mut self, asks: usize) -> Self {
        self.limit = asks.max(1);
        self
    }

    /// Each is asked so often at most when it fails in a way that may pass. 0 counts as 1, which is the default: it is asked. The gateway's own
    /// retries of model calls come before these.
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
        let mut left: Vec<_> = self.waiting.iter().map(|item| item.number).chain(running).collect();
        left.sort_unstable();
        left
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, Result<Answer, ChatAgentError>)>> {
        loop {
            self.begin();
            let Some((item, agent, answer)) = ready!(Pin::new(&mut self.running).poll_next(cx)) else {
                return Poll::Ready(None);
            };
            self.progress.running -= 1;
            // One that could not even begin to live is not asked again.
            if !matches!(answer, Err(ChatAgentError::Agent(AskError::Overloaded))) {
                self.idle.push(agent);
            }
            match &answer {
                Err(error) if error.is_retryable() && item.made < self.attempts => {
                    self.progress.waiting += 1;
                    self.waiting.push_back(item);
                    continue;
                }
                Err(_) => self.progress.failed += 1,
                Ok(_) => self.progress.answered += 1,
            }
            return Poll::Ready(Some((item.number, answer)));
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
