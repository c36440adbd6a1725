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
    /// first of passage
    pub(super) first: bool,
    title: BTreeSet<String>,
}

/// What each feature of a sentence counts.
#[derive(Debug, Clone)]
pub struct Weights {
    /// v
    pub v: Vec<f32>,
}
/// names
pub const NAMES: [&str; 28] = ["in_lead", "in_heading", "in_outer", "in_before", "in_passage", "context", "inside", "rank", "rank_half", "form", "about", "first", "repetition", "min_share", "same", "long", "short", "chapter", "listing", "pronoun", "pair", "code", "refuse", "parts", "related", "rel_cap", "pairs_all", "x"];
/// defaults
pub const DEFAULTS: [f32; 28] = [0.75, 0.75, 0.5, 0.7, 0.25, 0.8, 0.2, 0.35, 8.0, 0.25, 0.0, 0.05, 0.25, 0.5, 0.75, 0.8, 0.8, 0.95, 0.85, 0.93, 1.0, 0.9, 0.5, 0.6, 0.2, 2.0, 0.0, 0.0];
/// w
pub static W: std::sync::RwLock<[f32; 28]> = std::sync::RwLock::new(DEFAULTS);
/// related
pub static RELATED: std::sync::LazyLock<std::sync::RwLock<std::collections::HashMap<String, Vec<(String, f32)>>>> = std::sync::LazyLock::new(Default::default);
/// get
pub fn w(n: usize) -> f32 { W.read().unwrap()[n] }

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
        Self { rank, heading, outer, lead: BTreeSet::new(), before: BTreeSet::new(), first: false, title: stems(&passage.title) }
    }

    /// The share of the question that a passage with the stems `everything` covers, its headings included.
    pub(super) fn coverage(&self, question: &Question, everything: &BTreeSet<String>) -> f32 {
        question.share(|group| {
            group.found_in(everything).max(group.found_in(&self.heading)).max(group.found_in(&self.outer))
        })
    }

    fn about(&self, question: &Question) -> f32 {
        let of = |set: &BTreeSet<String>| {
            let content = set.iter().filter(|s| !crate::text::is_stop_word(s) && !s.chars().all(|c| c.is_ascii_digit() || c == '.')).count();
            let common = set.iter().filter(|s| question.groups.iter().any(|g| g.whole == **s || g.parts.contains(s))).count();
            let precision = common as f32 / content.max(1) as f32;
            let recall = question.share(|group| group.found_in(set));
            (precision.min(1.0) * recall).sqrt()
        };
        of(&self.heading).max(of(&self.title)).max(of(&self.lead))
    }

    fn credit(&self, group: &Group, own: &BTreeSet<String>, everything: &BTreeSet<String>) -> f32 {
        [
            group.found_in(own),
            w(0) * group.found_in(&self.lead),
            w(1) * group.found_in(&self.heading),
            w(2) * group.found_in(&self.outer),
            w(3) * group.found_in(&self.before),
            w(4) * group.found_in(everything),
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
    let rank = w(8) / (w(8) + setting.rank as f32);
    let form = form(quote, own, setting, question);
    let first = if setting.first { 1.0 } else { 0.0 };
    let about = setting.about(question);
    let rel: f32 = question.related.iter().filter(|(s, _)| own.contains(s)).map(|(_, w)| *w).sum();
    let rel = w(24) * (rel / w(25).max(0.1)).min(1.0);
    (rel + w(5) * context + w(6) * inside + w(7) * rank + w(9) * form * inside + w(10) * about + w(11) * first) * length(quote) * manner(quote)
}

/// How much of `candidate` the `chosen` ones have said: a part of [`REPETITION`].
pub(super) fn repetition(candidate: &Candidate, chosen: &[Candidate]) -> f32 {
    w(12) * chosen.iter().map(|earlier| overlap(&earlier.words, &candidate.words)).fold(0.0, f32::max)
}

/// Prefers a sentence of 60 to 300 bytes.
fn length(quote: &str) -> f32 {
    match quote.len() {
        0..=44 => w(16) * 0.94,
        45..=59 => 0.9,
        60..=300 => 1.0,
        301..=420 => (1.0 + w(15)) / 2.0,
        _ => w(15),
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
        factor *= w(17);
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
        factor *= w(18);
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
        factor *= w(19);
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
