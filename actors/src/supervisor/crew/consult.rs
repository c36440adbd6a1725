//! How does one of the crew ask its language model, and the next ones of its list? Through the gateway, with less text when it is too much,
//! with one repair, and never longer than it may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::Instant;

use super::Made;
use super::asked::{Asked, NoUse, Turns};
use super::caller::Caller;
use super::declined::{Declined, unfit_once};
use super::silence::Silence;
use crate::chat::{ChatChunk, ChatReply, ChatRequest, Finish, ReplyForm};
use crate::error::{ModelError, StartError, Waiting};
use crate::gateway::{Budget, CallFailed, CallNews, ChunkStream, Completed, Gateway, Priority};
use crate::research::model::{Unfit, about_tokens, repair};
use crate::text::count;

/// The language model of a crew, and what it may use.
#[derive(Debug, Clone)]
pub struct CrewModel {
    /// The one door to it.
    pub gateway: Gateway,
    /// Its whole name, as the gateway knows it.
    pub name: String,
    /// The names of the models that are asked, in this order, when those before cannot answer.
    pub fallbacks: Vec<String>,
    /// What the run may spend.
    pub budget: Budget,
    /// How long a request may be, in tokens, roughly, at least 1; longer evidence is reduced in steps. The default is 16,000.
    pub input_tokens: u64,
    /// How long a reply may be, in tokens: at least 1. The default is 2,048; a model that thinks first needs more.
    pub output_tokens: u32,
    /// The run whose calls it makes; the gateway lets runs take turns.
    run: Option<Arc<str>>,
    /// The user whose run it is; users take turns before that.
    user: Option<Arc<str>>,
    /// Its server refuses requests for JSON by a schema.
    knows_no_schemas: Arc<AtomicBool>,
    /// Which of its models answer in a run.
    silence: Arc<Silence>,
}

impl CrewModel {
    /// A model with the default lengths, without another one.
    pub fn new(gateway: Gateway, name: impl Into<String>, budget: Budget) -> Self {
        Self {
            gateway,
            name: name.into(),
            fallbacks: Vec::new(),
            budget,
            input_tokens: 16_000,
            output_tokens: 2_048,
            run: None,
            user: None,
            knows_no_schemas: Arc::default(),
            silence: Arc::default(),
        }
    }

    /// Checks every rule.
    ///
    /// # Errors
    /// [`StartError::Invalid`] names the value and its range.
    pub fn validate(&self) -> Result<(), StartError> {
        let lengths = [("input_tokens", self.input_tokens), ("output_tokens", self.output_tokens.into())];
        match lengths.iter().find(|(_, tokens)| *tokens == 0) {
            None => Ok(()),
            Some((what, _)) => Err(StartError::Invalid(format!("{what} is 0; it must be at least 1"))),
        }
    }

    /// The same model for the calls of this run, and what its roles know of its silence.
    pub(super) fn of_run(&self, run: &Arc<str>, user: Option<Arc<str>>, silence: Arc<Silence>) -> Self {
        Self { run: Some(run.clone()), user, silence, ..self.clone() }
    }

    /// The same model for one question outside of a run.
    pub(super) fn alone(self) -> Self {
        Self { silence: Arc::default(), ..self }
    }

    /// Its whole name, and those of the next ones.
    fn names(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.name).chain(&self.fallbacks)
    }

    /// Those that a call may ask, from this one of the list on: each but those that are no use any more, of which that is noted.
    fn answering(&self, from: usize, asked: &mut Asked) -> Vec<String> {
        let mut answering = Vec::new();
        for name in self.names().skip(from) {
            match self.silence.is_certain(name) {
                Some(declined) => asked.note(name, declined.to_string()),
                None => answering.push(name.clone()),
            }
        }
        answering
    }
}

/// Takes a step and the next complete piece of the text.
pub(in crate::supervisor) type Hear = Box<dyn Fn(usize, &str) + Send + Sync>;

/// Who reads a reply while it is written.
pub(in crate::supervisor) struct Listener {
    /// How much of a growing text can be heard already.
    pub(in crate::supervisor) complete: fn(&str) -> usize,
    pub(in crate::supervisor) hear: Hear,
}

/// What is asked and how a reply is read; `step`, from 0, says how much less than everything is shown.
pub(in crate::supervisor) struct Question<A, R> {
    /// The request of a step; `None` after the last.
    pub(in crate::supervisor) ask: A,
    /// Reads the reply to the request of a step.
    pub(in crate::supervisor) read: R,
    /// How long all of it may take.
    pub(in crate::supervisor) within: Duration,
    /// How soon it matters to the run.
    pub(in crate::supervisor) priority: Priority,
    /// Who reads the text while it is written.
    pub(in crate::supervisor) listener: Option<Listener>,
    /// Who asks.
    pub(in crate::supervisor) caller: Caller,
}

