//! What does a question ask for, and how much does each of its words weigh in this corpus?

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::asked::{Asked, asked, is_measure};
use super::group::Group;
use super::marks::{NUMBER, marks};
use super::names::{Sort, sort};
use super::weight::{LIGHT_FACTOR, is_few, is_light, rarity};
use crate::research::{Passage, Related, Retrieved};
use crate::text::{Language, Word, content_stems, is_foreign_stop_word, is_stop_word, language, stem, stems};

/// What kind of sentence answers the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// What a thing is or does.
    Definition,
    /// How something is done.
    Procedure,
    /// Why something is so.
    Reason,
    /// A number, a size, a default.
    Amount,
    /// A time or a condition.
    Condition,
    /// Anything else.
    Fact,
}

/// A name of which only the parts were found counts as this much of itself.
const PARTS: f32 = 0.6;

/// A sentence without the kind of answer that is asked for covers this much of what it covers: `How large is the boat?` is not
/// answered by all that is said of the boat.
const WITHOUT_KIND: f32 = 0.7;

/// A question, ready to be compared with sentences.
#[derive(Debug)]
pub(super) struct Question {
    /// Its words, each once.
    pub(super) groups: Vec<Group>,
    /// The sum of their weights; positive unless there are no words.
    pub(super) total: f32,
    /// What it asks for.
    pub(super) wants: Wants,
    /// Whether it names something that this corpus never writes, not even in a heading or a title of what was retrieved: an
    /// identifier, or a word with a capital that no sentence demands.
    pub(super) names_unknown: bool,
    /// Words that keep the company of its words in this corpus.
    pub(super) related: Vec<Related>,
    /// The question in lower case, if it is long enough that only a text about the question itself holds it.
    asked: Option<String>,
    /// Whether it is asked in English of a few notes, so that the kind of its answer is among its words.
    pub(super) in_few: bool,
}

impl Question {
    pub(super) fn new(text: &str, retrieved: &Retrieved) -> Self {
        let known: BTreeMap<&str, u64> =
            retrieved.terms.iter().map(|term| (term.stem.as_str(), term.passages)).collect();
        // An index names its words by their English stems, whatever the language of the question.
        let passages = |word: &str| known.get(word).or_else(|| known.get(&*english(word))).copied().unwrap_or(0);
        let rarity = |word: &str| rarity(retrieved.corpus_passages, passages(word));
        let headed: BTreeSet<String> = retrieved
            .passages
            .iter()
            .flat_map(|passage| passage.headings.iter().map(String::as_str).chain([&*passage.title]))
            .flat_map(stem_set)
            .collect();
        let in_few = is_few(retrieved.corpus_passages) && language(text) == Language::English;
        let wants = wants(text);
        let mut groups: Vec<Group> = Vec::new();
        let mut names_unknown = false;
        for group in grouped(content(text)) {
            let (whole, parts, range) = group;
            let (lower, end) = (text[range.clone()].to_lowercase(), range.end);
            let plain = if lower == whole { english(&whole) } else { lower };
            if groups.iter().any(|earlier| earlier.whole == whole) {
                continue;
            }
            let particle = particle(&text[end..]).filter(|_| parts.is_empty());
            let unwritten = |word: &str| passages(word) == 0;
            let unknown = unwritten(&whole);
            // A path is known by its parts: who explains `Mutex` and `lock` need not write `Mutex::lock`.
            let path = whole.contains("::") && !parts.iter().any(|part| unwritten(part));
            let sort = if path { Sort::Word } else { sort(text, &range, &whole) };
            names_unknown |= unknown && matches!(sort, Sort::Name | Sort::Identifier) && !headed.contains(&whole);
            // An identifier or a flag that the corpus never writes is not there; a type or a camel-case name that it
            // never writes may be there in words.
            let absent = unknown && sort == Sort::Identifier;
            let weight = match parts.iter().map(|part| rarity(part)).reduce(f32::max) {
                Some(rarest) if unknown && !absent => rarest,
                _ => rarity(&whole),
            };
            // An amount that the corpus never writes is an example of the asker's.
            let light = is_light(&whole, in_few) || (unknown && sort == Sort::Amount);
            let factor = if light { LIGHT_FACTOR } else { 1.0 };
            let of_parts = if absent { 0.0 } else { PARTS };
            let weight = weight * factor;
            groups.push(Group { whole, plain, parts, weight, particle, of_parts, marks: Vec::new(), is_loose: in_few });
        }
        if in_few && let Some(asked) = asked(text) {
            ask_for(asked, &mut groups, retrieved);
        }
        let total = groups.iter().map(|group| group.weight).sum();
        let related = retrieved.related.iter().filter(|word| !is_stop_word(&word.stem)).cloned().collect();
        let long = text.ends_with('?') && text.split_whitespace().count() >= 4;
        let asked = long.then(|| text.trim_end_matches('?').to_lowercase());
        Self { groups, total, wants, names_unknown, related, asked, in_few }
    }

