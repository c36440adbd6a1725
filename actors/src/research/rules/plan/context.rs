//! What does `it` mean in the second half of a question? A clause that leans on an earlier one is made to stand alone.

use super::clauses::is_verb;
use super::{bare, is_auxiliary, is_interrogative, is_request};
use crate::text::{Language, content_stems, is_stop_word};

/// The clauses with what they leave out: a pronoun is replaced by the earlier subject when that is plain, and the
/// earlier clause is added in parentheses when it is not.
pub(super) fn resolve(clauses: Vec<String>) -> Vec<String> {
    let Some(first) = clauses.first().cloned() else { return clauses };
    let topic = Topic::of(&first);
    let lean = |(at, clause): (usize, String)| if at == 0 { clause } else { topic.complete(&clause) };
    clauses.into_iter().enumerate().map(lean).collect()
}

struct Topic {
    /// What the first clause is about, when it is of the form `What is X?`.
    subject: Option<String>,
    /// The first clause without what makes it a question.
    gist: String,
}

impl Topic {
    fn of(clause: &str) -> Self {
        let words: Vec<&str> = clause.trim_end_matches(['?', '.', '!', ' ']).split_whitespace().collect();
        let low: Vec<String> = words.iter().map(|word| bare(word)).collect();
        let lead = low
            .iter()
            .take_while(|w| {
                is_interrogative(w)
                    || is_auxiliary(w)
                    || is_request(w)
                    || matches!(w.as_str(), "i" | "you" | "we" | "to")
            })
            .count();
        let rest = &words[lead.min(words.len())..];
        let definition = low.len() > 2 && low[0] == "what" && matches!(low[1].as_str(), "is" | "are") && lead == 2;
        let short = rest.len() <= 5
            && !rest.iter().any(|word| matches!(bare(word).as_str(), "of" | "for" | "in" | "to" | "between"));
        Self { subject: (definition && short).then(|| rest.join(" ")), gist: rest.join(" ") }
    }

    fn complete(&self, clause: &str) -> String {
        let words: Vec<&str> = clause.split_whitespace().collect();
        let leans = words.iter().any(|word| is_pronoun(&bare(word))) || points_back(&words);
        let thin = content_stems(clause, Language::English).iter().filter(|word| !is_stop_word(&word.stem)).count() < 2;
        if self.gist.is_empty() || !(leans || (thin && !names(clause))) {
            return clause.to_owned();
        }
        if let Some(subject) = self.subject.as_ref().filter(|_| leans) {
            return words.iter().map(|word| put(word, subject)).collect::<Vec<_>>().join(" ");
        }
        let body = clause.trim_end_matches(['?', '.', ' ']);
        format!("{body} ({}){}", self.gist, &clause[body.len()..].trim_end())
    }
}

/// `load that file`, `with this setting`: a demonstrative where no relative clause can begin.
fn points_back(words: &[&str]) -> bool {
    words.windows(3).any(|window| {
        let before = bare(window[0]);
        let place = matches!(
            before.as_str(),
            "in" | "on" | "to" | "for" | "of" | "with" | "from" | "by" | "at" | "does" | "is" | "are" | "do"
        );
        matches!(bare(window[1]).as_str(), "that" | "this") && (place || is_verb(&before))
    })
}

fn is_pronoun(word: &str) -> bool {
    matches!(word, "it" | "its" | "they" | "them" | "their" | "each" | "either" | "both" | "these" | "those")
}

/// `word`, or `subject` in its place if it is a pronoun that stands for a thing.
fn put(word: &str, subject: &str) -> String {
    let owner = match bare(word).as_str() {
        "it" | "they" | "them" => "",
        "its" | "their" => "'s",
        _ => return word.to_owned(),
    };
    let tail = word.trim_start_matches(|c: char| c.is_alphanumeric());
    format!("{subject}{owner}{tail}")
}

/// Whether a clause has a name of its own (`What is a channel?`), so that it needs no other.
fn names(clause: &str) -> bool {
    let words: Vec<String> = clause.split_whitespace().map(bare).collect();
    matches!(words.as_slice(), [first, second, ..] if first == "what" && is_auxiliary(second))
        || words.iter().any(|w| w == "the")
}
