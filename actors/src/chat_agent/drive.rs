//! How is one ask carried out? The shell of [`Turns`]: it calls models and tools, and knows the time.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::answer::{Answer, AskLimit, ChatAgentError};
use super::question::Question;
use super::spec::Plan;
use super::stream::AskEvent;
use super::turns::{Next, Turns};
use crate::chat::{ChatChunk, ChatRequest, Turn};
use crate::error::{AskError, ModelError, Waiting};
use crate::gateway::{ChatCall, ChunkStream, Completed};

/// Who reads the events of an ask, if anybody does.
pub(super) type Events = Option<mpsc::Sender<AskEvent>>;

/// One ask, from its turn in the agent's line to its end. Dropping the future ends it, down to the socket.
pub(super) async fn carry_out(
    plan: Arc<Plan>,
    question: Question,
    asked: Instant,
    events: Events,
) -> Result<Answer, ChatAgentError> {
    let began = Instant::now();
    let until = asked + plan.time_of(&question);
    let instructions = plan.instructions.as_deref().map(Turn::system).into_iter().collect();
    let mut asking = Asked { plan: &plan, events, until, question };
    let (text, form) = (std::mem::take(&mut asking.question.text), asking.question.form.take());
    let mut turns = Turns::new(plan.limits.clone(), instructions, text, plan.tools.specs(), form);
    let mut next = if began < until { turns.begin() } else { turns.ended_by(AskLimit::Time) };
    loop {
        next = match next {
            Next::Model(request) => match asking.model(*request).await {
                Ok(completed) => {
                    let price = plan.gateway.price(&completed.model);
                    turns.replied(completed, price)
                }
                Err(ModelError::Timeout(Waiting::Queue | Waiting::Total)) if Instant::now() >= until => {
                    turns.ended_by(AskLimit::Time)
                }
                Err(error) => turns.failed(error),
            },
            Next::Tools(calls) => {
                let since = Instant::now();
                asking
                    .tell_all(calls.iter().map(|call| AskEvent::ToolCalled {
                        id: call.id.clone(),
                        name: call.name.clone(),
                        arguments: call.arguments.clone(),
                    }))
                    .await;
                match tokio::time::timeout_at(until, plan.tools.make(calls, until)).await {
                    Ok(outcomes) => {
                        let answered = outcomes.iter().map(|outcome| AskEvent::ToolAnswered {
                            id: outcome.id.clone(),
                            text: outcome.text.clone(),
                        });
                        asking.tell_all(answered).await;
                        turns.used(outcomes, since.elapsed())
                    }
                    Err(_late) => turns.ended_by(AskLimit::Time),
                }
            }
            Next::End(ended) => return seen(ended, began.saturating_duration_since(asked), asked.elapsed()),
        }
    }
}

/// What an ask has at hand.
struct Asked<'a> {
    plan: &'a Plan,
    events: Events,
    until: Instant,
    question: Question,
}

impl Asked<'_> {
    fn call(&self, request: ChatRequest) -> ChatCall<'_> {
        let Question { budget, run, user, priority, .. } = &self.question;
        let left = self.until.saturating_duration_since(Instant::now());
        let mut call = self.plan.gateway.call(&self.plan.model, request).within(left).priority(*priority);
        call = self.plan.fallbacks.iter().fold(call, |call, other| call.or(other));
        if let Some(budget) = budget.as_ref().or(self.plan.budget.as_ref()) {
            call = call.budget(budget);
        }
        if let Some(run) = run {
            call = call.run(run);
        }
        match user {
            Some(user) => call.user(user),
            None => call,
        }
    }

    /// One turn of the model.
    async fn model(&mut self, request: ChatRequest) -> Result<Completed, ModelError> {
        if self.events.is_none() {
            return self.call(request).send().await;
        }
        let (call, pieces) = self.call(request).streamed();
        let late = || Err(ModelError::Timeout(Waiting::Total));
        // A reader who does not read holds up the call, but not for longer than it may take.
        let both = tokio::time::timeout_at(self.until, join(call.send(), self.pass_on(pieces))).await;
        let completed = both.map_or_else(|_| late(), |(completed, ())| completed)?;
        let (usage, times) = (completed.reply.usage, completed.times);
        self.tell_all([AskEvent::TurnEnded { usage, queue: times.queue, model: times.provider }]).await;
        Ok(completed)
    }

    async fn pass_on(&self, mut pieces: ChunkStream) {
        while let Some(piece) = pieces.next().await {
            if let (ChatChunk::Text(text), Some(events)) = (piece, &self.events) {
                let _the_reader_may_have_left = events.send(AskEvent::Text(text)).await;
            }
        }
    }

    async fn tell_all(&self, told: impl IntoIterator<Item = AskEvent>) {
        let Some(events) = &self.events else { return };
        for event in told {
            // The time is over: whoever does not read now will see the end.
            let _may_be_late = tokio::time::timeout_at(self.until, events.send(event)).await;
        }
    }
}

/// With the times that only the shell knows.
fn seen(ended: Result<Answer, ChatAgentError>, in_line: Duration, total: Duration) -> Result<Answer, ChatAgentError> {
    let note = |answer: &mut Answer| (answer.metrics.in_line, answer.metrics.total) = (in_line, total);
    match ended {
        Ok(mut answer) => {
            note(&mut answer);
            Ok(answer)
        }
        Err(mut error) => {
            error.partial_mut().into_iter().for_each(note);
            Err(error)
        }
    }
}

/// What an asker who waited in line for too long is told.
pub(super) fn too_many() -> ChatAgentError {
    ChatAgentError::Agent(AskError::Overloaded)
}
