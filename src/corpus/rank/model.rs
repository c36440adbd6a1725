//! What does a corpus know of its own words? Its vocabulary and what keeps company with what, in one file beside the
//! index. All of it is made from the word index: no text is read again.

use std::fs;
use std::path::Path;

use callboard_actors::research::Related;
use callboard_actors::text::is_stop_word;

use super::meaning::{Counts, Meaning};
use super::postings::Postings;
use super::vocabulary::Vocabulary;
use crate::corpus::CorpusError;
use crate::corpus::progress::Beat;

/// The name of the file.
pub(super) const FILE: &str = "model";
/// Changes when the layout or the way of building does.
const MAGIC: &[u8; 8] = b"cbmodel2";
/// A corpus with more passages than this has no model of meaning: it would take minutes and gigabytes.
const MAX_PASSAGES: usize = 300_000;
/// Only words of at least this many passages have a meaning.
const MIN_PASSAGES: usize = 2;
/// And of at most this share of all passages.
const MAX_SHARE: f32 = 0.25;
/// At most so many words have a meaning, the most frequent first.
const MAX_TERMS: usize = 60_000;
/// How near a related word is at least, and how many there are at most.
const RELATED_LEAST: f32 = 0.4;
const RELATED_MOST: usize = 40;

/// The words of a corpus, and for those that may have a meaning the passages that have them.
#[derive(Default)]
struct Words {
    words: Vec<String>,
    /// Places of the words that may have a meaning, each with a row in `counts`.
    eligible: Vec<usize>,
    counts: Counts,
    /// How many words each field has.
    totals: [u64; 3],
}

impl Words {
    fn of(postings: &Postings, beat: Beat<'_>) -> Result<Self, CorpusError> {
        let passages = postings.passages();
        let most = if passages <= MAX_PASSAGES { passages as f32 * MAX_SHARE } else { 0.0 };
        let mut words = Self::default();
        words.totals = postings.every_word(beat, |word, found| {
            if found.len() >= MIN_PASSAGES && found.len() as f32 <= most && !is_stop_word(word) {
                words.eligible.push(words.words.len());
                words.counts.push(found.iter().copied());
            }
            words.words.push(word.to_owned());
        })?;
        words.limit();
        Ok(words)
    }

    /// Leaves the most frequent words eligible.
    fn limit(&mut self) {
        if self.eligible.len() > MAX_TERMS {
            let mut rows: Vec<usize> = (0..self.eligible.len()).collect();
            rows.sort_by_key(|row| (std::cmp::Reverse(self.counts.passages_with(*row)), *row));
            rows.truncate(MAX_TERMS);
            rows.sort_unstable();
            self.counts = self.counts.only(&rows);
            self.eligible = rows.into_iter().map(|row| self.eligible[row]).collect();
        }
    }
}

/// The model, open for questions.
pub(super) struct Model {
    totals: [u64; 3],
    vocabulary: Vocabulary,
    meaning: Meaning,
}

impl Model {
    /// Makes the model of the words of `postings` and writes it into `dir`.
    pub(super) fn build(dir: &Path, postings: &Postings, beat: Beat<'_>) -> Result<(), CorpusError> {
        let Words { words, eligible, counts, totals } = Words::of(postings, beat)?;
        let passages = postings.passages();
        // Rows of the model, in the order of the words; `u32::MAX` for a word without one.
        let mut rows = vec![u32::MAX; words.len()];
        for (row, at) in (0..).zip(&eligible) {
            rows[*at] = row;
        }
        let rarity = |row| (passages as f32 / counts.passages_with(row) as f32).ln();
        let rarity: Vec<f32> = (0..eligible.len()).map(rarity).collect();
        let meaning = Meaning::build(&counts, passages, &rarity, beat)?;
        let vocabulary = Vocabulary::new(words.into_iter(), rows).to_bytes();
        let mut bytes = MAGIC.to_vec();
        bytes.extend(totals.iter().chain([&(vocabulary.len() as u64)]).flat_map(|number| number.to_le_bytes()));
        bytes.extend(vocabulary);
        bytes.extend(meaning.to_bytes());
        let path = dir.join(FILE);
        fs::write(&path, bytes).map_err(|error| CorpusError::cache(&path, error))
    }

    pub(super) fn open(dir: &Path) -> Result<Self, CorpusError> {
        let path = dir.join(FILE);
        let bytes = fs::read(&path).map_err(|error| CorpusError::cache(&path, error))?;
        parse(&bytes).ok_or_else(|| CorpusError::Damaged("the model of the corpus has another layout".into()))
    }

    /// How many words each field has in all passages.
    pub(super) fn totals(&self) -> [u64; 3] {
        self.totals
    }

