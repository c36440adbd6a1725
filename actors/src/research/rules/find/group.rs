//! What is one word of a question, and does a sentence have it?

use std::collections::BTreeSet;

use super::marks::is_mark;

/// A word of the question: a plain word, a name with its parts, or the kind of its answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    /// The stem of the word, or the whole name; a mark when only a kind is asked for.
    pub(super) whole: String,
    /// Its other form: the word as it stands in the question, in lower case, which is how texts that are not English
    /// hold it; or its English stem, if that word is the whole.
    pub(super) plain: String,
    /// The parts of a name; empty for a plain word.
    pub(super) parts: Vec<String>,
    /// Rarity in the corpus: greater is rarer.
    pub(super) weight: f32,
    /// What makes another verb of it (`up` of `back up`): found only together, or as one word (`backup`).
    pub(super) particle: Option<String>,
    /// What all its parts together count when the whole is not there.
    pub(super) of_parts: f32,
    /// Marks of the kind of answer that it asks for: a sentence with one of them need not have the word.
    pub(super) marks: Vec<String>,
    /// Whether a word with the same beginning counts, too.
    pub(super) is_loose: bool,
}

/// What a word with the same beginning counts.
const NEAR: f32 = 0.75;
/// The beginning has at least so many bytes, and what differs at most so many.
const BEGINNING: usize = 5;
const ENDING: usize = 4;

impl Group {
    /// How much of this word is among `stems`: 0 to 1.
    pub(super) fn found_in(&self, stems: &BTreeSet<String>) -> f32 {
        if self.marks.iter().any(|mark| stems.contains(mark)) {
            return 1.0;
        }
        if let Some(particle) = &self.particle {
            let together = stems.contains(&self.whole) && stems.contains(particle);
            let joined = || stems.contains(&format!("{}{particle}", self.whole));
            return if together || joined() { 1.0 } else { 0.0 };
        }
        if stems.contains(&self.whole) || stems.contains(&self.plain) {
            return 1.0;
        }
        if self.parts.is_empty() {
            let is_near = self.is_loose && stems.iter().any(|stem| is_near(stem, &self.whole));
            return if is_near { NEAR } else { 0.0 };
        }
        let found = self.parts.iter().filter(|part| stems.contains(*part)).count();
        self.of_parts * found as f32 / self.parts.len() as f32
    }

    /// Whether it is a word, and not only the kind of an answer.
    pub(super) fn is_word(&self) -> bool {
        !is_mark(&self.whole)
    }
}

/// Whether one of two stems begins with the other: `search` and `searchabl`.
fn is_near(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    short.len() >= BEGINNING && long.len() - short.len() <= ENDING && long.starts_with(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_or_in_a_few_notes_a_beginning_stands_for_a_word() {
        let stems: BTreeSet<String> = ["#money", "searchabl", "cat"].map(str::to_owned).into();
        let group = |whole: &str| Group { whole: whole.to_owned(), plain: whole.to_owned(), ..Group::default() };
        let loose = |whole: &str| Group { is_loose: true, ..group(whole) }.found_in(&stems);
        assert_eq!((group("search").found_in(&stems), loose("search"), loose("catch")), (0.0, NEAR, 0.0));
        let price = Group { marks: vec!["#money".to_owned()], ..group("price") };
        assert!(price.found_in(&stems) == 1.0 && price.is_word() && !group("#money").is_word());
    }
}
