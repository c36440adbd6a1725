//! How does a program make one call, and what happens when it leaves?

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::{BoxFuture, TryFutureExt};
use tokio::time::Instant;

use super::admission::{Flow, Priority};
use super::budget::{Budget, Shortage};
use super::call::{Call, Home, Progress, Told};
use super::call_news::{CallNews, OnNews};
use super::chunks::{self, ChunkStream, Chunks};
use super::desk::{Desk, Inline};
use super::fallback::FallBack;
use super::leaf::LeafMessage;
use super::saving::{CacheMode, Key, WaiterId, stable_hash};
use super::sharing::{Saving, TooShort};
use super::values::{CallFailed, Completed, Source};
use super::{Gateway, refused};
use crate::chat::{ChatRequest, TokenUsage};
use crate::error::{AskError, ModelError, Waiting};
use crate::mailbox::{Ask, drop_contained};

/// One call, about to be made.
#[derive(Debug)]
#[must_use = "it is made by `send`"]
pub struct ChatCall<'a> {
    gateway: &'a Gateway,
    /// The number of its model, or the name that no model has.
    lane: Result<usize, String>,
    deadline: Duration,
    cache: Option<CacheMode>,
    wish: Wish,
}

/// What is wanted, as it is said before the call is made.
#[derive(Debug)]
struct Wish {
    others: Vec<usize>,
    fails_fast: bool,
    is_polled: bool,
    on_news: Option<OnNews>,
    flow: Flow,
    request: Arc<ChatRequest>,
    budget: Option<Budget>,
    chunks: Option<Chunks>,
}

impl<'a> ChatCall<'a> {
    pub(super) fn new(gateway: &'a Gateway, lane: Result<usize, String>, request: Arc<ChatRequest>) -> Self {
        let deadline = gateway.desk.deadline();
        let wish = Wish {
            others: Vec::new(),
            fails_fast: false,
            is_polled: false,
            on_news: None,
            flow: Flow::default(),
            request,
            budget: None,
            chunks: None,
        };
        Self { gateway, lane, deadline, cache: None, wish }
    }

    /// The call must be over by then, waiting and retries included; at most the gateway's own deadline.
    pub fn within(mut self, deadline: Duration) -> Self {
        self.deadline = self.deadline.min(deadline);
        self
    }

    /// What it uses is taken from this budget.
    pub fn budget(mut self, budget: &Budget) -> Self {
        self.wish.budget = Some(budget.clone());
        self
    }

    /// This model makes the call when those before it cannot: after their retries, behind an open circuit breaker, when their
    /// key, their address or their room for text is at fault. Never when a reader has begun to read, and never when the call
    /// itself is refused. The models share the time of the call: of two the first has half of what is left, of three a third, and what
    /// it does not take is theirs. [`Completed::model`] says who answered. May be said several times.
    pub fn or(mut self, model: &str) -> Self {
        match self.gateway.lane(model) {
            Ok(lane) => self.wish.others.push(lane),
            Err(unknown) => self.lane = Err(unknown),
        }
        self
    }

    /// Is told when the call turns to a [next](Self::or) model: before that one is asked, once for each, whatever becomes of the
    /// call. A call that shares the attempt of an identical one is told when that is over. It may be called on any thread and
    /// should be brief; a panic of it is logged and ends nothing.
    pub fn on_fall_back(self, on_fall_back: impl Fn(&FallBack) + Send + Sync + 'static) -> Self {
        self.on_news(move |news| {
            if let CallNews::FellBack(fell_back, _) = news {
                on_fall_back(fell_back);
            }
        })
    }

    /// The same for all that is told of a call on its way.
    pub(crate) fn on_news(mut self, on_news: impl Fn(&CallNews) + Send + Sync + 'static) -> Self {
        self.wish.on_news = Some(OnNews::new(on_news));
        self
    }

    /// Its caller has something else to do than to wait, such as rules that decide instead. Behind an open breaker of a model that
    /// fails it waits for the first try only, as everybody does where nobody is there; and for a pause that a provider asks for only as
    /// long as its [patience](super::fallback::patience) lasts.
    pub(crate) fn fail_fast(mut self) -> Self {
        self.wish.fails_fast = true;
        self
    }

