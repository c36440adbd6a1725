//! How well does a sentence answer a question, and how much does it repeat?
//!
//! The weights were tuned on one half of the questions in `evals/`; none of them knows a manual.

use std::collections::BTreeSet;

use super::candidates::Candidate;
use super::overlap;
use super::question::{Group, Question, Wants};
use crate::research::Passage;

/// What surrounds a sentence.
pub(super) struct Setting {
    /// The rank of its passage, from 0.
    rank: usize,
    /// The stems of the innermost heading.
    heading: BTreeSet<String>,
    /// The stems of the outer headings and of the title.
    outer: BTreeSet<String>,
    /// The stems of the caption above it.
    pub(super) lead: BTreeSet<String>,
    /// The stems of the sentence before it.
    pub(super) before: BTreeSet<String>,
}

// How much a word of the question counts where it stands; in the sentence itself it counts 1.
const IN_LEAD: f32 = 0.75;
const IN_HEADING: f32 = 0.65;
const IN_OUTER: f32 = 0.5;
const IN_BEFORE: f32 = 0.45;
const IN_PASSAGE: f32 = 0.25;

/// What the rank of the passage adds at the most.
const RANK: f32 = 0.35;
/// The rank at which that has halved.
const RANK_HALF: f32 = 8.0;
/// What the kind of sentence that was asked for adds at the most.
const FORM: f32 = 0.15;
/// What words said before cost at the most.
const REPETITION: f32 = 0.25;

impl Setting {
    pub(super) fn new(
        rank: usize,
        passage: &Passage,
        _question: &Question,
        stems: fn(&str) -> BTreeSet<String>,
    ) -> Self {
        let heading = passage.headings.last().map(|heading| stems(heading)).unwrap_or_default();
        let outer_headings = passage.headings.iter().rev().skip(1).flat_map(|heading| stems(heading));
        let outer = outer_headings.chain(stems(&passage.title)).collect();
        Self { rank, heading, outer, lead: BTreeSet::new(), before: BTreeSet::new() }
    }

    /// The share of the question that a passage with the stems `everything` covers, its headings included.
    pub(super) fn coverage(&self, question: &Question, everything: &BTreeSet<String>) -> f32 {
        question.share(|group| {
            group.found_in(everything).max(group.found_in(&self.heading)).max(group.found_in(&self.outer))
        })
    }

    fn credit(&self, group: &Group, own: &BTreeSet<String>, everything: &BTreeSet<String>) -> f32 {
        [
            group.found_in(own),
            IN_LEAD * group.found_in(&self.lead),
            IN_HEADING * group.found_in(&self.heading),
            IN_OUTER * group.found_in(&self.outer),
            IN_BEFORE * group.found_in(&self.before),
            IN_PASSAGE * group.found_in(everything),
        ]
        .into_iter()
        .fold(0.0, f32::max)
    }
}

/// The score of `quote`, whose stems are `own`; about 0 to 2.
pub(super) fn score(
    quote: &str,
    own: &BTreeSet<String>,
    everything: &BTreeSet<String>,
    setting: &Setting,
    question: &Question,
) -> f32 {
    let context = question.share(|group| setting.credit(group, own, everything));
    let inside = question.share(|group| group.found_in(own));
    let rank = RANK * RANK_HALF / (RANK_HALF + setting.rank as f32);
    let form = FORM * form(quote, own, setting, question);
    (0.7 * context + 0.3 * inside + rank * context + form * context) * length(quote) * manner(quote)
}

/// How much of `candidate` the `chosen` ones have said: a part of [`REPETITION`].
pub(super) fn repetition(candidate: &Candidate, chosen: &[Candidate]) -> f32 {
    REPETITION * chosen.iter().map(|earlier| overlap(&earlier.words, &candidate.words)).fold(0.0, f32::max)
}

/// Prefers a sentence of 60 to 300 bytes.
fn length(quote: &str) -> f32 {
    match quote.len() {
        0..=44 => 0.75,
        45..=59 => 0.9,
        60..=300 => 1.0,
        301..=420 => 0.93,
        _ => 0.8,
    }
}

/// Sentences that talk about the document, or that lean on what is not quoted, answer less.
fn manner(quote: &str) -> f32 {
    let low = quote.to_lowercase();
    let has = |marks: &[&str]| marks.iter().any(|mark| low.contains(mark));
    let starts = |marks: &[&str]| marks.iter().any(|mark| low.starts_with(mark));
    let mut factor = 1.0;
    if has(&[
        "in this section",
        "in this chapter",
        "next section",
        "next chapter",
        "previous chapter",
        "in chapter ",
        "we\u{2019}ll ",
        "we'll ",
        "let\u{2019}s ",
        "let's ",
    ]) {
        factor *= 0.8;
    }
    if has(&[
        "listing ",
        "figure ",
        "as shown",
        "shown below",
        "following example",
        "this example",
        "above example",
        "example above",
    ]) {
        factor *= 0.85;
    }
    if starts(&[
        "it ",
        "this ",
        "these ",
        "they ",
        "that ",
        "those ",
        "such ",
        "but ",
        "and ",
        "so ",
        "however",
        "also",
        "then ",
        "here",
        "in this case",
        "otherwise",
    ]) {
        factor *= 0.93;
    }
    factor
}

/// How much a sentence has the form that the question asks for: 0 to 1.
fn form(quote: &str, own: &BTreeSet<String>, setting: &Setting, question: &Question) -> f32 {
    let low = quote.to_lowercase();
    let has = |marks: &[&str]| marks.iter().any(|mark| low.contains(mark));
    let yes = |condition: bool| if condition { 1.0 } else { 0.0 };
    match question.wants {
        Wants::Definition => definition(&low, own, setting, question),
        Wants::Procedure => yes(has(&["to ", "use ", "using ", "run ", "command", "call", "you can", "by "])),
        Wants::Reason => yes(has(&[
            "because",
            "so that",
            "since ",
            "reason",
            "to avoid",
            "to prevent",
            "ensure",
            "otherwise",
            "therefore",
            "this means",
            "allows",
            "lets ",
        ])),
        Wants::Amount => yes(quote.chars().any(|c| c.is_ascii_digit())),
        Wants::Condition => yes(has(&["when", "if ", "after ", "before ", "during", "whenever", "until", "once "])),
        Wants::Fact => 0.0,
    }
}

const DEFINING: [&str; 26] = [
    "is",
    "are",
    "means",
    "mean",
    "refers",
    "provides",
    "provide",
    "specifies",
    "determines",
    "controls",
    "allows",
    "allow",
    "lets",
    "let",
    "enables",
    "returns",
    "creates",
    "stores",
    "holds",
    "defines",
    "removes",
    "represents",
    "contains",
    "describes",
    "sets",
    "makes",
];

/// A sentence that opens with the thing asked about and a verb that defines it, or with such a verb under a caption
/// that names the thing.
fn definition(low: &str, own: &BTreeSet<String>, setting: &Setting, question: &Question) -> f32 {
    let words: Vec<&str> = low.split_whitespace().take(12).collect();
    let Some(verb) = words.iter().position(|word| DEFINING.contains(word)) else { return 0.0 };
    let subject = super::question::stem_set(&words[..verb].join(" "));
    let of_caption = if verb == 0 { question.share(|group| group.found_in(&setting.lead)) } else { 0.0 };
    let named = question.share(|group| group.found_in(&subject)).max(of_caption);
    let _ = own;
    named * if verb <= 6 { 1.0 } else { 0.6 }
}
