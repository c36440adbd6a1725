//! How do a field of the configuration and a value turn into each other? One small trait, so that each key names its field once.

use std::path::PathBuf;
use std::time::Duration;

use callboard_actors::gateway::CacheMode;

use super::value::{Money, Value};
use crate::providers::openai::OpenAiApi;

/// A field that a key can set and read.
pub(super) trait Slot {
    /// Takes the value, if it is of the field's type and fits into it.
    fn put(&mut self, value: &Value) -> Option<()>;

    /// The value; `None` when none is set.
    fn get(&self) -> Option<Value>;
}

macro_rules! slot {
    ($type:ty, $variant:ident, $in:expr, $out:expr) => {
        impl Slot for $type {
            fn put(&mut self, value: &Value) -> Option<()> {
                let Value::$variant(value) = value else { return None };
                *self = $in(value.clone())?;
                Some(())
            }

            fn get(&self) -> Option<Value> {
                $out(self.clone()).map(Value::$variant)
            }
        }
    };
}

slot!(usize, Count, |count: u64| count.try_into().ok(), |count: usize| u64::try_from(count).ok());
slot!(u32, Count, |count: u64| count.try_into().ok(), |count: u32| Some(u64::from(count)));
slot!(Option<usize>, Count, |count: u64| count.try_into().ok().map(Some), |count: Option<usize>| count
    .map(|n| n as u64));
slot!(Option<u64>, Count, |count: u64| Some(Some(count)), |count: Option<u64>| count);
slot!(Duration, Time, Some, Some);
slot!(Option<Money>, Money, |money: Money| Some(Some(money)), |money: Option<Money>| money);
slot!(String, Text, Some, Some);
slot!(Option<String>, Text, |text: String| Some(Some(text)), |text: Option<String>| text);
slot!(Vec<PathBuf>, Paths, Some, |paths: Vec<PathBuf>| (!paths.is_empty()).then_some(paths));
slot!(Vec<String>, Names, Some, |names: Vec<String>| (!names.is_empty()).then_some(names));
slot!(CacheMode, Text, cache_mode, |mode: CacheMode| Some(word(mode).to_owned()));
slot!(OpenAiApi, Text, api, |api: OpenAiApi| Some(api_word(api).to_owned()));

/// The words for the interfaces of OpenAI.
pub(super) const APIS: &[&str] = &[CHAT, RESPONSES];
const CHAT: &str = "chat";
const RESPONSES: &str = "responses";

fn api(written: String) -> Option<OpenAiApi> {
    [OpenAiApi::Chat, OpenAiApi::Responses].into_iter().find(|api| api_word(*api) == written)
}

fn api_word(api: OpenAiApi) -> &'static str {
    match api {
        OpenAiApi::Chat => CHAT,
        OpenAiApi::Responses => RESPONSES,
    }
}

/// The words for what may be done with kept replies.
pub(super) const CACHE_MODES: &[&str] = &[OFF, ON, READ_ONLY, WRITE_ONLY];
const OFF: &str = "off";
const ON: &str = "on";
const READ_ONLY: &str = "read-only";
const WRITE_ONLY: &str = "write-only";

fn cache_mode(written: String) -> Option<CacheMode> {
    let all = [CacheMode::Off, CacheMode::On, CacheMode::ReadOnly, CacheMode::WriteOnly];
    all.into_iter().find(|mode| word(*mode) == written)
}

fn word(mode: CacheMode) -> &'static str {
    match mode {
        CacheMode::Off => OFF,
        CacheMode::On => ON,
        CacheMode::ReadOnly => READ_ONLY,
        CacheMode::WriteOnly => WRITE_ONLY,
    }
}
