//! What would plain search answer? Okapi BM25 over stemmed words, headings included, one query for each part of the
//! question; of each of the best passages, the sentence that has the best BM25 itself. Nothing else.

use std::collections::HashMap;
use std::ops::Range;

use callboard::actors::research::Passage;
use callboard::actors::research::rules::plan::plan;
use callboard::actors::text::{Kind, Language, content_stems, normalise, sentences, stems};

use super::measure::Cited;

const K1: f32 = 1.2;
const B: f32 = 0.75;

/// A quote is lengthened to at most this many characters.
const MAX_QUOTE: usize = 400;

/// A stretch of a passage.
struct Pick {
    passage: usize,
    /// Bytes of the passage's text.
    range: Range<usize>,
}

/// An index in memory.
pub(crate) struct Baseline {
    passages: Vec<Passage>,
    /// Passage and frequency, by word.
    postings: HashMap<String, Vec<(usize, f32)>>,
    lengths: Vec<f32>,
    mean: f32,
}

impl Baseline {
    /// Indexes `passages`.
    pub(crate) fn new(passages: Vec<Passage>) -> Self {
        let mut postings: HashMap<String, Vec<(usize, f32)>> = HashMap::new();
        let mut lengths = Vec::new();
        for (at, passage) in passages.iter().enumerate() {
            let text = format!("{}\n{}\n{}", passage.title, passage.headings.join("\n"), passage.text);
            let words = frequencies(&text);
            lengths.push(words.values().sum());
            for (word, count) in words {
                postings.entry(word).or_default().push((at, count));
            }
        }
        let mean = lengths.iter().sum::<f32>() / (lengths.len().max(1)) as f32;
        Self { passages, postings, lengths, mean }
    }

    /// Citations for `question`, at most `citations`, shared by its parts. With `characters`, each sentence is followed
    /// by the next ones of its passage, the best first, while all quotes together stay within that.
    pub(crate) fn answer(&self, question: &str, citations: usize, characters: Option<usize>) -> Vec<Cited> {
        let mut picks = self.pick(question, citations);
        if let Some(characters) = characters {
            self.lengthen(&mut picks, characters);
        }
        picks.iter().map(|pick| self.cite(pick)).collect()
    }

    fn lengthen(&self, picks: &mut [Pick], characters: usize) {
        let mut used: usize = picks.iter().map(|pick| self.quote(pick).chars().count()).sum();
        for pick in picks {
            for next in sentences(&self.passages[pick.passage].text) {
                if next.range.start < pick.range.end || next.kind != Kind::Prose {
                    continue;
                }
                let longer = Pick { passage: pick.passage, range: pick.range.start..next.range.end };
                let (old, new) = (self.quote(pick).chars().count(), self.quote(&longer).chars().count());
                if new > MAX_QUOTE || used - old + new > characters {
                    break;
                }
                used = used - old + new;
                *pick = longer;
            }
        }
    }

    fn quote(&self, pick: &Pick) -> String {
        normalise(&self.passages[pick.passage].text[pick.range.clone()])
    }

    fn cite(&self, pick: &Pick) -> Cited {
        let passage = &self.passages[pick.passage];
        Cited {
            file: passage.file.to_string(),
            quote: self.quote(pick),
            source: passage.source.to_string(),
            range: passage.start + pick.range.start..passage.start + pick.range.end,
        }
    }

    fn pick(&self, question: &str, citations: usize) -> Vec<Pick> {
        let parts = plan(question).tasks;
        let mut queues: Vec<_> = parts.iter().map(|task| self.best(&task.question, citations).into_iter()).collect();
        let mut out: Vec<Pick> = Vec::new();
        let mut progress = true;
        while progress && out.len() < citations {
            progress = false;
            for queue in &mut queues {
                let next = queue.find(|next| !out.iter().any(|earlier| self.quote(earlier) == self.quote(next)));
                if let Some(next) = next.filter(|_| out.len() < citations) {
                    out.push(next);
                    progress = true;
                }
            }
        }
        out
    }

    /// The best sentences of the best passages.
    fn best(&self, part: &str, limit: usize) -> Vec<Pick> {
        let mut words: Vec<String> = content_stems(part, Language::English).into_iter().map(|word| word.stem).collect();
        words.sort();
        words.dedup();
        let rarity: Vec<f32> = words.iter().map(|word| self.rarity(word)).collect();
        let mut scores: HashMap<usize, f32> = HashMap::new();
        for (word, rarity) in words.iter().zip(&rarity) {
            for (at, count) in self.postings.get(word).into_iter().flatten() {
                *scores.entry(*at).or_default() += rarity * saturation(*count, self.lengths[*at] / self.mean);
            }
        }
        let mut order: Vec<(usize, f32)> = scores.into_iter().collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let sentence = |(at, _): (usize, f32)| {
            best_sentence(&self.passages[at], &words, &rarity).map(|range| Pick { passage: at, range })
        };
        order.into_iter().filter_map(sentence).take(limit * 2).collect()
    }

    fn rarity(&self, word: &str) -> f32 {
        let (all, with) = (self.passages.len() as f32, self.postings.get(word).map_or(0, Vec::len) as f32);
        (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
    }
}

fn best_sentence(passage: &Passage, words: &[String], rarity: &[f32]) -> Option<Range<usize>> {
    let found = sentences(&passage.text);
    let prose = found.iter().filter(|sentence| sentence.kind == Kind::Prose);
    let counted: Vec<_> =
        prose.map(|sentence| (sentence, frequencies(&passage.text[sentence.range.clone()]))).collect();
    let length = |counts: &HashMap<String, f32>| counts.values().sum::<f32>();
    let mean = counted.iter().map(|(_, counts)| length(counts)).sum::<f32>() / counted.len().max(1) as f32;
    let score = |counts: &HashMap<String, f32>| -> f32 {
        let of = |(word, rarity): (&String, &f32)| {
            rarity * saturation(counts.get(word).copied().unwrap_or(0.0), length(counts) / mean.max(1.0))
        };
        words.iter().zip(rarity).map(of).sum()
    };
    let best = counted.iter().max_by(|a, b| score(&a.1).total_cmp(&score(&b.1)))?;
    Some(best.0.range.clone())
}

fn saturation(count: f32, length: f32) -> f32 {
    count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length))
}

fn frequencies(text: &str) -> HashMap<String, f32> {
    let mut counts = HashMap::new();
    for word in stems(text, Language::English) {
        *counts.entry(word.stem).or_default() += 1.0;
    }
    counts
}
