//! Is there a key for a language model in the environment? It is named and sends nothing by itself; its value is never read
//! out.

use callboard::config::{BUILTIN, Config};

/// Variables of providers that this version does not have.
pub(super) const OTHERS: [&str; 2] = ["ANTHROPIC_API_KEY", "GEMINI_API_KEY"];

/// What is said about the keys that are set when the rules work; `None` when there is nothing to say.
pub(super) fn note(config: &Config, is_set: impl Fn(&str) -> bool) -> Option<String> {
    if config.model.name != BUILTIN {
        return None;
    }
    let ours = &config.openai.key_env;
    let ours = is_set(ours).then(|| format!("{ours} found; add --model openai/NAME to use it"));
    let others: Vec<_> = OTHERS.into_iter().filter(|name| is_set(name)).collect();
    let others = (!others.is_empty()).then(|| format!("{} found and not used", others.join(", ")));
    let said: Vec<_> = ours.into_iter().chain(others).collect();
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
        assert_eq!(said, "OPENAI_API_KEY found; add --model openai/NAME to use it; GEMINI_API_KEY found and not used");
        config.openai.key_env = "OTHER".into();
        let said = note(&config, |name| name == "OTHER").unwrap();
        assert_eq!(said, "OTHER found; add --model openai/NAME to use it");
        config.model.name = "openai/x".into();
        assert_eq!(note(&config, |_| true), None);
    }
}