    /// How many words it has; a kind of answer is none.
    pub(super) fn words(&self) -> usize {
        self.groups.iter().filter(|group| group.is_word()).count()
    }

    /// What is left of the coverage of a sentence whose stems are `own`: not all if it lacks the kind of answer that is asked for.
    pub(super) fn of_kind(&self, own: &BTreeSet<String>) -> f32 {
        let lacks = |group: &Group| !group.marks.is_empty() && group.found_in(own) == 0.0;
        if self.groups.iter().any(lacks) { WITHOUT_KIND } else { 1.0 }
    }

    /// Whether `quote` only asks the same: an example of how to ask is no answer.
    pub(super) fn is_asked_in(&self, quote: &str) -> bool {
        self.asked.as_ref().is_some_and(|asked| quote.to_lowercase().contains(asked))
    }

    /// The share of the question, by weight, that `credit` says is there: 0 to 1.
    pub(super) fn share(&self, credit: impl Fn(&Group) -> f32) -> f32 {
        if self.total <= 0.0 {
            return 0.0;
        }
        self.groups.iter().map(|group| group.weight * credit(group)).sum::<f32>() / self.total
    }

    /// The same by the square of the weights, so that the rare words decide: 0 to 1.
    pub(super) fn rare_share(&self, credit: impl Fn(&Group) -> f32) -> f32 {
        let squares = |group: &Group| group.weight * group.weight;
        let total: f32 = self.groups.iter().map(squares).sum();
        if total <= 0.0 {
            return 0.0;
        }
        self.groups.iter().map(|group| squares(group) * credit(group)).sum::<f32>() / total
    }
}

/// Adds what kind of answer is asked for, as rare as it is in what was retrieved.
fn ask_for(mut asked: Asked, groups: &mut Vec<Group>, retrieved: &Retrieved) {
    let writes = |stem: &String| retrieved.terms.iter().any(|term| term.stem == *stem && term.passages > 0);
    if asked.counted.as_ref().is_some_and(|counted| !writes(counted)) {
        // What is counted has another word here: any number may tell how many.
        asked.marks = vec![NUMBER.to_owned()];
    }
    let has = |passage: &&Passage| marks(&passage.text).iter().any(|mark| asked.marks.contains(mark));
    let share = retrieved.passages.iter().filter(has).count() as f32 / retrieved.passages.len().max(1) as f32;
    let weight = rarity(retrieved.corpus_passages, (share * retrieved.corpus_passages as f32) as u64);
    match groups.iter_mut().find(|group| asked.noun.as_ref() == Some(&group.whole)) {
        Some(group) => (group.weight, group.marks) = (weight.min(group.weight), asked.marks),
        None => {
            let whole = asked.marks.first().cloned().unwrap_or_default();
            groups.push(Group { plain: whole.clone(), whole, weight, marks: asked.marks, ..Group::default() });
        }
    }
}

/// The particle that directly follows a verb, if `rest` begins with one: not the preposition of `out of` or `up to`.
fn particle(rest: &str) -> Option<String> {
    let low = rest.strip_prefix(' ')?.to_lowercase();
    let mut words = low.split(' ');
    let first = words.next()?.trim_end_matches(|c: char| !c.is_alphabetic());
    let preposition = matches!(words.next(), Some("of" | "to" | "from"));
    (matches!(first, "up" | "down" | "out" | "off") && !preposition).then(|| first.to_owned())
}

