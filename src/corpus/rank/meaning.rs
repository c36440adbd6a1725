//! Which passages mean something like the question, though they use other words?
//!
//! Latent semantic analysis of the corpus itself (Deerwester et al. 1990): the passages' words, weighted by rarity, are
//! reduced to a few dimensions by a truncated singular value decomposition, found by random projection with power
//! iteration (Halko, Martinsson and Tropp 2011). Only cosines are asked for, which are the same in every basis of those
//! dimensions: the one that the iteration ends with is kept without turning it into singular vectors, and what lies in the
//! least of them is only taken off. The seed and the order of every sum are fixed: one corpus always gives one model, to the last bit.

use super::dense::{Dense, Faint, Sparse};
use crate::corpus::CorpusError;
use crate::corpus::progress::Beat;

/// How many dimensions a model has at the most.
pub(crate) const DIMENSIONS: usize = 160;
/// More directions are followed than kept: they make those that are kept exact.
const SPARE: usize = 16;
const POWER_ITERATIONS: usize = 2;
const SEED: u64 = 0x00ca_11b0_a2d0;

/// The passages of the words as numbers: one row for each term, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    ends: Vec<usize>,
    passages: Vec<u32>,
    counts: Vec<u16>,
}

impl Counts {
    /// Adds a term: the passages that have it, in order, with how often it occurs.
    pub(crate) fn push(&mut self, term: impl IntoIterator<Item = (u32, u32)>) {
        for (passage, count) in term {
            self.passages.push(passage);
            self.counts.push(u16::try_from(count).unwrap_or(u16::MAX));
        }
        self.ends.push(self.passages.len());
    }

    /// How many passages have the term.
    pub(crate) fn passages_with(&self, term: usize) -> usize {
        self.row(term).len()
    }

    /// Of these terms only.
    pub(crate) fn only(&self, terms: &[usize]) -> Self {
        let mut out = Self::default();
        for term in terms {
            out.push(self.row(*term).map(|at| (self.passages[at], u32::from(self.counts[at]))));
        }
        out
    }

    fn row(&self, term: usize) -> std::ops::Range<usize> {
        term.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[term]
    }

    /// Terms by passages, by rarity and frequency; each passage has the length one.
    fn weighted(&self, passages: usize, idf: &[f32]) -> Sparse {
        let mut starts = vec![0];
        starts.extend(&self.ends);
        let mut out = Sparse { starts, columns: self.passages.clone(), values: Vec::with_capacity(self.counts.len()) };
        let mut squares = vec![0.0_f32; passages];
        for (term, idf) in idf.iter().enumerate() {
            for at in self.row(term) {
                let weight = idf * (1.0 + f32::from(self.counts[at].max(1)).ln());
                squares[self.passages[at] as usize] += weight * weight;
                out.values.push(weight);
            }
        }
        for (value, passage) in out.values.iter_mut().zip(&self.passages) {
            *value /= squares[*passage as usize].sqrt().max(f32::MIN_POSITIVE);
        }
        out
    }
}

/// A model of one corpus.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Meaning {
    /// How many numbers a direction has: one for each dimension and each spare one, in which nothing lies.
    width: usize,
    /// A direction for each term, with the term's rarity in it.
    terms: Rows,
    /// A direction of length one for each passage.
    passages: Rows,
}

impl Meaning {
    /// The model of `counts`, which has a rarity in `idf` for each term. An error of `beat` ends it.
    pub(crate) fn build(counts: &Counts, passages: usize, idf: &[f32], beat: Beat<'_>) -> Result<Self, CorpusError> {
        let dimensions = DIMENSIONS.min(passages / 4).min(idf.len() / 4);
        if dimensions == 0 {
            return Ok(Self::default());
        }
        // No more directions than there can be.
        let width = (dimensions + SPARE).min(passages).min(idf.len());
        beat()?;
        let turned = counts.weighted(passages, idf);
        let matrix = turned.transposed(passages);
        let mut basis = Dense::random(idf.len(), width, SEED);
        for round in 0..=POWER_ITERATIONS {
            let faint = if round == POWER_ITERATIONS { Faint::Dropped } else { Faint::Kept };
            basis = turned.times(&matrix.times(&basis, beat)?, beat)?.orthonormal(faint, beat)?;
        }
        let mut passages = matrix.times(&basis, beat)?;
        let spare = passages.faintest(width - dimensions, beat)?;
        for rows in [&mut passages, &mut basis] {
            rows.without(&spare, beat)?;
        }
        for (row, idf) in basis.values.chunks_mut(width).zip(idf) {
            row.iter_mut().for_each(|value| *value *= idf);
        }
        Ok(Self { width, terms: Rows::of(&basis), passages: Rows::unit(&passages) })
    }

