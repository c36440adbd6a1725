//! Which keys are there? Each with its kind, its variable, its flag, and what a project file may do with it.

use super::Config;
use super::slot::{APIS, CACHE_MODES, Slot};
use super::value::{Kind, Money, Value};
use crate::providers::{anthropic, gemini, ollama, openai};

/// What a project file may do with a key, unless its folder is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Choose `builtin`: nothing is sent anywhere.
    BuiltinOnly,
    /// Name what lies in its own folder.
    Inside,
    /// Lower it.
    Lower,
    /// Nothing.
    Never,
    /// Nothing, even if it is trusted: it stands in the user file alone.
    UserFile,
}

/// A key of the configuration.
pub struct Key {
    /// Its whole name, such as `research.deadline`.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What a project file may do with it.
    pub rule: Rule,
    /// The environment variable that sets it.
    pub variable: Option<&'static str>,
    /// The flag that sets it.
    pub flag: Option<&'static str>,
    /// What it means.
    pub about: &'static str,
    slot: fn(&mut Config) -> &mut dyn Slot,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.name)
    }
}

/// What one model costs has two keys, below `prices."PROVIDER/NAME"`.
pub const PRICES: &str = "prices";

/// The kind of both.
pub const PRICE: Kind = Kind::Money(Money(0));

/// US dollars for a million tokens: of requests, or of replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Of requests: `input`.
    Input,
    /// Of replies: `output`.
    Output,
}

/// The name of a setting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// One of [`KEYS`].
    Key(&'static str),
    /// The price of a model.
    Price(String, Side),
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(name) => f.write_str(name),
            Self::Price(model, Side::Input) => write!(f, "{PRICES}.\"{model}\".input"),
            Self::Price(model, Side::Output) => write!(f, "{PRICES}.\"{model}\".output"),
        }
    }
}

impl Key {
    /// The key with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Its value in `config`; `None` when none is set.
    pub fn of(&self, config: &Config) -> Option<Value> {
        // A slot is reached through what may be changed; nothing is.
        (self.slot)(&mut config.clone()).get()
    }

    /// Sets it. A value of another kind is not taken.
    pub(super) fn set(&self, config: &mut Config, value: &Value) -> Option<()> {
        (self.slot)(config).put(value)
    }
}

/// A table that holds keys or tables, such as `providers.openai`.
pub(super) fn is_section(name: &str) -> bool {
    sections().any(|section| section == name)
}

/// Every table, `prices` among them; some more than once.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    let above = |key: &'static Key| key.name.match_indices('.').map(|(dot, _)| &key.name[..dot]);
    KEYS.iter().flat_map(above).chain([PRICES])
}

/// More tokens, or more of them in a minute, are no limit at all.
const MANY: u64 = 1_000_000_000_000;

const fn key(
    name: &'static str,
    kind: Kind,
    rule: Rule,
    variable: &'static str,
    slot: fn(&mut Config) -> &mut dyn Slot,
    about: &'static str,
) -> Key {
    Key { name, kind, rule, variable: Some(variable), flag: None, about, slot }
}

impl Key {
    const fn flag(mut self, flag: &'static str) -> Self {
        self.flag = Some(flag);
        self
    }
}

