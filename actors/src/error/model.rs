//! Why did a model call not work?

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::chat::TokenUsage;

/// What was waited for when the time was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Waiting {
    /// A place in the gateway.
    Queue,
    /// A connection to the provider.
    Connection,
    /// The first token, or the reply's head.
    FirstToken,
    /// The next token, or the next bytes.
    NextToken,
    /// The end of the call.
    Total,
}

impl Waiting {
    fn words(self) -> &'static str {
        match self {
            Self::Queue => "a place in the gateway's queue",
            Self::Connection => "a connection",
            Self::FirstToken => "the first token",
            Self::NextToken => "the next token",
            Self::Total => "the end of the reply",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Queue => "try again later, or allow more time, or more calls at once",
            Self::Connection => {
                "see whether the server can be reached from here, and whether the address is right; then try again"
            }
            Self::FirstToken => "try again later, or allow more time to the first token",
            Self::NextToken => "try again later, or allow more time between tokens",
            Self::Total => "try again later, or allow more time, or a shorter reply",
        }
    }
}

/// What a provider's 429 is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limited {
    /// Requests or tokens in a time, of whoever has this key: all models that are called with it wait. What says no more is taken
    /// for this one.
    Rate,
    /// Requests or tokens in a time, of this model: everybody who calls it waits. Other models with the same key go on.
    ModelRate,
    /// Calls at the same time: only this one is meant.
    Concurrency,
}

impl Limited {
    /// Whether it is about requests or tokens in a time.
    pub fn is_rate(self) -> bool {
        matches!(self, Self::Rate | Self::ModelRate)
    }
}

/// `1.5 s`, a tenth up, so that nobody comes back too early.
pub(crate) fn in_seconds(time: Duration) -> String {
    let tenths = time.as_millis().div_ceil(100);
    match (tenths / 10, tenths % 10) {
        (seconds, 0) => format!("{seconds} s"),
        (seconds, tenth) => format!("{seconds}.{tenth} s"),
    }
}

/// When to come back.
fn later(wait: Option<Duration>) -> String {
    wait.filter(|wait| !wait.is_zero()).map_or_else(|| "later".to_owned(), |wait| format!("in {}", in_seconds(wait)))
}

/// What a provider said, if it said anything.
fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// Whether a refusal of an account is about its money, and not about its key.
fn is_about_money(status: u16) -> bool {
    matches!(status, 402 | 429)
}

/// Why an account is not let in.
fn let_in(status: u16) -> &'static str {
    match status {
        PROXY => "the proxy wants a name and a password, or others",
        status if is_about_money(status) => "the provider's account has no money left",
        _ => "the provider does not accept the key",
    }
}

/// The status of a proxy that wants to know who it is.
const PROXY: u16 = 407;

/// In what a budget of tokens says when it is exhausted, and in what a budget of money says of a model without a price.
pub(crate) const TOKENS_LEFT: &str = "tokens left";
pub(crate) const NO_PRICE: &str = "nobody knows what";
/// And in what both say when others hold some of it.
pub(crate) const SET_ASIDE: &str = "set aside for others";