/// The words of a question that carry it. The index knows function words of English only; here go those of others, unless
/// nothing else is there.
fn content(text: &str) -> Vec<Word> {
    let language = language(text);
    // French puts a space before the mark of a question, which is no operator.
    let text =
        if language == Language::English { text } else { text.trim_end_matches([' ', '\u{a0}', '\u{202f}', '?', '!']) };
    let words = content_stems(text, language);
    let carries = |word: &&Word| language == Language::English || !is_foreign_stop_word(&word.stem);
    let asks = |word: &&Word| !is_measure(text, &word.range);
    let carrying: Vec<Word> = words.iter().filter(carries).filter(asks).cloned().collect();
    if carrying.is_empty() { words } else { carrying }
}

/// The English stem of a lower-case word.
fn english(word: &str) -> String {
    stem(word, Language::English)
}

/// Puts the parts of a name with the whole they lie in; with where the whole stands.
fn grouped(words: Vec<Word>) -> Vec<(String, Vec<String>, Range<usize>)> {
    let mut groups: Vec<(Word, Vec<String>)> = Vec::new();
    for word in words {
        match groups.last_mut() {
            Some((whole, parts)) if word.range.start < whole.range.end => parts.push(word.stem),
            _ => groups.push((word, Vec::new())),
        }
    }
    groups.into_iter().map(|(whole, parts)| (whole.stem, parts, whole.range)).collect()
}

fn wants(text: &str) -> Wants {
    let low = text.to_lowercase();
    let words: Vec<&str> = low.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let amount =
        low.contains("how many") || low.contains("how much") || low.contains("how long") || low.contains("how large");
    if amount
        || words.iter().any(|word| matches!(*word, "default" | "maximum" | "minimum" | "limit" | "size" | "number"))
    {
        return Wants::Amount;
    }
    match words.as_slice() {
        ["why", ..] => Wants::Reason,
        ["what", "is" | "are" | "was" | "were" | "does" | "do", ..] | ["define" | "explain" | "describe", ..] => {
            Wants::Definition
        }
        ["how", "do" | "can" | "to" | "should" | "could", ..] => Wants::Procedure,
        ["when", ..] => Wants::Condition,
        // A bare phrase, such as the side of a comparison, asks what it is.
        words if !low.contains('?') && words.len() <= 5 => Wants::Definition,
        _ => Wants::Fact,
    }
}

/// The stems of `text`, as a set.
pub(super) fn stem_set(text: &str) -> BTreeSet<String> {
    stems(text, language(text)).map(|word| word.stem).collect()
}

/// The stems of a sentence in an English context, whatever the sentence alone looks like.
pub(super) fn stem_set_in(text: &str, language: Language) -> BTreeSet<String> {
    stems(text, language).map(|word| word.stem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_how_asks_by_is_no_word_and_what_it_asks_about_is() {
        let holds = |question: &str, stem: &str| {
            Question::new(question, &Retrieved::default()).groups.iter().any(|group| group.whole == stem)
        };
        assert!(!holds("How long are backups kept?", "long") && !holds("A file may be how large?", "larg"));
        assert!(holds("How deep learning works", "deep") && holds("How large files are uploaded?", "larg"));
        assert!(holds("Which fence is long?", "long"));
    }

    #[test]
    fn a_verb_with_its_particle_is_one_word() {
        let found = |question: &str, sentence: &str| {
            Question::new(question, &Retrieved::default()).groups[0].found_in(&stem_set(sentence))
        };
        assert_eq!(found("How do I back up a database?", "Get the rows back from the table."), 0.0);
        assert_eq!(found("How do I back up a database?", "A backup of the table is kept."), 1.0);
        assert_eq!(found("How do I back up a database?", "Backing the table up takes long."), 1.0);
        assert_eq!(found("How is it shut down?", "The shutdown begins."), 1.0);
        assert_eq!(found("What runs out?", "It runs for long."), 0.0);
        assert_eq!(found("What scales up to many cores?", "It scales well."), 1.0);
    }
}
