//! Which stretches of the passages could be quoted?
//!
//! One sentence, or two that follow each other in one block, or an introduction with what it introduces. Never a
//! heading, a table row, a bare line of code, a question, a crumb of navigation or a mere pointer to another section.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::lines::{is_caption, is_item, is_marked, is_plain, is_record, says_something};
use super::marks::{is_mark, marks};
use super::question::{Question, stem_set_in};
use super::score::{Setting, score};
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
    /// How much of the question its first sentence covers with its headings, by the square of rarity: 0 to 1.
    pub(super) coverage: f32,
}

/// A quote is at least this long, in bytes: shorter ones say too little on their own.
const MIN_QUOTE: usize = 12;
/// And has at least this many words.
const MIN_WORDS: usize = 3;
/// The first of two joined sentences is at least this long, in bytes: a shorter one only delays the second.
const MIN_FIRST: usize = 30;
/// Two sentences are joined only if the quote stays below this length, in bytes.
const MAX_PAIR: usize = 420;

/// All candidates of all passages, scored.
pub(super) fn candidates(retrieved: &Retrieved, question: &Question) -> Vec<Candidate> {
    let mut out = Vec::new();
    let languages = languages(retrieved);
    for (rank, passage) in retrieved.passages.iter().enumerate() {
        of_passage(rank, passage, languages[&file(passage)], question, &mut out);
    }
    out
}

fn file(passage: &Passage) -> (&str, &str) {
    (&passage.corpus, &passage.file)
}

/// The language of each file, guessed from all that was retrieved of it: a passage alone may hold no word that tells.
fn languages(retrieved: &Retrieved) -> BTreeMap<(&str, &str), Language> {
    let mut texts: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for passage in &retrieved.passages {
        let text = texts.entry(file(passage)).or_default();
        text.push_str(&passage.text);
        text.push('\n');
    }
    texts.into_iter().map(|(file, text)| (file, language(&text))).collect()
}

fn of_passage(rank: usize, passage: &Passage, language: Language, question: &Question, out: &mut Vec<Candidate>) {
    let text = passage.text.as_str();
    let found = sentences(text);
    let sets: Vec<BTreeSet<String>> =
        found.iter().map(|sentence| stems_of(&text[sentence.range.clone()], language, question)).collect();
    let mut setting = Setting::new(rank, passage, question);
    for (n, sentence) in found.iter().enumerate() {
        let caption = is_caption(&text[sentence.range.clone()], sentence.kind);
        if caption && !says_something(text, &found, n) {
            setting.caption = sets[n].clone();
            continue;
        }
        let coverage = setting.coverage(question, &sets[n]);
        for range in stretches(text, language, &found, n) {
            let quote = &text[range.clone()];
            if question.is_asked_in(quote) {
                continue;
            }
            let own = if range == sentence.range { sets[n].clone() } else { stems_of(quote, language, question) };
            let score = score(quote, &own, &setting, question);
            let words = own.into_iter().filter(|stem| !is_stop_word(stem) && !is_mark(stem)).collect();
            out.push(Candidate { passage: rank, range, words, score, coverage });
        }
        if caption {
            setting.caption = sets[n].clone();
        } else {
            setting.first = false;
        }
    }
}

/// The stems of a sentence, with the marks of the kinds that it holds where they are asked for.
fn stems_of(text: &str, language: Language, question: &Question) -> BTreeSet<String> {
    let mut stems = stem_set_in(text, language);
    if question.in_few {
        stems.extend(marks(text));
    }
    stems
}

