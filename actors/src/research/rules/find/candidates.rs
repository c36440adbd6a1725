//! Which stretches of the passages could be quoted?
//!
//! One sentence, or two where the first introduces the second. Never a heading, a table row, a bare line of code, a
//! question, a crumb of navigation or a mere pointer to another section.

use std::collections::BTreeSet;
use std::ops::Range;

use super::question::{Question, stem_set, stem_set_in};
use super::score::{self, Setting};
use crate::research::{Passage, Retrieved};
use crate::text::{Kind, Language, Sentence, is_stop_word, language, sentences};

/// A stretch that could be quoted.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// Which of the retrieved passages.
    pub(super) passage: usize,
    /// Bytes of the passage's text.
    pub(super) range: Range<usize>,
    /// Its stems without function words.
    pub(super) words: BTreeSet<String>,
    /// Higher is better.
    pub(super) score: f32,
    /// How much of the question its passage covers: 0 to 1.
    pub(super) coverage: f32,
}

/// A quote is at least this long, in bytes: shorter ones say too little on their own.
const MIN_QUOTE: usize = 30;
/// Two sentences are joined only if the quote stays below this length, in bytes.
const MAX_PAIR: usize = 420;
/// A line without an end mark up to this length, in bytes, is a caption for what follows it.
const MAX_LEAD: usize = 90;

/// All candidates of all passages, scored.
pub(super) fn candidates(retrieved: &Retrieved, question: &Question) -> Vec<Candidate> {
    let mut out = Vec::new();
    for (at, passage) in retrieved.passages.iter().enumerate() {
        of_passage(at, passage, question, &mut out);
    }
    out
}

fn of_passage(at: usize, passage: &Passage, question: &Question, out: &mut Vec<Candidate>) {
    let language = language(&passage.text);
    let found = sentences(&passage.text);
    let sets: Vec<BTreeSet<String>> =
        found.iter().map(|sentence| stem_set_in(&passage.text[sentence.range.clone()], language)).collect();
    let mut setting = Setting::new(at, passage, question, stem_set);
    let everything: BTreeSet<String> = sets.iter().flatten().cloned().collect();
    let coverage = setting.coverage(question, &everything);
    for (n, sentence) in found.iter().enumerate() {
        let text = &passage.text[sentence.range.clone()];
        if is_lead(text, sentence.kind) {
            setting.lead = sets[n].clone();
            continue;
        }
        setting.before = n.checked_sub(1).map(|before| sets[before].clone()).unwrap_or_default();
        for range in stretches(&passage.text, &found, n) {
            let quote = &passage.text[range.clone()];
            let own = if range == sentence.range { sets[n].clone() } else { stem_set_in(quote, language) };
            setting.first = n == 0 || found[..n].iter().all(|s| is_lead(&passage.text[s.range.clone()], s.kind));
            let mut score = score::score(quote, &own, &everything, &setting, question);
            if range != sentence.range { score *= score::w(20); if found[n + 1].kind == Kind::Code { score *= score::w(21); } }
            let words = content(&own, language);
            out.push(Candidate { passage: at, range, words, score, coverage });
        }
    }
}

fn content(stems: &BTreeSet<String>, _language: Language) -> BTreeSet<String> {
    stems.iter().filter(|stem| !is_stop_word(stem)).cloned().collect()
}

/// The quotes that begin at sentence `n`: it alone, and with the next one when it leads to it.
fn stretches(text: &str, found: &[Sentence], n: usize) -> Vec<Range<usize>> {
    let this = &found[n];
    let own = &text[this.range.clone()];
    let mut out = Vec::new();
    if quotable(own, this.kind) {
        out.push(this.range.clone());
    }
    let Some(next) = found.get(n + 1) else { return out };
    let following = &text[next.range.clone()];
    let both = this.range.start..next.range.end;
    let introduces = this.kind == Kind::Prose && own.ends_with(':') && next.kind != Kind::Heading;
    let continues = quotable(own, this.kind)
        && quotable(following, next.kind)
        && (refers_back(following) || super::score::w(26) > 0.5)
        && !text[this.range.end..next.range.start].contains("\n\n");
    if both.len() <= MAX_PAIR && (introduces || continues) {
        out.push(both);
    }
    out
}

/// Whether a sentence leans on the one before it.
fn refers_back(sentence: &str) -> bool {
    let first = sentence.split_whitespace().next().unwrap_or_default();
    matches!(
        first.trim_end_matches(','),
        "It" | "This"
            | "These"
            | "They"
            | "That"
            | "Those"
            | "Such"
            | "However"
            | "Thus"
            | "Therefore"
            | "Otherwise"
            | "If"
    )
}

/// A caption: a short line that is no sentence, such as the term of a definition list.
fn is_lead(text: &str, kind: Kind) -> bool {
    kind == Kind::Heading
        || (text.len() <= MAX_LEAD && kind == Kind::Prose && !text.ends_with(['.', '!', '?', ':', ';', ',']))
}

/// Whether a sentence says something when it stands alone.
fn quotable(text: &str, kind: Kind) -> bool {
    kind == Kind::Prose
        && text.len() >= MIN_QUOTE
        && text.split_whitespace().count() >= 5
        && !text.ends_with(['?', ':'])
        && !is_pointer(text)
        && !is_navigation(text)
        && text.split_whitespace().any(|word| is_stop_word(&word.to_lowercase()))
}

/// A sentence that only sends the reader elsewhere.
fn is_pointer(text: &str) -> bool {
    let low = text.to_lowercase();
    let starts = [
        "see ",
        "(see ",
        "see also",
        "refer to ",
        "for more ",
        "for details",
        "for further",
        "for additional",
        "more information",
        "more details",
    ];
    let mentions = ["see section", "see chapter", "see the section", "described in section", "discussed in section"];
    starts.iter().any(|start| low.starts_with(start))
        || (text.len() < 100 && mentions.iter().any(|mention| low.contains(mention)))
}

/// Crumbs: links in a row, or a line of a site's furniture.
fn is_navigation(text: &str) -> bool {
    let separators = text.matches([' ', '\n']).count().max(1);
    let marks = text.matches(['›', '»', '|', '←', '→', '·']).count();
    marks * 4 > separators || text.starts_with("Prev") && text.contains("Next") || text.contains("All rights reserved")
}
