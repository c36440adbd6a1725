//! How is one ask carried out? The shell of [`Turns`]: it calls models and tools, and knows the time.

use std::pin::{Pin, pin};
use std::sync::Arc;

use futures_util::future::{Either, join, select};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::answer::{Answer, AskLimit, ChatAgentError};
use super::guard::{Blocked, look};
use super::host::Host;
use super::question::Question;
use super::remember::{keep, recall};
use super::spec::Plan;
use super::stream::AskEvent;
use super::turns::{Next, Outcome, Turns};
use crate::chat::{ChatChunk, ChatRequest, ToolCall};
use crate::error::{ModelError, Waiting};
use crate::gateway::{ChatCall, ChunkStream, Completed, FallBack, Priority};
use crate::mailbox::AgentId;
use crate::ports::{Guarded, ToolContext};
use crate::scope::Scope;

/// Who reads the events of an ask, if anybody does.
pub(super) type Events = Option<mpsc::Sender<AskEvent>>;

/// Who carries out an ask at the moment.
#[derive(Clone)]
pub(super) struct Agent {
    pub(super) host: Arc<Host>,
    pub(super) id: AgentId,
}

/// One ask, from its turn in the agent's line to its end. Dropping the future ends it, down to the socket.
///
/// What few asks do is in boxes, here and below: the future of an ask that waits for its model is as small as can be.
pub(super) async fn carry_out(
    agent: Agent,
    mut question: Box<Question>,
    asked: Instant,
    events: Events,
) -> Result<Answer, ChatAgentError> {
    let began = Instant::now();
    let plan = agent.host.plan.clone();
    let until = asked + plan.time_of(&question);
    let input = if plan.guards.input.is_empty() { String::new() } else { question.text.clone() };
    let (text, form) = (std::mem::take(&mut question.text), question.form.take());
    let mut before: Vec<_> = plan.instructions().into_iter().collect();
    let session = question.session.take().map(Arc::<str>::from);
    let mut asking = Asking { agent, events, until, question };
    let mut summarised = None;
    if let Some(session) = &session {
        let said;
        (said, summarised) = Box::pin(recall(&asking, session)).await?;
        before.extend(said);
    }
    let mut turns = Turns::new(plan.limits.clone(), before, text, plan.specs.clone(), form);
    if let Some(summarised) = summarised {
        turns.paid_for(&summarised, plan.gateway.price(&summarised.model));
    }
    // Another one may answer, but the session is kept where it was asked for.
    let sessions = plan.sessions.clone().zip(session);
    let mut input = look(&plan.guards.input, &Guarded::Input(input));
    let mut is_looked_at = plan.guards.input.is_empty();
    let mut next = if began < until { turns.again() } else { turns.ended_by(AskLimit::Time) };
    let ended = loop {
        next = match next {
            Next::Model(request) if !is_looked_at => {
                is_looked_at = true;
                // The first call goes on beside the look, and nothing is done with its reply before the look is over.
                let (passes, has_passed) = oneshot::channel();
                let both = beside(input.as_mut(), passes, asking.model(request, Some(has_passed)));
                match Box::pin(tokio::time::timeout_at(until, both)).await {
                    Err(_late) => turns.ended_by(AskLimit::Time),
                    Ok((None, completed)) => match completed {
                        Some(completed) => asking.replied(completed, &mut turns),
                        None => turns.ended_by(AskLimit::Time),
                    },
                    Ok((Some(blocked), completed)) => {
                        if let Some(Ok(completed)) = completed {
                            turns.paid_for(&completed, plan.gateway.price(&completed.model));
                        }
                        turns.blocked(blocked)
                    }
                }
            }
            Next::Model(request) => {
                let completed = asking.model(request, None).await;
                asking.replied(completed, &mut turns)
            }
            Next::Tools(calls) => {
                let since = Instant::now();
                match Box::pin(asking.tools(calls, &mut turns)).await {
                    Some(outcomes) => turns.used(outcomes, since.elapsed()),
                    None => turns.ended_by(AskLimit::Time),
                }
            }
            Next::End(Ok(answer)) if !plan.guards.output.is_empty() => {
                let looking = look(&plan.guards.output, &Guarded::Output(answer.text.clone()));
                let looked = tokio::time::timeout_at(until, looking).await;
                // An answer that nobody has looked at is not given away either.
                let partial = || Box::new(Answer { metrics: answer.metrics.clone(), ..Answer::default() });
                break match looked {
                    Ok(None) => Ok(answer),
                    Ok(Some(Blocked { guardrail, reason })) => {
                        Err(ChatAgentError::Blocked { guardrail, reason, partial: partial() })
                    }
                    Err(_late) => Err(ChatAgentError::Limit { limit: AskLimit::Time, partial: partial() }),
                };
            }
            Next::End(ended) => break ended,
        }
    };
    let ended = match sessions {
        Some((sessions, session)) => Box::pin(keep(sessions, session, ended, until)).await,
        None => ended,
    };
    let (in_line, total, by) =
        (began.saturating_duration_since(asked), asked.elapsed(), asking.agent.host.name.clone());
    noted(ended, |answer| {
        (answer.metrics.in_line, answer.metrics.total, answer.agent) = (in_line, total, by.clone());
    })
}

