//! Which models of Anthropic keep to a schema by themselves? The others give a reply of a form as the arguments of a tool. Pure.
//!
//! Those of generation 4.5 and later, and one without a number, as the head of
//! <https://platform.claude.com/docs/de/build-with-claude/structured-outputs.md> lists them (`supportedModels`, read on 2026-11-27).
//! Documented, not tried: older models refuse `output_config.format`, and from generation 5 on, where models think unless told
//! otherwise, a tool that is called by force is refused.

/// The first generation that does.
const FIRST: (u32, u32) = (4, 5);

/// Whether the model with this name does: `claude-sonnet-4-5-20250929` and not `claude-3-7-sonnet-20250219`. A name that says nothing of a
/// generation belongs to no model of which that is known, such as one behind a server that speaks as Anthropic does.
pub(super) fn keeps_to_schemas(model: &str) -> bool {
    let Some(name) = model.strip_prefix("claude-") else { return false };
    let mut parts = name.split('-');
    // The name before the generation; in older ones it stands behind.
    let is_named = parts.next().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_lowercase()));
    let mut number = || parts.next().filter(|part| part.len() <= 2).and_then(|part| part.parse::<u32>().ok());
    let generation = number().map(|major| (major, number().unwrap_or(0)));
    name == "mythos-preview" || (is_named && generation.is_some_and(|generation| generation >= FIRST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_told_apart_by_their_generation() {
        let listed = [
            "claude-fable-5-2",
            "claude-mythos-5",
            "claude-mythos-preview",
            "claude-opus-5-5",
            "claude-sonnet-5",
            "claude-haiku-4-5-20251001",
            "claude-opus-4-8",
            "claude-opus-4-5-20251101",
            "claude-sonnet-4-5-20250929",
            "claude-sonnet-4-5",
        ];
        let others = [
            "claude-opus-4-1-20250805",
            "claude-opus-4-20250514",
            "claude-sonnet-4-0",
            "claude-3-7-sonnet-20250219",
            "claude-3-5-haiku-latest",
            "claude-2.1",
            "claude-instant-1.2",
            "claude-",
            "claude",
            "anthropic.claude-sonnet-4-5-v1:0",
            "m",
            "",
        ];
        assert!(listed.iter().all(|model| keeps_to_schemas(model)));
        for model in others {
            assert!(!keeps_to_schemas(model), "{model}");
        }
    }
}
