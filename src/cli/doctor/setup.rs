//! Is the configuration valid, are the keys there, does the provider answer? Keys are named, and never read out.

use std::time::Duration;

use callboard::actors::gateway::CacheMode;
use callboard::config::{BUILTIN, Config, Loaded};
use callboard::providers::{Answer, Probe};
use callboard::{Error, compose};

use super::check::Check;
use crate::cli::{hints, keys, output};

/// How long a provider may take to list its models.
pub(super) const WITHIN: Duration = Duration::from_secs(10);

/// From here on an answer is slow.
const SLOW: Duration = Duration::from_secs(2);

const UNREAD: &str = "the configuration cannot be read";

/// The files that were looked for.
pub(super) fn configuration(loaded: &Result<Loaded, Error>) -> Check {
    const NAME: &str = "configuration";
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return Check::fail(NAME, whole(error), hints::of(error)),
    };
    let file = |file: &callboard::config::ReadFile| {
        let state = match (file.is_found, file.whose, file.is_trusted) {
            (false, ..) => "not there",
            (true, "project", true) => "valid, trusted",
            (true, "project", false) => "valid, not trusted",
            (true, ..) => "valid",
        };
        format!("{} file {}: {state}", file.whose, file.path.display())
    };
    let detail = loaded.files.iter().map(file).collect::<Vec<_>>().join("; ");
    match loaded.notes.is_empty() {
        true => Check::ok(NAME, detail),
        false => Check::warn(NAME, detail, loaded.notes.join("; ")),
    }
}

/// Which keys are set; never what they are.
pub(super) fn keys(config: Option<&Config>) -> Check {
    let standard = Config::default();
    let variables = keys::variables(config.unwrap_or(&standard));
    let state = |(name, _): (&str, _)| format!("{name} {}", if keys::is_set(name) { "is set" } else { "is not set" });
    Check::ok("keys", variables.map(state).join("; "))
}

/// Whether the configured model can be set up; nothing is sent.
pub(super) fn model(loaded: Option<&Loaded>) -> Check {
    const NAME: &str = "model";
    let Some(loaded) = loaded else { return Check::skipped(NAME, UNREAD) };
    let config = &loaded.config;
    // The file of kept replies is opened only if it is there: nothing is left behind.
    let setup = compose::model_with(config, |name| std::env::var(name).ok());
    match setup.and_then(|setup| compose::kept_replies(config).map(|_| setup)) {
        Ok(None) => Check::ok(NAME, format!("{BUILTIN}: the rules, which send nothing anywhere")),
        Ok(Some(setup)) => {
            let all: Vec<_> = std::iter::once(&setup.model).chain(&setup.fallbacks).collect();
            let names: Vec<_> = all.iter().map(|model| model.name.as_str()).collect();
            let unpriced: Vec<_> = all.iter().filter(|model| model.price.is_none()).map(|model| &*model.name).collect();
            let price = match (unpriced.len(), all.len()) {
                (0, 1) => "its price is known".to_owned(),
                (0, _) => "their prices are known".to_owned(),
                (1, 1) => "its price is unknown".to_owned(),
                _ => format!("the price is unknown of {}", unpriced.join(", ")),
            };
            let kept = match config.model.cache {
                CacheMode::Off => "",
                CacheMode::On => "; replies are kept, and kept ones taken",
                CacheMode::ReadOnly => "; kept replies are taken",
                CacheMode::WriteOnly => "; replies are kept",
            };
            Check::ok(NAME, format!("{}; {price}{kept}", names.join(", then ")))
        }
        Err(error) => {
            let told = hints::placed(output::entry(&error), &error, loaded);
            Check::fail(NAME, told.message, told.hint)
        }
    }
}

