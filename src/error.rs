//! What can stop a research before it has a report, or an ask before it has an answer? One enum; each error says what to do and which exit code it has.

use std::io::ErrorKind;

use callboard_actors::agent::WorkError;
use callboard_actors::chat_agent::ChatAgentError;
use callboard_actors::error::{AskError, ModelError, RetrieveError, StartError, StoreError, TellError, ToolError};
use callboard_actors::schema::SchemaError;
use callboard_actors::supervisor::{AddError, TaskError};
use callboard_actors::testkit::ProbeError;
use thiserror::Error;

use crate::config::ConfigError;
#[cfg(feature = "research")]
use crate::corpus::CorpusError;
use crate::exit::ExitStatus;
#[cfg(feature = "mock_llm")]
use crate::mock_llm::{MockError, ScriptError, UnknownFault};
use crate::providers::ProviderError;
use crate::testkit::RecordingError;
use crate::write_error::WriteError;

/// What the facade's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The longest question that is accepted, in bytes of UTF-8.
pub(crate) const MAX_QUESTION_BYTES: usize = 10_000;

/// Why there is no report, no runtime, or no answer. Every error of the library becomes one by `?`. The text says why, and where another
/// error is the reason, its text is the whole or [`source`](std::error::Error::source) has it, never both. `Debug` is for people, too: a
/// program whose `main` returns it prints the text, its causes and the hint.
#[derive(Error)]
#[non_exhaustive]
pub enum Error {
    /// The question has no letter and no digit.
    #[error("the question has no word to search for")]
    EmptyQuestion,
    /// The question has more than 10,000 bytes.
    #[error("the question has {bytes} bytes; at most {MAX_QUESTION_BYTES} are accepted")]
    QuestionTooLong {
        /// Its length.
        bytes: usize,
    },
    /// No corpus was named.
    #[error("no corpus to search; name a folder or a file")]
    NoCorpus,
    /// A number is outside its range.
    #[error("{0}")]
    OutOfRange(String),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No model is called so.
    #[error("no model is called `{name}`; write it as PROVIDER/NAME")]
    UnknownModel {
        /// As it is configured.
        name: String,
        /// What to write instead.
        advice: String,
    },
    /// The provider of the model wants a key, and there is none.
    #[error("{model} needs a key, and the variable {variable} is not set")]
    MissingKey {
        /// The model.
        model: String,
        /// The variable that would hold the key.
        variable: String,
    },
    /// A limit on costs needs the price of the model, which nobody knows.
    #[error("nobody knows what {model} costs, and the run has a limit on costs")]
    UnknownPrice {
        /// The model.
        model: String,
    },
    /// The provider cannot be used as it is configured.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The corpus cannot be used.
    #[cfg(feature = "research")]
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// The deadline passed while the corpus was being indexed.
    #[error("the deadline passed while the corpus was being indexed")]
    IndexDeadline,
    /// The caller stopped the indexing.
    #[error("interrupted while the corpus was being indexed")]
    Interrupted,
    /// The language model cannot be used: its provider, its name or its key.
    #[error("the language model cannot be used: {message}")]
    Model {
        /// What happened.
        message: String,
        /// The error of its call, if there was one.
        error: Option<ModelError>,
    },
    /// The budget does not allow the first call of the language model.
    #[error("the budget does not allow it: {0}")]
    Budget(String),
    /// The actors could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The file in which replies are kept cannot be used.
    #[error("replies cannot be kept: {0}")]
    Replies(StoreError),
    /// Nobody knows where to keep replies.
    #[error("no cache directory is known")]
    NoCacheFolder,
    /// The configuration asks for something that was left out when the program was built.
    #[error("{what} needs the feature `{feature}`, without which callboard was built")]
    Feature {
        /// The key that asks for it.
        what: &'static str,
        /// The feature that brings it.
        feature: &'static str,
    },
    /// A stored text that the report cites cannot be read.
    #[error("a cited source cannot be read: {0}")]
    Sources(RetrieveError),
    /// An agent did not answer.
    #[error(transparent)]
    Ask(#[from] ChatAgentError),
    /// A model that the program calls itself did not answer, or a budget has no part to set aside.
    #[error(transparent)]
    Call(#[from] ModelError),
    /// A store that the program opens itself, such as one of sessions.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A report could not be written to a folder.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A search that the program makes itself.
    #[error(transparent)]
    Retrieve(#[from] RetrieveError),
    /// Work that an agent of the program's own started.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// A message was not taken; it is dropped.
    #[error(transparent)]
    Tell(TellError<()>),
    /// A task of a fan-out has no reply.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A fan-out takes no further task.
    #[error(transparent)]
    Add(#[from] AddError),
    /// A tool that the program calls itself.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// A JSON schema that the program hands over is none.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A probe of a test.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// A recorded conversation.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The mock server.
    #[cfg(feature = "mock_llm")]
    #[error(transparent)]
    Mock(#[from] MockError),
    /// The script of a mock server.
    #[cfg(feature = "mock_llm")]
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// A fault of the mock server that has no name.
    #[cfg(feature = "mock_llm")]
    #[error(transparent)]
    Fault(#[from] UnknownFault),
    /// The system says something about a file or a connection of the program's own: what its `?` makes of a [`std::io::Error`].
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A thread of ours panicked: a bug.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::EmptyQuestion => "empty_question",
            Self::QuestionTooLong { .. } => "question_too_long",
            Self::NoCorpus => "missing_corpus",
            Self::OutOfRange(_) => "out_of_range",
            Self::Config(error) => error.code(),
            Self::UnknownModel { .. } => "unknown_model",
            Self::MissingKey { .. } => "missing_key",
            Self::UnknownPrice { .. } => "unknown_price",
            Self::Provider(_) => "provider",
            #[cfg(feature = "research")]
            Self::Corpus(error) => error.code(),
            Self::IndexDeadline => "deadline",
            Self::Interrupted => "interrupted",
            Self::Model { .. } => "model",
            Self::Budget(_) => "budget",
            Self::Start(error) => error.code(),
            Self::Replies(error) => error.code(),
            Self::NoCacheFolder => "cache_unknown",
            Self::Feature { .. } => "feature_off",
            Self::Sources(error) => error.code(),
            Self::Ask(error) => error.code(),
            Self::Call(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Write(error) => error.code(),
            Self::Retrieve(error) => error.code(),
            Self::Work(error) => error.code(),
            Self::Tell(error) => error.code(),
            Self::Task(error) => error.code(),
            Self::Add(error) => error.code(),
            Self::Tool(error) => error.code(),
            Self::Schema(error) => error.code(),
            Self::Probe(error) => error.code(),
            Self::Recording(error) => error.code(),
            #[cfg(feature = "mock_llm")]
            Self::Mock(error) => error.code(),
            #[cfg(feature = "mock_llm")]
            Self::Script(error) => error.code(),
            #[cfg(feature = "mock_llm")]
            Self::Fault(error) => error.code(),
            Self::Io(_) => "io",
            Self::Internal(_) => "internal",
        }
    }

    /// The error of the call of a language model that is the reason, if one is. Its code says more than [`Error::code`], and stands in
    /// the JSON of the command as `cause`.
    pub fn model_error(&self) -> Option<&ModelError> {
        match self {
            Self::Model { error, .. } => error.as_ref(),
            Self::Ask(ChatAgentError::Model { error, .. }) | Self::Call(error) => Some(error),
            _ => None,
        }
    }

    /// What the reader can do about it, in a program of his own as well: the command line adds its flags itself. It says to try again
    /// where [`is_retryable`](Self::is_retryable) says that this may help, and nowhere else.
    pub fn hint(&self) -> String {
        match self {
            Self::EmptyQuestion => "ask a question that has a word".into(),
            Self::QuestionTooLong { .. } => "ask a shorter question, and put long material into the corpus".into(),
            Self::NoCorpus => "name a folder or a file to search: `Research::corpus` in code, research.corpus in callboard.toml".into(),
            Self::OutOfRange(_) => "choose a value within the range".into(),
            Self::Config(error) => error.hint(),
            Self::UnknownModel { advice, .. } => format!(
                "{advice}. It stands in CALLBOARD_MODEL_NAME or model.name; a model of your own is given in code, by \
                 `Runtime::with` and a `ModelChoice`"
            ),
            Self::MissingKey { model, variable } => {
                let provider = model.split('/').next().unwrap_or_default();
                format!(
                    "put the key into it: export {variable}=...; a server that wants none is named with {}_BASE_URL",
                    provider.to_uppercase()
                )
            }
            Self::UnknownPrice { model } => format!(
                "write [prices.\"{model}\"] into your user file (docs/configuration.md says where it is), and below it input = ... and output = ... in US \
                 dollars for a million tokens; in code, set `ServedModel::price`; or limit tokens instead of costs (model.max_tokens, \
                 `BudgetLimits::tokens`)"
            ),
            Self::Provider(error) => error.hint(),
            #[cfg(feature = "research")]
            Self::Corpus(error) => error.hint().to_string(),
            Self::IndexDeadline => {
                "allow more time (`Research::deadline`, research.deadline): what was indexed so far is not kept".into()
            }
            Self::Interrupted => "try again: it starts from the beginning, as an index that is not finished is not kept".into(),
            Self::Model { error: Some(error), .. } => format!("{}; without a model the rules answer", error.hint()),
            Self::Model { error: None, .. } => "choose another model; without one the rules answer".into(),
            Self::Budget(_) => {
                "raise model.max_tokens or model.max_cost (`ModelChoice::budget` in code), or ask without a language model".into()
            }
            Self::Start(error) => error.hint().to_owned(),
            Self::Replies(error) => format!(
                "{}; the file is in the folder that CALLBOARD_CACHE_DIR names; or keep none: model.cache = \"off\"",
                error.hint()
            ),
            Self::NoCacheFolder => "set CALLBOARD_CACHE_DIR to a folder that you can write to".into(),
            Self::Feature { what, feature } => {
                format!("add `{feature}` to the features of callboard in your Cargo.toml, or leave {what} out")
            }
            Self::Sources(error) => error.hint().to_owned(),
            Self::Ask(error) => error.hint(),
            Self::Call(error) => error.hint(),
            Self::Write(error) => error.hint(),
            Self::Store(error) => error.hint().to_owned(),
            Self::Retrieve(error) => error.hint().to_owned(),
            Self::Work(error) => error.hint().to_owned(),
            Self::Tell(error) => error.hint().to_owned(),
            Self::Task(error) => error.hint().to_owned(),
            Self::Add(error) => error.hint().to_owned(),
            Self::Tool(error) => error.hint().to_owned(),
            Self::Schema(error) => error.hint().to_owned(),
            Self::Probe(error) => error.hint().to_owned(),
            Self::Recording(error) => error.hint().to_owned(),
            #[cfg(feature = "mock_llm")]
            Self::Mock(error) => error.hint().to_owned(),
            #[cfg(feature = "mock_llm")]
            Self::Script(error) => error.hint().to_owned(),
            #[cfg(feature = "mock_llm")]
            Self::Fault(error) => error.hint().to_owned(),
            Self::Io(_) if self.is_retryable() => "try again; if it fails again, look at the file or the connection".into(),
            Self::Io(_) => "look at the file or the connection that the program uses there".into(),
            Self::Internal(_) => "please report this with what you ran".into(),
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            // One that came to its deadline does so again: nothing of its index is kept.
            Self::Interrupted => true,
            Self::Config(error) => error.is_retryable(),
            Self::Provider(error) => error.is_retryable(),
            #[cfg(feature = "research")]
            Self::Corpus(error) => error.is_retryable(),
            Self::Start(error) => error.is_retryable(),
            Self::Replies(error) => error.is_retryable(),
            Self::Sources(error) => error.is_retryable(),
            Self::Ask(error) => error.is_retryable(),
            Self::Call(error) => error.is_retryable(),
            Self::Store(error) => error.is_retryable(),
            Self::Write(error) => error.is_retryable(),
            Self::Retrieve(error) => error.is_retryable(),
            Self::Work(error) => error.is_retryable(),
            Self::Tell(error) => error.is_retryable(),
            Self::Task(error) => error.is_retryable(),
            Self::Add(error) => error.is_retryable(),
            Self::Tool(error) => error.is_retryable(),
            Self::Schema(error) => error.is_retryable(),
            Self::Probe(error) => error.is_retryable(),
            Self::Recording(error) => error.is_retryable(),
            #[cfg(feature = "mock_llm")]
            Self::Mock(error) => error.is_retryable(),
            #[cfg(feature = "mock_llm")]
            Self::Script(error) => error.is_retryable(),
            #[cfg(feature = "mock_llm")]
            Self::Fault(error) => error.is_retryable(),
            Self::Model { error: Some(error), .. } => error.is_retryable(),
            Self::Io(error) => {
                matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::TimedOut | ErrorKind::WouldBlock)
            }
            _ => false,
        }
    }

    /// The exit code of a program that ends with this error.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::EmptyQuestion | Self::QuestionTooLong { .. } | Self::NoCorpus | Self::OutOfRange(_) => {
                ExitStatus::Usage
            }
            Self::Config(_) | Self::UnknownModel { .. } | Self::UnknownPrice { .. } => ExitStatus::Input,
            Self::Provider(ProviderError::Address { .. } | ProviderError::Proxy { .. }) => ExitStatus::Input,
            Self::MissingKey { .. } | Self::Provider(_) | Self::Model { .. } => ExitStatus::Provider,
            #[cfg(feature = "research")]
            Self::Corpus(_) => ExitStatus::Input,
            Self::Io(_) | Self::Replies(_) | Self::NoCacheFolder | Self::Feature { .. } | Self::Sources(_) => {
                ExitStatus::Input
            }
            Self::Retrieve(_) | Self::Store(_) | Self::Write(_) | Self::Recording(_) => ExitStatus::Input,
            #[cfg(feature = "mock_llm")]
            Self::Mock(_) | Self::Script(_) | Self::Fault(_) => ExitStatus::Input,
            Self::Call(ModelError::BudgetExhausted(_)) => ExitStatus::Limit,
            Self::Call(_) => ExitStatus::Provider,
            Self::Ask(
                ChatAgentError::Limit { .. } | ChatAgentError::Model { error: ModelError::BudgetExhausted(_), .. },
            ) => ExitStatus::Limit,
            Self::Ask(ChatAgentError::Model { .. } | ChatAgentError::Unfit { .. }) => ExitStatus::Provider,
            Self::Ask(ChatAgentError::Session { .. } | ChatAgentError::Blocked { .. }) => ExitStatus::Input,
            Self::IndexDeadline | Self::Budget(_) | Self::Start(StartError::Budget(_)) => ExitStatus::Limit,
            Self::Interrupted => ExitStatus::Interrupted,
            Self::Start(_) | Self::Ask(_) | Self::Schema(_) | Self::Internal(_) => ExitStatus::Internal,
            Self::Work(_) | Self::Tell(_) | Self::Task(_) | Self::Add(_) | Self::Tool(_) | Self::Probe(_) => {
                ExitStatus::Internal
            }
        }
    }
}

callboard_actors::shown_to_people!(Error);

impl From<AskError> for Error {
    fn from(error: AskError) -> Self {
        Self::Ask(error.into())
    }
}

impl<M> From<TellError<M>> for Error {
    fn from(error: TellError<M>) -> Self {
        Self::Tell(match error {
            TellError::Stopped(_) => TellError::Stopped(()),
            TellError::InsideAsync(_) => TellError::InsideAsync(()),
            _ => TellError::Overloaded(()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_returns_it_from_main_says_what_to_do() {
        let error = Error::MissingKey { model: "openai/x".to_owned(), variable: "OPENAI_API_KEY".to_owned() };
        let shown = format!("{error:?}");
        assert!(shown.starts_with(&error.to_string()) && shown.contains("\n  hint: put the key into it"), "{shown}");
        let asked: Error = ChatAgentError::from(callboard_actors::error::AskError::Stopped).into();
        assert_eq!((asked.code(), asked.exit_status()), ("stopped", ExitStatus::Internal));
        let of_model = |error| Error::from(ChatAgentError::Model { error, partial: Box::default() }).exit_status();
        assert_eq!(of_model(ModelError::BudgetExhausted("x".to_owned())), ExitStatus::Limit);
        assert_eq!(of_model(ModelError::NotFound("x".to_owned())), ExitStatus::Provider);
    }

    #[test]
    fn what_may_pass_by_itself_is_said_of_the_whole_and_of_its_part() {
        let config = || ConfigError::NotText { path: "a".into(), what: "is a folder" };
        let provider = || ProviderError::Key { variable: "OPENAI_API_KEY".to_owned() };
        assert_eq!((config().is_retryable(), Error::from(config()).is_retryable()), (false, false));
        assert_eq!((provider().is_retryable(), Error::Provider(provider()).is_retryable()), (false, false));
        assert_eq!(provider().hint(), Error::Provider(provider()).hint());
        #[cfg(feature = "research")]
        for (error, passes) in [(CorpusError::Interrupted, true), (CorpusError::NoPaths, false)] {
            assert_eq!((error.is_retryable(), Error::from(error).is_retryable()), (passes, passes));
        }
    }

    #[test]
    fn the_hint_follows_from_what_the_model_call_met() {
        let hint = |error: ModelError| {
            let error = Error::Model { message: error.to_string(), error: Some(error) };
            (error.model_error().map(ModelError::code), error.hint())
        };
        let said = || "so it says".to_owned();
        for (error, cause, advice, other) in [
            (ModelError::Unauthorized { status: 401, message: said() }, "unauthorized", "key", "address"),
            (ModelError::NotFound(said()), "not_found", "name", "key"),
            (
                ModelError::Unavailable { status: 500, retry_after: None, message: said() },
                "unavailable",
                "server",
                "key",
            ),
            (ModelError::Network { sent: false, message: said() }, "network", "address", "key"),
        ] {
            let (code, hint) = hint(error);
            assert_eq!(code, Some(cause));
            assert!(hint.contains(advice) && !hint.contains(other), "{hint}");
        }
    }
}
