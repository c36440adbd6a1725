//! How is a model of Google's Gemini called? By its address that speaks as OpenAI does.
//!
//! After the vendor's [page](https://ai.google.dev/gemini-api/docs/openai). Documented, not recorded.

use secrecy::SecretString;

use super::caller::Vendor;
use super::http::ProviderError;
use super::openai::OpenAi;

/// The variable that holds the key.
pub const KEY: &str = "GEMINI_API_KEY";
/// The variable that names another address.
pub const BASE_URL: &str = "GEMINI_BASE_URL";

/// Google itself.
pub(crate) static GEMINI: Vendor = Vendor {
    name: "gemini",
    speaks: "OpenAI",
    key: KEY,
    base_url: BASE_URL,
    address: "https://generativelanguage.googleapis.com/v1beta/openai",
    domain: "googleapis.com",
};

/// The model with this name, at Google or at `base_url`.
///
/// # Errors
/// [`ProviderError`] when the address is none, the key cannot be sent, or there is none and the address is the vendor's own.
pub fn gemini(
    model: impl Into<String>,
    key: Option<SecretString>,
    base_url: Option<&str>,
) -> Result<OpenAi, ProviderError> {
    OpenAi::of(&GEMINI, model.into(), key, base_url)
}
