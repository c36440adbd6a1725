//! What is the answer to a request? Decides everything; what it leaves are steps to be performed.

use std::fmt::Write;
use std::time::Duration;

use super::refuse::{crowded, limited, rate_headers, status};
use super::state::State;
use crate::mock_llm::api::answer::{Answer, upper_bound};
use crate::mock_llm::api::error::ApiError;
use crate::mock_llm::api::stream::Events;
use crate::mock_llm::api::{chat, embeddings, limits, models, plain};
use crate::mock_llm::fault::Fault;
use crate::mock_llm::script::{Says, Scripted};
use crate::mock_llm::stats::InFlight;
use crate::mock_llm::wire::head::{Head, Method, Route};
use crate::mock_llm::wire::plan::{self, Manner, ReplyHead};
use crate::mock_llm::wire::steps::Wire;

const JSON: &str = "application/json";

/// Memory that is used again by each exchange of a connection.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    headers: String,
    /// Whether the headers say what the body is.
    has_type: bool,
    body: Vec<u8>,
}

/// One request on its way to its reply.
struct Exchange<'s, 'w> {
    state: &'s State,
    head: &'w Head,
    wire: &'w mut Wire,
    scratch: &'w mut Scratch,
}

/// Answers a request: fills `wire` with the steps of its reply. What is returned is in flight until it is dropped.
pub(super) fn answer<'s>(
    state: &'s State,
    head: &Head,
    body: &[u8],
    wire: &mut Wire,
    scratch: &mut Scratch,
) -> Option<InFlight<'s>> {
    scratch.headers.clear();
    scratch.body.clear();
    scratch.has_type = false;
    Exchange { state, head, wire, scratch }.answer(body)
}

/// A reply to what cannot be understood as a request.
pub(super) fn refuse(error: &ApiError, wire: &mut Wire) {
    wire.clear(false);
    wire.status = Some(error.status);
    let head = ReplyHead { status: error.status, content_type: JSON, headers: "", is_old: false, is_bodiless: false };
    plan::plain(wire, head, &error.body(), Manner::default());
}

