//! How much does a word of a question weigh in this corpus?

/// Stems of words that help to ask and seldom to find.
const LIGHT: [&str; 29] = [
    "work",
    "mean",
    "happen",
    "control",
    "caus",
    "differ",
    "tell",
    "know",
    "show",
    "learn",
    "understand",
    "tri",
    "possibl",
    "best",
    "better",
    "good",
    "singl",
    "new",
    "simpl",
    "specif",
    "certain",
    "right",
    "current",
    "kind",
    "exact",
    "actual",
    "properli",
    "correct",
    "purpos",
];

/// Stems of words of which a few notes say nothing, because another word stands for them: `may I` for `is it allowed`.
#[rustfmt::skip]
const GENERAL: [&str; 26] = [
    "place", "day", "last", "name", "number", "date", "limit", "rule", "allow", "forbid", "forbidden", "permit", "exist", "includ",
    "contain", "obtain", "receiv", "stay", "remain", "handl", "valid", "avail", "peopl", "person", "deadlin", "find",
];

/// What a light word weighs of its rarity.
pub(super) const LIGHT_FACTOR: f32 = 0.4;

/// With fewer passages a corpus is a few notes.
const FEW: u64 = 200;

/// So many passages of other authors are thought beside a corpus of a few, and the fewer the larger it is.
const BEYOND: f32 = 100.0;
/// This share of them has any one word of a question.
const BEYOND_SHARE: f32 = 0.02;

/// Whether a corpus of so many passages is a few notes, which say each thing once and in one way: their words are not those of
/// the question, and what kind of answer is asked for tells more.
pub(super) fn is_few(passages: u64) -> bool {
    passages < FEW
}

/// Whether a stem is light.
pub(super) fn is_light(stem: &str, in_few: bool) -> bool {
    LIGHT.contains(&stem) || (in_few && GENERAL.contains(&stem))
}

/// The inverse document frequency of BM25: positive, and 0.3 or more for any word. It is smoothed: that a few notes have a word
/// once or never is hardly evidence of how rare it is, so they are counted with passages that nobody wrote.
pub(super) fn rarity(corpus: u64, passages: u64) -> f32 {
    let (corpus, passages) = (corpus.max(passages) as f32, passages as f32);
    let beyond = BEYOND * BEYOND / (BEYOND + corpus);
    let (corpus, passages) = (corpus + beyond, passages + beyond * BEYOND_SHARE);
    (1.0 + (corpus - passages + 0.5) / (passages + 0.5)).ln().max(0.3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_nowhere_weighs_little_more_than_one_that_is_once_unless_there_is_much_to_read() {
        let spread = |corpus| rarity(corpus, 0) / rarity(corpus, 1);
        assert!(spread(15) < 1.2 && spread(10_000) > 1.1, "{} {}", spread(15), spread(10_000));
        assert!(rarity(15, 0) / rarity(15, 8) > 1.5, "a common word stays common");
        // As without smoothing.
        assert!((rarity(10_000, 0) - 20_001_f32.ln()).abs() < 0.1, "{}", rarity(10_000, 0));
    }
}
