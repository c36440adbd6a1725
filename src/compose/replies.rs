//! Where are the replies kept that a configuration asks for?

use std::path::PathBuf;

use callboard_actors::gateway::CacheMode;

use crate::cache_folder;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::providers::openai::OpenAiApi;
use crate::store::{Replies, ReplyOptions};

/// What the file of kept replies is called, in the folder of the cache.
pub const REPLIES: &str = "replies.sqlite";

/// The file of kept replies that a model of this configuration uses.
pub(super) fn configured(config: &Config) -> Result<Option<Replies>> {
    match config.model.cache {
        CacheMode::Off => Ok(None),
        // Where nothing is kept nothing is made.
        CacheMode::ReadOnly => kept_replies(config),
        CacheMode::On | CacheMode::WriteOnly => open(config).map(Some),
    }
}

/// The file of kept replies, if it is there and the configuration asks for it.
///
/// # Errors
/// [`Error::Replies`] when it cannot be used, [`Error::NoCacheFolder`] when nobody knows where it is.
pub fn kept_replies(config: &Config) -> Result<Option<Replies>> {
    let is_there = config.model.cache != CacheMode::Off && path()?.exists();
    is_there.then(|| open(config)).transpose()
}

fn path() -> Result<PathBuf> {
    Ok(cache_folder::path().ok_or(Error::NoCacheFolder)?.join(REPLIES))
}

/// What one address answered is not found for another one, nor what one interface answered for the other.
fn open(config: &Config) -> Result<Replies> {
    let addresses = [&config.openai, &config.anthropic, &config.gemini, &config.ollama];
    let mut realm: Vec<_> = addresses.iter().map(|provider| provider.base_url.as_deref().unwrap_or_default()).collect();
    if config.openai_api == OpenAiApi::Responses {
        realm.push("responses");
    }
    let realm = realm.join(" ");
    Replies::open(path()?, ReplyOptions { realm, ..ReplyOptions::default() }).map_err(Error::Replies)
}
