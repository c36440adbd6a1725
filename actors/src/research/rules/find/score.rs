//! How well does a sentence answer a question, and how much does it repeat?
//!
//! The weights were tuned on questions in `evals/`; none of them knows a manual. Weights that paid nothing there are gone.

use std::collections::BTreeSet;

use super::candidates::Candidate;
use super::form::{form, length, manner};
use super::group::Group;
use super::overlap;
use super::question::{Question, stem_set};
use crate::research::Passage;
use crate::text::is_stop_word;

// How much a word of the question counts where it stands; in the sentence itself it counts 1.
const IN_CAPTION: f32 = 0.75;
const IN_HEADING: f32 = 0.5;
const IN_OUTER: f32 = 0.5;

/// What covering the whole question adds, counting the surroundings as above.
const CONTEXT: f32 = 1.4;
/// What covering it in the sentence itself adds to that.
const INSIDE: f32 = 0.4;
/// What words that keep the company of the question's words add at the most, reached with a nearness of 1 in all.
const RELATED: f32 = 0.2;
/// What the first rank of the passage adds, and the rank at which that has halved.
const RANK: f32 = 0.3;
const RANK_HALF: f32 = 8.0;
/// What the form that was asked for adds at the most.
const FORM: f32 = 0.35;
/// What a heading that names just the thing asked about adds, for questions of one or two words.
const ABOUT: f32 = 0.3;
/// What the first sentence under a heading or a caption adds.
const FIRST: f32 = 0.05;
/// What words said before cost at the most.
const REPETITION: f32 = 0.25;

/// What surrounds a sentence.
pub(super) struct Setting {
    /// The rank of its passage, from 0.
    rank: usize,
    /// The stems of the innermost heading.
    heading: BTreeSet<String>,
    /// The stems of the outer headings and of the title.
    outer: BTreeSet<String>,
    /// How far the innermost heading or the title names just the subject of the question.
    about: f32,
    /// The stems of the caption above the sentence.
    pub(super) caption: BTreeSet<String>,
    /// Whether nothing but captions stands before it.
    pub(super) first: bool,
}

impl Setting {
    /// Of the passage at `rank`, before its first sentence.
    pub(super) fn new(rank: usize, passage: &Passage, question: &Question) -> Self {
        let heading = passage.headings.last().map(|heading| stem_set(heading)).unwrap_or_default();
        let title = stem_set(&passage.title);
        let about = subject_of(&heading, question).max(subject_of(&title, question));
        let outer = passage.headings.iter().rev().skip(1).flat_map(|heading| stem_set(heading)).chain(title).collect();
        Self { rank, heading, outer, about, caption: BTreeSet::new(), first: true }
    }

    /// The share of the question, by the square of rarity, that a sentence with the stems `own` covers together with the
    /// headings and the caption.
    pub(super) fn coverage(&self, question: &Question, own: &BTreeSet<String>) -> f32 {
        let places = [own, &self.caption, &self.heading, &self.outer];
        let found = |group: &Group| places.iter().map(|place| group.found_in(place)).fold(0.0, f32::max);
        question.rare_share(found) * question.of_kind(own)
    }

    fn credit(&self, group: &Group, own: &BTreeSet<String>) -> f32 {
        let places = [(1.0, own), (IN_CAPTION, &self.caption), (IN_HEADING, &self.heading), (IN_OUTER, &self.outer)];
        places.iter().map(|(worth, place)| worth * group.found_in(place)).fold(0.0, f32::max)
    }
}

/// How far a heading names the subject of the question and nothing else: the geometric mean of both shares.
fn subject_of(heading: &BTreeSet<String>, question: &Question) -> f32 {
    let says = |stem: &&String| !is_stop_word(stem) && !stem.chars().all(|c| c.is_ascii_digit() || c == '.');
    let words = heading.iter().filter(says).count();
    let asked =
        |stem: &&String| question.groups.iter().any(|group| group.whole == **stem || group.parts.contains(*stem));
    let common = heading.iter().filter(says).filter(asked).count();
    let covered = question.share(|group| group.found_in(heading));
    (common as f32 / words.max(1) as f32 * covered).sqrt()
}

/// The score of `quote`, whose stems are `own`: 0 to about 3.
pub(super) fn score(quote: &str, own: &BTreeSet<String>, setting: &Setting, question: &Question) -> f32 {
    let context = question.share(|group| setting.credit(group, own));
    let inside = question.share(|group| group.found_in(own));
    let related: f32 = question.related.iter().filter(|word| own.contains(&word.stem)).map(|word| word.nearness).sum();
    let caption = subject_of(&setting.caption, question);
    let about = if question.words() <= 2 { setting.about.max(caption) } else { 0.0 };
    let sum = CONTEXT * context
        + INSIDE * inside
        + RELATED * related.min(1.0)
        + RANK * RANK_HALF / (RANK_HALF + setting.rank as f32)
        + FORM * form(quote, inside, caption, question)
        + ABOUT * about
        + if setting.first { FIRST } else { 0.0 };
    sum * length(quote) * manner(quote)
}

/// What `candidate` loses because the `chosen` ones have said a part of it: at most [`REPETITION`].
pub(super) fn repetition(candidate: &Candidate, chosen: &[Candidate]) -> f32 {
    REPETITION * chosen.iter().map(|earlier| overlap(&earlier.words, &candidate.words)).fold(0.0, f32::max)
}
