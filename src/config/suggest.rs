//! Which key was meant? The one whose name is nearest to what was written; pure.

use strsim::{damerau_levenshtein, jaro_winkler};

use super::keys::{KEYS, sections};
use crate::providers::is_secret;

/// Words that look as if a key of a provider stood in the file.
const SECRETS: [&str; 6] = ["api_key", "apikey", "key", "token", "secret", "openai_api_key"];

/// What stands for what may be a key.
const NOT_SHOWN: &str = "…";

/// A longer name, in bytes, is no slip of the pen.
const LONGEST: usize = 64;

/// What is written as a name, unless it may be a provider's key: no key of the configuration is so long and has a digit, and the name of
/// a model has a `/`.
pub(super) fn shown(written: &str) -> &str {
    if written.starts_with("sk-") || is_secret(written) && !written.contains('/') { NOT_SHOWN } else { written }
}

/// What to tell somebody who wrote `name`, as it is shown.
pub(super) fn advice(name: &str, is_table: bool) -> String {
    if SECRETS.contains(&last(&name.to_lowercase())) || last(name) == NOT_SHOWN {
        return "a key never stands in a file: put it into an environment variable, and name that with \
                providers.openai.key_env if it is not OPENAI_API_KEY"
            .to_owned();
    }
    let meant: Vec<_> = match is_table {
        _ if name.len() > LONGEST => Vec::new(),
        true => nearest(name, sections()).iter().map(|section| format!("`[{section}]`")).collect(),
        false => nearest(name, KEYS.iter().map(|key| key.name)).iter().map(|key| format!("`{key}`")).collect(),
    };
    match meant.is_empty() {
        false => format!("did you mean {}? docs/configuration.md has every key", meant.join(" or ")),
        true => "remove it; docs/configuration.md has every key".to_owned(),
    }
}

/// The nearest of `known`, whole or by its last part, if it is near enough. Of several the one in the same section; without a
/// section all of them.
fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let distance = |known: &str| {
        let (whole, part) = (damerau_levenshtein(name, known), damerau_levenshtein(last(name), last(known)));
        (whole.min(part), if name.contains('.') { whole } else { 0 })
    };
    // A third of the shorter word may be wrong.
    let is_near = |known: &str, steps: usize| steps <= last(known).len().min(last(name).len()).div_ceil(3);
    let near = known.map(|known| (distance(known), known)).filter(|((steps, _), known)| is_near(known, *steps));
    let mut near: Vec<_> = near.collect();
    near.sort_unstable();
    near.dedup();
    let best = near.first().map(|(distance, _)| *distance);
    near.into_iter().filter(|(distance, _)| Some(*distance) == best).map(|(_, known)| known).collect()
}

/// The names among `known` that are nearest to `name`, at most so many: those that hold it first, then by how much of them is the same,
/// above all in the beginning (Jaro and Winkler, 1990).
pub(crate) fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>, most: usize) -> Vec<&'a str> {
    let lower = name.to_lowercase();
    let rank = |known: &str| {
        let known = known.to_lowercase();
        let holds = !lower.is_empty() && known.contains(&lower);
        // What nobody typed by mistake is not compared at length.
        let same = if name.len() > LONGEST { 0.0 } else { jaro_winkler(&lower, &known) };
        (!holds, ((1.0 - same) * 1e6) as u32)
    };
    let mut ranked: Vec<_> = known.map(|known| (rank(known), known)).collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().take(most).map(|(_, known)| known).collect()
}

/// A variable that looks like one of ours and is none, with the one that was most likely meant: a slip of the pen, or a name
/// without its section.
pub(super) fn misspelt<'a>(
    variables: impl Iterator<Item = &'a str>,
    others: &[&'static str],
) -> Vec<(&'a str, &'static str)> {
    let known = || KEYS.iter().filter_map(|key| key.variable).chain(others.iter().copied());
    let unknown = variables.filter(|name| name.starts_with("CALLBOARD_") && known().all(|known| known != *name));
    let meant = |name: &str| {
        let near = known().map(|known| (damerau_levenshtein(name, known), known)).min();
        let near = near.filter(|(steps, _)| *steps <= 3).map(|(_, known)| known);
        let ending = name.strip_prefix("CALLBOARD").filter(|ending| ending.len() > 1);
        let without = known().find(|known| ending.is_some_and(|ending| known.ends_with(ending)));
        let first = known().find(|known| known.strip_prefix(name).is_some_and(|rest| rest.starts_with('_')));
        near.or(without).or(first)
    };
    unknown.filter_map(|name| meant(name).map(|known| (name, known))).collect()
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_was_meant_is_found() {
        for (written, is_table, meant) in [
            ("research.dedline", false, Some("research.deadline")),
            ("gateway.dedline", false, Some("gateway.deadline")),
            ("dedline", false, Some("gateway.deadline` or `research.deadline")),
            ("max_researcher", false, Some("research.max_researchers")),
            ("gateway.max_inflight", false, Some("gateway.max_in_flight")),
            ("model.naem", false, Some("model.name")),
            ("trust", false, Some("trusted")),
            ("reserch", true, Some("[research]")),
            ("provider.openai", true, Some("[providers.openai]")),
            ("price", true, Some("[prices]")),
            ("telemetry.endpoint", false, None),
            ("x", false, None),
            ("", false, None),
        ] {
            let advice = advice(written, is_table);
            match meant {
                Some(meant) => assert!(advice.starts_with(&format!("did you mean `{meant}`?")), "{written}: {advice}"),
                None => assert!(advice.starts_with("remove it"), "{written}: {advice}"),
            }
        }
        assert!(advice("providers.openai.api_key", false).contains("never stands in a file"));
    }

    #[test]
    fn names_that_are_near_come_first() {
        let known = ["gpt-4o", "text-embedding-3", "gpt-4o-mini", "o3"];
        assert_eq!(near("gpt4o", known.into_iter(), 2), ["gpt-4o", "gpt-4o-mini"]);
        assert_eq!(near("4o-mini", known.into_iter(), 1), ["gpt-4o-mini"]);
        assert_eq!(near(&"x".repeat(99), known.into_iter(), 9).len(), 4);
        assert_eq!(near("", std::iter::empty(), 3), [""; 0]);
    }

    #[test]
    fn a_misspelt_variable_is_noticed_and_others_are_left_alone() {
        let variables =
            ["CALLBOARD_MODEL_NAM", "CALLBOARD_CACHE_DIR", "CALLBOARD_SERVICE_HOST", "CALLBOARD_MODEL_NAME"];
        let noticed = misspelt(variables.into_iter().chain(["PATH"]), &["CALLBOARD_CACHE_DIR"]);
        assert_eq!(noticed, [("CALLBOARD_MODEL_NAM", "CALLBOARD_MODEL_NAME")]);
        for (written, meant) in [
            ("CALLBOARD_MAX_TOKENS", "CALLBOARD_MODEL_MAX_TOKENS"),
            ("CALLBOARD_MAX_COST", "CALLBOARD_MODEL_MAX_COST"),
            ("CALLBOARD_MODEL", "CALLBOARD_MODEL_NAME"),
            ("CALLBOARD_ITERATIONS", "CALLBOARD_RESEARCH_ITERATIONS"),
        ] {
            assert_eq!(misspelt([written].into_iter(), &[]), [(written, meant)]);
        }
    }
}
