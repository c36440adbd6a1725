//! How is one ask carried out? The shell of [`Turns`]: it calls models and tools, and knows the time.

use std::pin::{Pin, pin};
use std::sync::Arc;

use futures_util::future::{Either, join, select};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::answer::{AskLimit, ChatAgentError, Ended};
use super::behalf::Behalf;
use super::guard::{Blocked, passed};
use super::host::Host;
use super::question::Question;
use super::remember::{keep, recall};
use super::spec::Plan;
use super::stream::AskEvent;
use super::turns::{Next, Turns};
use super::waits::AskWait;
use crate::chat::{ChatChunk, ChatRequest};
use crate::error::{ModelError, Waiting};
use crate::gateway::{CallFailed, ChatCall, ChunkStream, Completed, FallBack, Priority, Shortage};

/// Who reads the events of an ask, if anybody does.
pub(super) type Events = Option<mpsc::Sender<AskEvent>>;

/// One ask, from its turn in the agent's line to its end. Dropping the future ends it, down to the socket.
///
/// What few asks do is in boxes, here and below: the future of an ask that waits for its model is as small as can be. It begins
/// outside the `async` block, which would hold twice what it is given.
pub(super) fn carry_out(
    agent: Arc<Host>,
    question: Box<Question>,
    asked: Instant,
    events: Events,
) -> impl Future<Output = Ended> + Send + use<> {
    let (began, plan) = (Instant::now(), agent.plan.clone());
    let until = asked + plan.time_of(&question);
    let Question { text, within: _, budget, session, run, user, priority, form, callers } = *question;
    let looked_at = plan.guards.looks_at_input().then(|| text.clone());
    let mut turns =
        Turns::new(plan.limits.clone(), plan.first_turns(), text, plan.specs.clone(), form).at(plan.temperature);
    let behalf = Behalf { run, user, session, budget, callers, asked: None };
    let behalf = (!behalf.is_empty()).then(|| Box::new(behalf));
    let mut asking = Asking { agent, events, asked, began, until, behalf, priority, is_held_up: false, short: None };
    async move {
        // Its turn has come when its shard gets to it.
        asking.began = Instant::now();
        // Here and not above, on the thread of whoever asks: guardrails are somebody else's.
        let mut input = looked_at.and_then(|text| plan.guards.look_at_input(&text));
        if asking.session().is_some()
            && let Err(error) = Box::pin(asking.recalled(&mut turns)).await
        {
            return asking.noted(Err(error));
        }
        let mut next = if asking.began < asking.until { turns.again() } else { turns.late(AskWait::Line) };
        let ended = loop {
            next = match next {
                Next::Model(request) => {
                    if let Some(short) = asking.short.take()
                        && let Some(end) = Box::pin(asking.room(*short, &mut turns)).await
                    {
                        next = end;
                        continue;
                    }
                    // What a `match` looks at lives as long as its arms, and the future would hold it.
                    if let Some(mut look) = input.take() {
                        Box::pin(asking.looked_at(look.as_mut(), request, &mut turns)).await
                    } else {
                        let since = Instant::now();
                        let called = match asking.events {
                            None => asking.call(request).polled().send_timed().await,
                            Some(_) => Box::pin(asking.streamed(request, None, &mut turns)).await,
                        };
                        asking.replied(called, since, &mut turns)
                    }
                }
                Next::Tools(calls) => Box::pin(asking.tools(calls, &mut turns)).await,
                Next::End(ended) => break ended,
            }
        };
        if plan.guards.output.is_empty() && asking.session().is_none() {
            return asking.noted(ended);
        }
        Box::pin(asking.concluded(&plan, &turns, ended)).await
    }
}

/// An ask that is carried out.
pub(super) struct Asking {
    /// Who carries it out at the moment.
    pub(super) agent: Arc<Host>,
    pub(super) events: Events,
    /// When it was asked, when its turn came, and when its time is over.
    asked: Instant,
    began: Instant,
    pub(super) until: Instant,
    /// How soon it matters.
    pub(super) priority: Priority,
    /// `None` when the question says nothing of it.
    pub(super) behalf: Option<Box<Behalf>>,
    /// Whether the last turn of the model waited for whoever reads the events.
    is_held_up: bool,
    /// What its budget had not enough left for, which is called again when there is room.
    short: Option<Box<Shortage>>,
}

impl Asking {
    /// The end, with what only the shell knows.
    fn noted(&self, mut ended: Ended) -> Ended {
        if let Err(ChatAgentError::Limit { limit: AskLimit::Time, most, .. }) = &mut ended {
            *most = format!("{:?}", self.until - self.asked);
        }
        let answer = match &mut ended {
            Ok(answer) => Some(&mut **answer),
            Err(error) => error.partial_mut(),
        };
        if let Some(answer) = answer {
            answer.agent = self.agent.name.clone();
            let in_line = self.began.saturating_duration_since(self.asked);
            (answer.metrics.in_line, answer.metrics.total) = (in_line, self.asked.elapsed());
        }
        ended
    }