    /// How soon it matters, among the calls of its run.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.wish.flow.class = priority;
        self
    }

    /// What it does with kept replies, and whether an identical call (with the same next models) that is being made will do for it;
    /// otherwise as the model's
    /// [`CachePolicy`](super::CachePolicy) says. With next models, a call that has less time than the one that is made is made for itself.
    pub fn cache(mut self, mode: CacheMode) -> Self {
        self.cache = Some(mode);
        self
    }

    /// The run that it belongs to. The runs of a user take turns, so that one with many calls does not keep the others
    /// waiting. Calls that do not say belong to one run.
    pub fn run(mut self, run: &str) -> Self {
        self.wish.flow.run = stable_hash(run.as_bytes());
        self
    }

    /// The user on whose behalf it is made. Users take turns, whatever many runs each of them has. Calls that do not say belong to
    /// one user.
    pub fn user(mut self, user: &str) -> Self {
        self.wish.flow.user = stable_hash(user.as_bytes());
        self
    }

    /// Its pieces are to be read as they come. Read them beside the call: the provider waits for their reader.
    pub fn streamed(mut self) -> (Self, ChunkStream) {
        let (chunks, stream) = chunks::chunks();
        self.wish.chunks = Some(chunks);
        (self, stream)
    }

    /// Its future is polled until it ends or is dropped, whatever else its caller does: a first attempt that may start at once is made
    /// by that future, and needs no task of its own. One that others may share, or that is read as it comes, has a task all the same.
    pub(crate) fn polled(mut self) -> Self {
        self.wish.is_polled = true;
        self
    }

    /// Makes the call, before the future is first polled; only a model with a [store](super::ServedModel::store) is asked after the
    /// store was. Dropping the future leaves it: it is not made any more, or its connection is closed.
    ///
    /// # Errors
    /// [`ModelError`] says what the caller can do about it.
    pub fn send(self) -> impl Future<Output = Result<Completed, ModelError>> + Send + use<> {
        self.send_timed().map_err(|failed| failed.error)
    }

    /// The same for who wants to know where the time of a call went that failed.
    pub(crate) fn send_timed(self) -> impl Future<Output = Result<Completed, CallFailed>> + Send + use<> {
        let Self { gateway, lane, deadline, cache, wish } = self;
        let (desk, began) = (gateway.desk.clone(), Instant::now());
        let draft = lane.map_err(|name| gateway.unknown(&name)).and_then(|lane| {
            wish.request.validate()?;
            let mode = cache.unwrap_or(desk.models()[lane].cache.mode);
            let saving = saving(&desk, lane, mode, &wish.request);
            let deadline = began + deadline;
            Ok(Draft { lane, deadline, saving, wish })
        });
        match draft {
            Err(error) => Sending::Refused(Some(error.into())),
            Ok(draft) if draft.reads() && desk.models()[draft.lane].store.is_some() => {
                Sending::Beside(Box::pin(after_the_store(draft, desk, began)))
            }
            Ok(draft) if draft.shares() => Sending::Beside(Box::pin(until_its_deadline(draft, &desk, began))),
            Ok(draft) => Sending::Asked { replayed: draft.replayed(), answer: draft.make(&desk, began), began },
        }
    }
}

/// How long after his deadline a caller who may lead a flight waits for the gateway to say that it has passed.
const MOMENT: Duration = Duration::from_millis(5);

/// A call that others may follow; it comes to the desk at once. At its deadline its attempt goes on for them, and who leads them leaves.
fn until_its_deadline(
    draft: Draft,
    desk: &Arc<Desk>,
    began: Instant,
) -> impl Future<Output = Result<Completed, CallFailed>> + Send + use<> {
    let late = desk.shared().sleep(draft.deadline.saturating_duration_since(Instant::now()) + MOMENT);
    let (waiter, lane, here) = (draft.saving.as_ref().map(|saving| saving.waiter), draft.lane, desk.clone());
    // Here and not where it is told: by then the call has been dropped, and has left as any other.
    let late = async move {
        late.await;
        waiter.into_iter().for_each(|waiter| here.leave_late(waiter, lane));
    };
    let asked = Sending::Asked { replayed: draft.replayed(), answer: draft.make(desk, began), began };
    async move {
        tokio::select! {
            biased;
            answered = asked => answered,
            () = late => Err(CallFailed::new(ModelError::Timeout(Waiting::Total), None)),
        }
    }
}

