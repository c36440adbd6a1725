//! Which adapters does a configuration ask for? The only file that names every one of them.

use std::sync::Arc;
use std::time::Duration;

use callboard_actors::gateway::{
    BudgetLimits, CachePolicy, GatewayLimits, ModelLimits, RetryPolicy, ServedModel, Timeouts,
};
use callboard_actors::ports::ChatModel;
use secrecy::SecretString;

use crate::choice::ModelChoice;
use crate::config::{BUILTIN, Config, GatewayConfig, ModelConfig, Money, ProviderConfig};
use crate::error::{Error, Result};
use crate::providers::anthropic::Anthropic;
use crate::providers::openai::{OpenAi, OpenAiApi, OpenAiResponses};
use crate::providers::{Probe, VENDORS};

#[cfg(feature = "store")]
mod replies;
#[cfg(feature = "store")]
pub use replies::{REPLIES, kept_replies};

/// The providers that there are, as they are written before the `/` of a model.
pub const PROVIDERS: [&str; 4] = ["openai", "anthropic", "gemini", "ollama"];

/// The model that is configured, with its key from the environment; `None` for the rules. Nothing is sent. With a cache, the file
/// of kept replies is opened, which may take a moment.
///
/// # Errors
/// [`Error::UnknownModel`], [`Error::MissingKey`], [`Error::UnknownPrice`] with a limit on costs, [`Error::Provider`],
/// [`Error::Replies`], [`Error::NoCacheFolder`], and [`Error::Feature`] for a cache without the feature `store`.
pub fn model(config: &Config) -> Result<Option<ModelChoice>> {
    let Some(choice) = model_with(config, |name| std::env::var(name).ok())? else { return Ok(None) };
    #[cfg(feature = "store")]
    let choice = ModelChoice { replies: replies::configured(config)?, ..choice };
    #[cfg(not(feature = "store"))]
    if config.model.cache != callboard_actors::gateway::CacheMode::Off {
        return Err(Error::Feature { what: "model.cache", feature: "store" });
    }
    Ok(Some(choice))
}

/// The same, with an environment of the caller's, and without the file of kept replies.
///
/// # Errors
/// As [`model`].
pub fn model_with(config: &Config, variable: impl Fn(&str) -> Option<String>) -> Result<Option<ModelChoice>> {
    let ModelConfig { name, fallbacks, max_tokens, max_cost, .. } = &config.model;
    let Some(model) = served(config, name, &variable)? else { return Ok(None) };
    let mut others: Vec<ServedModel> = Vec::new();
    for other in fallbacks {
        // A model that could not answer is not asked twice.
        if other != name && others.iter().all(|known| known.name != *other) {
            others.extend(served(config, other, &variable)?);
        }
    }
    let budget = BudgetLimits { tokens: *max_tokens, micros: max_cost.map(|Money(micros)| micros) };
    let choice = ModelChoice::new(model);
    Ok(Some(ModelChoice { fallbacks: others, gateway: gateway(&config.gateway), budget, ..choice }))
}

