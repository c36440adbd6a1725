//! Which flags are settings? Those that a file and the environment may say too; what is not given overrides nothing.

use std::path::PathBuf;

use callboard::Error;
use callboard::config::keys::Key;
use callboard::config::{Entry, Loaded, Surroundings, Value, load};
use clap::Args;

/// What the value of a flag that takes a time is called, in all commands: by it such flags are known.
pub(super) const TIME: &str = "TIME";

/// The flags that are settings. Their ranges are those of their keys. A number takes `-3` for its value, so that what is told is the range
/// and not that there is no flag `-3`; `-3s` is joined to the flag of a time before (`words.rs`).
#[derive(Debug, Args)]
pub(super) struct SettingArgs {
    /// A folder or a file to search; may be repeated.
    #[arg(long, value_name = "PATH")]
    corpus: Vec<PathBuf>,

    /// The language model, such as openai/NAME; `builtin`, the default, is the rules, which send nothing anywhere.
    #[arg(long, value_name = "NAME", value_parser = of("model.name"))]
    model: Option<Value>,

    /// US dollars that the run may spend on the model, such as 0.50; no limit by default.
    #[arg(long, value_name = "USD", allow_negative_numbers = true, value_parser = of("model.max_cost"))]
    max_cost: Option<Value>,

    /// Tokens that the run may use, of requests and replies together; no limit by default.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = of("model.max_tokens"))]
    max_tokens: Option<Value>,

    /// What is done with kept replies of the model: `on` takes one instead of the same call, and keeps those that come;
    /// `read-only`, `write-only`; `off` by default. They may hold text of your documents.
    #[arg(long, value_name = "MODE", value_parser = of("model.cache"))]
    cache: Option<Value>,

    /// Models that are asked when the one before cannot answer, such as openai/NAME,openai/OTHER.
    #[arg(long, value_name = "NAMES", value_parser = of("model.fallbacks"))]
    fallbacks: Option<Value>,

    /// How often a model plans, 1 to 10: after each round but the last it looks for what is missing. 2 by default.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = of("research.iterations"))]
    iterations: Option<Value>,

    /// How many researchers work at once, 1 to 64; more parts wait for their turn. 4 by default.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = of("research.max_researchers"))]
    max_researchers: Option<Value>,

    /// The time for everything, such as 90s, 2m or 1500ms; then what was found is reported. 60s by default, 5m
    /// with a model.
    #[arg(long, value_name = TIME, allow_negative_numbers = true, value_parser = of("research.deadline"))]
    deadline: Option<Value>,
}

impl SettingArgs {
    /// The configuration with these flags over everything else.
    pub(super) fn load(&self) -> Result<Loaded, Error> {
        Ok(load(&Surroundings::of_process(), self.entries())?)
    }

    fn entries(&self) -> Vec<Entry> {
        let corpus = (!self.corpus.is_empty()).then(|| Value::Paths(self.corpus.clone()));
        let given = [
            ("research.corpus", &corpus),
            ("model.name", &self.model),
            ("model.max_cost", &self.max_cost),
            ("model.max_tokens", &self.max_tokens),
            ("model.cache", &self.cache),
            ("model.fallbacks", &self.fallbacks),
            ("research.iterations", &self.iterations),
            ("research.max_researchers", &self.max_researchers),
            ("research.deadline", &self.deadline),
        ];
        given.into_iter().filter_map(|(key, value)| Entry::of_flag(key, value.clone()?)).collect()
    }
}

/// Reads the value of a flag as its key does.
fn of(name: &'static str) -> impl Fn(&str) -> Result<Value, String> + Clone + Send + Sync {
    move |text| Key::find(name).map_or_else(|| Err(format!("there is no key {name}")), |key| key.kind.parse(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard::config::keys::KEYS;

    /// One value for each flag that is a setting.
    fn given() -> SettingArgs {
        let value = |name: &str, text: &str| Some(of(Key::find(name).unwrap().name)(text).unwrap());
        SettingArgs {
            corpus: vec!["docs".into()],
            model: value("model.name", "openai/x"),
            max_cost: value("model.max_cost", "0.5"),
            max_tokens: value("model.max_tokens", "9"),
            cache: value("model.cache", "on"),
            fallbacks: value("model.fallbacks", "openai/y"),
            iterations: value("research.iterations", "3"),
            max_researchers: value("research.max_researchers", "2"),
            deadline: value("research.deadline", "9s"),
        }
    }

    #[test]
    fn every_flag_of_a_key_is_one_of_ours() {
        let names: Vec<_> = given().entries().iter().map(|entry| entry.name.to_string()).collect();
        for key in KEYS.iter().filter(|key| key.flag.is_some()) {
            assert!(names.iter().any(|name| name == key.name), "{key:?}");
        }
    }

    #[test]
    fn a_number_takes_no_flag_for_its_value() {
        #[derive(Debug, clap::Parser)]
        struct Line {
            #[command(flatten)]
            _settings: SettingArgs,
        }
        let told = |words: &[&str]| <Line as clap::Parser>::try_parse_from(words).unwrap_err().to_string();
        for flag in ["--max-cost", "--max-tokens", "--iterations", "--max-researchers", "--deadline"] {
            let bare = told(&["callboard", flag, "--cache", "on"]);
            assert!(bare.contains("a value is required"), "{bare}");
            let below = told(&["callboard", flag, "-3"]);
            assert!(below.contains("write "), "{below}");
        }
    }

    #[test]
    fn a_flag_has_the_range_of_its_key() {
        for (name, good, bad) in [
            (
                "research.max_researchers",
                &["1", "64"][..],
                &["", "0", "65", "x", "-1", "2.5", "99999999999999999999"][..],
            ),
            ("research.iterations", &["1", "10"], &["0", "11"]),
            ("research.deadline", &["1ms", "24h", "1m30s"], &["60", "0s", "25h"]),
            ("model.max_cost", &["0.5", "$1"], &["0", "-1", "free"]),
            ("model.max_tokens", &["1"], &["0"]),
            ("model.name", &["builtin", "openai/x"], &["", "a b"]),
            ("model.cache", &["on", "off", "read-only", "write-only"], &["", "ON", "yes"]),
            ("model.fallbacks", &["openai/x", "openai/x, openai/y"], &["", "builtin", "openai/x,", "x y"]),
        ] {
            good.iter().for_each(|text| assert!(of(name)(text).is_ok(), "{name} {text}"));
            bad.iter().for_each(|text| assert!(of(name)(text).unwrap_err().starts_with("write "), "{name} {text}"));
        }
    }
}