    /// What was said in its session before becomes a part of its turns.
    async fn recalled(&self, turns: &mut Turns) -> Result<(), ChatAgentError> {
        let Some(session) = self.session().map(Arc::<str>::from) else { return Ok(()) };
        let (said, summarised) = recall(self, &session).await?;
        turns.recall(said);
        for (most, called) in summarised {
            let price = called.as_ref().ok().and_then(|completed| self.plan().gateway.price(&completed.model));
            turns.summarised(called, most, price, self.began.elapsed());
        }
        Ok(())
    }

    /// Another agent may have answered, but what is said is looked at, and kept, where it was asked for: by the one of this `plan`.
    async fn concluded(&self, plan: &Plan, turns: &Turns, ended: Ended) -> Ended {
        let ended =
            if plan.guards.output.is_empty() { ended } else { passed(&plan.guards.output, ended, self.until).await };
        let ended = match plan.sessions.clone().zip(self.session()) {
            Some((sessions, session)) => {
                let said = ended.as_ref().map(|answer| turns.kept(&answer.turns)).unwrap_or_default();
                keep(sessions, session.into(), said, ended, self.until).await
            }
            None => ended,
        };
        self.noted(ended)
    }

    /// The session that it belongs to.
    fn session(&self) -> Option<&str> {
        self.behalf.as_ref()?.session.as_deref()
    }

    /// What its agent is like.
    pub(super) fn plan(&self) -> &Plan {
        &self.agent.plan
    }

    /// Its agent's name.
    pub(super) fn name(&self) -> &str {
        &self.agent.name
    }

    /// When its time is over.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// How soon it matters.
    pub(super) fn priority(&self) -> Priority {
        self.priority
    }

