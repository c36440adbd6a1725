//! What is configured, and who says so? One typed [`Config`], made of defaults, two files, the environment and flags.
//!
//! A flag is over the environment, that over the project file, that over the user file, and that over the defaults; each
//! value knows where it came from. docs/configuration.md has every key, and a test compares it with [`keys::KEYS`].
//!
//! - `keys`: every key with its kind, its variable, its flag, and what a project file may do with it
//! - `value`, `slot`, `duration`: values, and how they get into the fields of [`Config`]
//! - `file`, `suggest`: a file's text becomes entries, or an error with line and column
//! - `origin`, `layers`: who said what, and who wins
//! - `trust`: what a project file in a folder that nobody trusts may say
//! - `prices`: the table of prices that a version comes with
//! - `load`: reads the files and the environment; the only file here that does, all others are pure

pub mod duration;
mod error;
mod file;
pub mod keys;
mod layers;
mod load;
mod origin;
mod prices;
mod slot;
mod suggest;
#[cfg(test)]
mod tests;
mod trust;
mod value;

use std::path::PathBuf;
use std::time::Duration;

use callboard_actors::gateway::{CacheMode, GatewayLimits, ModelLimits, Prices};

use crate::providers::openai::OpenAiApi;
use crate::providers::{anthropic, gemini, ollama, openai};

pub use error::ConfigError;
pub use layers::{Entry, Setting, Settings};
pub use load::{CONFIG_VARIABLE, FILE_NAME, Loaded, ReadFile, Surroundings, load};
pub use origin::{Origin, Place};
pub(crate) use suggest::near;
pub use value::{Kind, Money, Value, quoted};

/// The name of the model that is none: the rules.
pub const BUILTIN: &str = "builtin";

/// The deadline of a research when none is given, without a language model.
pub const BY_RULES: Duration = Duration::from_secs(60);
/// The same with one.
pub const WITH_MODEL: Duration = Duration::from_secs(300);

/// Everything that can be configured. [`load()`] makes it of the files, the environment and flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Folders whose project files may set everything; only the user file names them.
    pub trusted: Vec<PathBuf>,
    /// Which model, and what it may spend.
    pub model: ModelConfig,
    /// What a research is like unless its command says otherwise.
    pub research: ResearchConfig,
    /// How the model may be called.
    pub gateway: GatewayConfig,
    /// Where OpenAI, or a server that speaks as it does, is.
    pub openai: ProviderConfig,
    /// By which interface OpenAI is called.
    pub openai_api: OpenAiApi,
    /// Where Anthropic is.
    pub anthropic: ProviderConfig,
    /// Where Google's Gemini is.
    pub gemini: ProviderConfig,
    /// Where Ollama is.
    pub ollama: ProviderConfig,
    /// What models cost; one that is not here is unknown, and not free.
    pub prices: Prices,
}

/// `[model]`: which model, and what a run may spend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelConfig {
    /// [`BUILTIN`] for the rules, which send nothing anywhere, or a provider and a model such as `openai/NAME`.
    pub name: String,
    /// US dollars that a run may spend; `None` is no limit.
    pub max_cost: Option<Money>,
    /// Tokens that a run may use, of requests and replies together; `None` is no limit.
    pub max_tokens: Option<u64>,
    /// Whether replies are kept in a file, and kept ones taken instead of a call.
    pub cache: CacheMode,
    /// Models that are asked, in this order, when those before cannot answer.
    pub fallbacks: Vec<String>,
}

/// `[research]`: what a research is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResearchConfig {
    /// Folders and files to search.
    pub corpus: Vec<PathBuf>,
    /// How many researchers work at once, 1 to 64.
    pub max_researchers: usize,
    /// The time for everything, 1 ms to 24 h. One that nobody set is 5 minutes with a language model.
    pub deadline: Duration,
    /// How often a model plans, 1 to 10: after each round but the last it looks for what is missing.
    pub iterations: u32,
}

/// `[gateway]`: how the model may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Calls of a model in flight, 1 to 100,000, from the first on; refusals lower it. `None` begins with 8, and the gateway finds how many
    /// its provider holds, up to 64.
    pub max_in_flight: Option<usize>,
    /// Calls that start in a minute; `None` is no limit.
    pub requests_per_minute: Option<u64>,
    /// Tokens in a minute, of requests and replies together; `None` is no limit.
    pub tokens_per_minute: Option<u64>,
    /// Calls that wait, up to 1,000,000.
    pub max_waiting: usize,
    /// How often a call is made at most, 1 to 100.
    pub attempts: u32,
    /// How long a call may take, waiting and retries included.
    pub deadline: Duration,
    /// How long an attempt waits for a connection.
    pub connect_timeout: Duration,
    /// How long an attempt waits for the first token of a streamed reply.
    pub first_token_timeout: Duration,
    /// How long an attempt waits between two pieces of a reply.
    pub between_tokens_timeout: Duration,
    /// How long an attempt may take.
    pub total_timeout: Duration,
}

/// `[providers.openai]`: where a provider is, and where its key is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderConfig {
    /// Its address; `None` is the vendor's own.
    pub base_url: Option<String>,
    /// The environment variable that holds the key.
    pub key_env: String,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            name: BUILTIN.to_owned(),
            max_cost: None,
            max_tokens: None,
            cache: CacheMode::Off,
            fallbacks: Vec::new(),
        }
    }
}

impl Default for ResearchConfig {
    fn default() -> Self {
        Self { corpus: Vec::new(), max_researchers: 4, deadline: BY_RULES, iterations: 2 }
    }
}

impl Default for GatewayConfig {
    /// The defaults of the gateway itself.
    fn default() -> Self {
        let (model, gateway) = (ModelLimits::default(), GatewayLimits::default());
        Self {
            max_in_flight: model.max_in_flight,
            requests_per_minute: model.requests_per_minute,
            tokens_per_minute: model.tokens_per_minute,
            max_waiting: gateway.max_waiting,
            attempts: gateway.retry.attempts,
            deadline: gateway.deadline,
            connect_timeout: gateway.timeouts.connect,
            first_token_timeout: gateway.timeouts.first_token,
            between_tokens_timeout: gateway.timeouts.between_tokens,
            total_timeout: gateway.timeouts.total,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            trusted: Vec::new(),
            model: ModelConfig::default(),
            research: ResearchConfig::default(),
            gateway: GatewayConfig::default(),
            openai: ProviderConfig::of(openai::KEY),
            openai_api: OpenAiApi::default(),
            anthropic: ProviderConfig::of(anthropic::KEY),
            gemini: ProviderConfig::of(gemini::KEY),
            ollama: ProviderConfig::of(ollama::KEY),
            prices: Prices::default(),
        }
    }
}

impl ProviderConfig {
    /// The vendor's own address, and the variable that everybody uses for its key.
    fn of(key: &str) -> Self {
        Self { base_url: None, key_env: key.to_owned() }
    }
}

impl Config {
    /// Checks the ranges stated at the fields. What [`load()`] returns was checked.
    ///
    /// # Errors
    /// [`ConfigError::Value`] names the key and what it takes.
    pub fn validate(&self) -> Result<(), ConfigError> {
        keys::KEYS.iter().try_for_each(|key| {
            let Some(value) = key.of(self) else { return Ok(()) };
            key.kind.check(&value).map_err(|problem| ConfigError::value(&Origin::Default, key, &value, problem))
        })
    }
}
