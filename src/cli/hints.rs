//! What does a person at the command line do about an error of the library? What the library says, with the flag where there is one:
//! a program of somebody else's has none, so the library does not name it.

use callboard::corpus::CorpusError;
use callboard::{Error, WriteError};

/// The hint of an error.
pub(super) fn of(error: &Error) -> String {
    match error {
        Error::EmptyQuestion => {
            "put the question in quotes: callboard research \"How do I ...?\" --corpus docs".to_owned()
        }
        Error::NoCorpus => {
            "name a folder or a file to search, for example `--corpus docs`; it may be repeated, or stand in \
                            callboard.toml"
                .to_owned()
        }
        Error::UnknownModel { advice, .. } => {
            format!("{advice}; say it with --model, CALLBOARD_MODEL_NAME, or model.name in a configuration file")
        }
        Error::UnknownPrice { .. } => format!("{}; or with --max-tokens", error.hint()),
        Error::Corpus(CorpusError::NoPaths) => "name a folder or a file with --corpus PATH".to_owned(),
        Error::Corpus(
            error @ (CorpusError::Missing(_) | CorpusError::BrokenLink(_) | CorpusError::Unreadable { .. }),
        ) => {
            format!("{}: --corpus PATH", error.hint())
        }
        Error::IndexDeadline => {
            "allow more time, for example `--deadline 5m`: an index that is not finished is not kept".to_owned()
        }
        Error::Interrupted => "run the command again; an index that is not finished is not kept".to_owned(),
        Error::Model { .. } => format!("{}; `callboard doctor` asks the provider", error.hint()),
        Error::Budget(_) => "raise --max-tokens or --max-cost, or ask without a language model".to_owned(),
        Error::Start(error) if error.is_retryable() => {
            "close other programs, or lower --max-researchers, and try again".to_owned()
        }
        Error::Replies(_) => format!("{}; or write `--cache off`", error.hint()),
        Error::Sources(_) => "run the command again; if it fails again, remove the cache folder".to_owned(),
        Error::Internal(_) => "please report this with the command that you ran".to_owned(),
        error => error.hint(),
    }
}

/// The same of a report that could not be written.
pub(super) fn of_writing(error: &WriteError) -> String {
    format!("{} (--out)", error.hint())
}

#[cfg(test)]
mod tests {
    use callboard::actors::error::StoreError;

    use super::*;

    #[test]
    fn the_command_line_names_its_flags_and_the_library_none() {
        let errors = [
            (Error::EmptyQuestion, "--corpus"),
            (Error::NoCorpus, "--corpus"),
            (Error::UnknownModel { name: "gpt".to_owned(), advice: "name its provider too".to_owned() }, "--model"),
            (Error::UnknownPrice { model: "a/b".to_owned() }, "--max-tokens"),
            (Error::Corpus(CorpusError::Missing("x".into())), "--corpus"),
            (Error::IndexDeadline, "--deadline"),
            (Error::Model { message: "x".to_owned(), error: None }, "callboard doctor"),
            (Error::Budget("x".to_owned()), "--max-cost"),
            (Error::Replies(StoreError::Closed("x".to_owned())), "--cache"),
        ];
        for (error, flag) in errors {
            assert!(of(&error).contains(flag), "{}", of(&error));
            let plain = error.hint();
            assert!(!plain.contains("--") && !plain.contains("callboard doctor") && !plain.is_empty(), "{plain}");
        }
        let error = WriteError::NotAFolder { path: "x".into() };
        assert!(of_writing(&error).contains("--out") && !error.hint().contains("--"));
    }
}
