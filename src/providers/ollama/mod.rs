//! How is a model called that Ollama serves on one's own machine? By its address that speaks as OpenAI does.
//!
//! After its [page](https://github.com/ollama/ollama/blob/main/docs/openai.md).

use secrecy::SecretString;

use super::caller::Vendor;
use super::http::ProviderError;
use super::openai::OpenAi;

/// The variable that holds a key, which Ollama itself does not want.
pub const KEY: &str = "OLLAMA_API_KEY";
/// The variable that names another address.
pub const BASE_URL: &str = "OLLAMA_BASE_URL";

/// A server of one's own.
pub(crate) static OLLAMA: Vendor = Vendor {
    name: "ollama",
    speaks: "OpenAI",
    key: KEY,
    base_url: BASE_URL,
    address: "http://localhost:11434/v1",
    domain: "",
};

/// The model with this name, at Ollama on this machine or at `base_url`.
///
/// # Errors
/// [`ProviderError`] when the address is none, or the key cannot be sent.
pub fn ollama(
    model: impl Into<String>,
    key: Option<SecretString>,
    base_url: Option<&str>,
) -> Result<OpenAi, ProviderError> {
    OpenAi::of(&OLLAMA, model.into(), key, base_url)
}
