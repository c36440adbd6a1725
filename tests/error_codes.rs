//! Do `code()`, `is_retryable()` and `hint()` of an error agree, and does docs/embedding.md say the same? A row for each code, and for each
//! way in which a code is one or the other.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::Duration;

use callboard::actors::agent::WorkError;
use callboard::actors::chat::Turn;
use callboard::actors::chat_agent::{AskLimit, AskWait};
use callboard::actors::error::{
    AskError, Limited, ModelError, RetrieveError, StartError, StoreError, TellError, ToolError, Waiting,
};
use callboard::actors::schema::Rules;
use callboard::actors::supervisor::{AddError, TaskError};
use callboard::config::{ConfigError, Place};
use callboard::corpus::CorpusError;
use callboard::mock_llm::{Fault, MockError, ScriptError};
use callboard::providers::ProviderError;
use callboard::testkit::{ProbeError, RecordingError, only_loopback};
use callboard::{Answer, CancelReason, ChatAgentError, Error, WriteError};
use serde_json::json;

/// Whether the same may work later.
const AGAIN: bool = true;
const IN_VAIN: bool = false;

/// What an error says of itself, and what it has to say: its code, whether to try again, and how its hint begins.
struct Row {
    said: (&'static str, bool, String),
    wanted: (&'static str, bool, &'static str),
}

macro_rules! hinted {
    ($($error:expr => $code:literal, $again:ident, $begins:literal;)*) => {
        vec![$({
            let error = $error;
            Row { said: (error.code(), error.is_retryable(), error.hint().to_string()), wanted: ($code, $again, $begins) }
        }),*]
    };
}

fn x() -> String {
    "x".to_owned()
}

fn network() -> ModelError {
    ModelError::Network { sent: false, message: x() }
}

fn of_models() -> Vec<Row> {
    let second = Duration::from_secs(1);
    let tokens = || "the run has 1 of its 2 tokens left, and a call of a/b may use 3".to_owned();
    let price = || "nobody knows what a/b costs, and the run has a limit on costs".to_owned();
    hinted! {
        ModelError::Overloaded { retry_after: second } => "overloaded", AGAIN, "try again in 1 s";
        ModelError::Paused { retry_after: second, refused_model: "openai/x".into() } => "paused", AGAIN, "try again in 1 s";
        ModelError::BreakerOpen { retry_after: second, last: Box::new(network()) } => "breaker_open", AGAIN, "see whether the server runs";
        ModelError::Timeout(Waiting::Queue) => "timeout", AGAIN, "try again later, or allow more time, or more calls";
        ModelError::Timeout(Waiting::Connection) => "timeout", AGAIN, "see whether the server can be reached";
        ModelError::Timeout(Waiting::FirstToken) => "timeout", AGAIN, "try again later, or allow more time to the first";
        ModelError::Timeout(Waiting::NextToken) => "timeout", AGAIN, "try again later, or allow more time between";
        ModelError::Timeout(Waiting::Total) => "timeout", AGAIN, "try again later, or allow more time, or a shorter reply";
        ModelError::Stopped => "stopped", IN_VAIN, "start another runtime";
        ModelError::BudgetExhausted(tokens()) => "budget_exhausted", IN_VAIN, "raise the budget of tokens";
        ModelError::BudgetExhausted(price()) => "budget_exhausted", IN_VAIN, "add the price of the model";
        ModelError::BudgetExhausted(x()) => "budget_exhausted", IN_VAIN, "raise the budget of money";
        ModelError::Unauthorized { status: 401, message: x() } => "unauthorized", IN_VAIN, "see whether the variable that is named";
        ModelError::Unauthorized { status: 402, message: x() } => "unauthorized", IN_VAIN, "add money to the account";
        ModelError::NotFound(x()) => "not_found", IN_VAIN, "look at the model's name";
        ModelError::Rejected { status: 400, message: x() } => "rejected", IN_VAIN, "change what is named";
        ModelError::ContextTooLong(x()) => "context_too_long", IN_VAIN, "send less";
        ModelError::ContentRefused(x()) => "content_refused", IN_VAIN, "ask otherwise";
        ModelError::RateLimited { limited: Limited::Rate, retry_after: None, message: x() } => "rate_limited", AGAIN, "try again later";
        ModelError::Unavailable { status: 503, retry_after: None, message: x() } => "unavailable", AGAIN, "try again later";
        ModelError::RateLimited { limited: Limited::Rate, retry_after: Some(second), message: x() } => "rate_limited", AGAIN, "try again in 1 s, or make";
        ModelError::Unavailable { status: 503, retry_after: Some(second), message: x() } => "unavailable", AGAIN, "try again in 1 s: the";
        network() => "network", AGAIN, "see whether the server runs there";
        ModelError::Network { sent: true, message: x() } => "network", AGAIN, "try again";
        ModelError::Untrusted(x()) => "untrusted", IN_VAIN, "look at the address";
        ModelError::Malformed(x()) => "malformed_reply", AGAIN, "try again; if it fails again, see whether the server speaks";
        ModelError::Broken { received: 0, message: x() } => "broken_reply", AGAIN, "ask again";
        ModelError::Broken { received: 9, message: x() } => "broken_reply", AGAIN, "ask again";
        ModelError::Provider(x()) => "provider", IN_VAIN, "look at what the provider's adapter says";
        ModelError::NoLanguageModel(x()) => "no_language_model", IN_VAIN, "choose a language model, as PROVIDER/NAME in CALLBOARD_MODEL_NAME";
        ModelError::NotRecorded(x()) => "not_recorded", IN_VAIN, "ask as it was asked then";
        ModelError::NetworkBlocked(x()) => "network_blocked", IN_VAIN, "use a server on this machine";
    }
}

fn of_asks() -> Vec<Row> {
    let partial = || Box::new(Answer { text: x(), ..Answer::default() });
    let limit = |limit, most: &str, waited_for| ChatAgentError::Limit {
        limit,
        most: most.to_owned(),
        detail: String::new(),
        waited_for,
        partial: partial(),
    };
    hinted! {
        limit(AskLimit::Turns, "16", None) => "limit_turns", IN_VAIN, "raise `AskLimits::turns`, which is 16, or use";
        limit(AskLimit::ToolCalls, "64", None) => "limit_tool_calls", IN_VAIN, "raise `AskLimits::tool_calls`, which is 64";
        limit(AskLimit::Tokens, "", None) => "limit_tokens", IN_VAIN, "raise `AskLimits::tokens`, or use";
        limit(AskLimit::Time, "5s", Some(AskWait::Model)) => "limit_time", AGAIN, "ask again, or raise `AskLimits::time`";
        limit(AskLimit::Repeats, "2", None) => "limit_repeats", IN_VAIN, "raise `AskLimits::repeats`, which is 2";
        limit(AskLimit::OutputTokens, "2048", None) => "limit_output_tokens", IN_VAIN, "raise `AskLimits::output_tokens`, which is 2048, or ask for a shorter answer";
        ChatAgentError::Question { problem: x(), hint: "name it" } => "invalid_question", IN_VAIN, "name it";
        ChatAgentError::Unfit { problem: x(), partial: partial() } => "answer_unfit", AGAIN, "ask again or otherwise";
        ChatAgentError::Blocked { guardrail: x(), reason: x(), partial: partial() } => "blocked", IN_VAIN, "ask otherwise";
    }
}

/// Of what an ask holds it has the code; but an answer that is there is not asked for again.
fn of_what_asks_hold() -> Vec<Row> {
    let session =
        |turns, error| ChatAgentError::Session { error, partial: Box::new(Answer { turns, ..Answer::default() }) };
    let answered = || vec![Turn::assistant("so")];
    let agent = ChatAgentError::Agent;
    hinted! {
        session(Vec::new(), StoreError::Locked(x())) => "store_locked", AGAIN, "try again when the other program is done";
        session(answered(), StoreError::Locked(x())) => "store_locked", IN_VAIN, "use the answer that is in `partial`: it is paid for";
        session(Vec::new(), StoreError::NotGiven) => "store_not_given", IN_VAIN, "give it one by `.sessions(store)`";
        ChatAgentError::Model { error: network(), partial: Box::default() } => "network", AGAIN, "see whether the server runs";
        agent(AskError::Overloaded) => "overloaded", AGAIN, "ask again later, or allow more asks";
        agent(AskError::Panicked) => "panicked", IN_VAIN, "look at the panic";
        agent(AskError::Stopped) => "stopped", IN_VAIN, "start the agent anew";
        agent(AskError::Timeout) => "timeout", AGAIN, "ask again, or allow more time";
        agent(AskError::Unanswered) => "unanswered", IN_VAIN, "start the agent anew";
        agent(AskError::Quarantined) => "quarantined", IN_VAIN, "ask otherwise";
        agent(AskError::InsideAsync) => "inside_async", IN_VAIN, "await `ask`";
    }
}

fn of_messages() -> [(&'static str, Vec<Row>); 7] {
    let cancelled = TaskError::Cancelled;
    [
        (
            "callboard::actors::error::ToolError",
            hinted! {
                ToolError::Arguments(x()) => "tool_arguments", IN_VAIN, "give it the arguments";
                ToolError::Schema(x()) => "tool_schema", IN_VAIN, "mend the `schemars`";
                ToolError::Failed(x()) => "tool_failed", IN_VAIN, "look at what the tool";
                ToolError::Unavailable(x()) => "tool_unavailable", AGAIN, "try again later, or give";
                ToolError::Busy(x()) => "tool_busy", AGAIN, "try again later, or allow";
            },
        ),
        (
            "callboard::actors::error::TellError",
            hinted! {
                TellError::Overloaded(()) => "overloaded", AGAIN, "try again later, or raise";
                TellError::Stopped(()) => "stopped", IN_VAIN, "start the agent anew";
                TellError::InsideAsync(()) => "inside_async", IN_VAIN, "await `send`";
            },
        ),
        (
            "callboard::actors::error::AskError",
            hinted! {
                AskError::Overloaded => "overloaded", AGAIN, "ask again later";
                AskError::Panicked => "panicked", IN_VAIN, "look at the panic";
                AskError::Stopped => "stopped", IN_VAIN, "start the agent anew";
                AskError::Timeout => "timeout", AGAIN, "ask again, or allow";
                AskError::Unanswered => "unanswered", IN_VAIN, "start the agent anew";
                AskError::Quarantined => "quarantined", IN_VAIN, "ask otherwise";
                AskError::InsideAsync => "inside_async", IN_VAIN, "await `ask`";
            },
        ),
        (
            "callboard::actors::error::StartError",
            hinted! {
                StartError::RuntimeStopped => "runtime_stopped", IN_VAIN, "start another runtime";
                StartError::GroupEnded => "group_ended", IN_VAIN, "start another group";
                StartError::Overloaded => "overloaded", AGAIN, "close other programs";
                StartError::Thread(x()) => "thread", AGAIN, "close other programs";
                StartError::Invalid(x()) => "invalid_configuration", IN_VAIN, "correct the value";
                StartError::Budget(x()) => "budget", IN_VAIN, "give the agent less";
            },
        ),
        (
            "callboard::actors::agent::WorkError",
            hinted! {
                WorkError::Panicked(x()) => "panicked", IN_VAIN, "look at the panic";
                WorkError::Overloaded => "overloaded", AGAIN, "try again when";
            },
        ),
        (
            "callboard::actors::supervisor::TaskError",
            hinted! {
                TaskError::Failed(x()) => "task_failed", IN_VAIN, "look at what the task";
                cancelled(CancelReason::Deadline) => "task_cancelled", AGAIN, "try again, or allow";
                cancelled(CancelReason::Interrupted) => "task_cancelled", AGAIN, "try again";
                cancelled(CancelReason::Redundant) => "task_cancelled", IN_VAIN, "go on with";
            },
        ),
        (
            "callboard::actors::supervisor::AddError",
            hinted! {
                AddError::TooMany(1) => "too_many_tasks", IN_VAIN, "raise `FanOutLimits";
                AddError::Finished => "fan_out_finished", IN_VAIN, "begin another";
            },
        ),
    ]
}

fn of_stores() -> [(&'static str, Vec<Row>); 4] {
    let full = || ErrorKind::StorageFull.into();
    [
        (
            "callboard::actors::error::StoreError",
            hinted! {
                StoreError::Options(x()) => "store_options", IN_VAIN, "correct the value that is named";
                StoreError::NotGiven => "store_not_given", IN_VAIN, "give it one by `.sessions(store)`";
                StoreError::Busy(x()) => "store_busy", AGAIN, "try again";
                StoreError::Late(x()) => "store_late", IN_VAIN, "look at what it has";
                StoreError::Locked(x()) => "store_locked", AGAIN, "try again when the other program is done";
                StoreError::ReadOnly(x()) => "store_read_only", IN_VAIN, "make the file and its folder writable";
                StoreError::Damaged(x()) => "store_damaged", IN_VAIN, "put a backup of it in its place";
                StoreError::DamagedSession(x()) => "session_damaged", IN_VAIN, "`forget` this session";
                StoreError::Newer { store: x(), found: 2, known: 1 } => "store_newer", IN_VAIN, "use the newer program";
                StoreError::Foreign(x()) => "store_foreign", IN_VAIN, "name another file";
                StoreError::Full(x()) => "disk_full", AGAIN, "make room on the disk and try again";
                StoreError::Unusable { store: x(), message: x() } => "store_unusable", IN_VAIN, "check the path";
                StoreError::Moved(x()) => "store_moved", IN_VAIN, "put it back in its place";
                StoreError::Panicked(x()) => "store_panicked", IN_VAIN, "correct the store";
                StoreError::Closed(x()) => "store_closed", IN_VAIN, "open it again";
            },
        ),
        (
            "callboard::actors::error::RetrieveError",
            hinted! {
                RetrieveError::Unavailable(x()) => "search_unavailable", AGAIN, "try again; if";
                RetrieveError::Damaged(x()) => "index_damaged", IN_VAIN, "remove the cache";
            },
        ),
        (
            "callboard::corpus::CorpusError",
            hinted! {
                CorpusError::NoPaths => "corpus_not_given", IN_VAIN, "name a folder";
                CorpusError::Missing("x".into()) => "corpus_missing", IN_VAIN, "check the spelling";
                CorpusError::Unreadable { path: "x".into(), source: full() } => "corpus_unreadable", IN_VAIN, "check the permissions";
                CorpusError::Empty { path: "x".into(), skipped: Vec::new() } => "corpus_empty", IN_VAIN, "name a folder or file with";
                CorpusError::Options(x()) => "corpus_options", IN_VAIN, "correct the value";
                CorpusError::NoCacheDir => "cache_unknown", IN_VAIN, "set CALLBOARD_CACHE_DIR";
                CorpusError::Cache { path: "x".into(), source: full() } => "cache_unusable", IN_VAIN, "set CALLBOARD_CACHE_DIR";
                CorpusError::DiskFull { path: "x".into(), source: full() } => "disk_full", AGAIN, "free some space and try again";
                CorpusError::Busy { waited: Duration::ZERO } => "index_busy", AGAIN, "try again when the other process is done";
                CorpusError::Damaged(x()) => "index_damaged", IN_VAIN, "remove the cache folder";
                CorpusError::Interrupted => "interrupted", AGAIN, "try again: it starts from the beginning";
            },
        ),
        (
            "callboard::WriteError",
            hinted! {
                WriteError::NotAFolder { path: "x".into() } => "out_not_a_folder", IN_VAIN, "choose a folder";
                WriteError::Io { path: "x".into(), source: full() } => "disk_full", AGAIN, "free some space and try again";
                WriteError::Io { path: "x".into(), source: ErrorKind::PermissionDenied.into() } => "out_not_writable", IN_VAIN, "choose a folder";
            },
        ),
    ]
}

fn of_settings_and_tests() -> [(&'static str, Vec<Row>); 8] {
    let place = || Place { path: "x".into(), line: 1, column: 1 };
    let listen = |kind: ErrorKind| MockError::Listen { address: ([127, 0, 0, 1], 1).into(), source: kind.into() };
    let within = Duration::ZERO;
    [
        (
            "callboard::config::ConfigError",
            hinted! {
                ConfigError::NotText { path: "x".into(), what: "is a folder" } => "config_unreadable", IN_VAIN, "move it away";
                ConfigError::Syntax { place: place(), message: x() } => "config_syntax", IN_VAIN, "write it as TOML";
                ConfigError::UnknownKey { place: place(), key: x(), advice: "mend it".to_owned() } => "config_unknown_key", IN_VAIN, "mend it";
                ConfigError::Value { from: x(), key: x(), shown: x(), problem: x() } => "config_value", IN_VAIN, "docs/configuration.md";
                ConfigError::Untrusted { place: place(), key: x(), why: x(), advice: "mend it".to_owned() } => "config_untrusted", IN_VAIN, "mend it";
            },
        ),
        (
            "callboard::providers::ProviderError",
            hinted! {
                ProviderError::Address { variable: "OPENAI_BASE_URL".to_owned(), address: x(), what: x() } =>
                    "provider_address", IN_VAIN, "mend the address: it stands in OPENAI_BASE_URL or in providers.openai.base_url; in code, it is";
                ProviderError::Model { provider: x() } => "provider_model", IN_VAIN, "name the model as x calls it";
                ProviderError::NoKey { provider: x(), host: x(), variable: x() } => "provider_key_missing", IN_VAIN, "give the key when";
                ProviderError::Key { variable: x() } => "provider_key", IN_VAIN, "copy the key as one line";
                ProviderError::Proxy { variable: x(), what: "x" } => "provider_proxy", IN_VAIN, "write it into x as http://HOST:PORT";
                ProviderError::Tls(x()) => "provider_tls", IN_VAIN, "install the certificates";
            },
        ),
        (
            "callboard::actors::schema::SchemaError",
            hinted! { Rules::of(&json!({"type": 7})).unwrap_err() => "invalid_schema", IN_VAIN, "mend what is named"; },
        ),
        (
            "callboard::testkit::ProbeError",
            hinted! {
                ProbeError::NoMessage { probe: x(), within } => "probe_no_message", AGAIN, "try again, or allow";
                ProbeError::Message { probe: x(), waiting: 1, within } => "probe_message", IN_VAIN, "look at the message";
                ProbeError::NoEnd { probe: x(), within } => "probe_no_end", AGAIN, "try again, or allow";
                ProbeError::Overflow { probe: x(), lost: 1 } => "probe_overflow", IN_VAIN, "read what comes";
                ProbeError::Stopped { probe: x() } => "probe_stopped", IN_VAIN, "stop the runtime";
            },
        ),
        (
            "callboard::testkit::RecordingError",
            hinted! {
                RecordingError::Ci("x".into()) => "recording_in_ci", IN_VAIN, "record it on your own machine";
                RecordingError::Exists("x".into()) => "recording_exists", IN_VAIN, "remove it to record anew";
                RecordingError::Missing("x".into()) => "recording_missing", IN_VAIN, "record it on your own machine";
                RecordingError::Foreign("x".into()) => "recording_foreign", IN_VAIN, "name another file";
                RecordingError::Newer { path: "x".into(), found: 2, known: 1 } => "recording_newer", IN_VAIN, "use the newer version";
                RecordingError::Truncated { path: "x".into(), line: 1 } => "recording_truncated", IN_VAIN, "remove the last line";
                RecordingError::Damaged { path: "x".into(), line: 1, what: x() } => "recording_damaged", IN_VAIN, "restore the file";
                RecordingError::TooLong { path: "x".into(), most: 1 } => "recording_too_long", IN_VAIN, "record fewer";
                RecordingError::Unusable { path: "x".into(), message: x() } => "recording_unusable", IN_VAIN, "check the path";
            },
        ),
        (
            "callboard::mock_llm::MockError",
            hinted! {
                MockError::Config(x()) => "mock_config", IN_VAIN, "correct the value";
                listen(ErrorKind::AddrInUse) => "cannot_listen", AGAIN, "stop what listens there and try again";
                listen(ErrorKind::PermissionDenied) => "cannot_listen", IN_VAIN, "choose an address";
                MockError::Thread(ErrorKind::Other.into()) => "thread", AGAIN, "close other programs, and try again";
            },
        ),
        (
            "callboard::mock_llm::ScriptError",
            hinted! {
                ScriptError::Read { path: "x".into(), source: ErrorKind::NotFound.into() } => "script_unreadable", IN_VAIN, "name a file";
                ScriptError::Content(x()) => "bad_script", IN_VAIN, "a script is a list";
            },
        ),
        (
            "callboard::mock_llm::UnknownFault",
            hinted! {
                "none".parse::<Fault>().unwrap_err() => "unknown_fault", IN_VAIN, "write one of those";
            },
        ),
    ]
}

fn of_runs() -> Vec<Row> {
    let model = |error| Error::Model { message: x(), error };
    hinted! {
        Error::EmptyQuestion => "empty_question", IN_VAIN, "ask a question";
        Error::QuestionTooLong { bytes: 1 } => "question_too_long", IN_VAIN, "ask a shorter question";
        Error::NoCorpus => "missing_corpus", IN_VAIN, "name a folder";
        Error::OutOfRange(x()) => "out_of_range", IN_VAIN, "choose a value";
        Error::UnknownModel { name: x(), advice: x() } => "unknown_model", IN_VAIN, "x. It stands in";
        Error::MissingKey { model: x(), variable: x() } => "missing_key", IN_VAIN, "put the key into it";
        Error::UnknownPrice { model: x() } => "unknown_price", IN_VAIN, "write [prices";
        Error::Provider(ProviderError::Tls(x())) => "provider", IN_VAIN, "install the certificates";
        Error::IndexDeadline => "deadline", IN_VAIN, "allow more time";
        Error::Interrupted => "interrupted", AGAIN, "try again: it starts from the beginning";
        model(None) => "model", IN_VAIN, "choose another model";
        model(Some(network())) => "model", AGAIN, "see whether the server runs";
        model(Some(ModelError::NotFound(x()))) => "model", IN_VAIN, "look at the model's name";
        Error::Budget(x()) => "budget", IN_VAIN, "raise model.max_tokens";
        Error::NoCacheFolder => "cache_unknown", IN_VAIN, "set CALLBOARD_CACHE_DIR";
        Error::Feature { what: "x", feature: "y" } => "feature_off", IN_VAIN, "add `y`";
        Error::from(std::io::Error::from(ErrorKind::NotFound)) => "io", IN_VAIN, "look at the file or the connection";
        Error::from(std::io::Error::from(ErrorKind::TimedOut)) => "io", AGAIN, "try again; if it fails again, look at the file";
        Error::Internal(x()) => "internal", IN_VAIN, "please report this";
    }
}

/// Of what a run holds it has the code.
fn of_what_runs_hold() -> Vec<Row> {
    let start = Error::Start;
    hinted! {
        start(StartError::RuntimeStopped) => "runtime_stopped", IN_VAIN, "start another runtime";
        start(StartError::GroupEnded) => "group_ended", IN_VAIN, "start another group";
        start(StartError::Overloaded) => "overloaded", AGAIN, "close other programs";
        start(StartError::Thread(x())) => "thread", AGAIN, "close other programs";
        start(StartError::Invalid(x())) => "invalid_configuration", IN_VAIN, "correct the value";
        start(StartError::Budget(x())) => "budget", IN_VAIN, "give the agent less";
        Error::Sources(RetrieveError::Unavailable(x())) => "search_unavailable", AGAIN, "try again";
        Error::Sources(RetrieveError::Damaged(x())) => "index_damaged", IN_VAIN, "remove the cache folder";
        Error::Replies(StoreError::Locked(x())) => "store_locked", AGAIN, "try again when";
        Error::Replies(StoreError::Closed(x())) => "store_closed", IN_VAIN, "open it again";
        Error::Corpus(CorpusError::Interrupted) => "interrupted", AGAIN, "try again: it starts";
        Error::Ask(ChatAgentError::Agent(AskError::Stopped)) => "stopped", IN_VAIN, "start the agent anew";
    }
}

#[test]
fn code_hint_and_whether_to_try_again_agree_and_the_page_says_the_same() {
    only_loopback();
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/embedding.md")).unwrap();
    let own = [("callboard::Error", of_runs()), ("callboard::ChatAgentError", of_asks())];
    let models = [("callboard::actors::error::ModelError", of_models())];
    let all = own.into_iter().chain(models).chain(of_messages()).chain(of_stores()).chain(of_settings_and_tests());
    for (path, rows) in all {
        rows.iter().for_each(check);
        let codes = |rows: &[&Row]| rows.iter().map(|row| row.wanted.0.to_owned()).collect::<BTreeSet<_>>();
        let again = codes(&rows.iter().filter(|row| row.wanted.1 == AGAIN).collect::<Vec<_>>());
        let told = cells(&page, path);
        assert_eq!(
            told,
            Some((codes(&rows.iter().collect::<Vec<_>>()), again)),
            "the line of `{path}` in docs/embedding.md"
        );
    }
    of_what_asks_hold().iter().chain(&of_what_runs_hold()).for_each(check);
}

fn check(Row { said: (code, is_retryable, hint), wanted }: &Row) {
    let begin: String = hint.chars().take(wanted.2.chars().count()).collect();
    assert_eq!((*code, *is_retryable, &*begin), *wanted, "{hint}");
    let says_so = hint.contains("try again") || hint.contains("ask again");
    assert_eq!(says_so, *is_retryable, "{code}: its hint is: {hint}");
}

/// The codes of a line of the table, and those among them that may be tried again.
fn cells(page: &str, path: &str) -> Option<(BTreeSet<String>, BTreeSet<String>)> {
    let line = page.lines().find(|line| line.starts_with(&format!("| `{path}` |")))?;
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let cells: Vec<&str> = line.split('|').collect();
    Some((quoted(cells.get(3)?), quoted(cells.get(4)?)))
}

/// What only programs meet: agents of their own, files that they open themselves, features that the program has.
const OF_PROGRAMS: [&str; 6] = ["stopped", "io", "feature_off", "store_not_given", "store_panicked", "session_damaged"];

#[test]
fn the_page_of_the_command_line_has_every_code_that_the_program_prints() {
    let root = |path: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let page = std::fs::read_to_string(root("docs/command-line.md")).unwrap();
    let table = page.split("### Codes").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a table of codes");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let named = rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2));
    let told: BTreeSet<String> = named.map(str::to_owned).collect();

    // What the library says of a run, of its corpus, of its files and of the configuration.
    let of = |table: &[(&'static str, Vec<Row>)], path: &str| {
        let rows = table.iter().filter(|(name, _)| *name == path).flat_map(|(_, rows)| rows);
        rows.map(|row| row.wanted.0).collect::<Vec<_>>()
    };
    let mut codes: BTreeSet<String> =
        of_runs().iter().chain(&of_what_runs_hold()).map(|row| row.wanted.0.to_owned()).collect();
    let (stores, settings) = (of_stores(), of_settings_and_tests());
    let errors = ["error::StoreError", "error::RetrieveError"].map(|name| format!("callboard::actors::{name}"));
    for path in errors.iter().map(String::as_str).chain(["callboard::corpus::CorpusError", "callboard::WriteError"]) {
        codes.extend(of(&stores, path).into_iter().map(str::to_owned));
    }
    codes.extend(of(&settings, "callboard::config::ConfigError").into_iter().map(str::to_owned));
    OF_PROGRAMS.iter().for_each(|code| assert!(codes.remove(*code), "{code} is nobody's"));

    // What the command says itself.
    let mut sources = vec![root("src/research/ended.rs")];
    let mut folders = vec![root("src/cli")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() { folders.push(entry) } else { sources.push(entry) }
        }
    }
    let before = codes.len();
    for source in sources {
        let text = std::fs::read_to_string(source).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().split_whitespace().collect::<String>();
        for begin in ["entry(\"", "code:\""] {
            codes.extend(code.split(begin).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
    assert!(codes.len() >= before + 4, "the literals in src/cli are not seen: {codes:?}");
    assert_eq!(told, codes, "the table of codes in docs/command-line.md");
}
