//! How does one of the crew ask its language model? Through the gateway, with less text when it is too much, with one repair,
//! and never longer than it may take.

use std::time::Duration;

use tokio::time::Instant;

use crate::chat::{ChatChunk, ChatReply, ChatRequest, Finish, ReplyForm};
use crate::error::{ModelError, Waiting};
use crate::gateway::{Budget, ChunkStream, Gateway};
use crate::research::model::{Unfit, about_tokens, repair};

/// The language model of a crew, and what it may use.
#[derive(Debug, Clone)]
pub struct CrewModel {
    /// The one door to it.
    pub gateway: Gateway,
    /// Its whole name, as the gateway knows it.
    pub name: String,
    /// What the run may spend.
    pub budget: Budget,
    /// How long a request may be, in tokens, roughly; longer evidence is reduced in steps. The default is 16,000.
    pub input_tokens: u64,
    /// How long a reply may be, in tokens. The default is 2,048.
    pub output_tokens: u32,
}

impl CrewModel {
    /// A model with the default lengths.
    pub fn new(gateway: Gateway, name: impl Into<String>, budget: Budget) -> Self {
        Self { gateway, name: name.into(), budget, input_tokens: 16_000, output_tokens: 2_048 }
    }
}

/// Why there is no usable reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::supervisor) enum Declined {
    /// The call did not work.
    Model(ModelError),
    /// The reply was no use, twice.
    Unfit(String),
    /// Nothing of the evidence is short enough for the model.
    TooLong,
}

impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Model(error) => write!(f, "{error}"),
            Self::Unfit(reason) => write!(f, "its reply could not be used, and neither could a second one: {reason}"),
            Self::TooLong => write!(f, "the text is too long for it, however little of it is shown"),
        }
    }
}

/// Who reads a reply while it is written.
pub(in crate::supervisor) struct Listener {
    /// How much of a growing text can be heard already.
    pub(in crate::supervisor) complete: fn(&str) -> usize,
    /// Gets the step and the next piece, each complete.
    pub(in crate::supervisor) hear: Box<dyn Fn(usize, &str) + Send + Sync>,
}

/// What is asked and how a reply is read; `step`, from 0, says how much less than everything is shown.
pub(in crate::supervisor) struct Question<A, R> {
    /// The request of a step; `None` after the last.
    pub(in crate::supervisor) ask: A,
    /// Reads the reply to the request of a step.
    pub(in crate::supervisor) read: R,
    /// How long all of it may take.
    pub(in crate::supervisor) within: Duration,
    /// Who reads the text while it is written.
    pub(in crate::supervisor) listener: Option<Listener>,
}

impl CrewModel {
    /// A usable reply: the first, or a second one after a repair.
    pub(in crate::supervisor) async fn consult<T>(
        &self,
        question: Question<impl Fn(usize) -> Option<ChatRequest>, impl Fn(usize, &str) -> Result<T, Unfit>>,
    ) -> Result<T, Declined> {
        let Question { ask, read, within, listener } = question;
        let until = Instant::now() + within;
        let (mut step, mut is_repaired) = (0, false);
        let mut next: Option<ChatRequest> = None;
        loop {
            let request = match next.take() {
                Some(request) => request,
                None => ask(step).ok_or(Declined::TooLong)?,
            };
            if !is_repaired && about_tokens(&request) > self.input_tokens {
                step += 1;
                continue;
            }
            match self.call(request.clone(), until, listener.as_ref().map(|listener| (listener, step))).await {
                Ok(reply) => match read(step, &reply.text).map_err(|unfit| told_of_its_length(unfit, &reply, &request))
                {
                    Ok(value) => return Ok(value),
                    Err(Unfit(reason)) if is_repaired => return Err(Declined::Unfit(reason)),
                    Err(unfit) => {
                        tracing::debug!(reason = unfit.0, "a reply is asked for again");
                        is_repaired = true;
                        next = Some(repair(&request, &reply.text, &unfit));
                    }
                },
                Err(ModelError::ContextTooLong(_)) => step += 1,
                // A server that knows no schemas refuses the request for one; the prompt asks for JSON as well.
                Err(ModelError::Rejected { .. }) if !is_repaired && request.form != ReplyForm::Text => {
                    is_repaired = true;
                    next = Some(ChatRequest { form: ReplyForm::Text, ..request });
                }
                Err(error) => return Err(Declined::Model(error)),
            }
        }
    }

    async fn call(
        &self,
        request: ChatRequest,
        until: Instant,
        listener: Option<(&Listener, usize)>,
    ) -> Result<ChatReply, ModelError> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ModelError::Timeout(Waiting::Total));
        }
        let call = self.gateway.call(&self.name, request).budget(&self.budget).within(left);
        let completed = match listener {
            None => call.send().await?,
            Some((listener, step)) => {
                let (call, pieces) = call.streamed();
                futures_util::future::join(call.send(), pass_on(pieces, listener, step)).await.0?
            }
        };
        Ok(completed.reply)
    }
}

/// A reply that was cut is no use for that reason, whatever else is wrong with it.
fn told_of_its_length(unfit: Unfit, reply: &ChatReply, request: &ChatRequest) -> Unfit {
    match reply.finish {
        Finish::Length => {
            let most = request.max_output_tokens;
            Unfit(format!("it was cut before its end, with {most} tokens allowed, and so {}", unfit.0))
        }
        _ => unfit,
    }
}

/// Hands on what was written, a complete piece at a time.
async fn pass_on(mut pieces: ChunkStream, listener: &Listener, step: usize) {
    let mut text = String::new();
    while let Some(piece) = pieces.next().await {
        let ChatChunk::Text(more) = piece else { continue };
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
