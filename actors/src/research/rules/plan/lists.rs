//! Does a question ask the same of several named things? Only the plain forms: `What are A and B?`, and a list of names
//! that look like names (`shared_buffers`, `Rc<T>`, `VACUUM`).

use super::{bare, is_interrogative, is_request};

/// The question once for each item; `None` when there is no such list.
pub(super) fn items(clause: &str) -> Option<Vec<String>> {
    let body = clause.trim_end_matches(['?', '.', '!', ' ']);
    let mark = clause[body.len()..].trim_end();
    let words: Vec<&str> = body.split_whitespace().collect();
    let low: Vec<String> = words.iter().map(|word| bare(word)).collect();
    let and = (1..low.len().checked_sub(1)?).find(|at| low[*at] == "and")?;
    let joined = |word: &String| {
        matches!(
            word.as_str(),
            "between"
                | "together"
                | "both"
                | "combine"
                | "combined"
                | "interact"
                | "relate"
                | "related"
                | "relationship"
        )
    };
    if low.iter().any(joined) || !(is_interrogative(&low[0]) || is_request(&low[0])) {
        return None;
    }
    let (start, end) = definition(&low, and).or_else(|| names(&words, and))?;
    let mut items: Vec<Vec<&str>> = vec![Vec::new()];
    for (at, word) in words[start..end].iter().enumerate() {
        let last = items.last_mut()?;
        if start + at == and {
            if !last.is_empty() {
                items.push(Vec::new());
            }
        } else {
            last.push(word.trim_end_matches(','));
            if word.ends_with(',') {
                items.push(Vec::new());
            }
        }
    }
    let ask = |item: &Vec<&str>| {
        let all: Vec<&str> = words[..start].iter().chain(item).chain(&words[end..]).copied().collect();
        format!("{}{mark}", all.join(" "))
    };
    (items.len() > 1 && items.iter().all(|item| !item.is_empty())).then(|| items.iter().map(ask).collect())
}

/// `What are A and B`: both at most three words, neither with a preposition.
fn definition(low: &[String], and: usize) -> Option<(usize, usize)> {
    let plural = low[0] == "what" && low[1] == "are";
    let lead = if plural { 2 } else { return None };
    let short = |words: &[String]| {
        (1..=3).contains(&words.len())
            && !words
                .iter()
                .any(|word| matches!(word.as_str(), "of" | "for" | "in" | "to" | "on" | "with" | "by" | "the" | "and"))
    };
    (lead <= and && short(&low[lead..and]) && short(&low[and + 1..])).then_some((lead, low.len()))
}

/// A run of names around `and`.
fn names(words: &[&str], and: usize) -> Option<(usize, usize)> {
    if !is_name(words[and - 1]) || !is_name(words.get(and + 1)?) {
        return None;
    }
    let mut start = and - 1;
    while start > 1 && words[start - 1].ends_with(',') && is_name(words[start - 1]) {
        start -= 1;
    }
    Some((start, and + 2))
}

/// A word that is a name by its looks: symbols or digits inside, several capitals, a code span.
fn is_name(word: &str) -> bool {
    let word = word.trim_end_matches(',');
    let symbols = word.contains(['_', '<', '`', '&', '\\', '!']) || word.contains("::") || word.starts_with("--");
    let capitals = word.chars().filter(|c| c.is_uppercase()).count();
    symbols || (capitals > 1 && word.len() > 1)
}