/// The wait for a call, of which there are many: most of them hold no more than a question. What few of them do is in a box.
enum Sending {
    /// There is no such model, or no model takes such a request.
    Refused(Option<CallFailed>),
    Asked {
        answer: Answer,
        /// Where the pieces of a kept reply go.
        replayed: Option<Chunks>,
        began: Instant,
    },
    Beside(BoxFuture<'static, Result<Completed, CallFailed>>),
}

impl Future for Sending {
    type Output = Result<Completed, CallFailed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut *self {
                Self::Refused(error) => return error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error))),
                Self::Beside(beside) => return beside.as_mut().poll(cx),
                Self::Asked { answer, replayed, began } => {
                    let answered = ready!(Pin::new(answer).poll(cx));
                    let replayed = replayed.take();
                    let total = began.elapsed();
                    let completed = answered.map_err(|failed| failed.seen_after(total))?.seen_after(total);
                    let Some(chunks) = replayed.filter(|_| completed.source != Source::Model) else {
                        return Poll::Ready(Ok(completed));
                    };
                    *self = Self::Beside(Box::pin(async move {
                        replay(&chunks, &completed).await;
                        Ok(completed)
                    }));
                }
            }
        }
    }
}

/// The same for a model with a store, which is asked first.
async fn after_the_store(draft: Draft, desk: Arc<Desk>, began: Instant) -> Result<Completed, CallFailed> {
    if let Some(kept) = draft.kept(&desk).await {
        if let Some(chunks) = &draft.wish.chunks {
            replay(chunks, &kept).await;
        }
        return Ok(kept.seen_after(began.elapsed()));
    }
    if draft.shares() {
        return until_its_deadline(draft, &desk, began).await;
    }
    let (replayed, answer) = (draft.replayed(), draft.make(&desk, began));
    Sending::Asked { answer, replayed, began }.await
}

/// A call that is about to come to the desk.
struct Draft {
    lane: usize,
    deadline: Instant,
    saving: Option<Box<Saving>>,
    wish: Wish,
}

impl Draft {
    fn reads(&self) -> bool {
        self.saving.as_ref().is_some_and(|saving| saving.mode.reads())
    }

    /// Whether others may take its answer.
    fn shares(&self) -> bool {
        self.wish.chunks.is_none() && self.saving.as_ref().is_some_and(|saving| saving.mode.shares())
    }

    /// Where the pieces of a kept reply go.
    fn replayed(&self) -> Option<Chunks> {
        self.wish.chunks.clone().filter(|_| self.reads())
    }

    /// The kept reply, in memory or in the store.
    async fn kept(&self, desk: &Arc<Desk>) -> Option<Completed> {
        let key = self.saving.as_ref()?.key.clone();
        match desk.kept(self.lane, &key) {
            Some(kept) => Some(kept),
            None => desk.stored(self.lane, key, self.deadline).await,
        }
    }

    fn make(self, desk: &Arc<Desk>, began: Instant) -> Answer {
        let Self { lane, deadline, saving, wish } = self;
        let Wish { others, fails_fast, is_polled, on_news, flow, request, budget, chunks } = wish;
        let is_polled = is_polled && saving.is_none() && chunks.is_none();
        let times = Progress {
            lined_up: began,
            queued: Duration::ZERO,
            provider: Duration::ZERO,
            attempts: 0,
            without_usage: 0,
            failed_usage: TokenUsage::default(),
        };
        let (most, tries) = (request.most_tokens(), 0);
        let home = desk.shared().home().map(|home| if is_polled { Home::Caller } else { Home::Runtime(home) });
        let (waiter, is_at_home) = (saving.as_ref().map(|saving| saving.waiter), home.is_some());
        let call = |reply| {
            Box::new(Call {
                number: 0,
                lane,
                others,
                fails_fast,
                on_news,
                is_held: false,
                tries,
                flow,
                request,
                most,
                deadline,
                until: deadline,
                budget,
                chunks,
                saving,
                home,
                reply,
                times,
            })
        };
        // The gateway keeps the deadline itself and says so; this one is for a gateway that does not answer.
        let within = deadline.saturating_duration_since(began) + Duration::from_secs(1);
        let mut attempt = None;
        let ask = match is_at_home {
            true => desk.agent().ask_beside(within, |reply| attempt = desk.arrive(call(reply), None)),
            false => desk.nearest().ask(within, |reply| LeafMessage::Complete(call(reply))),
        };
        Answer { ask: Some(ask), attempt, is_at_home, waiter, desk: desk.clone() }
    }
}

