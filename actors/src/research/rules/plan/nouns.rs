//! Which noun phrases of a question can a later pronoun stand for? Only those whose ends are plain: what is defined, who
//! does something, and what something is done to.

use super::verbs::{is_particle, is_predicate, is_verb};
use super::{bare, is_auxiliary, is_interrogative, is_request};

/// A noun phrase as it was written.
pub(super) struct Noun {
    pub(super) text: String,
    pub(super) plural: bool,
}

/// A noun phrase has at most this many words: a longer one is not repeated.
const MAX_WORDS: usize = 6;

/// Verbs with two objects, or with an object that does something.
const TWO_OBJECTS: [&str; 10] = ["give", "grant", "show", "tell", "allow", "let", "make", "help", "send", "have"];

/// The subject and the object of the question in `words`, as far as they are plain.
pub(super) fn nouns(words: &[&str]) -> Vec<Noun> {
    let low: Vec<String> = words.iter().map(|word| bare(word)).collect();
    let requested = low.first().is_some_and(|word| is_request(word));
    let opening = if requested { low.iter().position(|word| is_interrogative(word)).unwrap_or(1) } else { 0 };
    let asked = opening + usize::from(low.get(opening).is_some_and(|word| is_interrogative(word)));
    // `how often do`, `how much memory does`.
    let degree = low.iter().skip(asked).take(3).position(|word| is_auxiliary(word)).unwrap_or_default();
    let measured = asked > 0 && low[asked - 1] == "how" && !is_article(&low[asked.min(low.len() - 1)]);
    let asked = if measured { asked + degree } else { asked };
    let lead = asked + usize::from(low.get(asked).is_some_and(|word| is_auxiliary(word) || is_negation(word)));
    if lead == 0 || lead >= words.len() {
        return Vec::new();
    }
    let person = matches!(low[lead].as_str(), "i" | "you" | "we" | "one" | "to");
    if person {
        // Whatever follows `I` is a verb; one that takes two objects leaves open which is meant.
        let verb = lead + 1 + low.iter().skip(lead + 1).take_while(|word| word.ends_with("ly")).count();
        let two = low.get(verb).is_some_and(|word| TWO_OBJECTS.contains(&word.as_str()));
        return if two { Vec::new() } else { object(words, &low, verb).into_iter().collect() };
    }
    let definition = asked > 0
        && low[asked - 1] == "what"
        && low.get(asked).is_some_and(|word| matches!(word.as_str(), "is" | "are" | "was" | "were"));
    if definition {
        return phrase(words, &low, lead).into_iter().map(|(noun, _)| noun).collect();
    }
    if requested && opening == 1 && asked == 1 {
        return phrase(words, &low, 1).into_iter().map(|(noun, _)| noun).collect();
    }
    // `How does A hold B`, `what A is`.
    let first = lead + 1 + usize::from(is_article(&low[lead]));
    let Some(verb) = (first..words.len()).find(|at| is_predicate(&low[*at]) || is_auxiliary(&low[*at])) else {
        return Vec::new();
    };
    let subject = phrase(&words[..verb], &low[..verb], lead).filter(|(_, end)| *end == verb).map(|(noun, _)| noun);
    if subject.is_none() {
        return Vec::new();
    }
    subject.into_iter().chain(object(words, &low, verb)).collect()
}

/// What is done to, by the verb at `verb`.
fn object(words: &[&str], low: &[String], verb: usize) -> Option<Noun> {
    let start = verb + 1 + usize::from(low.get(verb + 1).is_some_and(|word| is_particle(word)));
    phrase(words, low, start).map(|(noun, _)| noun)
}

/// The noun phrase that begins at `start`, and where it ends.
fn phrase(words: &[&str], low: &[String], start: usize) -> Option<(Noun, usize)> {
    let mut end = start;
    while end < words.len() && end - start <= MAX_WORDS {
        let word = low[end].as_str();
        let of = word == "of" && end > start && end + 1 < words.len();
        if !of && (is_end(word) || (end > start && (word.ends_with("ly") || is_particle(word)))) {
            break;
        }
        end += 1;
        if words[end - 1].ends_with([',', ';', ':', '?', '.', ')']) {
            break;
        }
    }
    let inner = low.get(start..end)?;
    let first = inner.first()?;
    let pronoun = inner.iter().any(|word| {
        matches!(
            word.as_str(),
            "it" | "its"
                | "they"
                | "them"
                | "their"
                | "this"
                | "that"
                | "these"
                | "those"
                | "me"
                | "my"
                | "you"
                | "your"
                | "us"
                | "our"
                | "i"
                | "we"
                | "what"
                | "something"
                | "anything"
                | "difference"
                | "differences"
                | "and"
                | "or"
                | "between"
                | "there"
                | "people"
        )
    });
    if pronoun
        || inner.len() > MAX_WORDS
        || first == "of"
        || (inner.len() == 1 && (is_article(first) || is_verb(words[start])))
    {
        return None;
    }
    let head = inner.iter().position(|word| word == "of").map_or(inner.len(), |of| of) - 1;
    let text = words[start..end].join(" ");
    let text = text.trim_matches(|c: char| matches!(c, ',' | ';' | ':' | '?' | '.' | '!')).to_owned();
    let plural =
        is_plural(&inner[head], words[start + head]) && !matches!(first.as_str(), "a" | "an" | "every" | "each");
    (!text.is_empty()).then_some((Noun { text, plural }, end))
}

fn is_article(word: &str) -> bool {
    matches!(word, "a" | "an" | "the" | "every" | "each" | "all" | "some" | "only")
}

/// Names in capitals are one thing, whatever they end in.
fn is_plural(low: &str, word: &str) -> bool {
    let name = word.chars().any(char::is_uppercase) || word.contains(['_', '<', ':', '`']);
    !name && low.ends_with('s') && !["ss", "us", "is", "'s"].iter().any(|end| low.ends_with(end))
}

fn is_negation(word: &str) -> bool {
    word.ends_with("n't") || word.ends_with("n’t") || word == "cannot"
}

/// Whether a noun phrase cannot go on with `word`.
fn is_end(word: &str) -> bool {
    is_auxiliary(word)
        || is_interrogative(word)
        || matches!(
            word,
            "" | "of"
                | "for"
                | "in"
                | "to"
                | "from"
                | "on"
                | "at"
                | "by"
                | "with"
                | "without"
                | "as"
                | "into"
                | "onto"
                | "over"
                | "under"
                | "after"
                | "before"
                | "during"
                | "while"
                | "if"
                | "so"
                | "that"
                | "than"
                | "but"
                | "because"
                | "until"
                | "via"
                | "through"
                | "across"
                | "inside"
                | "outside"
                | "within"
                | "against"
                | "per"
                | "using"
                | "used"
                | "called"
                | "about"
                | "again"
                | "together"
                | "only"
                | "later"
                | "first"
        )
}
