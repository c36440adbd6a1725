//! What does a person at the command line do about an error of the library? What the library says, with the flag where there is one:
//! a program of somebody else's has none, so the library does not name it.

use callboard::actors::error::{ModelError, Waiting};
use callboard::config::keys::Name;
use callboard::config::{Loaded, Origin};
use callboard::corpus::CorpusError;
use callboard::providers::ProviderError;
use callboard::report::json::ErrorEntry;
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
        Error::UnknownPrice { model } => format!(
            "write [prices.\"{model}\"] into your user file (docs/configuration.md says where it is), and below it input = ... and \
             output = ... in US dollars for a million tokens; or limit tokens with --max-tokens and leave --max-cost out"
        ),
        Error::Provider(ProviderError::Address { variable, .. }) => {
            let provider = variable.trim_end_matches("_BASE_URL").to_lowercase();
            format!(
                "mend the address: it stands in {variable}, or in providers.{provider}.base_url of a configuration file"
            )
        }
        Error::Provider(ProviderError::Key { variable }) => format!("copy the key into {variable} as one line"),
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
        Error::Model { error: None, .. } => {
            "name another model with --model, or none: then the rules answer; `callboard doctor` asks the provider"
                .to_owned()
        }
        Error::Model { error: Some(error), .. } => {
            format!("{}; without --model the rules answer; `callboard doctor` asks the provider", of_call(error))
        }
        Error::Budget(_) => "raise --max-tokens or --max-cost, or ask without a language model".to_owned(),
        Error::Start(error) if error.is_retryable() => {
            "close other programs, or lower --max-researchers, and try again".to_owned()
        }
        Error::Replies(error) => format!(
            "{}; the file is in the folder that CALLBOARD_CACHE_DIR names; or write `--cache off`",
            error.hint()
        ),
        Error::Sources(_) => "run the command again; if it fails again, remove the cache folder".to_owned(),
        Error::Internal(_) => "please report this with the command that you ran".to_owned(),
        error => error.hint(),
    }
}

/// The same of a call of a model.
fn of_call(error: &ModelError) -> String {
    let keys = match error {
        ModelError::BreakerOpen { last, .. } => return of_call(last),
        ModelError::Network { sent: false, message } if !message.contains(" through the proxy ") => {
            return "see whether the server runs there, and whether the address is right: a variable such as OPENAI_BASE_URL, or \
                    providers.NAME.base_url of a configuration file; then try again"
                .to_owned();
        }
        // A redirect may name the path, too.
        ModelError::NotFound(said) if said.contains("/responses") && !said.contains("points to") => {
            return "a server that does not know Responses wants `providers.openai.api = \"chat\"`; otherwise look at the address".to_owned();
        }
        ModelError::BudgetExhausted(_) => return "raise --max-tokens or --max-cost".to_owned(),
        ModelError::NoLanguageModel(_) => return "name a language model with --model PROVIDER/NAME".to_owned(),
        ModelError::Stopped => return "run the command again".to_owned(),
        ModelError::Overloaded { .. } => "gateway.max_in_flight",
        ModelError::Timeout(Waiting::Queue) => "--deadline, gateway.max_in_flight",
        ModelError::Timeout(Waiting::FirstToken) => "gateway.first_token_timeout",
        ModelError::Timeout(Waiting::NextToken) => "gateway.between_tokens_timeout",
        ModelError::Timeout(Waiting::Total) => "--deadline, gateway.total_timeout",
        _ => return error.hint(),
    };
    format!("{} ({keys})", error.hint())
}

/// An error of a model that is configured, with the place where its name stands: there may be several models.
pub(super) fn placed(entry: ErrorEntry, error: &Error, loaded: &Loaded) -> ErrorEntry {
    let (Error::UnknownModel { name: model, .. } | Error::MissingKey { model, .. } | Error::UnknownPrice { model }) =
        error
    else {
        return entry;
    };
    let key = if loaded.config.model.name == *model { "model.name" } else { "model.fallbacks" };
    let place = loaded.settings.get(&Name::Key(key)).map(|setting| match &setting.origin {
        Origin::Flag(flag) => format!("{flag}: "),
        origin => format!("{key} ({origin}): "),
    });
    let hint = match error {
        Error::UnknownModel { advice, .. } => advice.clone(),
        _ => entry.hint,
    };
    ErrorEntry { message: format!("{}{}", place.unwrap_or_default(), entry.message), hint, ..entry }
}

/// The same of a report that could not be written.
pub(super) fn of_writing(error: &WriteError) -> String {
    format!("{} (--out)", error.hint())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
            assert!(!of(&error).contains("::") && !of(&error).contains("in code"), "{}", of(&error));
            let plain = error.hint();
            assert!(!plain.contains("--") && !plain.contains("callboard doctor") && !plain.is_empty(), "{plain}");
        }
        let said = || "x".to_owned();
        let network = ModelError::Network { sent: false, message: said() };
        let calls = [
            (network.clone(), "OPENAI_BASE_URL"),
            (
                ModelError::BreakerOpen { retry_after: Duration::ZERO, last: Box::new(network) },
                "providers.NAME.base_url",
            ),
            (
                ModelError::Network {
                    sent: false,
                    message: "no connection to h through the proxy p (X): no".to_owned(),
                },
                "NO_PROXY",
            ),
            (ModelError::BudgetExhausted("tokens left".to_owned()), "--max-tokens"),
            (ModelError::BudgetExhausted("nobody knows what".to_owned()), "--max-cost"),
            (ModelError::NoLanguageModel(said()), "--model PROVIDER/NAME"),
            (ModelError::Stopped, "run the command"),
            (ModelError::Overloaded { retry_after: Duration::ZERO }, "gateway.max_in_flight"),
            (ModelError::Timeout(Waiting::Queue), "gateway.max_in_flight"),
            (ModelError::Timeout(Waiting::FirstToken), "gateway.first_token_timeout"),
            (ModelError::Timeout(Waiting::NextToken), "gateway.between_tokens_timeout"),
            (ModelError::Timeout(Waiting::Total), "gateway.total_timeout"),
            (ModelError::NotFound(said()), "name"),
            (
                ModelError::NotFound("the server points to https://h/v1/responses (308)".to_owned()),
                "at the address, which",
            ),
            (ModelError::NotFound("no such path: /v1/responses".to_owned()), "providers.openai.api"),
        ];
        for (error, word) in calls {
            let hint = of(&Error::Model { message: said(), error: Some(error) });
            assert!(hint.contains(word) && hint.contains("--model"), "{hint}");
            assert!(!hint.contains("::") && !hint.contains("in code") && !hint.contains("runtime"), "{hint}");
        }
        let error = WriteError::NotAFolder { path: "x".into() };
        assert!(of_writing(&error).contains("--out") && !error.hint().contains("--"));
    }
}
