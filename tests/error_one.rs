//! Does one return type do for a whole program, and what does its `main` show?

use std::io::ErrorKind;

use callboard::actors::agent::WorkError;
use callboard::actors::error::{AskError, ModelError, RetrieveError, StartError, StoreError, TellError, ToolError};
use callboard::actors::schema::Rules;
use callboard::actors::supervisor::{AddError, TaskError};
use callboard::config::{ConfigError, Place};
use callboard::corpus::CorpusError;
use callboard::mock_llm::{Fault, FaultRates, MockError, ScriptError};
use callboard::providers::ProviderError;
use callboard::testkit::{ProbeError, RecordingError, only_loopback};
use callboard::{ChatAgentError, Error, WriteError};

fn x() -> String {
    "x".to_owned()
}

/// What an error says, and the same error as one of the library.
macro_rules! said {
    ($($error:expr;)*) => {
        vec![$(
            (said!(@ $error), said!(@ Error::from($error)))
        ),*]
    };
    (@ $error:expr) => {{
        let error = $error;
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let shown = (error.to_string(), format!("{error:?}"), source);
        (error.code(), error.is_retryable(), error.hint().to_string(), shown)
    }};
}

#[test]
fn every_error_becomes_one_of_the_library_by_a_question_mark_and_says_the_same() {
    only_loopback();
    let full = || ErrorKind::StorageFull.into();
    let place = || Place { path: "x".into(), line: 1, column: 1 };
    let all = said! {
        StartError::Invalid(x());
        StoreError::Foreign(x());
        ChatAgentError::Agent(AskError::Stopped);
        ModelError::Network { sent: false, message: x() };
        ConfigError::Syntax { place: place(), message: x() };
        CorpusError::DiskFull { path: "x".into(), source: full() };
        WriteError::Io { path: "x".into(), source: full() };
        RetrieveError::Unavailable(x());
        WorkError::Overloaded;
        TellError::Overloaded(());
        TaskError::Failed(x());
        AddError::TooMany(1);
        ToolError::Unavailable(x());
        Rules::of(&serde_json::json!({"type": 7})).unwrap_err();
        ProbeError::Stopped { probe: x() };
        RecordingError::Ci("x".into());
        MockError::Listen { address: ([127, 0, 0, 1], 1).into(), source: ErrorKind::AddrInUse.into() };
        ScriptError::Read { path: "x".into(), source: full() };
        FaultRates::default().with(Fault::Hang, 2.0).unwrap_err();
        "none".parse::<Fault>().unwrap_err();
    };
    for (error, whole) in all {
        let (text, shown, source) = &error.3;
        // The reason is in the text or in the source, and once in what a `main` shows.
        assert!(source.as_ref().is_none_or(|source| !text.contains(source)), "{text}");
        let reason = source.iter().map(|source| format!(": {source}")).collect::<String>();
        assert_eq!(*shown, format!("{text}{reason}\n  hint: {}", error.2));
        assert_eq!(error, whole);
    }
    // These have another code, or say who did not answer.
    let provider = Error::from(ProviderError::Tls(x()));
    assert_eq!((provider.code(), provider.hint()), ("provider", ProviderError::Tls(x()).hint()));
    assert_eq!(Error::from(AskError::Timeout).to_string(), "the agent did not answer: no reply within the deadline");
}