/// Every key but those of prices, in the order of the documentation.
#[rustfmt::skip]
pub static KEYS: &[Key] = &[
    Key {
        name: "trusted", kind: Kind::Paths, rule: Rule::UserFile, variable: None, flag: None,
        about: "folders whose project file may set everything",
        slot: |config| &mut config.trusted,
    },
    key("model.name", Kind::Model, Rule::BuiltinOnly, "CALLBOARD_MODEL_NAME",
        |config| &mut config.model.name,
        "the model: `builtin` for the rules, which send nothing anywhere, or a provider and a model").flag("--model"),
    key("model.max_cost", Kind::Money(Money(1)), Rule::Lower, "CALLBOARD_MODEL_MAX_COST",
        |config| &mut config.model.max_cost,
        "US dollars that a run may spend; needs the model's price").flag("--max-cost"),
    key("model.max_tokens", Kind::Count(1, MANY), Rule::Lower, "CALLBOARD_MODEL_MAX_TOKENS",
        |config| &mut config.model.max_tokens,
        "tokens that a run may use, of requests and replies together").flag("--max-tokens"),
    key("model.cache", Kind::OneOf(CACHE_MODES), Rule::Never, "CALLBOARD_MODEL_CACHE",
        |config| &mut config.model.cache,
        "whether replies are kept in a file, and kept ones taken instead of a call").flag("--cache"),
    key("model.fallbacks", Kind::Models, Rule::Never, "CALLBOARD_MODEL_FALLBACKS",
        |config| &mut config.model.fallbacks,
        "models that are asked in this order when those before cannot answer").flag("--fallbacks"),
    key("research.corpus", Kind::Paths, Rule::Inside, "CALLBOARD_RESEARCH_CORPUS",
        |config| &mut config.research.corpus,
        "folders and files to search").flag("--corpus"),
    key("research.max_researchers", Kind::Count(1, 64), Rule::Lower, "CALLBOARD_RESEARCH_MAX_RESEARCHERS",
        |config| &mut config.research.max_researchers,
        "how many researchers work at once").flag("--max-researchers"),
    key("research.deadline", Kind::Time, Rule::Lower, "CALLBOARD_RESEARCH_DEADLINE",
        |config| &mut config.research.deadline,
        "the time for everything, indexing included").flag("--deadline"),
    key("research.iterations", Kind::Count(1, 10), Rule::Lower, "CALLBOARD_RESEARCH_ITERATIONS",
        |config| &mut config.research.iterations,
        "how often a model plans").flag("--iterations"),
    key("gateway.max_in_flight", Kind::Count(1, 100_000), Rule::Lower, "CALLBOARD_GATEWAY_MAX_IN_FLIGHT",
        |config| &mut config.gateway.max_in_flight,
        "calls of the model in flight, from the first on; without it the gateway begins with 8 and finds how many the provider holds, up to 64"),
    key("gateway.requests_per_minute", Kind::Count(1, MANY), Rule::Lower, "CALLBOARD_GATEWAY_REQUESTS_PER_MINUTE",
        |config| &mut config.gateway.requests_per_minute,
        "calls that start in a minute"),
    key("gateway.tokens_per_minute", Kind::Count(1, MANY), Rule::Lower, "CALLBOARD_GATEWAY_TOKENS_PER_MINUTE",
        |config| &mut config.gateway.tokens_per_minute,
        "tokens in a minute, of requests and replies together"),
    key("gateway.max_waiting", Kind::Count(0, 1_000_000), Rule::Lower, "CALLBOARD_GATEWAY_MAX_WAITING",
        |config| &mut config.gateway.max_waiting,
        "calls that wait; more are refused"),
    key("gateway.attempts", Kind::Count(1, 100), Rule::Lower, "CALLBOARD_GATEWAY_ATTEMPTS",
        |config| &mut config.gateway.attempts,
        "how often a call is made at most; 1 is no retry"),
    key("gateway.deadline", Kind::Time, Rule::Lower, "CALLBOARD_GATEWAY_DEADLINE",
        |config| &mut config.gateway.deadline,
        "the time of a call, waiting and retries included"),
    key("gateway.connect_timeout", Kind::Time, Rule::Lower, "CALLBOARD_GATEWAY_CONNECT_TIMEOUT",
        |config| &mut config.gateway.connect_timeout,
        "how long an attempt waits for a connection"),
    key("gateway.first_token_timeout", Kind::Time, Rule::Never, "CALLBOARD_GATEWAY_FIRST_TOKEN_TIMEOUT",
        |config| &mut config.gateway.first_token_timeout,
        "how long an attempt waits for the first token of a stream"),
    key("gateway.between_tokens_timeout", Kind::Time, Rule::Never, "CALLBOARD_GATEWAY_BETWEEN_TOKENS_TIMEOUT",
        |config| &mut config.gateway.between_tokens_timeout,
        "how long an attempt waits between two pieces of a reply"),
    key("gateway.total_timeout", Kind::Time, Rule::Never, "CALLBOARD_GATEWAY_TOTAL_TIMEOUT",
        |config| &mut config.gateway.total_timeout,
        "how long an attempt may take"),
    key("providers.openai.base_url", Kind::Address, Rule::Never, openai::BASE_URL,
        |config| &mut config.openai.base_url,
        "another address that speaks as OpenAI does; the key goes there"),
    key("providers.openai.key_env", Kind::Variable, Rule::Never, "CALLBOARD_PROVIDERS_OPENAI_KEY_ENV",
        |config| &mut config.openai.key_env,
        "the variable that holds the key; a key itself never stands in a file"),
    key("providers.openai.api", Kind::OneOf(APIS), Rule::Never, "CALLBOARD_PROVIDERS_OPENAI_API",
        |config| &mut config.openai_api,
        "by which interface it is called: Chat Completions, which every server speaks, or Responses"),
    key("providers.anthropic.base_url", Kind::Address, Rule::Never, anthropic::BASE_URL,
        |config| &mut config.anthropic.base_url,
        "another address of Anthropic; the key goes there"),
    key("providers.anthropic.key_env", Kind::Variable, Rule::Never, "CALLBOARD_PROVIDERS_ANTHROPIC_KEY_ENV",
        |config| &mut config.anthropic.key_env,
        "the variable that holds the key"),
    key("providers.gemini.base_url", Kind::Address, Rule::Never, gemini::BASE_URL,
        |config| &mut config.gemini.base_url,
        "another address of Google's Gemini; the key goes there"),
    key("providers.gemini.key_env", Kind::Variable, Rule::Never, "CALLBOARD_PROVIDERS_GEMINI_KEY_ENV",
        |config| &mut config.gemini.key_env,
        "the variable that holds the key"),
    key("providers.ollama.base_url", Kind::Address, Rule::Never, ollama::BASE_URL,
        |config| &mut config.ollama.base_url,
        "another address of Ollama; the key goes there"),
    key("providers.ollama.key_env", Kind::Variable, Rule::Never, "CALLBOARD_PROVIDERS_OLLAMA_KEY_ENV",
        |config| &mut config.ollama.key_env,
        "the variable that holds the key"),
];