    fn call(&self, request: Arc<ChatRequest>) -> ChatCall<'_> {
        let plan = self.plan();
        let left = self.until.saturating_duration_since(Instant::now());
        let call = plan.gateway.call(&plan.model, request).within(left).priority(self.priority);
        self.on_behalf(plan.fallbacks.iter().fold(call, |call, other| call.or(other)))
    }

    /// A call for whoever asked, and at his expense.
    pub(super) fn on_behalf<'a>(&self, mut call: ChatCall<'a>) -> ChatCall<'a> {
        let behalf = self.behalf.as_deref();
        let own = behalf.and_then(|behalf| behalf.budget.as_ref());
        if let Some(budget) = own.or(self.plan().budget.as_ref()) {
            call = call.budget(budget);
        }
        if let Some(run) = behalf.and_then(|behalf| behalf.run.as_deref()) {
            call = call.run(run);
        }
        match behalf.and_then(|behalf| behalf.user.as_deref()) {
            Some(user) => call.user(user),
            None => call,
        }
    }

    /// Waits until others have given back enough of what they reserved of its budget; gives the end of the ask if that does not come.
    async fn room(&self, short: Shortage, turns: &mut Turns) -> Option<Next> {
        let since = Instant::now();
        let room = tokio::time::timeout_at(self.until, short.is_over()).await;
        turns.has_waited(since.elapsed());
        match room {
            Ok(Ok(())) => None,
            Ok(Err(exhausted)) => Some(turns.failed(exhausted)),
            Err(_late) => Some(turns.late(AskWait::Budget)),
        }
    }

    /// What follows from what the model, which was called at `since`, said.
    fn replied(&mut self, called: Called, since: Instant, turns: &mut Turns) -> Next {
        let error = match called {
            Ok(completed) => {
                let price = self.agent.plan.gateway.price(&completed.model);
                if self.is_held_up {
                    // It is whole, and its reader has not seen it whole in time.
                    turns.paid_for(&completed, price);
                    return turns.late(AskWait::Reader);
                }
                return turns.replied(completed, price);
            }
            Err(CallFailed { error, short, times }) => {
                // What was tried before is told, and counted.
                let was_tried = times.as_ref().is_some_and(|times| times.attempts > 0);
                turns.not_answered(times, since.elapsed());
                if short.is_some() && !was_tried {
                    self.short = short;
                    return turns.begin();
                }
                error
            }
        };
        match error {
            ModelError::Timeout(waiting @ (Waiting::Queue | Waiting::Total)) if Instant::now() >= self.until => turns
                .late(match waiting {
                    Waiting::Queue => AskWait::Queue,
                    _ if self.is_held_up => AskWait::Reader,
                    _ => AskWait::Model,
                }),
            error => turns.failed(error),
        }
    }

    /// The first turn of the model, while somebody looks at the question. Nothing is done with its reply before the look is over.
    async fn looked_at(&mut self, look: Look<'_>, request: Arc<ChatRequest>, turns: &mut Turns) -> Next {
        let ((passes, has_passed), since, until) = (oneshot::channel(), Instant::now(), self.until);
        let look = pin!(tokio::time::timeout_at(until, look));
        let (looked, called) = beside(look, passes, self.model(request, Some(has_passed), turns)).await;
        let ended = match (looked, called) {
            (Ok(None), Some(called)) => return self.replied(called, since, turns),
            (looked, Some(Ok(completed))) => {
                turns.paid_for(&completed, self.agent.plan.gateway.price(&completed.model));
                looked
            }
            (looked, called) => {
                let times = called.and_then(Result::err).and_then(|failed| failed.times);
                turns.not_answered(times, since.elapsed());
                looked
            }
        };
        match ended {
            Ok(Some(blocked)) => turns.blocked(blocked),
            Ok(None) | Err(_) => turns.late(AskWait::Guardrail),
        }
    }

    /// One turn of the model. What it says is shown to nobody before the question `has_passed`.
    async fn model(&mut self, request: Arc<ChatRequest>, has_passed: Passed, turns: &mut Turns) -> Called {
        match self.events {
            None => self.call(request).polled().send_timed().await,
            Some(_) => Box::pin(self.streamed(request, has_passed, turns)).await,
        }
    }

    /// The same for somebody who reads it as it comes. Of a turn that does not come to its end, `turns` has what came.
    async fn streamed(&mut self, request: Arc<ChatRequest>, has_passed: Passed, turns: &mut Turns) -> Called {
        let (call, fell_back) = telling(self.call(request), self.plan().fallbacks.len());
        let (call, mut pieces) = call.streamed();
        // It is no longer than a reply may be, and is dropped with the turn.
        let mut came = String::new();
        let shown = async {
            if let Some(has_passed) = has_passed {
                let _the_look_is_over = has_passed.await;
            }
            self.pass_on(&mut pieces, fell_back, &mut came).await
        };
        // A reader who does not read holds up the call, but not for longer than it may take; then the gateway ends it and tells its times.
        let (completed, shown) = join(call.send_timed(), tokio::time::timeout_at(self.until, shown)).await;
        self.is_held_up = matches!(shown, Ok(Read::Late));
        if completed.is_err() || self.is_held_up {
            turns.came(came);
        }
        let completed = completed?;
        let (usage, times) = (completed.reply.usage, completed.times);
        let ended = AskEvent::TurnEnded { usage, queue: times.queue, model: times.provider };
        self.tell_all(vec![ended]).await;
        Ok(completed)
    }

    /// Hands on what comes, and gathers its text.
    async fn pass_on(&self, pieces: &mut ChunkStream, mut fell_back: FallBacks, came: &mut String) -> Read {
        let Some(events) = &self.events else { return Read::AllThereIs };
        loop {
            let event = tokio::select! {
                biased;
                Some(fell_back) = next(&mut fell_back) => AskEvent::FellBack(fell_back),
                piece = pieces.next() => match piece {
                    Some(ChatChunk::Text(text)) => {
                        came.push_str(&text);
                        AskEvent::Text(text)
                    }
                    Some(_) => continue,
                    None => return Read::AllThereIs,
                },
            };
            // The reader may have left, too.
            if tokio::time::timeout_at(self.until, events.send(event)).await.is_err() {
                return Read::Late;
            }
        }
    }

    /// Whether the reader, if there is one, took them in time. Whoever does not read now will see the end.
    pub(super) async fn tell_all(&self, told: Vec<AskEvent>) -> bool {
        let Some(events) = &self.events else { return true };
        let mut is_in_time = true;
        for event in told {
            is_in_time &= tokio::time::timeout_at(self.until, events.send(event)).await.is_ok();
        }
        is_in_time
    }
}

/// How the pieces of a reply were read.
enum Read {
    AllThereIs,
    /// Until the time was over, somebody did not.
    Late,
}

/// What those who look at a question do.
type Look<'a> = Pin<&'a mut (dyn Future<Output = Option<Blocked>> + Send)>;

/// What those who look at a question saw: who blocks it, or that their time was over.
type Looked = Result<Option<Blocked>, tokio::time::error::Elapsed>;

/// What became of a call of the model.
type Called = Result<Completed, CallFailed>;

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

/// Calls the model while somebody looks; who blocks ends the call, and who passes is waited for. Gives what was seen, and what the
/// call came to if it came to its end. A look that is late ends with the time of the ask, and so does the call, of itself.
async fn beside<T>(
    look: impl Future<Output = Looked> + Unpin,
    passes: oneshot::Sender<()>,
    call: impl Future<Output = T>,
) -> (Looked, Option<T>) {
    let mut call = pin!(call);
    match select(look, call.as_mut()).await {
        Either::Left((looked @ Ok(Some(_)), _)) => (looked, None),
        Either::Left((looked, call)) => {
            let passes = match looked {
                Ok(_) => {
                    let _nobody_may_wait = passes.send(());
                    None
                }
                Err(_) => Some(passes),
            };
            let called = call.await;
            // Until here: without it a reader would see what nobody has looked at.
            drop(passes);
            (looked, Some(called))
        }
        Either::Right((called, look)) => (look.await, Some(called)),
    }
}