/// A model call did not work. What is shown says what happened; [`ModelError::hint`] says what to do.
#[derive(Error, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelError {
    /// The gateway's queue is full, or the call cannot make its deadline behind those that wait, or for a rate, one that is configured or one that was found.
    #[error("there is no room for another model call in time: too many wait, or a rate is used up")]
    Overloaded {
        /// How long to wait before the next try: a second, until the gateway knows better.
        retry_after: Duration,
    },
    /// The model's circuit breaker is open, and the call does not wait until it is tried again: that is too late for the call, or
    /// nobody can be reached there. It was not made.
    #[error("the model's circuit breaker is open for another {}; what failed last: {last}", in_seconds(*retry_after))]
    BreakerOpen {
        /// When one call may try it again.
        retry_after: Duration,
        /// What failed last, maybe for another caller: without the provider's words.
        last: Box<Self>,
    },
    /// The provider has said that its limit is reached, of the model or of its key, and everybody waits for longer than this call can: as
    /// long as the provider asks, but 5 minutes at most. It was not made.
    #[error("all calls wait for another {}, as the provider asked to wait when it refused a call of {refused_model}", in_seconds(*retry_after))]
    Paused {
        /// When it may be called again.
        retry_after: Duration,
        /// The whole name of the model whose call was refused: this one, or another one with its key.
        refused_model: Arc<str>,
    },
    /// A time-out passed, queued or in flight.
    #[error("the time for {} is over", .0.words())]
    Timeout(Waiting),
    /// The gateway has stopped.
    #[error("the gateway has stopped")]
    Stopped,
    /// The run has no tokens or no money left for this call; it was not made.
    #[error("{0}")]
    BudgetExhausted(String),
    /// The key is missing, wrong or not allowed to do this, or its account has no money left.
    #[error("{} ({status}): {message}", let_in(*status))]
    Unauthorized {
        /// 401 or 403 of the key, 402 or 429 of the money, 407 of the proxy in between.
        status: u16,
        /// The provider's words, and the variable of the key; the proxy, and the variable that names it.
        message: String,
    },
    /// There is no such model, or no such address, or it has moved.
    #[error("no such model or address: {0}")]
    NotFound(String),
    /// The request is not what the provider takes, or what any of them takes: then the gateway says so, and nothing was sent.
    #[error("the request is rejected ({status}): {message}")]
    Rejected {
        /// 400, 422 or another code that the caller is to blame for.
        status: u16,
        /// The provider's words, or the gateway's.
        message: String,
    },
    /// More text than the model takes.
    #[error("the text is too long for the model: {0}")]
    ContextTooLong(String),
    /// The provider or the model will not answer this.
    #[error("the model refused the content: {0}")]
    ContentRefused(String),
    /// The provider's limit is reached.
    #[error("the provider's limit is reached (429){}", said(message))]
    RateLimited {
        /// What it is about.
        limited: Limited,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// The provider's words.
        message: String,
    },
    /// The provider fails or is overloaded.
    #[error("the provider is not available ({status}){}", said(message))]
    Unavailable {
        /// 500 and above.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// The provider's words.
        message: String,
    },
    /// No connection, or it ended before a reply.
    #[error("{message}")]
    Network {
        /// Whether the request may have reached the provider, and used something.
        sent: bool,
        /// What was tried, and what happened.
        message: String,
    },
    /// Whoever answers cannot show that it is the provider: its certificate is not accepted. Nothing was sent to it.
    #[error("no connection that can be trusted: {0}")]
    Untrusted(String),
    /// What came back is not what the provider's protocol says.
    #[error("the provider's reply cannot be read{}", said(.0))]
    Malformed(String),
    /// The reply ended before its end.
    #[error("the reply broke off after {received} bytes of text{}", said(message))]
    Broken {
        /// How much text had come.
        received: usize,
        /// What happened.
        message: String,
    },
    /// A call that did not work after its model had worked. For a [`ChatModel`](crate::ports::ChatModel) to say; the gateway counts the usage
    /// and hands on the error alone.
    #[error("{error}")]
    WithUsage {
        /// What went wrong.
        error: Box<Self>,
        /// What the provider says was used; `None` when nobody knows.
        usage: Option<TokenUsage>,
    },
    /// The provider's adapter failed.
    #[error("the provider failed: {0}")]
    Provider(String),
    /// What is asked needs a language model, and what would answer is none.
    #[error("{0}")]
    NoLanguageModel(String),
    /// A recorded conversation is played, and the call is not in it.
    #[error("{0}")]
    NotRecorded(String),
    /// Calls may not leave this machine, as in a test, and this one would. Nothing was sent.
    #[error("{0}")]
    NetworkBlocked(String),
}