/// What came of asking the provider.
pub(super) fn provider(name: &'static str, asked: Result<Option<Probe>, Error>) -> Check {
    let Probe { host, is_key_exposed, answer } = match asked {
        Ok(Some(probe)) => probe,
        Ok(None) => return Check::skipped(name, "the rules need none"),
        Err(_) => return Check::skipped(name, "not asked: see the check `model`"),
    };
    let ms = |latency: Duration| format!("{host} answers in {} ms", latency.as_millis());
    match answer {
        Answer::Unreachable(error) => {
            let said = error.to_string();
            let hint = match said.contains(" through the proxy ") {
                true => {
                    "see whether the proxy runs and lets this address through; NO_PROXY names hosts that are reached without it; \
                     --offline leaves this out"
                }
                false => {
                    "see whether the server runs and the address is right: a variable such as OPENAI_BASE_URL, or \
                     providers.NAME.base_url; --offline leaves this out"
                }
            };
            Check::fail(name, format!("{host} does not answer: {said}"), hint)
        }
        Answer::Refused { status, latency } => Check::fail(
            name,
            format!("{} and refuses the key, or wants one (HTTP {status})", ms(latency)),
            "see whether the key is set, right and still valid: the check `keys` says which variable holds it",
        ),
        Answer::NoList { latency } => Check::fail(
            name,
            format!("{}, but not with a list of models, as another server or another address does", ms(latency)),
            "look at the address: it usually ends with /v1",
        ),
        Answer::Encoded { encoding, latency } => Check::fail(
            name,
            format!(
                "{}, but what it says is encoded (content-encoding: {encoding}), which nobody asked for",
                ms(latency)
            ),
            "let the server, or the proxy before it, send replies as they are: without compression",
        ),
        Answer::Other { status: status @ 300..=399, latency } => Check::fail(
            name,
            format!("{} and points to another address (HTTP {status}), where calls are not sent", ms(latency)),
            "name the other address, such as one with https:// or without a second slash; it usually ends with /v1",
        ),
        Answer::Other { status: 429, latency } => Check::warn(
            name,
            format!("{}, and the rate of the key is reached, or its account has no money left (HTTP 429)", ms(latency)),
            "try again later, or look at the account",
        ),
        Answer::Other { status, latency } if status >= 500 => Check::fail(
            name,
            format!("{} with HTTP {status}", ms(latency)),
            "the provider has trouble of its own: try again later",
        ),
        Answer::Other { status, latency } => Check::warn(
            name,
            format!("{} with HTTP {status} to the question for its models", ms(latency)),
            "some servers have no such list; if a run fails too, look at the address: it usually ends with /v1",
        ),
        Answer::Listed { latency, has_model: Some(false), near } => {
            let detail = format!("{}, and its list does not have the model", ms(latency));
            let look = "look at the name after the `/`: the provider lists its models at /models";
            match near.is_empty() {
                true => Check::fail(name, detail, look),
                false => Check::fail(name, detail, format!("{look}, among them {}", near.join(", "))),
            }
        }
        Answer::Listed { latency, .. } if is_key_exposed => Check::warn(
            name,
            format!("{}, over plain http", ms(latency)),
            "the key can be read on the way: write https:// in the address",
        ),
        Answer::Listed { latency, .. } if latency > SLOW => {
            Check::warn(name, format!("{}, which is slow", ms(latency)), "look at the network, or try again later")
        }
        Answer::Listed { latency, .. } => Check::ok(name, ms(latency)),
        _ => Check::warn(name, format!("{host} says something that is not understood"), "run a small question"),
    }
}

/// Whether what is searched by default is there.
pub(super) fn corpus(config: Option<&Config>) -> Check {
    const NAME: &str = "corpus";
    let Some(config) = config else { return Check::skipped(NAME, UNREAD) };
    let paths = &config.research.corpus;
    if let Some(missing) = paths.iter().find(|path| std::fs::metadata(path).is_err()) {
        let hint = "mend research.corpus, or name another with --corpus";
        return Check::fail(NAME, format!("{} cannot be reached", missing.display()), hint);
    }
    match paths.len() {
        0 => Check::skipped(NAME, "none is configured: each research names its own with --corpus"),
        _ => Check::ok(NAME, paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")),
    }
}

/// An error with its causes.
fn whole(error: &Error) -> String {
    callboard::report::json::ErrorEntry::new(error.code(), error, String::new()).message
}

#[cfg(test)]
mod tests {
    use super::super::check::Status::{Fail, Ok, Skipped, Warn};
    use super::*;
    use callboard::actors::error::ModelError;

    #[test]
    fn each_answer_of_a_provider_has_its_status() {
        let (quick, slow) = (Duration::from_millis(3), Duration::from_secs(3));
        let listed = |latency, has_model| Answer::Listed { latency, has_model, near: Vec::new() };
        let answered = |answer, is_key_exposed| {
            let probe = Probe { host: "https://host".into(), is_key_exposed, answer };
            provider("provider", Result::Ok(Some(probe))).status
        };
        for (answer, is_key_exposed, status) in [
            (listed(quick, Some(true)), false, Ok),
            (listed(quick, None), false, Ok),
            (listed(quick, None), true, Warn),
            (listed(slow, None), false, Warn),
            (listed(quick, Some(false)), false, Fail),
            (Answer::Refused { status: 401, latency: quick }, false, Fail),
            (Answer::NoList { latency: quick }, false, Fail),
            (Answer::Encoded { encoding: "gzip".to_owned(), latency: quick }, false, Fail),
            (Answer::Other { status: 301, latency: quick }, false, Fail),
            (Answer::Other { status: 429, latency: quick }, false, Warn),
            (Answer::Other { status: 404, latency: quick }, false, Warn),
            (Answer::Other { status: 503, latency: quick }, false, Fail),
            (Answer::Unreachable(ModelError::Stopped), false, Fail),
        ] {
            assert_eq!(answered(answer.clone(), is_key_exposed), status, "{answer:?}");
        }
        assert_eq!(provider("provider", Result::Ok(None)).status, Skipped);
        for (said, named) in [("refused", "OPENAI_BASE_URL"), ("refused through the proxy http://h:1 (X)", "NO_PROXY")]
        {
            let error = ModelError::Network { sent: false, message: said.to_owned() };
            let probe =
                Probe { host: "https://host".into(), is_key_exposed: false, answer: Answer::Unreachable(error) };
            let told = provider("provider", Result::Ok(Some(probe)));
            assert!(told.hint.contains(named), "{said}");
        }
    }
}