/// The model with this name as the gateway serves it.
fn served(config: &Config, name: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Option<ServedModel>> {
    let adapter: Arc<dyn ChatModel> = match adapter(config, name, variable)? {
        None => return Ok(None),
        Some(Adapter::OpenAi(model)) => Arc::new(model),
        Some(Adapter::OpenAiResponses(model)) => Arc::new(model),
        Some(Adapter::Anthropic(model)) => Arc::new(model),
    };
    let price = config.prices.of(name);
    if config.model.max_cost.is_some() && price.is_none() {
        return Err(Error::UnknownPrice { model: name.to_owned() });
    }
    let GatewayConfig { max_in_flight, requests_per_minute, tokens_per_minute, .. } = config.gateway;
    let limits = ModelLimits { max_in_flight, requests_per_minute, tokens_per_minute };
    let cache = CachePolicy { mode: config.model.cache, ..CachePolicy::default() };
    Ok(Some(ServedModel { limits, price, cache, ..ServedModel::new(name, adapter) }))
}

/// Whether the configured provider answers: asks for its list of models, within `within`. `None` for the rules.
///
/// # Errors
/// As [`model`]; that it does not answer is a [`Probe`].
pub async fn probe(config: &Config, within: Duration) -> Result<Option<Probe>> {
    probe_model(config, &config.model.name, within).await
}

/// The same for the provider of another model, such as one of the fall-backs, by its whole name.
///
/// # Errors
/// As [`probe`].
pub async fn probe_model(config: &Config, whole: &str, within: Duration) -> Result<Option<Probe>> {
    let adapter = adapter(config, whole, |name| std::env::var(name).ok())?;
    let name = whole.split_once('/').map_or("", |(_, name)| name);
    Ok(match adapter {
        None => None,
        Some(Adapter::OpenAi(model)) => Some(model.probe(name, within).await),
        Some(Adapter::OpenAiResponses(model)) => Some(model.probe(name, within).await),
        Some(Adapter::Anthropic(model)) => Some(model.probe(name, within).await),
    })
}

/// An adapter of one of the formats.
#[derive(Debug)]
enum Adapter {
    OpenAi(OpenAi),
    OpenAiResponses(OpenAiResponses),
    Anthropic(Anthropic),
}

/// The adapter of a model; `None` for the rules.
fn adapter(config: &Config, whole: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Adapter>> {
    if whole == BUILTIN {
        return Ok(None);
    }
    let unknown = || Error::UnknownModel { name: whole.to_owned(), advice: advice(whole) };
    let (provider, name) = whole.split_once('/').filter(|(_, name)| !name.is_empty()).ok_or_else(unknown)?;
    let vendor = VENDORS.into_iter().find(|vendor| vendor.name == provider).ok_or_else(unknown)?;
    let ProviderConfig { base_url, key_env } = match provider {
        "anthropic" => &config.anthropic,
        "gemini" => &config.gemini,
        "ollama" => &config.ollama,
        _ => &config.openai,
    };
    let (base, key) = (base_url.as_deref(), variable(key_env).filter(|key| !key.trim().is_empty()));
    // A server of one's own may want none; the vendor always wants one.
    if key.is_none() && vendor.is_at(base) {
        return Err(Error::MissingKey { model: whole.to_owned(), variable: key_env.clone() });
    }
    let key = key.map(SecretString::from);
    let adapter = match provider {
        "anthropic" => Anthropic::new(name, key, base).map(Adapter::Anthropic),
        "openai" if config.openai_api == OpenAiApi::Responses => {
            OpenAiResponses::new(name, key, base).map(Adapter::OpenAiResponses)
        }
        _ => OpenAi::of(vendor, name.to_owned(), key, base).map(Adapter::OpenAi),
    };
    adapter.map(Some).map_err(Error::Provider)
}

/// What to write instead of a name that is none.
fn advice(name: &str) -> String {
    let known = PROVIDERS.join(", ");
    match name.split_once('/') {
        None if name.is_empty() => {
            format!("name a provider and its model: `openai/NAME`; or `{BUILTIN}` for the rules")
        }
        None => format!("name its provider too: `openai/{name}`; or `{BUILTIN}` for the rules"),
        Some((BUILTIN, _)) => format!("write `{BUILTIN}` alone"),
        Some((provider, "")) if PROVIDERS.contains(&provider) => {
            format!("write the model's name after the `/`, as the provider calls it: `{provider}/NAME`")
        }
        Some((_, model)) => {
            let model = if model.is_empty() { "NAME" } else { model };
            format!(
                "the providers are {known}. A server that speaks as OpenAI does is `openai/{model}` with its address in \
                 OPENAI_BASE_URL"
            )
        }
    }
}

/// One model stands behind the gateway: its places are those of all models together, where they are more.
fn gateway(config: &GatewayConfig) -> GatewayLimits {
    let defaults = GatewayLimits::default();
    GatewayLimits {
        max_in_flight: config.max_in_flight.unwrap_or_default().max(defaults.max_in_flight),
        max_waiting: config.max_waiting,
        deadline: config.deadline,
        timeouts: Timeouts {
            connect: config.connect_timeout,
            first_token: config.first_token_timeout,
            between_tokens: config.between_tokens_timeout,
            total: config.total_timeout,
        },
        retry: RetryPolicy { attempts: config.attempts, ..defaults.retry.clone() },
        ..defaults
    }
}

#[cfg(test)]
mod tests {
    use callboard_actors::gateway::{CacheMode, Price};

    use super::*;
    use crate::config::{Surroundings, load};
    use crate::exit::ExitStatus;

    fn named(name: &str) -> Config {
        let mut config = Config::default();
        config.model.name = name.to_owned();
        config
    }

    fn keyed(name: &str) -> Option<String> {
        (name == "OPENAI_API_KEY").then(|| "sk-canary".to_owned())
    }

    #[test]
    fn a_name_that_is_none_says_what_to_write() {
        for (name, advice) in [
            ("gpt", "`openai/gpt`"),
            ("openai/", "`openai/NAME`"),
            ("opneai/x", "the providers are openai, anthropic, gemini, ollama."),
            ("mistral/x", "`openai/x` with its address in OPENAI_BASE_URL"),
            ("/", "the providers are openai, anthropic"),
            ("", "`builtin`"),
            ("builtin/extractive", "write `builtin` alone"),
        ] {
            let error = model_with(&named(name), keyed).unwrap_err();
            assert!(error.hint().contains(advice), "{name}: {}", error.hint());
            assert!(error.to_string().contains("PROVIDER/NAME"), "{error}");
            assert_eq!(error.exit_status(), ExitStatus::Input);
        }
        assert!(model_with(&Config::default(), keyed).unwrap().is_none());
    }

    #[test]
    fn the_vendor_wants_a_key_and_another_address_does_not() {
        let error = model_with(&named("openai/x"), |_| None).unwrap_err();
        assert_eq!(error.exit_status(), ExitStatus::Provider);
        assert!(error.to_string().contains("OPENAI_API_KEY"), "{error}");
        assert!(model_with(&named("openai/x"), |_| Some(" ".to_owned())).is_err());
        assert!(model_with(&named("openai/x"), keyed).unwrap().is_some());
        let mut config = named("openai/x");
        config.openai.base_url = Some("http://localhost:1/v1".to_owned());
        assert!(model_with(&config, |_| None).unwrap().is_some());
        config.openai.base_url = Some("https://eu.api.openai.com/v1".to_owned());
        config.openai.key_env = "OTHER".to_owned();
        let error = model_with(&config, keyed).unwrap_err();
        assert!(error.to_string().contains("OTHER"), "{error}");
        let error = model_with(&named("openai/x"), |_| Some("sk-canary\nx".to_owned())).unwrap_err();
        assert!(error.exit_status() == ExitStatus::Provider && !error.to_string().contains("canary"), "{error}");
    }

    #[test]
    fn each_vendor_has_an_address_and_a_key_of_its_own() {
        // With the place of each in the list as the port of its address.
        let vendors = [
            ("openai", "OPENAI_BASE_URL", "OPENAI_API_KEY"),
            ("anthropic", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
            ("gemini", "GEMINI_BASE_URL", "GEMINI_API_KEY"),
            ("ollama", "OLLAMA_BASE_URL", "OLLAMA_API_KEY"),
        ];
        assert_eq!(vendors.map(|(name, ..)| name), PROVIDERS);
        let folder = tempfile::tempdir().unwrap();
        let configured = |variables: Vec<(String, String)>| {
            let variables = variables.into_iter().map(|(name, value)| (name, value.into())).collect();
            let around = Surroundings { folder: folder.path().to_owned(), variables, ..Surroundings::default() };
            load(&around, Vec::new()).unwrap().config
        };
        // The variables that an adapter reads, and what it is.
        let made = |config: &Config, name: &str| {
            let read = std::cell::RefCell::new(Vec::new());
            let adapter = adapter(config, &format!("{name}/x"), |variable| {
                read.borrow_mut().push(variable.to_owned());
                None
            });
            (read.into_inner(), adapter.map(|adapter| format!("{:?}", adapter.unwrap())))
        };
        let bases = vendors.iter().zip(1..).map(|((_, base, _), port)| (base, format!("http://localhost:{port}/v1")));
        let elsewhere = configured(bases.map(|(base, url)| ((*base).to_owned(), url)).collect());
        let other = |name: &str| format!("KEY_OF_{}", name.to_uppercase());
        let renames = |name: &str| (format!("CALLBOARD_PROVIDERS_{}_KEY_ENV", name.to_uppercase()), other(name));
        let renamed = configured(vendors.iter().map(|(name, ..)| renames(name)).collect());
        for ((name, _, key), port) in vendors.iter().zip(1..) {
            let (read, adapter) = made(&elsewhere, name);
            assert_eq!(read, [*key]);
            let adapter = adapter.unwrap();
            assert!(adapter.contains(&format!("x at http://localhost:{port})")), "{name}: {adapter}");
            for (config, key) in [(&Config::default(), (*key).to_owned()), (&renamed, other(name))] {
                let (read, adapter) = made(config, name);
                assert_eq!(read, [key.as_str()]);
                match adapter {
                    Ok(_) => assert_eq!(*name, "ollama", "a server on one's own machine wants none"),
                    Err(Error::MissingKey { model, variable }) => {
                        assert_eq!((model, variable), (format!("{name}/x"), key))
                    }
                    Err(error) => panic!("{name}: {error}"),
                }
            }
        }
    }

    #[cfg(not(feature = "store"))]
    #[test]
    fn a_cache_that_was_left_out_is_not_passed_over() {
        let mut config = named("ollama/x");
        assert!(model(&config).unwrap().is_some());
        config.model.cache = CacheMode::On;
        let error = model(&config).unwrap_err();
        assert_eq!((error.code(), error.exit_status()), ("feature_off", ExitStatus::Input));
        assert!(error.hint().contains("add `store`") && error.hint().contains("model.cache"), "{}", error.hint());
        config.model.name = BUILTIN.to_owned();
        assert!(model(&config).unwrap().is_none(), "the rules keep nothing");
    }

    #[test]
    fn a_key_chooses_the_interface_of_openai_and_of_nobody_else() {
        let mut config = named("openai/x");
        let made =
            |config: &Config, name: &str| adapter(config, name, |_| Some("sk-canary".to_owned())).unwrap().unwrap();
        assert!(matches!(made(&config, "openai/x"), Adapter::OpenAi(_)));
        config.openai_api = OpenAiApi::Responses;
        assert!(matches!(made(&config, "openai/x"), Adapter::OpenAiResponses(_)));
        assert!(matches!(made(&config, "ollama/x"), Adapter::OpenAi(_)));
        assert!(matches!(made(&config, "anthropic/x"), Adapter::Anthropic(_)));
        let error = model_with(&config, |_| None).unwrap_err();
        assert!(error.to_string().contains("OPENAI_API_KEY"), "{error}");
    }

    #[test]
    fn an_unknown_price_is_no_zero() {
        let mut config = named("openai/x");
        assert_eq!(model_with(&config, keyed).unwrap().unwrap().model.price, None);
        config.model.max_cost = Some(Money(1));
        let error = model_with(&config, keyed).unwrap_err();
        assert_eq!((error.code(), error.exit_status()), ("unknown_price", ExitStatus::Input));
        assert!(error.hint().contains("[prices.\"openai/x\"]"), "{}", error.hint());
        let price = Price { input: 1, output: 2 };
        config.prices.set("openai/x", price);
        let setup = model_with(&config, keyed).unwrap().unwrap();
        assert_eq!((setup.model.price, setup.budget.micros), (Some(price), Some(1)));
    }

    #[test]
    fn the_next_models_have_the_same_rules_and_none_is_asked_twice() {
        let mut config = named("openai/x");
        config.model.fallbacks = ["openai/y", "openai/x", "openai/z", "openai/y"].map(str::to_owned).to_vec();
        config.model.cache = CacheMode::ReadOnly;
        let choice = model_with(&config, keyed).unwrap().unwrap();
        let names: Vec<_> = choice.fallbacks.iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names, ["openai/y", "openai/z"]);
        let all = std::iter::once(&choice.model).chain(&choice.fallbacks);
        assert!(all.into_iter().all(|model| model.cache.mode == CacheMode::ReadOnly && model.store.is_none()));
        config.model.max_cost = Some(Money(1));
        config.prices.set("openai/x", Price { input: 1, output: 2 });
        let error = model_with(&config, keyed).unwrap_err().to_string();
        assert!(error.contains("openai/y"), "{error}");
        config.model.fallbacks = vec!["other/y".to_owned()];
        assert_eq!(model_with(&config, keyed).unwrap_err().code(), "unknown_model");
    }

    #[test]
    fn a_number_of_calls_that_is_written_holds_from_the_first_on() {
        let mut config = named("openai/x");
        for written in [None, Some(8), Some(64), Some(100)] {
            config.gateway.max_in_flight = written;
            let ModelChoice { model, gateway, .. } = model_with(&config, keyed).unwrap().unwrap();
            assert_eq!(model.limits.max_in_flight, written);
            assert_eq!(gateway.max_in_flight, if written == Some(100) { 100 } else { 64 });
        }
    }

    #[test]
    fn every_limit_reaches_the_gateway() {
        let mut config = named("openai/x");
        let seconds = Duration::from_secs;
        config.model.max_tokens = Some(9);
        config.gateway = GatewayConfig {
            max_in_flight: Some(100),
            requests_per_minute: Some(1),
            tokens_per_minute: Some(2),
            max_waiting: 3,
            attempts: 4,
            deadline: seconds(5),
            connect_timeout: seconds(6),
            first_token_timeout: seconds(7),
            between_tokens_timeout: seconds(8),
            total_timeout: seconds(9),
        };
        let ModelChoice { model, gateway, budget, .. } = model_with(&config, keyed).unwrap().unwrap();
        let limits = ModelLimits { max_in_flight: Some(100), requests_per_minute: Some(1), tokens_per_minute: Some(2) };
        assert_eq!((model.name.as_str(), model.limits), ("openai/x", limits));
        assert_eq!(budget, BudgetLimits { tokens: Some(9), micros: None });
        let [connect, first_token, between_tokens, total] = [6, 7, 8, 9].map(seconds);
        let timeouts = Timeouts { connect, first_token, between_tokens, total };
        let retry = RetryPolicy { attempts: 4, ..RetryPolicy::default() };
        let expected = GatewayLimits {
            max_in_flight: 100,
            max_waiting: 3,
            deadline: seconds(5),
            timeouts,
            retry,
            ..GatewayLimits::default()
        };
        assert_eq!(gateway, expected);
        assert_eq!(gateway.validate(), Ok(()));
    }
}