/// No more of a reply is read, heard or sent back, in bytes.
const MAX_REPLY: usize = 64 * 1024;

/// How long the last pieces of a reply may take that is complete.
const MOMENT: Duration = Duration::from_millis(100);

impl CrewModel {
    /// What was read of a usable reply, and which model gave it: the first, or a second one after a repair.
    pub(in crate::supervisor) async fn consult<T>(
        &self,
        question: Question<impl Fn(usize) -> Option<ChatRequest>, impl Fn(usize, &str) -> Result<T, Unfit>>,
    ) -> Result<Made<T>, NoUse> {
        let mut asked = Asked::of(self.names().cloned());
        match self.ask(question, &mut asked).await {
            Ok(made) => Ok(made),
            Err(declined) => Err(asked.no_use(declined)),
        }
    }

    async fn ask<T>(
        &self,
        question: Question<impl Fn(usize) -> Option<ChatRequest>, impl Fn(usize, &str) -> Result<T, Unfit>>,
        asked: &mut Asked,
    ) -> Result<Made<T>, Declined> {
        let Question { ask, read, within, priority, listener, caller } = question;
        let until = Instant::now().checked_add(within).unwrap_or_else(|| Instant::now() + A_DAY);
        let (mut step, mut was_answered, mut repaired) = (0, false, None);
        // Whoever before this one in the list has let the question wait need not do so once more.
        let mut from = 0;
        // The refusal of a budget that no step got around.
        let mut too_dear = None;
        loop {
            let models = self.answering(from, asked);
            if models.is_empty() {
                return Err(Declined::Silent);
            }
            let request = match repaired.clone() {
                Some((request, _)) => request,
                None => ask(step).ok_or_else(|| too_dear.take().unwrap_or(Declined::TooLong))?,
            };
            if repaired.is_none() && about_tokens(&request) > self.input_tokens {
                step += 1;
                continue;
            }
            let request = if self.knows_no_schemas.load(Ordering::Relaxed) { plain(request) } else { request };
            let settled = self.budget.settled();
            let turns = Turns::begin(models, until, self.silence.clone());
            let heard = listener.as_ref().map(|heard| (heard, step));
            let failed = match self.call(request.clone(), (until, &turns), priority, &caller, heard).await {
                Ok(completed) => {
                    turns.end(None, asked);
                    self.silence.answered(&completed.model);
                    caller.answered(&completed);
                    let model = completed.model;
                    let is_text = listener.as_ref().map(|listener| listener.complete);
                    let (reply, cut_at) = clipped(completed.reply, is_text, &request);
                    match read(step, &reply.text).map_err(|unfit| told_of_its_length(unfit, &reply, &request)) {
                        Ok(value) => return Ok(Made::by_model(value, model, &self.name, cut_at)),
                        Err(Unfit(reason)) => {
                            let declined = Declined::Unfit(reason.clone());
                            match &repaired {
                                Some((_, before)) if *before == model => asked.note(&model, declined.to_string()),
                                _ => asked.note(&model, unfit_once(&reason)),
                            }
                            if repaired.is_some() {
                                return Err(declined);
                            }
                            tracing::debug!(reason, "a reply is asked for again");
                            was_answered = true;
                            from = self.place_of(&model);
                            repaired = Some((repair(&request, &reply.text, &Unfit(reason)), model));
                            continue;
                        }
                    }
                }
                Err(failed) => failed,
            };
            let model = turns.current();
            // What others reserved may come back; what is set aside for a part is not waited for.
            let is_worth_waiting =
                matches!(failed.error, ModelError::BudgetExhausted(_)) && self.budget.spent().open > 0;
            if is_worth_waiting && tokio::time::timeout_at(until, settled).await.is_ok() {
                turns.end(None, asked);
                continue;
            }
            turns.end(Some(&failed.error), asked);
            caller.failed(&model, &failed);
            let error = failed.error;
            match error {
                ModelError::ContextTooLong(_) if repaired.is_none() => step += 1,
                // The prompt asks for JSON as well.
                ModelError::Rejected { status: 400 | 422, .. } if request.form != ReplyForm::Text => {
                    self.knows_no_schemas.store(true, Ordering::Relaxed);
                    from = self.place_of(&model);
                }
                // Less text costs less.
                ModelError::BudgetExhausted(_) if repaired.is_none() && !is_worth_waiting => {
                    step += 1;
                    too_dear = Some(Declined::Model { error, was_answered });
                }
                error => return Err(Declined::Model { error, was_answered }),
            }
        }
    }

