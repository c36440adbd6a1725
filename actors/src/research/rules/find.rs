//! Which sentences of the retrieved passages answer the task, and do they answer it at all?
//!
//! Each sentence is scored by how much of the question it covers, where a rare word counts for more than a common one
//! and a word in the sentence for more than one in the heading above it (`score`). The **rule of relevance**: the task
//! has no evidence unless one sentence, with its headings and the title, covers as much of the question as [`MIN_WORDS`]
//! of its words, or a share of [`MIN_COVERAGE`], by the square of their rarity; or a share of
//! [`MIN_COVERAGE_OF_UNKNOWN`] when the question names something that the corpus never writes. A question whose rare words
//! stand nowhere together is thus refused, however well its common words fit. A few notes (`weight`) say things once and in one
//! way: there rarities are smoothed, and the kind of answer that is asked for (`asked`, `marks`) is one of the words.

mod asked;
mod candidates;
mod form;
mod group;
mod lines;
mod marks;
mod names;
mod question;
mod score;
mod weight;
mod wider;

use std::collections::BTreeSet;
use std::ops::Range;

use crate::research::{Claim, Evidence, Findings, Passage, Retrieved, Task};
use crate::text::normalise;

use super::write::MAX_PER_FILE;
use candidates::{Candidate, candidates};
use question::Question;

/// How many passages a researcher should ask for.
pub const PASSAGES: usize = 40;

/// A task has at most this many claims.
pub const MAX_CLAIMS: usize = 8;

/// The rule of relevance: as many words of the question, counted by the square of their rarity, must one sentence cover with
/// its headings. A share would be too much of a long question, which tells its circumstances, and too little of a short one.
/// From 1.8 to 2.4 the questions in `evals/` come out nearly the same.
pub const MIN_WORDS: f32 = 2.0;

/// This share of a short question is enough.
pub const MIN_COVERAGE: f32 = 0.45;

/// The same for a question that names something which the corpus never writes. Of 16 such questions in `evals/` none can be
/// answered, and they cover 0.38 at the most; it stays below 1 for those who mention a name in passing.
pub const MIN_COVERAGE_OF_UNKNOWN: f32 = 0.6;

/// A further claim needs at least this share of the best claim's score. In `evals/` 0.7 cites fewer right files.
const MIN_SHARE: f32 = 0.5;

/// And its sentence with its headings at least this share of the best coverage.
const MIN_OWN: f32 = 0.3;

/// Two claims with at least this share of common words, counted in the shorter one, say the same.
const SAME: f32 = 0.75;

/// The best claims for `task`, best first; none when the evidence does not cover the question (see the rule above).
pub fn find(task: &Task, retrieved: &Retrieved) -> Findings {
    let question = Question::new(&task.question, retrieved);
    let found = candidates(retrieved, &question);
    let coverage = found.iter().map(|candidate| candidate.coverage).fold(0.0, f32::max);
    let least = if question.names_unknown { MIN_COVERAGE_OF_UNKNOWN } else { least(question.words()) };
    let claims = if coverage < least { Vec::new() } else { choose(found, retrieved) };
    Findings { task: task.id, claims, passages_read: retrieved.passages.len(), coverage }
}

/// The least share that a sentence must cover of a question of so many words.
fn least(words: usize) -> f32 {
    MIN_COVERAGE.min(MIN_WORDS / words.max(1) as f32)
}

/// Takes the best candidate, then again and again the one that is best after a reduction for what was already said.
fn choose(mut left: Vec<Candidate>, retrieved: &Retrieved) -> Vec<Claim> {
    let best = left.iter().map(|candidate| candidate.score).fold(0.0, f32::max);
    let widest = left.iter().map(|candidate| candidate.coverage).fold(0.0, f32::max);
    let mut chosen: Vec<Candidate> = Vec::new();
    while chosen.len() < MAX_CLAIMS {
        let full = |candidate: &Candidate| {
            let file = |at: usize| (&retrieved.passages[at].corpus, &retrieved.passages[at].file);
            let same = chosen.iter().filter(|earlier| file(earlier.passage) == file(candidate.passage)).count();
            same >= MAX_PER_FILE
        };
        left.retain(|candidate| {
            !full(candidate)
                && candidate.score >= best * MIN_SHARE
                && candidate.coverage >= widest * MIN_OWN
                && !chosen.iter().any(|earlier| says_the_same(earlier, candidate))
        });
        let worth = |candidate: &Candidate| candidate.score - score::repetition(candidate, &chosen);
        let Some(at) = (0..left.len()).max_by(|a, b| worth(&left[*a]).total_cmp(&worth(&left[*b])).then(b.cmp(a)))
        else {
            break;
        };
        chosen.push(left.swap_remove(at));
    }
    chosen.iter().map(|candidate| claim(candidate, retrieved)).collect()
}

fn says_the_same(a: &Candidate, b: &Candidate) -> bool {
    if a.passage == b.passage && a.range.start < b.range.end && b.range.start < a.range.end {
        return true;
    }
    overlap(&a.words, &b.words) >= SAME
}

/// The share of the smaller set that is also in the other.
fn overlap(a: &BTreeSet<String>, b: &BTreeSet<String>) -> f32 {
    let common = a.intersection(b).count();
    common as f32 / a.len().min(b.len()).max(1) as f32
}

fn claim(candidate: &Candidate, retrieved: &Retrieved) -> Claim {
    let passage = &retrieved.passages[candidate.passage];
    let evidence = evidence(passage, &candidate.range);
    let wider =
        wider::wider(&passage.text, &candidate.range).iter().map(|range| self::evidence(passage, range)).collect();
    Claim { text: evidence.quote.clone(), evidence: vec![evidence], wider, score: candidate.score }
}

fn evidence(passage: &Passage, range: &Range<usize>) -> Evidence {
    Evidence {
        source: passage.source.clone(),
        corpus: passage.corpus.clone(),
        file: passage.file.clone(),
        title: passage.title.clone(),
        headings: passage.headings.clone(),
        start: passage.start + range.start,
        end: passage.start + range.end,
        quote: normalise(&passage.text[range.clone()]),
    }
}

#[cfg(test)]
mod few_tests;
#[cfg(test)]
mod tests;
