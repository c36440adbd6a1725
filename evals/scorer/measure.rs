//! How good is one answer, and how good are many?

use std::ops::{AddAssign, Range};
use std::sync::Arc;

use super::questions::{Kind, Part, Question};

/// A citation as far as the key looks at it.
#[derive(Debug, Clone)]
pub(crate) struct Cited {
    /// The file relative to the corpus.
    pub(crate) file: String,
    /// The quote as reported.
    pub(crate) quote: String,
    /// The stored text, and the bytes of it that the quote claims to be.
    pub(crate) source: String,
    /// Those bytes.
    pub(crate) range: Range<usize>,
}

/// Counts over questions; every rate of the table is a quotient of two of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Questions that can be answered.
    pub(crate) answerable: usize,
    /// Their parts.
    pub(crate) parts: usize,
    /// Parts of which a right file is cited.
    pub(crate) file_hits: usize,
    /// Parts of which a quote from a right file contains a phrase.
    pub(crate) phrase_hits: usize,
    /// Questions of two parts.
    pub(crate) double: usize,
    /// Of these, with a phrase for every part.
    pub(crate) double_whole: usize,
    /// Answerable questions that were refused.
    pub(crate) false_refusals: usize,
    /// Questions that cannot be answered.
    pub(crate) unanswerable: usize,
    /// Of these, refused.
    pub(crate) refused: usize,
    /// Citations in all answers that have some.
    pub(crate) citations: usize,
    /// Answers that have some.
    pub(crate) answers: usize,
    /// Characters quoted in them.
    pub(crate) characters: usize,
    /// Citations whose quote is not in the stored text.
    pub(crate) invalid: usize,
    /// The most citations of one answer.
    pub(crate) most_citations: usize,
    /// The most characters of one answer.
    pub(crate) most_characters: usize,
}

impl Tally {
    /// The tally of one answer; `stored` gives the stored text of a source.
    pub(crate) fn of(question: &Question, cited: &[Cited], stored: &dyn Fn(&str) -> Option<Arc<str>>) -> Self {
        let characters = cited.iter().map(|cited| cited.quote.chars().count()).sum();
        let mut tally = Self {
            citations: cited.len(),
            answers: usize::from(!cited.is_empty()),
            characters,
            invalid: cited.iter().filter(|cited| !stands(cited, stored)).count(),
            most_citations: cited.len(),
            most_characters: characters,
            ..Self::default()
        };
        let refused = usize::from(cited.is_empty());
        if question.kind == Kind::Unanswerable {
            (tally.unanswerable, tally.refused) = (1, refused);
            return tally;
        }
        let said = question.parts.iter().filter(|part| says(part, cited)).count();
        tally.answerable = 1;
        tally.false_refusals = refused;
        tally.parts = question.parts.len();
        tally.file_hits = question.parts.iter().filter(|part| cites(part, cited)).count();
        tally.phrase_hits = said;
        tally.double = usize::from(question.parts.len() > 1);
        tally.double_whole = usize::from(question.parts.len() > 1 && said == question.parts.len());
        tally
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.answerable += other.answerable;
        self.parts += other.parts;
        self.file_hits += other.file_hits;
        self.phrase_hits += other.phrase_hits;
        self.double += other.double;
        self.double_whole += other.double_whole;
        self.false_refusals += other.false_refusals;
        self.unanswerable += other.unanswerable;
        self.refused += other.refused;
        self.citations += other.citations;
        self.answers += other.answers;
        self.characters += other.characters;
        self.invalid += other.invalid;
        self.most_citations = self.most_citations.max(other.most_citations);
        self.most_characters = self.most_characters.max(other.most_characters);
    }
}

/// Whether a right file is cited.
pub(crate) fn cites(part: &Part, cited: &[Cited]) -> bool {
    cited.iter().any(|cited| part.files.contains(&cited.file))
}

/// Whether a quote from a right file contains a phrase of the part: lower-case, white space and curly quotes made plain.
pub(crate) fn says(part: &Part, cited: &[Cited]) -> bool {
    let right = cited.iter().filter(|cited| part.files.contains(&cited.file));
    let quotes: Vec<String> = right.map(|cited| plain(&cited.quote)).collect();
    part.phrases.iter().any(|phrase| quotes.iter().any(|quote| quote.contains(&plain(phrase))))
}

fn plain(text: &str) -> String {
    let text = text.to_lowercase().replace(['\u{2018}', '\u{2019}'], "'").replace(['\u{201c}', '\u{201d}'], "\"");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether the quote is what the stored text has in that place, judged without the code that is being scored.
fn stands(cited: &Cited, stored: &dyn Fn(&str) -> Option<Arc<str>>) -> bool {
    let text = stored(&cited.source);
    let there = text.as_ref().and_then(|text| text.as_bytes().get(cited.range.clone()));
    let there = there.and_then(|bytes| std::str::from_utf8(bytes).ok());
    there.is_some_and(|there| !cited.quote.is_empty() && one_space(there) == cited.quote)
}

/// `text` with one space for each run of white space inside it, and none at its ends.
fn one_space(text: &str) -> String {
    let mut out = String::new();
    let mut pending = false;
    for letter in text.chars() {
        if letter.is_whitespace() {
            pending = !out.is_empty();
        } else {
            if std::mem::take(&mut pending) {
                out.push(' ');
            }
            out.push(letter);
        }
    }
    out
}
