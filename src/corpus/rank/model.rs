//! What does a corpus know of its own words? Its vocabulary and what keeps company with what, in one file beside the
//! index.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use callboard_actors::research::Related;
use callboard_actors::text::{is_stop_word, stems};

use super::PassageText;
use super::meaning::{Counts, Meaning};
use super::vocabulary::Vocabulary;
use crate::corpus::CorpusError;
use crate::corpus::progress::Beat;

const FILE: &str = "model";
/// Changes when the layout or the way of building does.
const MAGIC: &[u8; 8] = b"cbmodel1";
/// A corpus with more passages than this has no model of meaning: it would take minutes and gigabytes.
const MAX_PASSAGES: usize = 300_000;
/// Only words of at least this many passages have a meaning.
const MIN_PASSAGES: u32 = 2;
/// And of at most this share of all passages.
const MAX_SHARE: f32 = 0.25;
/// At most so many words have a meaning, the most frequent first.
const MAX_TERMS: usize = 60_000;
/// How near a related word is at least, and how many there are at most.
const RELATED_LEAST: f32 = 0.4;
const RELATED_MOST: usize = 40;

/// Gathers the words while a corpus is indexed.
pub(super) struct ModelBuilder {
    path: PathBuf,
    words: HashMap<String, u32>,
    passages_with: Vec<u32>,
    counts: Counts,
    passages: usize,
}

impl ModelBuilder {
    pub(super) fn create(dir: &Path) -> Self {
        let counts = Counts::default();
        Self { path: dir.join(FILE), words: HashMap::new(), passages_with: Vec::new(), counts, passages: 0 }
    }

    pub(super) fn add(&mut self, passage: &PassageText<'_>) {
        let mut found: BTreeMap<u32, u16> = BTreeMap::new();
        let headings = passage.headings.iter().map(String::as_str);
        for text in headings.chain([passage.title, passage.text]) {
            for word in stems(text, passage.language) {
                let term = self.term(word.stem);
                let count = found.entry(term).or_default();
                *count = count.saturating_add(1);
            }
        }
        for term in found.keys() {
            self.passages_with[*term as usize] += 1;
        }
        self.passages += 1;
        if self.passages <= MAX_PASSAGES {
            self.counts.push(found);
        } else {
            self.counts = Counts::default();
        }
    }

    fn term(&mut self, word: String) -> u32 {
        if let Some(term) = self.words.get(&word) {
            return *term;
        }
        let term = u32::try_from(self.passages_with.len()).unwrap_or(u32::MAX);
        self.words.insert(word, term);
        self.passages_with.push(0);
        term
    }

    pub(super) fn finish(self, beat: Beat<'_>) -> Result<(), CorpusError> {
        beat()?;
        let mut words: Vec<(String, u32)> = self.words.into_iter().collect();
        words.sort_unstable();
        let eligible = eligible(&words, &self.passages_with, self.passages);
        // Rows of the model, in the order of the words; `u32::MAX` for a word without one.
        let mut row_of_term = vec![u32::MAX; words.len()];
        let mut rows = vec![u32::MAX; words.len()];
        let mut rarity = Vec::with_capacity(eligible.len());
        for (row, at) in (0..).zip(eligible) {
            let term = words[at].1 as usize;
            (rows[at], row_of_term[term]) = (row, row);
            rarity.push((self.passages as f32 / self.passages_with[term] as f32).ln());
        }
        beat()?;
        let meaning = Meaning::build(&self.counts.renumbered(&row_of_term), &rarity, beat)?;
        let vocabulary = Vocabulary::new(words.into_iter().map(|(word, _)| word), rows);
        let mut bytes = MAGIC.to_vec();
        let vocabulary = vocabulary.to_bytes();
        bytes.extend((vocabulary.len() as u64).to_le_bytes());
        bytes.extend(vocabulary);
        bytes.extend(meaning.to_bytes());
        fs::write(&self.path, bytes).map_err(|error| CorpusError::cache(&self.path, error))
    }
}

/// Places of the words that have a meaning, in order.
fn eligible(words: &[(String, u32)], passages_with: &[u32], passages: usize) -> Vec<usize> {
    let most = passages as f32 * MAX_SHARE;
    let count = |at: usize| passages_with[words[at].1 as usize];
    let mut eligible: Vec<usize> = (0..words.len())
        .filter(|at| count(*at) >= MIN_PASSAGES && count(*at) as f32 <= most && !is_stop_word(&words[*at].0))
        .collect();
    if eligible.len() > MAX_TERMS {
        eligible.sort_by_key(|at| (std::cmp::Reverse(count(*at)), *at));
        eligible.truncate(MAX_TERMS);
        eligible.sort_unstable();
    }
    eligible
}

/// The model, open for questions.
pub(super) struct Model {
    vocabulary: Vocabulary,
    meaning: Meaning,
}

impl Model {
    pub(super) fn open(dir: &Path) -> Result<Self, CorpusError> {
        let path = dir.join(FILE);
        let bytes = fs::read(&path).map_err(|error| CorpusError::cache(&path, error))?;
        parse(&bytes).ok_or_else(|| CorpusError::Damaged("the model of the corpus has another layout".into()))
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
    let rest = bytes.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_at_checked(8)?;
    let length = usize::try_from(u64::from_le_bytes(length.try_into().ok()?)).ok()?;
    let (vocabulary, meaning) = rest.split_at_checked(length)?;
    Some(Model { vocabulary: Vocabulary::from_bytes(vocabulary)?, meaning: Meaning::from_bytes(meaning)? })
}

#[cfg(test)]
mod tests {
    use callboard_actors::text::Language;

    use super::*;

    fn model(dir: &Path) -> Model {
        let mut builder = ModelBuilder::create(dir);
        for n in 0..60 {
            let text = match n % 10 {
                0 => format!("A boat sails the sea with wind number {}", n % 4),
                1 => format!("A vessel sails the sea with wind number {}", n % 4),
                topic => format!("Bread{topic} needs flour{topic} and yeast{topic} number {}", n % 4),
            };
            builder.add(&PassageText { title: "", headings: &[], text: &text, language: Language::English });
        }
        builder.finish(&mut || Ok(())).expect("a temporary folder can be written");
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
        let alike = model(dir.path()).spelt_alike(&word("vesssel"));
        assert_eq!(alike.first().map(|(word, _)| word.as_str()), Some("vessel"));
        assert!(model(dir.path()).nearest(&word("unheard"), 5).is_empty());
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