    /// How near each passage is to a question made of weighted `terms`: cosines, in the order of the passages; empty
    /// when the model knows none of the terms.
    pub(crate) fn nearness(&self, terms: &[(u32, f32)]) -> Vec<f32> {
        self.direction(terms).map_or_else(Vec::new, |question| self.passages.products(&question))
    }

    /// The terms that keep the company of `terms`, themselves included, with their cosines: at least `least`, nearest
    /// first, at most `limit`.
    pub(crate) fn related(&self, terms: &[(u32, f32)], least: f32, limit: usize) -> Vec<(u32, f32)> {
        let Some(question) = self.direction(terms) else { return Vec::new() };
        let cosines = self
            .terms
            .products(&question)
            .into_iter()
            .enumerate()
            .map(|(term, product)| product / self.terms.length(term));
        let mut near: Vec<(u32, f32)> =
            (0..).zip(cosines).filter(|(_, cosine)| cosine.is_finite() && *cosine >= least).collect();
        near.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        near.truncate(limit);
        near
    }

    /// The direction of a question, of length one; `None` when the model knows none of its terms.
    fn direction(&self, terms: &[(u32, f32)]) -> Option<Vec<f32>> {
        let mut question = vec![0.0_f32; self.width];
        for (term, weight) in terms {
            self.terms.add_to(&mut question, *term as usize, *weight);
        }
        let norm = question.iter().map(|value| value * value).sum::<f32>().sqrt();
        question.iter_mut().for_each(|value| *value /= norm);
        (norm > f32::MIN_POSITIVE).then_some(question)
    }
}

/// Rows of small numbers: one byte a value, one factor a row.
#[derive(Debug, Clone, PartialEq, Default)]
struct Rows {
    factors: Vec<f32>,
    values: Vec<i8>,
}

impl Rows {
    fn of(dense: &Dense) -> Self {
        let mut out = Self::default();
        for row in dense.values.chunks(dense.width.max(1)) {
            let greatest = row.iter().fold(0.0_f32, |greatest, value| greatest.max(value.abs()));
            let factor = greatest / 127.0;
            out.factors.push(factor);
            out.values.extend(row.iter().map(|value| if factor > 0.0 { (value / factor).round() as i8 } else { 0 }));
        }
        out
    }

    fn unit(dense: &Dense) -> Self {
        let mut dense = dense.clone();
        for row in dense.values.chunks_mut(dense.width.max(1)) {
            let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
            row.iter_mut().for_each(|value| *value = if norm > 1e-6 { *value / norm } else { 0.0 });
        }
        Self::of(&dense)
    }

    fn width(&self) -> usize {
        if self.factors.is_empty() { 0 } else { self.values.len() / self.factors.len() }
    }

    fn add_to(&self, sum: &mut [f32], row: usize, weight: f32) {
        let width = self.width();
        let (Some(factor), Some(values)) = (self.factors.get(row), self.values.get(row * width..(row + 1) * width))
        else {
            return;
        };
        for (sum, value) in sum.iter_mut().zip(values) {
            *sum += weight * factor * f32::from(*value);
        }
    }

    fn length(&self, row: usize) -> f32 {
        let width = self.width();
        let squares = self.values[row * width..(row + 1) * width].iter().map(|value| f32::from(*value).powi(2));
        self.factors[row] * squares.sum::<f32>().sqrt()
    }

    fn products(&self, by: &[f32]) -> Vec<f32> {
        let product = |(factor, row): (&f32, &[i8])| {
            factor * row.iter().zip(by).map(|(value, by)| f32::from(*value) * by).sum::<f32>()
        };
        self.factors.iter().zip(self.values.chunks(self.width().max(1))).map(product).collect()
    }
}