/// An ask that is carried out.
pub(super) struct Asking {
    agent: Agent,
    events: Events,
    until: Instant,
    question: Box<Question>,
}

impl Asking {
    /// What its agent is like.
    pub(super) fn plan(&self) -> &Plan {
        &self.agent.host.plan
    }

    /// Its agent's name.
    pub(super) fn name(&self) -> &str {
        &self.agent.host.name
    }

    /// When its time is over.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// How soon it matters.
    pub(super) fn priority(&self) -> Priority {
        self.question.priority
    }

    fn call(&self, request: Arc<ChatRequest>) -> ChatCall<'_> {
        let plan = self.plan();
        let left = self.until.saturating_duration_since(Instant::now());
        let call = plan.gateway.call(&plan.model, request).within(left).priority(self.question.priority);
        self.on_behalf(plan.fallbacks.iter().fold(call, |call, other| call.or(other)))
    }

    /// A call for whoever asked, and at his expense.
    pub(super) fn on_behalf<'a>(&self, mut call: ChatCall<'a>) -> ChatCall<'a> {
        let Question { run, user, budget, .. } = &*self.question;
        if let Some(budget) = budget.as_ref().or(self.plan().budget.as_ref()) {
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

    /// What follows from what the model said.
    fn replied(&self, completed: Result<Completed, ModelError>, turns: &mut Turns) -> Next {
        match completed {
            Ok(completed) => {
                let price = self.agent.host.plan.gateway.price(&completed.model);
                turns.replied(completed, price)
            }
            Err(ModelError::Timeout(Waiting::Queue | Waiting::Total)) if Instant::now() >= self.until => {
                turns.ended_by(AskLimit::Time)
            }
            Err(error) => turns.failed(error),
        }
    }

    /// One turn of the model. What it says is shown to nobody before the question `has_passed`.
    async fn model(&mut self, request: Arc<ChatRequest>, has_passed: Passed) -> Result<Completed, ModelError> {
        match self.events {
            None => self.call(request).send().await,
            Some(_) => Box::pin(self.streamed(request, has_passed)).await,
        }
    }

    /// The same for somebody who reads it as it comes.
    async fn streamed(&mut self, request: Arc<ChatRequest>, has_passed: Passed) -> Result<Completed, ModelError> {
        let (call, fell_back) = telling(self.call(request), self.plan().fallbacks.len());
        let (call, pieces) = call.streamed();
        let late = || Err(ModelError::Timeout(Waiting::Total));
        let shown = async {
            if let Some(has_passed) = has_passed {
                let _the_look_is_over = has_passed.await;
            }
            self.pass_on(pieces, fell_back).await;
        };
        // A reader who does not read holds up the call, but not for longer than it may take.
        let both = tokio::time::timeout_at(self.until, join(call.send(), shown)).await;
        let completed = both.map_or_else(|_| late(), |(completed, ())| completed)?;
        let (usage, times) = (completed.reply.usage, completed.times);
        let ended = AskEvent::TurnEnded { usage, queue: times.queue, model: times.provider };
        self.tell_all(vec![ended]).await;
        Ok(completed)
    }

    /// The tools of one turn; `None` when the time is over before they are.
    async fn tools(&mut self, calls: Vec<ToolCall>, turns: &mut Turns) -> Option<Vec<Outcome>> {
        if self.events.is_some() {
            self.tell_all(calls.iter().map(called).collect()).await;
        }
        let handoff = calls.iter().find_map(|call| {
            let handoffs = &self.agent.host.plan.handoffs;
            handoffs.iter().find(|handoff| handoff.spec.name == call.name).map(|to| (call.id.clone(), to.clone()))
        });
        let (made, taken): (Vec<_>, Vec<_>) = match &handoff {
            None => (calls, Vec::new()),
            Some(_) => calls.into_iter().partition(|call| !self.is_handoff(&call.name)),
        };
        let plan = self.agent.host.plan.clone();
        let context = self.context();
        let mut outcomes =
            tokio::time::timeout_at(self.until, plan.tools.make(made, &context, &plan.guards)).await.ok()?;
        if let Some((first, to)) = handoff {
            outcomes.extend(taken.into_iter().map(|call| Outcome {
                text: match call.id == first {
                    true => format!("you are {} from here on: go on with the conversation", to.host.name),
                    false => "error: one handoff at a time".to_owned(),
                },
                id: call.id,
            }));
            // The one before waits, too: its turn goes on.
            self.question.callers = self.question.callers.iter().copied().chain([self.agent.id]).collect();
            self.agent.host = to.host.clone();
            if let Some(id) = to.host.starts() {
                self.agent.id = id;
            }
            turns.hand_over(to.host.plan.instructions(), to.host.plan.specs.clone());
            self.tell_all(vec![AskEvent::HandedOver { to: to.host.name.clone() }]).await;
        }
        if self.events.is_some() {
            self.tell_all(outcomes.iter().map(answered).collect()).await;
        }
        Some(outcomes)
    }

    fn is_handoff(&self, tool: &str) -> bool {
        self.agent.host.plan.handoffs.iter().any(|handoff| handoff.spec.name == tool)
    }

    /// What the tools of this ask are told.
    fn context(&self) -> ToolContext {
        let Question { run, user, budget, callers, .. } = &*self.question;
        ToolContext {
            agent: self.agent.host.name.clone(),
            callers: callers.iter().copied().chain([self.agent.id]).collect(),
            budget: budget.as_ref().or(self.agent.host.plan.budget.as_ref()).cloned(),
            run: run.clone(),
            user: user.clone(),
            call: "".into(),
            attempt: 0,
            deadline: self.until,
            scope: Scope::root(),
        }
    }

    async fn pass_on(&self, mut pieces: ChunkStream, mut fell_back: FallBacks) {
        let Some(events) = &self.events else { return };
        loop {
            let event = tokio::select! {
                biased;
                Some(fell_back) = next(&mut fell_back) => AskEvent::FellBack(fell_back),
                piece = pieces.next() => match piece {
                    Some(ChatChunk::Text(text)) => AskEvent::Text(text),
                    Some(_) => continue,
                    None => return,
                },
            };
            let _the_reader_may_have_left = events.send(event).await;
        }
    }

    async fn tell_all(&self, told: Vec<AskEvent>) {
        let Some(events) = &self.events else { return };
        for event in told {
            // The time is over: whoever does not read now will see the end.
            let _may_be_late = tokio::time::timeout_at(self.until, events.send(event)).await;
        }
    }
}