    /// The passages that mean most nearly the same as `words`, nearest first.
    pub(super) fn nearest(&self, words: &[(String, f32)], limit: usize) -> Vec<u32> {
        let near = self.meaning.nearness(&self.rows(words));
        let mut order: Vec<u32> = (0..).take(near.len()).collect();
        order.sort_by(|a, b| near[*b as usize].total_cmp(&near[*a as usize]).then(a.cmp(b)));
        order.truncate(limit);
        order
    }

    /// Words that keep the company of `words` and are none of them, nearest first.
    pub(super) fn related(&self, words: &[(String, f32)]) -> Vec<Related> {
        let near = self.meaning.related(&self.rows(words), RELATED_LEAST, RELATED_MOST);
        near.into_iter()
            .filter_map(|(row, nearness)| {
                Some(Related { stem: self.vocabulary.word_of_row(row)?.to_owned(), nearness })
            })
            .filter(|related| !words.iter().any(|(word, _)| *word == related.stem))
            .collect()
    }

    /// Words of the corpus that are spelt like one of `words`, itself included, with their likeness as weight.
    pub(super) fn spelt_alike(&self, words: &[(String, f32)]) -> Vec<(String, f32)> {
        self.vocabulary.spelt_alike(words.iter().map(|(word, _)| word.as_str()))
    }

    fn rows(&self, words: &[(String, f32)]) -> Vec<(u32, f32)> {
        words.iter().filter_map(|(word, weight)| Some((self.vocabulary.row_of_word(word)?, *weight))).collect()
    }
}

fn parse(bytes: &[u8]) -> Option<Model> {
    let (numbers, rest) = bytes.strip_prefix(MAGIC)?.split_at_checked(32)?;
    let mut numbers = numbers.chunks_exact(8).map(|number| Some(u64::from_le_bytes(number.try_into().ok()?)));
    let mut number = || numbers.next().flatten();
    let totals = [number()?, number()?, number()?];
    let (vocabulary, meaning) = rest.split_at_checked(usize::try_from(number()?).ok()?)?;
    Some(Model { totals, vocabulary: Vocabulary::from_bytes(vocabulary)?, meaning: Meaning::from_bytes(meaning)? })
}

#[cfg(test)]
mod tests {
    use callboard_actors::text::Language;

    use super::super::writer::Writer;
    use super::super::{Manifest, PassageText};
    use super::*;
    use crate::corpus::manifest::Document;

    fn model(dir: &Path) -> Model {
        let documents = (0..60).map(|key| Document { key, passages: vec![(0, 0, 0)], ..Document::default() }).collect();
        let index = dir.join("index");
        let mut writer = Writer::create(&index).expect("a temporary folder can be written");
        for n in 0..60 {
            let text = match n % 10 {
                0 => format!("A boat sails the sea with wind number {}", n % 4),
                1 => format!("A vessel sails the sea with wind number {}", n % 4),
                topic => format!("Bread{topic} needs flour{topic} and yeast{topic} number {}", n % 4),
            };
            let passage = PassageText { title: "", headings: &[], text: &text, language: Language::English };
            writer.add(n, 0, &passage).expect("it can be written");
        }
        writer.finish().expect("it can be written");
        let postings = Postings::open(&index, &Manifest { documents }).expect("what was written can be opened");
        Model::build(dir, &postings, &mut || Ok(())).expect("a temporary folder can be written");
        Model::open(dir).expect("what was written can be opened")
    }

    fn word(word: &str) -> Vec<(String, f32)> {
        vec![(word.to_owned(), 1.0)]
    }

    #[test]
    fn passages_without_the_word_are_found_by_their_company() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let model = model(dir.path());
        let nearest = model.nearest(&word("boat"), 12);
        assert!(nearest.iter().all(|passage| passage % 10 < 2), "{nearest:?}");
        let related = model.related(&word("boat"));
        assert!(related.iter().any(|related| related.stem == "sail"), "{related:?}");
        assert!(
            related.iter().all(|related| related.stem != "boat" && !related.stem.starts_with("yeast")),
            "{related:?}"
        );
    }

    #[test]
    fn a_misspelt_word_is_recognised() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let model = model(dir.path());
        let alike = model.spelt_alike(&word("vesssel"));
        assert_eq!(alike.first().map(|(word, _)| word.as_str()), Some("vessel"));
        assert!(model.nearest(&word("unheard"), 5).is_empty());
    }

    #[test]
    fn a_damaged_model_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        model(dir.path());
        let path = dir.path().join(FILE);
        let bytes = fs::read(&path).expect("it is there");
        for end in [0, 5, 12, 40, bytes.len() - 1] {
            fs::write(&path, &bytes[..end]).expect("it can be written");
            assert!(matches!(Model::open(dir.path()), Err(CorpusError::Damaged(_))), "{end}");
        }
    }
}
