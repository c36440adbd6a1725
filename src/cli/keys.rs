//! Is there a key for a language model in the environment? It is named and not used; its value is never read out.

const NAMES: [&str; 3] = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"];

/// One sentence about the keys that are set; `None` when there is none.
pub(super) fn note(is_set: impl Fn(&str) -> bool) -> Option<String> {
    let found: Vec<_> = NAMES.into_iter().filter(|name| is_set(name)).collect();
    (!found.is_empty()).then(|| {
        format!(
            "{} found and not used: this version calls no language model, nothing leaves the machine",
            found.join(", ")
        )
    })
}

/// Whether an environment variable is set to something.
pub(super) fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_are_set_are_named() {
        assert_eq!(note(|_| false), None);
        let sentence = note(|name| name != "ANTHROPIC_API_KEY").unwrap();
        assert!(sentence.starts_with("OPENAI_API_KEY, GEMINI_API_KEY found and not used"), "{sentence}");
    }
}