impl ModelError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Overloaded { .. } => "overloaded",
            Self::BreakerOpen { .. } => "breaker_open",
            Self::Paused { .. } => "paused",
            Self::Timeout(_) => "timeout",
            Self::Stopped => "stopped",
            Self::BudgetExhausted(_) => "budget_exhausted",
            Self::Unauthorized { .. } => "unauthorized",
            Self::NotFound(_) => "not_found",
            Self::Rejected { .. } => "rejected",
            Self::ContextTooLong(_) => "context_too_long",
            Self::ContentRefused(_) => "content_refused",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Network { .. } => "network",
            Self::Untrusted(_) => "untrusted",
            Self::Malformed(_) => "malformed_reply",
            Self::Broken { .. } => "broken_reply",
            Self::WithUsage { error, .. } => error.code(),
            Self::Provider(_) => "provider",
            Self::NoLanguageModel(_) => "no_language_model",
            Self::NotRecorded(_) => "not_recorded",
            Self::NetworkBlocked(_) => "network_blocked",
        }
    }

    /// What to do about it: a fragment that names no flag, as a program has none. It says to try again where
    /// [`is_retryable`](Self::is_retryable) says that this may help, and nowhere else.
    pub fn hint(&self) -> String {
        let hint = match self {
            Self::Overloaded { retry_after } => {
                return format!("try again in {}, or allow more calls", in_seconds(*retry_after));
            }
            Self::BreakerOpen { last, .. } => return last.hint(),
            Self::Paused { retry_after, .. } => {
                return format!("try again in {}, make fewer calls, or name another model", in_seconds(*retry_after));
            }
            Self::Timeout(waiting) => waiting.hint(),
            Self::Stopped => "start another runtime",
            Self::BudgetExhausted(what) if what.contains(SET_ASIDE) => {
                "wait until what is set aside for others has come back, give them less, or raise the budget that is named (`BudgetLimits`, \
                 model.max_tokens, model.max_cost)"
            }
            // What is short stands in the budget's own words.
            Self::BudgetExhausted(what) if what.contains(TOKENS_LEFT) => {
                "raise the budget of tokens that is named (`BudgetLimits::tokens`, model.max_tokens), or ask for less: a shorter text, \
                 or a lower `AskLimits::output_tokens`, which is set aside for each reply"
            }
            Self::BudgetExhausted(what) if what.contains(NO_PRICE) => {
                "add the price of the model ([prices] in the configuration, `ServedModel::price` in code), or limit tokens in place of money"
            }
            Self::BudgetExhausted(_) => {
                "raise the budget of money that is named (`BudgetLimits::micros`, model.max_cost), or choose a cheaper model"
            }
            Self::Unauthorized { status, .. } if is_about_money(*status) => {
                "add money to the account of the key that is named, or raise its limit, or name another model"
            }
            Self::Unauthorized { status: PROXY, .. } => {
                "write them into the variable that is named: http://NAME:PASSWORD@HOST:PORT, or name the provider's host in NO_PROXY"
            }
            Self::Unauthorized { .. } => {
                "see whether the variable that is named is set, and its key is right and still valid and may use this model"
            }
            Self::NotFound(_) => "look at the model's name, and at the address, which usually ends with /v1",
            Self::Rejected { .. } => "change what is named",
            Self::ContextTooLong(_) => "send less, or choose a model that takes more",
            Self::ContentRefused(_) => "ask otherwise, or another model",
            Self::RateLimited { retry_after, .. } => {
                return format!("try again {}, or make fewer calls", later(*retry_after));
            }
            Self::Unavailable { retry_after, .. } => {
                return format!(
                    "try again {}: the server has trouble of its own; or name another model",
                    later(*retry_after)
                );
            }
            Self::Network { sent: false, message } if message.contains(" through the proxy ") => {
                "see whether the proxy that is named works and lets calls to this address through, or name its host in NO_PROXY; then try \
                 again"
            }
            Self::Network { sent: false, .. } => {
                "see whether the server runs there, and whether the address is right: a variable such as OPENAI_BASE_URL, \
                 providers.NAME.base_url, or what the provider is made with in code; then try again"
            }
            Self::Network { sent: true, .. } => {
                "try again; if it breaks again, look at the server and at the way to it"
            }
            Self::Untrusted(_) => "look at the address, or install the server's certificate",
            Self::Malformed(_) => {
                "try again; if it fails again, see whether the server speaks as the chosen provider does, and whether the address is \
                 right: it usually ends with /v1"
            }
            Self::Broken { .. } => "ask again",
            Self::WithUsage { error, .. } => return error.hint(),
            Self::Provider(_) => "look at what the provider's adapter says, or ask another model",
            Self::NoLanguageModel(_) => {
                "choose a language model, as PROVIDER/NAME in CALLBOARD_MODEL_NAME or model.name; in code, start the runtime with one: \
                 `Runtime::with` or `Runtime::with_model`"
            }
            Self::NotRecorded(_) => "ask as it was asked then, or record anew",
            Self::NetworkBlocked(_) => "use a server on this machine, or allow the network",
        };
        hint.to_owned()
    }

    /// Whether the same call may work when whoever made it makes it again. What broke off was paid for as far as it came, and the next
    /// one is paid for, too.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Broken { .. } => true,
            Self::WithUsage { error, .. } => error.is_retryable(),
            _ => self.may_be_repeated(),
        }
    }

    /// Whether the gateway may make the same call again by itself: not one whose time is over, and not one whose text has begun to come,
    /// behind its reader's back.
    pub(crate) fn may_be_repeated(&self) -> bool {
        match self {
            Self::Overloaded { .. }
            | Self::BreakerOpen { .. }
            | Self::Paused { .. }
            | Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::Network { .. }
            | Self::Malformed(_) => true,
            Self::Timeout(waiting) => matches!(waiting, Waiting::Connection | Waiting::FirstToken),
            Self::Broken { received, .. } => *received == 0,
            Self::WithUsage { error, .. } => error.may_be_repeated(),
            _ => false,
        }
    }

    /// Whether nobody was there: not a provider that fails, but none that answers at all.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Network { sent, .. } => !sent,
            Self::Timeout(waiting) => *waiting == Waiting::Connection,
            Self::BreakerOpen { last, .. } => last.is_unreachable(),
            _ => false,
        }
    }

    /// Whether the gateway itself refused the call, and nobody was asked.
    pub(crate) fn was_refused_here(&self) -> bool {
        matches!(self, Self::Overloaded { .. } | Self::BreakerOpen { .. } | Self::Paused { .. })
    }

    /// The same failure for whoever comes later: without what a provider wrote, which may be about somebody's call and is for nobody else,
    /// and without the wait that it asked for then.
    pub(crate) fn without_words(&self) -> Self {
        let mut error = self.clone();
        match &mut error {
            Self::Unavailable { retry_after, message, .. } | Self::RateLimited { retry_after, message, .. } => {
                (*retry_after, *message) = (None, String::new());
            }
            Self::Broken { message, .. } | Self::Malformed(message) => message.clear(),
            Self::Network { sent: true, message } => "the connection broke".clone_into(message),
            _ => {}
        }
        error
    }

    /// How long the provider, or the gateway, asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after }
            | Self::BreakerOpen { retry_after, .. }
            | Self::Paused { retry_after, .. } => Some(*retry_after),
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => *retry_after,
            Self::WithUsage { error, .. } => error.retry_after(),
            _ => None,
        }
    }
}