/// The fall-backs of a call, of one that has next models.
type FallBacks = Option<mpsc::Receiver<FallBack>>;

/// The call, which tells of its fall-backs: there is room for all that there can be.
fn telling(call: ChatCall<'_>, most: usize) -> (ChatCall<'_>, FallBacks) {
    if most == 0 {
        return (call, None);
    }
    let (told, fell_back) = mpsc::channel(most);
    let tell = move |fell_back: &FallBack| {
        let _the_ask_may_be_over = told.try_send(fell_back.clone());
    };
    (call.on_fall_back(tell), Some(fell_back))
}

async fn next(fell_back: &mut FallBacks) -> Option<FallBack> {
    fell_back.as_mut()?.recv().await
}

/// Ends when a question has passed those who look at it.
type Passed = Option<oneshot::Receiver<()>>;

/// Calls the model while somebody looks; who blocks ends the call, and who passes is waited for. Gives what was blocked, and what the
/// call came to if it came to its end.
async fn beside<T>(
    look: Pin<&mut (dyn Future<Output = Option<Blocked>> + Send)>,
    passes: oneshot::Sender<()>,
    call: impl Future<Output = T>,
) -> (Option<Blocked>, Option<T>) {
    let mut call = pin!(call);
    match select(look, call.as_mut()).await {
        Either::Left((Some(blocked), _)) => (Some(blocked), None),
        Either::Left((None, call)) => {
            let _nobody_may_wait = passes.send(());
            (None, Some(call.await))
        }
        Either::Right((called, look)) => (look.await, Some(called)),
    }
}

fn called(call: &ToolCall) -> AskEvent {
    let ToolCall { id, name, arguments } = call.clone();
    AskEvent::ToolCalled { id, name, arguments }
}

fn answered(outcome: &Outcome) -> AskEvent {
    let Outcome { id, text } = outcome.clone();
    AskEvent::ToolAnswered { id, text }
}

/// With what only the shell knows.
fn noted(ended: Result<Answer, ChatAgentError>, note: impl Fn(&mut Answer)) -> Result<Answer, ChatAgentError> {
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