/// The quotes that begin at sentence `n`: the sentence alone, and with the next.
fn stretches(text: &str, language: Language, found: &[Sentence], n: usize) -> Vec<Range<usize>> {
    let this = &found[n];
    let own = &text[this.range.clone()];
    let mut out = Vec::new();
    // A caption comes here only if it says something.
    let alone = quotable(own, this.kind) && (is_caption(own, this.kind) || is_sentence(own, language));
    if alone {
        out.push(this.range.clone());
    }
    let Some(next) = found.get(n + 1) else { return out };
    let both = this.range.start..next.range.end;
    let introduces = this.kind == Kind::Prose && own.ends_with(':') && next.kind != Kind::Heading;
    let continues = alone
        && own.len() >= MIN_FIRST
        && quotable(&text[next.range.clone()], next.kind)
        && is_sentence(&text[next.range.clone()], language)
        && !text[this.range.end..next.range.start].contains('\n');
    if both.len() <= MAX_PAIR && (introduces || continues) {
        let end = if introduces { end_of_list(text, found, n + 1) } else { both.end };
        out.push(both.start..end);
    }
    out
}

/// Where a list ends that was introduced by the sentence before `first`: after the last item that fits.
fn end_of_list(text: &str, found: &[Sentence], first: usize) -> usize {
    let start = found[first - 1].range.start;
    // After a marked item, a line without a mark is the next title and not an item.
    let marked = is_marked(text, &found[first]);
    let fits = |item: &&Sentence| {
        item.range.end - start <= MAX_PAIR && is_item(text, item) && (!marked || is_marked(text, item))
    };
    let items = found[first..].iter().take_while(fits);
    items.last().unwrap_or(&found[first]).range.end
}

/// Whether words could say something when they stand alone.
fn quotable(text: &str, kind: Kind) -> bool {
    kind == Kind::Prose
        && text.len() >= MIN_QUOTE
        && text.split_whitespace().count() >= MIN_WORDS
        && !text.ends_with(['?', ':'])
        && !is_pointer(text)
        && !is_navigation(text)
}

/// Whether words are a sentence, or a row of named values. An end mark makes one of plain words; without it a function
/// word does, and those are known for English only.
fn is_sentence(text: &str, language: Language) -> bool {
    language != Language::English
        || (text.ends_with(['.', '!']) && is_plain(text))
        || text.split_whitespace().any(|word| is_stop_word(&word.to_lowercase()))
        || is_record(text)
}

/// A sentence that only sends the reader elsewhere. Where a sentence of its own follows its colon (`See the handbook: ..`), that
/// one is what is said.
pub(super) fn is_pointer(text: &str) -> bool {
    sends_elsewhere(text) && said_behind_colon(text).is_none_or(is_pointer)
}

/// The sentence behind the first colon; a list of names is none.
fn said_behind_colon(text: &str) -> Option<&str> {
    let (_, said) = text.split_once(':')?;
    let is_apart = said.starts_with(char::is_whitespace) && said.ends_with(['.', '!']);
    let said = said.trim_start();
    (is_apart && said.split_whitespace().count() > MIN_WORDS && !lists_names(said)).then_some(said)
}

/// `Installing the server, Upgrading it, and Tuning it.`: each item has a capital. `In March, Anna pays.` is a sentence.
fn lists_names(text: &str) -> bool {
    let items: Vec<&str> = text.split([',', ';']).map(str::trim_start).collect();
    let last = items.last().and_then(|item| item.strip_prefix("and ").or(item.strip_prefix("or ")));
    let mut names = items.iter().take(items.len() - usize::from(last.is_some())).chain(&last);
    (last.is_some() || items.len() > 2) && names.all(|name| name.starts_with(char::is_uppercase))
}

fn sends_elsewhere(text: &str) -> bool {
    let low = text.to_lowercase();
    let openings = [
        "see ",
        "(see ",
        "refer to ",
        "for more ",
        "for details",
        "for further",
        "for additional",
        "more information",
        "more details",
        "consult ",
    ];
    let mentions = ["see section", "see chapter", "see the section", "described in section", "discussed in section"];
    openings.iter().any(|opening| low.starts_with(opening))
        || (text.len() < 100 && mentions.iter().any(|mention| low.contains(mention)))
}

/// Crumbs: links in a row, or a line of a site's furniture.
fn is_navigation(text: &str) -> bool {
    let gaps = text.matches([' ', '\n']).count().max(1);
    let marks = text.matches(['›', '»', '|', '←', '→', '·']).count();
    marks * 4 > gaps || (text.starts_with("Prev") && text.contains("Next")) || text.contains("All rights reserved")
}