fn saving(desk: &Desk, lane: usize, mode: CacheMode, request: &ChatRequest) -> Option<Box<Saving>> {
    if mode == CacheMode::Off {
        return None;
    }
    let key = Key::of(&desk.models()[lane].name, request)?;
    Some(Box::new(Saving {
        key,
        mode,
        lane,
        waiter: desk.next_waiter(),
        flight: None,
        fell_back: Vec::new(),
        too_short: TooShort::default(),
    }))
}

/// A reader who wants the reply in pieces gets the kept one so.
async fn replay(chunks: &Chunks, completed: &Completed) {
    for piece in completed.reply.chunks() {
        if !chunks.send(piece).await {
            return;
        }
    }
}

/// The wait for the answer. Dropped before, it tells the gateway, so that whoever stands behind in line moves up at once.
struct Answer {
    ask: Option<Ask<Told>>,
    /// An attempt that the caller makes.
    attempt: Option<Inline>,
    is_at_home: bool,
    /// The number of a caller who may lead or follow a flight.
    waiter: Option<WaiterId>,
    desk: Arc<Desk>,
}

impl Future for Answer {
    type Output = Result<Completed, CallFailed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(attempt) = &mut self.attempt {
            ready!(attempt.as_mut().poll(cx));
            self.attempt = None;
        }
        let Some(ask) = &mut self.ask else { return Poll::Pending };
        let answer = ready!(Pin::new(ask).poll(cx));
        self.ask = None;
        Poll::Ready(match answer {
            Ok(told) => match told.outcome {
                Some((call, answer)) => answer.map_err(|error| failed(&self.desk, &call, error)),
                None => Err(CallFailed::new(refused(AskError::Unanswered), None)),
            },
            // At the door nothing was begun; of any other end nobody knows how far it had come.
            Err(AskError::Overloaded) => Err(refused(AskError::Overloaded).into()),
            Err(error) => Err(CallFailed::new(refused(error), None)),
        })
    }
}

fn failed(desk: &Desk, call: &Call, error: ModelError) -> CallFailed {
    let short = match (&error, &call.budget) {
        (ModelError::BudgetExhausted(_), Some(budget)) => {
            let model = &desk.models()[call.lane];
            Some(Box::new(Shortage::new(budget, &model.name, call.most, model.price)))
        }
        _ => None,
    };
    CallFailed { short, ..CallFailed::new(error, Some(call.times.into())) }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // Its place comes back before anybody looks who is next.
        drop_contained(self.attempt.take());
        if self.ask.take().is_none() {
            return;
        }
        if let Some(waiter) = self.waiter {
            return self.desk.leave(waiter);
        }
        match self.is_at_home {
            true => self.desk.look(None),
            // A gateway with a full mailbox looks at its line soon, and one that is gone has none.
            false => drop(self.desk.agent().tell(LeafMessage::Look)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Turn;
    use crate::gateway::slow::Slow;
    use crate::gateway::{GatewayLimits, ServedModel};
    use crate::runtime::simulated;

    #[test]
    fn who_gives_up_sooner_shares_no_attempt_with_who_does_not() {
        simulated(1, |runtime| async move {
            let served = ServedModel::new("slow/model", Arc::new(Slow));
            let gateway = Gateway::start(&runtime, vec![served], GatewayLimits::default()).unwrap();
            let request = Arc::new(ChatRequest::new(vec![Turn::user("x")], 9));
            let call = || gateway.call("slow/model", request.clone()).cache(CacheMode::On);
            let (first, second, fast) = (call().send(), call().send(), call().fail_fast().send());
            let answers = futures_util::join!(first, second, fast);
            assert!(answers.0.is_ok() && answers.1.is_ok() && answers.2.is_ok());
            assert_eq!(gateway.info().await.unwrap().models[0].attempts, 2);
        });
    }
}