crate::shown_to_people!(ModelError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_what_happened_and_its_hint_what_to_do() {
        let message = || "so it says".to_owned();
        let nobody = || ModelError::Network { sent: false, message: "no connection to http://h: refused".to_owned() };
        let second = Duration::from_secs(1);
        let table = [
            (ModelError::Overloaded { retry_after: second }, "try again in 1 s"),
            (ModelError::BreakerOpen { retry_after: second, last: Box::new(nobody()) }, "the address is right"),
            (ModelError::Paused { retry_after: second, refused_model: "openai/x".into() }, "name another model"),
            (ModelError::Stopped, "start another runtime"),
            (ModelError::Unauthorized { status: 401, message: message() }, "is right and still valid"),
            (ModelError::Unauthorized { status: 407, message: message() }, "http://NAME:PASSWORD@HOST:PORT"),
            (
                ModelError::Network { sent: false, message: "to h through the proxy p (X): no".to_owned() },
                "NO_PROXY; then try",
            ),
            (ModelError::Unauthorized { status: 429, message: message() }, "add money"),
            (ModelError::Unauthorized { status: 402, message: message() }, "name another model"),
            (ModelError::NotFound(message()), "ends with /v1"),
            (ModelError::ContextTooLong(message()), "send less"),
            (ModelError::ContentRefused(message()), "another model"),
            (ModelError::Rejected { status: 400, message: message() }, "change what"),
            (ModelError::RateLimited { limited: Limited::Rate, retry_after: None, message: message() }, "fewer calls"),
            (ModelError::Unavailable { status: 503, retry_after: None, message: message() }, "try again later"),
            (nobody(), "see whether the server runs"),
            (ModelError::Malformed(message()), "speaks as the chosen provider"),
            (ModelError::Untrusted(message()), "look at the address"),
            (ModelError::Broken { received: 1, message: message() }, "ask again"),
            (ModelError::Timeout(Waiting::Queue), "more calls at once"),
            (ModelError::Timeout(Waiting::Connection), "the address is right"),
            (ModelError::Timeout(Waiting::FirstToken), "allow more time"),
            (ModelError::Timeout(Waiting::NextToken), "allow more time"),
            (ModelError::Timeout(Waiting::Total), "a shorter reply"),
        ];
        for (error, advice) in table {
            let (shown, hint) = (error.to_string(), error.hint());
            assert!(hint.contains(advice) && !shown.contains(advice), "{shown} / {hint}");
            let is_fragment = |text: &str| text.starts_with(char::is_lowercase) && !text.ends_with(['.', ':', ' ']);
            assert!(is_fragment(&shown) && is_fragment(&hint), "{shown} / {hint}");
        }
        let silent = ModelError::Unavailable { status: 500, retry_after: None, message: String::new() };
        assert_eq!(silent.to_string(), "the provider is not available (500)");
        let limited = ModelError::RateLimited { limited: Limited::Rate, retry_after: Some(second), message: message() };
        assert!(format!("{limited:?}").ends_with("hint: try again in 1 s, or make fewer calls"), "{limited:?}");
        let later = ModelError::BreakerOpen { retry_after: second, last: Box::new(limited.without_words()) };
        assert!(later.to_string().ends_with("the provider's limit is reached (429)"), "{later}");
        assert!(later.hint().starts_with("try again later"), "the wait is the breaker's: {later:?}");
    }

    #[test]
    fn only_what_was_refused_beforehand_used_nothing() {
        let unavailable = |status| ModelError::Unavailable { status, retry_after: None, message: String::new() };
        let limited = ModelError::RateLimited { limited: Limited::Rate, retry_after: None, message: String::new() };
        let rejected = ModelError::Rejected { status: 400, message: String::new() };
        for error in [limited, rejected, unavailable(503), unavailable(529), ModelError::Timeout(Waiting::Connection)] {
            assert!(error.used_nothing(), "{error:?}");
        }
        let broken = ModelError::Broken { received: 0, message: String::new() };
        for error in
            [unavailable(500), unavailable(504), unavailable(408), broken, ModelError::Timeout(Waiting::FirstToken)]
        {
            assert!(!error.used_nothing(), "{error:?}");
        }
    }
}
