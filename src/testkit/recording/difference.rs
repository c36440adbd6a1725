//! Which recorded request is nearest to one that was not recorded, and where do they differ? Pure; requests are without keys already.

use std::collections::BTreeMap;

use callboard_actors::chat::ChatRequest;
use serde_json::Value;

/// Differences that are told.
const TOLD: usize = 3;

/// Signs that are shown of a text, before and after the first one that differs.
const SHOWN: usize = 30;

/// The recorded request that is nearest: its place, and where it differs, in words. `None` when nothing was recorded.
pub(super) fn nearest<'a>(
    asked: &ChatRequest,
    recorded: impl Iterator<Item = &'a ChatRequest>,
) -> Option<(usize, String)> {
    let asked = leaves(asked);
    let all = recorded.map(leaves).enumerate().map(|(place, leaves)| (distance(&asked, &leaves), place, leaves));
    let (_, place, leaves) = all.min_by(|one, other| one.0.total_cmp(&other.0))?;
    Some((place, words(&asked, &leaves)))
}

/// Every value of a request by its path, such as `turns[1].text`.
type Leaves = BTreeMap<String, Value>;

fn leaves(request: &ChatRequest) -> Leaves {
    let mut leaves = Leaves::new();
    collect(String::new(), serde_json::to_value(request).unwrap_or_default(), &mut leaves);
    leaves
}

fn collect(path: String, value: Value, leaves: &mut Leaves) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let dot = if path.is_empty() { "" } else { "." };
            fields.into_iter().for_each(|(name, value)| collect(format!("{path}{dot}{name}"), value, leaves));
        }
        Value::Array(values) if !values.is_empty() => {
            let all = values.into_iter().enumerate();
            all.for_each(|(place, value)| collect(format!("{path}[{place}]"), value, leaves));
        }
        leaf => drop(leaves.insert(path, leaf)),
    }
}

/// Paths at which they differ, and what is there: asked, and recorded.
fn differences<'a>(
    asked: &'a Leaves,
    recorded: &'a Leaves,
) -> impl Iterator<Item = (&'a String, Option<&'a Value>, Option<&'a Value>)> {
    let added = recorded.keys().filter(|path| !asked.contains_key(*path));
    let paths = asked.keys().chain(added);
    let both = paths.map(|path| (path, asked.get(path), recorded.get(path)));
    both.filter(|(_, asked, recorded)| asked != recorded)
}

/// One for each value that differs; less for a text that begins or ends the same.
fn distance(asked: &Leaves, recorded: &Leaves) -> f64 {
    let apart = differences(asked, recorded).map(|(_, asked, recorded)| {
        let texts = asked.and_then(Value::as_str).zip(recorded.and_then(Value::as_str));
        texts.map_or(1.0, |(one, other)| {
            let longer = one.len().max(other.len()).max(1);
            let ends = one.bytes().rev().zip(other.bytes().rev()).take_while(|(one, other)| one == other).count();
            1.0 - (same(one, other).max(ends) as f64 / longer as f64)
        })
    });
    apart.sum()
}

/// How many bytes both begin with.
fn same(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).map(|(sign, _)| sign.len_utf8()).sum()
}

fn words(asked: &Leaves, recorded: &Leaves) -> String {
    let all: Vec<_> = differences(asked, recorded).collect();
    let told = all.iter().take(TOLD).map(|(path, asked, recorded)| {
        let texts = asked.and_then(Value::as_str).zip(recorded.and_then(Value::as_str));
        let at = texts.map_or(0, |(one, other)| same(one, other));
        format!("{path} was {} and is {}", shown(*recorded, at), shown(*asked, at))
    });
    let more = match all.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("{}{more}", told.collect::<Vec<_>>().join("; "))
}

/// A value around byte `at`, which is where a sign begins.
fn shown(value: Option<&Value>, at: usize) -> String {
    let Some(value) = value else { return "not there".to_owned() };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let from = text[..at].char_indices().rev().nth(SHOWN - 1).map_or(0, |(from, _)| from);
    let to = text[at..].char_indices().nth(SHOWN).map_or(text.len(), |(to, _)| at + to);
    let (before, after) = (if from > 0 { "..." } else { "" }, if to < text.len() { "..." } else { "" });
    match value.is_string() {
        true => format!("{before}{:?}{after}", &text[from..to]),
        false => format!("{before}{}{after}", &text[from..to]),
    }
}

#[cfg(test)]
mod tests {
    use callboard_actors::chat::Turn;

    use super::*;

    fn asks(texts: &[&str]) -> ChatRequest {
        ChatRequest::new(texts.iter().map(|text| Turn::user(*text)).collect(), 100)
    }

    #[test]
    fn the_nearest_is_the_one_with_fewest_changes() {
        let long = format!("{}rain{}", "a".repeat(100), "b".repeat(100));
        let recorded = [asks(&["other"]), asks(&["Is it raining in Oslo?"]), asks(&[&long, "more"]), asks(&[])];
        let near = |request: &ChatRequest| nearest(request, recorded.iter()).unwrap();
        let (place, words) = near(&asks(&["Is it raining in Bergen?"]));
        assert_eq!(place, 1);
        assert_eq!(words, r#"turns[0].text was "Is it raining in Oslo?" and is "Is it raining in Bergen?""#);
        let (place, words) = near(&asks(&[&long.replace("rain", "wind"), "more"]));
        let (a, b) = ("a".repeat(30), "b".repeat(26));
        assert_eq!((place, words), (2, format!("turns[0].text was ...\"{a}rain{b}\"... and is ...\"{a}wind{b}\"...")));
        let mut hotter = asks(&["other"]);
        (hotter.temperature, hotter.max_output_tokens) = (Some(0.5), 7);
        let (place, words) = near(&hotter);
        assert_eq!(
            (place, words.as_str()),
            (0, "max_output_tokens was 100 and is 7; temperature was not there and is 0.5")
        );
        assert_eq!(nearest(&hotter, [].iter()), None);
    }

    #[test]
    fn only_some_differences_are_told() {
        let (_, words) = nearest(&asks(&["a", "b", "c", "d", "e"]), [asks(&["1", "2", "3", "4", "5"])].iter()).unwrap();
        assert!(
            words.starts_with(r#"turns[0].text was "1" and is "a"; "#) && words.ends_with("; and 2 more"),
            "{words}"
        );
    }
}
