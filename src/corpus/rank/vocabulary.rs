//! Which words does a corpus have, and which of them are spelt alike? Likeness is that of their character 5-grams
//! (Dice's coefficient), which forgives a slip of the pen and an ending that the stemmer left.

use std::collections::HashMap;

use callboard_actors::text::grams;

/// Words that are less alike are strangers.
const LEAST: f32 = 0.4;
/// A question brings in at most this many words by their spelling.
const MOST: usize = 60;

/// The words of a corpus in alphabetical order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Vocabulary {
    /// All words, one after the other.
    text: String,
    /// Where each word ends.
    ends: Vec<u32>,
    /// The row of each word in the model of meaning, `u32::MAX` for none.
    rows: Vec<u32>,
    /// Words that have a row, by their rows.
    words: Vec<u32>,
    /// The hash of each gram with each word that has it, in order.
    grams: Vec<(u32, u32)>,
}

impl Vocabulary {
    /// Of `words` in order, and of the row of each.
    pub(super) fn new(words: impl Iterator<Item = String>, rows: Vec<u32>) -> Self {
        let (mut text, mut ends, mut pairs) = (String::new(), Vec::new(), Vec::new());
        for (number, word) in (0..).zip(words) {
            text.push_str(&word);
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
            pairs.extend(grams(&word).map(|gram| (hash(&gram), number)));
        }
        pairs.sort_unstable();
        Self { words: by_row(&rows), text, ends, rows, grams: pairs }
    }

    fn word(&self, number: usize) -> Option<&str> {
        let start = if number == 0 { 0 } else { *self.ends.get(number - 1)? };
        self.text.get(start as usize..*self.ends.get(number)? as usize)
    }

    fn number(&self, word: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.word(middle)?.cmp(word) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The row of `word` in the model of meaning.
    pub(super) fn row_of_word(&self, word: &str) -> Option<u32> {
        self.rows.get(self.number(word)?).copied().filter(|row| *row != u32::MAX)
    }

    /// The word that has `row` in the model of meaning.
    pub(super) fn word_of_row(&self, row: u32) -> Option<&str> {
        self.word(*self.words.get(row as usize)? as usize)
    }

    /// Words spelt like one of `words`, most alike first, with their likeness: above 0, 1 for the word itself.
    pub(super) fn spelt_alike<'a>(&self, words: impl Iterator<Item = &'a str>) -> Vec<(String, f32)> {
        let mut alike: HashMap<u32, f32> = HashMap::new();
        for word in words {
            let mut common: HashMap<u32, u32> = HashMap::new();
            let mut own = 0;
            for gram in grams(word) {
                own += 1;
                let gram = hash(&gram);
                let from = self.grams.partition_point(|(other, _)| *other < gram);
                for (_, number) in self.grams[from..].iter().take_while(|(other, _)| *other == gram) {
                    *common.entry(*number).or_default() += 1;
                }
            }
            for (number, common) in common {
                let other = self.word(number as usize).map_or(0, |word| grams(word).count());
                let dice = 2.0 * common as f32 / (own + other).max(1) as f32;
                if dice >= LEAST {
                    let best = alike.entry(number).or_default();
                    *best = best.max(dice.min(1.0));
                }
            }
        }
        let mut alike: Vec<(u32, f32)> = alike.into_iter().collect();
        alike.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        alike.truncate(MOST);
        alike
            .into_iter()
            .filter_map(|(number, likeness)| Some((self.word(number as usize)?.to_owned(), likeness)))
            .collect()
    }

    /// For the cache: three counts of 8 bytes, then the text and the numbers, little-endian.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24 + self.text.len() + 8 * (self.ends.len() + self.grams.len()));
        for count in [self.text.len(), self.ends.len(), self.grams.len()] {
            out.extend((count as u64).to_le_bytes());
        }
        out.extend(self.text.as_bytes());
        let pairs = self.grams.iter().flat_map(|(hash, number)| [hash, number]);
        out.extend(self.ends.iter().chain(&self.rows).chain(pairs).flat_map(|number| number.to_le_bytes()));
        out
    }

    /// What [`to_bytes`](Self::to_bytes) wrote; `None` when the bytes cannot be that.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (counts, rest) = bytes.split_at_checked(24)?;
        let mut counts = counts.chunks_exact(8).map(|count| Some(u64::from_le_bytes(count.try_into().ok()?)));
        let mut count = || usize::try_from(counts.next()??).ok();
        let (text, words, pairs) = (count()?, count()?, count()?);
        let (text, rest) = rest.split_at_checked(text)?;
        let text = std::str::from_utf8(text).ok()?.to_owned();
        let expected = words.checked_mul(8)?.checked_add(pairs.checked_mul(8)?)?;
        if rest.len() != expected {
            return None;
        }
        let mut numbers = rest.chunks_exact(4).filter_map(|number| Some(u32::from_le_bytes(number.try_into().ok()?)));
        let ends = numbers.by_ref().take(words).collect();
        let rows: Vec<u32> = numbers.by_ref().take(words).collect();
        let pairs = (0..pairs).map_while(|_| Some((numbers.next()?, numbers.next()?))).collect();
        Some(Self { words: by_row(&rows), text, ends, rows, grams: pairs })
    }
}

/// Numbers of the words that have a row, in the order of the rows.
fn by_row(rows: &[u32]) -> Vec<u32> {
    let mut pairs: Vec<(u32, u32)> =
        rows.iter().zip(0..).filter(|(row, _)| **row != u32::MAX).map(|(row, at)| (*row, at)).collect();
    pairs.sort_unstable();
    pairs.into_iter().map(|(_, at)| at).collect()
}

/// FNV-1a. Not the standard library's, whose results may change with its version: these are stored.
fn hash(gram: &str) -> u32 {
    gram.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary() -> Vocabulary {
        let words = ["actor", "connect", "connection_limit", "zebra"].map(str::to_owned);
        Vocabulary::new(words.into_iter(), vec![0, u32::MAX, 1, 2])
    }

    #[test]
    fn words_and_rows_find_each_other() {
        let vocabulary = vocabulary();
        assert_eq!(vocabulary.row_of_word("zebra"), Some(2));
        assert_eq!(vocabulary.row_of_word("connect"), None);
        assert_eq!(vocabulary.row_of_word("aardvark"), None);
        assert_eq!(vocabulary.word_of_row(1), Some("connection_limit"));
        assert_eq!(vocabulary.word_of_row(3), None);
    }

    #[test]
    fn likeness_is_graded() {
        let alike = vocabulary().spelt_alike(["conect", "connect"].into_iter());
        assert_eq!(alike[0], ("connect".to_owned(), 1.0));
        assert!(alike.iter().all(|(word, _)| word != "zebra"), "{alike:?}");
    }

    #[test]
    fn it_survives_storage_and_refuses_less() {
        let bytes = vocabulary().to_bytes();
        assert_eq!(Vocabulary::from_bytes(&bytes), Some(vocabulary()));
        for end in [0, 20, 30, bytes.len() - 1] {
            assert_eq!(Vocabulary::from_bytes(&bytes[..end]), None, "{end}");
        }
    }
}