// The stored form: the width and the numbers of rows, each as 8 bytes little-endian, then factors and values.
impl Meaning {
    /// The model as bytes for the cache.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24 + self.terms.values.len() + self.passages.values.len());
        for number in [self.width, self.terms.factors.len(), self.passages.factors.len()] {
            out.extend((number as u64).to_le_bytes());
        }
        for rows in [&self.terms, &self.passages] {
            out.extend(rows.factors.iter().flat_map(|factor| factor.to_le_bytes()));
            out.extend(rows.values.iter().map(|value| value.cast_unsigned()));
        }
        out
    }

    /// The model that [`to_bytes`](Self::to_bytes) wrote; `None` when the bytes cannot be one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut number = || usize::try_from(u64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?)).ok();
        let (width, terms, passages) = (number()?, number()?, number()?);
        let mut rows = |count: usize| {
            let factors = take(&mut rest, count.checked_mul(4)?)?;
            let factors =
                factors.chunks_exact(4).filter_map(|b| Some(f32::from_le_bytes(b.try_into().ok()?))).collect();
            let values = take(&mut rest, count.checked_mul(width)?)?;
            Some(Rows { factors, values: values.iter().map(|byte| byte.cast_signed()).collect() })
        };
        let model = Self { width, terms: rows(terms)?, passages: rows(passages)? };
        rest.is_empty().then_some(model)
    }
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two topics of five words each; `boat` (0) and `ship` (1) never meet in one passage, but keep the same company.
    fn counts() -> Counts {
        let mut terms = vec![Vec::new(); 10];
        for n in 0..40_u32 {
            let sea = n % 2 == 0;
            let name = if n % 4 == 0 { 0 } else { 1 };
            let base = if sea { 2 } else { 6 };
            let mut row = vec![base + n % 4, base + (n + 1) % 4, base + (n / 4) % 4];
            row.extend(sea.then_some(name));
            row.sort_unstable();
            row.dedup();
            row.into_iter().for_each(|term: u32| terms[term as usize].push((n, 1)));
        }
        let mut counts = Counts::default();
        terms.into_iter().for_each(|term| counts.push(term));
        counts
    }

    fn built(beat: Beat<'_>) -> Result<Meaning, CorpusError> {
        Meaning::build(&counts(), 40, &[1.0; 10], beat)
    }

    fn model() -> Meaning {
        built(&mut || Ok(())).expect("nothing breaks it off")
    }

    #[test]
    fn the_work_can_be_broken_off_between_any_two_steps() {
        let mut beats = 0;
        let whole = built(&mut || {
            beats += 1;
            Ok(())
        });
        whole.expect("nothing breaks it off");
        // The beginning, two products and the basis of the second in each round, and one more product.
        assert!(beats >= 14, "{beats}");
        for last in 0..beats {
            let mut left = last;
            let broken = built(&mut || {
                left = i32::checked_sub(left, 1).filter(|left| *left >= 0).ok_or(CorpusError::Interrupted)?;
                Ok(())
            });
            assert!(matches!(broken, Err(CorpusError::Interrupted)), "{last}");
        }
    }

    #[test]
    fn words_that_keep_the_same_company_are_near() {
        let near = model().nearness(&[(0, 1.0)]);
        assert_eq!(near.len(), 40);
        let ship = (0..40).filter(|n| n % 4 == 2).map(|n| near[n]).fold(f32::MAX, f32::min);
        let land = (0..40).filter(|n| n % 2 == 1).map(|n| near[n]).fold(f32::MIN, f32::max);
        assert!(ship > land + 0.2, "{ship} {land}");
    }

    #[test]
    fn one_corpus_gives_one_model_and_it_survives_storage() {
        let model = model();
        assert_eq!(model, self::model());
        let bytes = model.to_bytes();
        assert_eq!(Meaning::from_bytes(&bytes).as_ref(), Some(&model));
        for end in [0, 7, 23, bytes.len() - 1] {
            assert_eq!(Meaning::from_bytes(&bytes[..end]), None, "{end}");
        }
        let mut huge = bytes;
        huge[15] = 0xff;
        assert_eq!(Meaning::from_bytes(&huge), None);
    }

    #[test]
    fn the_most_frequent_terms_can_be_taken() {
        let all = counts();
        let few = all.only(&[2, 7]);
        assert_eq!([few.passages_with(0), few.passages_with(1)], [all.passages_with(2), all.passages_with(7)]);
        assert_eq!(few.only(&[1]).passages, all.only(&[7]).passages);
    }

    #[test]
    fn unknown_words_and_tiny_corpora_are_near_nothing() {
        assert!(model().nearness(&[]).is_empty());
        assert!(model().nearness(&[(99, 1.0)]).is_empty());
        let mut tiny = Counts::default();
        tiny.push([(0, 1)]);
        assert!(
            Meaning::build(&tiny, 1, &[1.0], &mut || Ok(()))
                .expect("nothing breaks it off")
                .nearness(&[(0, 1.0)])
                .is_empty()
        );
    }
}