    /// Where in the list this one stands.
    fn place_of(&self, model: &str) -> usize {
        self.names().position(|name| name == model).unwrap_or_default()
    }

    async fn call(
        &self,
        request: ChatRequest,
        (until, turns): (Instant, &Turns),
        priority: Priority,
        caller: &Caller,
        listener: Option<(&Listener, usize)>,
    ) -> Result<Completed, CallFailed> {
        let left = until.saturating_duration_since(Instant::now());
        let models = turns.models();
        let Some((first, others)) = models.split_first().filter(|_| !left.is_zero()) else {
            return Err(ModelError::Timeout(Waiting::Total).into());
        };
        let call = self.gateway.call(first, request).budget(&self.budget);
        // The rules go on at once, rather than that a run waits behind an open breaker for most of its time.
        let mut call = call.within(left).priority(priority).fail_fast();
        call = others.iter().fold(call, |call, other| call.or(other));
        let (turns, caller) = (turns.clone(), caller.clone());
        call = call.on_news(move |news| {
            if let CallNews::FellBack(fell_back, error) = news {
                turns.fell_back(fell_back, error);
            }
            caller.hears(news);
        });
        if let Some(run) = &self.run {
            call = call.run(run);
        }
        if let Some(user) = &self.user {
            call = call.user(user);
        }
        match listener {
            None => call.send_timed().await,
            Some((listener, step)) => {
                let (call, pieces) = call.streamed();
                let hearing = std::pin::pin!(pass_on(pieces, listener, step));
                match select(std::pin::pin!(call.send_timed()), hearing).await {
                    // The reply is complete: nobody waits long for the end of its pieces.
                    Either::Left((completed, hearing)) => {
                        let _in_time = tokio::time::timeout(MOMENT, hearing).await;
                        completed
                    }
                    Either::Right(((), completing)) => completing.await,
                }
            }
        }
    }
}

/// The longest time for one question, where a longer one cannot be told.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// What is read of a reply, and where it was cut, if it was. Of a text that was cut the whole sentences are left, as `complete` knows them;
/// of anything else whoever reads it sees whether it is whole.
fn clipped(
    mut reply: ChatReply,
    complete: Option<fn(&str) -> usize>,
    request: &ChatRequest,
) -> (ChatReply, Option<String>) {
    let cut_at = if reply.text.len() > MAX_REPLY {
        Some("64 KiB, of which no more is read".to_owned())
    } else if reply.finish == Finish::Length {
        let used = reply.usage.map_or(0, |usage| usage.output);
        Some(match used {
            0 => format!("its limit, with {} allowed", count(request.max_output_tokens, "token")),
            _ => count(used, "token"),
        })
    } else {
        None
    };
    reply.text.truncate(reply.text.floor_char_boundary(MAX_REPLY));
    let cut_at = cut_at.filter(|_| complete.is_some());
    if let (Some(complete), Some(_)) = (complete, &cut_at) {
        // A number at the very end is whole when its bracket is closed.
        let whole = complete(&format!("{}.", reply.text)).min(reply.text.len());
        reply.text.truncate(whole);
    }
    (reply, cut_at)
}

fn plain(request: ChatRequest) -> ChatRequest {
    ChatRequest { form: ReplyForm::Text, ..request }
}

/// A reply that was cut is no use for that reason, whatever else is wrong with it.
fn told_of_its_length(unfit: Unfit, reply: &ChatReply, request: &ChatRequest) -> Unfit {
    match reply.finish {
        Finish::Length => {
            let most = request.max_output_tokens;
            Unfit(format!("it was cut before its end, with {} allowed, and so {}", count(most, "token"), unfit.0))
        }
        _ => unfit,
    }
}

/// Hands on what was written, a complete piece at a time.
async fn pass_on(mut pieces: ChunkStream, listener: &Listener, step: usize) {
    let (mut text, mut heard) = (String::new(), 0);
    while let Some(piece) = pieces.next().await {
        let ChatChunk::Text(more) = piece else { continue };
        heard += more.len();
        if heard > MAX_REPLY {
            continue;
        }
        text.push_str(&more);
        let complete = (listener.complete)(&text);
        if complete > 0 {
            (listener.hear)(step, &text[..complete]);
            text.drain(..complete);
        }
    }
    if !text.is_empty() {
        (listener.hear)(step, &text);
    }
}
