//! Is there a key for a language model in the environment? It is named and sends nothing by itself; its value is never read
//! out.

use callboard::config::{BUILTIN, Config};

/// The variables of keys, each with what is written before the `/` of a model.
pub(super) fn variables(config: &Config) -> [(&str, &'static str); 3] {
    [(&config.openai.key_env, "openai"), (&config.anthropic.key_env, "anthropic"), (&config.gemini.key_env, "gemini")]
}

/// What is said about the keys that are set when the rules work; `None` when there is nothing to say.
pub(super) fn note(config: &Config, is_set: impl Fn(&str) -> bool) -> Option<String> {
    if config.model.name != BUILTIN {
        return None;
    }
    let found = variables(config).into_iter().filter(|(variable, _)| is_set(variable));
    let said: Vec<_> =
        found.map(|(variable, provider)| format!("{variable} found; add --model {provider}/NAME to use it")).collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// Whether an environment variable is set to more than white space.
pub(super) fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.to_string_lossy().trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_are_set_are_named_and_only_beside_the_rules() {
        let mut config = Config::default();
        assert_eq!(note(&config, |_| false), None);
        let said = note(&config, |name| name != "ANTHROPIC_API_KEY").unwrap();
        let gemini = "GEMINI_API_KEY found; add --model gemini/NAME to use it";
        assert_eq!(said, format!("OPENAI_API_KEY found; add --model openai/NAME to use it; {gemini}"));
        config.openai.key_env = "OTHER".into();
        let said = note(&config, |name| name == "OTHER").unwrap();
        assert_eq!(said, "OTHER found; add --model openai/NAME to use it");
        config.model.name = "openai/x".into();
        assert_eq!(note(&config, |_| true), None);
    }
}