impl<'s> Exchange<'s, '_> {
    fn answer(&mut self, body: &[u8]) -> Option<InFlight<'s>> {
        self.wire.clear(self.head.keep);
        if !matches!(self.head.route, Route::Stats | Route::Reset | Route::Limits) {
            self.state.counters.requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        let mut in_flight = None;
        if let Err(error) = self.route(body, &mut in_flight) {
            self.scratch.body = error.body();
            self.whole(error.status, JSON, Manner::default());
        }
        in_flight
    }

    fn route(&mut self, body: &[u8], in_flight: &mut Option<InFlight<'s>>) -> Result<(), ApiError> {
        let config = &self.state.config;
        let is_ours = matches!(self.head.route, Route::Stats | Route::Reset | Route::Limits | Route::Unknown(_));
        if config.require_key && !is_ours && !self.head.has_key {
            let message = "You didn't provide an API key: send one as `Authorization: Bearer KEY`. Any key will do.";
            return Err(ApiError::invalid(401, message).coded("invalid_api_key"));
        }
        match (&self.head.route, self.head.method) {
            (Route::Chat, Method::Post) => {
                *in_flight = Some(self.enter()?);
                self.chat(body)
            }
            (Route::Embeddings, Method::Post) => {
                *in_flight = Some(self.enter()?);
                self.embeddings(body)
            }
            (Route::Models, Method::Get | Method::Head) => self.found(models::list(&config.models)),
            (Route::Model(name), Method::Get | Method::Head) => {
                let one = models::one(&config.models, name, config.strict_models)?;
                self.found(one)
            }
            (Route::Stats, Method::Get | Method::Head) => {
                // Numbers and names that are known: it cannot fail.
                let stats = serde_json::to_vec(&self.state.stats()).unwrap_or_default();
                self.sent(200, stats)
            }
            (Route::Reset, Method::Post) => {
                self.state.reset();
                self.sent(200, b"{\"reset\":true}".to_vec())
            }
            (Route::Limits, Method::Post) => {
                let limits = limits::decode(body, self.state.limits())?;
                self.state.set_limits(limits);
                // Numbers: it cannot fail.
                let limits = serde_json::to_vec(&limits).unwrap_or_default();
                self.sent(200, limits)
            }
            (Route::Unknown(path), _) => {
                let message = format!(
                    "Unknown request URL: {path}. There are /v1/chat/completions, /v1/embeddings, /v1/models, /stats, /reset and /limits."
                );
                Err(ApiError::invalid(404, message).coded("unknown_url"))
            }
            (route, _) => {
                let allowed = match route {
                    Route::Chat | Route::Embeddings | Route::Reset | Route::Limits => "POST",
                    _ => "GET, HEAD",
                };
                let _ = write!(self.scratch.headers, "allow: {allowed}\r\n");
                Err(ApiError::invalid(405, format!("This method is not allowed here; use {allowed}.")))
            }
        }
    }

    fn enter(&mut self) -> Result<InFlight<'s>, ApiError> {
        let most = self.state.max_in_flight();
        let entered = self.state.counters.enter(most);
        entered.ok_or_else(|| crowded(most.unwrap_or(u32::MAX), &mut self.scratch.headers))
    }

    fn chat(&mut self, body: &[u8]) -> Result<(), ApiError> {
        let (state, config) = (self.state, &self.state.config);
        let chat = chat::decode(body)?;
        models::known(&config.models, &chat.model, config.strict_models)?;
        let wanted = self.wanted_fault()?;
        self.admit(chat.prompt_tokens.saturating_add(upper_bound(&chat, config)))?;
        let number = state.number();
        let scripted = state.scripted(&chat.model, &chat.last_text);
        let manner = self.manner(number, wanted, scripted);
        if self.is_status(manner, scripted) {
            return Ok(());
        }
        let says = scripted.and_then(|scripted| scripted.says.as_ref());
        let answer = Answer::to(&chat, config, number, says, manner.fault)?;
        state.counters.tokens(chat.prompt_tokens, answer.content.tokens() * chat.choices);
        if !chat.is_stream {
            plain::write(&answer, &mut self.scratch.body);
            self.whole(200, JSON, manner);
            return Ok(());
        }
        let events = Events::of(&answer, chat.include_usage);
        self.count(200, manner.fault);
        let head = reply_head(self.head, 200, "text/event-stream; charset=utf-8", self.scratch);
        plan::stream(self.wire, head, &events, manner, |token| config.latency.of_token(config.seed, number, token));
        Ok(())
    }

    fn embeddings(&mut self, body: &[u8]) -> Result<(), ApiError> {
        let (state, config) = (self.state, &self.state.config);
        let request = embeddings::decode(body)?;
        models::known(&config.models, &request.model, config.strict_models)?;
        let wanted = self.wanted_fault()?;
        self.admit(request.tokens)?;
        let manner = self.manner(state.number(), wanted, None);
        if self.is_status(manner, None) {
            return Ok(());
        }
        state.counters.tokens(request.tokens, 0);
        self.scratch.body = embeddings::body(&request, manner.fault != Some(Fault::MissingUsage));
        self.whole(200, JSON, manner);
        Ok(())
    }

    /// What the header `x-mock-fault` asks for.
    fn wanted_fault(&self) -> Result<Option<Fault>, ApiError> {
        let parsed = self.head.fault.as_deref().map(str::parse::<Fault>).transpose();
        parsed.map_err(|error| ApiError::field("x-mock-fault", &error.to_string()))
    }

    fn admit(&mut self, tokens: u64) -> Result<(), ApiError> {
        let (rates, decision) = self.state.admit(tokens);
        rate_headers(&rates, &mut self.scratch.headers);
        decision.map_err(|refusal| limited(refusal, &rates, tokens, &mut self.scratch.headers))
    }

    /// The request's own wish goes before the script, the script before the rates.
    fn manner(&mut self, number: u64, wanted: Option<Fault>, scripted: Option<&Scripted>) -> Manner {
        let config = &self.state.config;
        let by_rate = || config.faults.choose(config.seed, number);
        for (name, value) in scripted.iter().flat_map(|scripted| &scripted.headers) {
            self.scratch.has_type |= name.eq_ignore_ascii_case("content-type");
            let _ = write!(self.scratch.headers, "{name}: {value}\r\n");
        }
        Manner {
            fault: wanted.or_else(|| scripted.and_then(|scripted| scripted.fault)).or_else(by_rate),
            delay: scripted
                .and_then(|scripted| scripted.delay)
                .unwrap_or_else(|| config.latency.of_reply(config.seed, number)),
            slow: config.slow_byte,
        }
    }

    /// Replies with a status that a fault or the script wants, if one does.
    fn is_status(&mut self, manner: Manner, scripted: Option<&Scripted>) -> bool {
        if let Some(error) = manner.fault.and_then(|fault| status(fault, &mut self.scratch.headers)) {
            self.scratch.body = error.body();
            self.whole(error.status, JSON, manner);
            return true;
        }
        let Some(Says::Status { status, body }) = scripted.and_then(|scripted| scripted.says.as_ref()) else {
            return false;
        };
        self.scratch.body.extend(body.as_bytes());
        self.whole(*status, JSON, manner);
        true
    }

    fn found(&mut self, body: Vec<u8>) -> Result<(), ApiError> {
        let manner = Manner { fault: self.wanted_fault()?, delay: Duration::ZERO, slow: self.state.config.slow_byte };
        if !self.is_status(manner, None) {
            self.scratch.body = body;
            self.whole(200, JSON, manner);
        }
        Ok(())
    }

    /// A reply about the mock itself: no fault, and it does not count.
    fn sent(&mut self, status: u16, body: Vec<u8>) -> Result<(), ApiError> {
        let head = reply_head(self.head, status, JSON, self.scratch);
        plan::plain(self.wire, head, &body, Manner::default());
        Ok(())
    }

    fn whole(&mut self, status: u16, content_type: &'static str, manner: Manner) {
        self.count(status, manner.fault);
        let head = reply_head(self.head, status, content_type, self.scratch);
        plan::plain(self.wire, head, &self.scratch.body, manner);
    }

    fn count(&mut self, status: u16, fault: Option<Fault>) {
        if let Some(fault) = fault {
            self.state.counters.fault(fault);
        }
        self.wire.status = Some(status);
    }
}

fn reply_head<'a>(head: &Head, status: u16, content_type: &'a str, scratch: &'a Scratch) -> ReplyHead<'a> {
    ReplyHead {
        status,
        content_type: if scratch.has_type { "" } else { content_type },
        headers: &scratch.headers,
        is_old: head.is_old,
        is_bodiless: head.method == Method::Head,
    }
}
