//! Which documents only repeat others? Copies, stubs that differ in their headings alone, and pages that hold a whole
//! book which is there chapter by chapter as well.
//!
//! Documents are taken from the smallest to the largest, and each is compared with those that were kept. One that says
//! nothing new is left out, so that an answer does not quote the same sentence from two places.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::read::Skip;

/// Documents with fewer bytes of text are never left out unless they are copies.
const MIN_BYTES: usize = 80;
/// A document of which this share, in percent, stands in at least [`MANY`] smaller ones only gathers them.
const GATHERED_PERCENT: usize = 90;
/// How many smaller documents a gathering has at least.
const MANY: usize = 3;

/// What is compared of a document: its paragraphs, without its headings.
#[derive(Debug, Clone, Default)]
pub(super) struct Fingerprint {
    /// Hash and length in bytes of each different paragraph.
    paragraphs: Vec<(u64, usize)>,
    bytes: usize,
}

impl Fingerprint {
    /// Of the paragraphs of a document.
    pub(super) fn of<'a>(paragraphs: impl Iterator<Item = &'a str>) -> Self {
        let mut seen = HashSet::new();
        let mut fingerprint = Self::default();
        for paragraph in paragraphs {
            let mut hasher = DefaultHasher::new();
            paragraph.split_whitespace().for_each(|word| word.hash(&mut hasher));
            let hash = hasher.finish();
            if seen.insert(hash) {
                fingerprint.paragraphs.push((hash, paragraph.len()));
                fingerprint.bytes += paragraph.len();
            }
        }
        fingerprint
    }
}

/// A document as this file sees it.
pub(super) struct Candidate<'a> {
    /// For the reason that is given.
    pub(super) file: &'a str,
    /// SHA-256 of its text.
    pub(super) source: &'a str,
    pub(super) fingerprint: Fingerprint,
}

/// For each document the reason to leave it out, if there is one. The same documents give the same answer.
pub(super) fn repeats(documents: &[Candidate<'_>]) -> Vec<Option<Skip>> {
    let mut order: Vec<usize> = (0..documents.len()).collect();
    order.sort_by_key(|index| (documents[*index].fingerprint.bytes, *index));
    let mut reasons: Vec<Option<Skip>> = vec![None; documents.len()];
    let mut sources: HashMap<&str, usize> = HashMap::new();
    let mut homes: HashMap<u64, Vec<usize>> = HashMap::new();
    for index in order {
        let document = &documents[index];
        let copy = sources.get(document.source).copied();
        let reason = match copy {
            Some(first) => Some(Skip::with(format!("the same text as {}", documents[first].file))),
            None => says_nothing_new(&document.fingerprint, &homes, documents),
        };
        if reason.is_none() {
            sources.insert(document.source, index);
            for (hash, _) in &document.fingerprint.paragraphs {
                let home = homes.entry(*hash).or_default();
                // A paragraph that stands everywhere needs no full list.
                if home.len() < 16 {
                    home.push(index);
                }
            }
        }
        reasons[index] = reason;
    }
    reasons
}

fn says_nothing_new(
    fingerprint: &Fingerprint,
    homes: &HashMap<u64, Vec<usize>>,
    documents: &[Candidate<'_>],
) -> Option<Skip> {
    if fingerprint.bytes < MIN_BYTES {
        return None;
    }
    let mut shared: HashMap<usize, usize> = HashMap::new();
    let mut repeated = 0;
    for (hash, bytes) in &fingerprint.paragraphs {
        if let Some(home) = homes.get(hash) {
            repeated += bytes;
            for index in home {
                *shared.entry(*index).or_default() += bytes;
            }
        }
    }
    let whole = shared.iter().filter(|(_, bytes)| **bytes == fingerprint.bytes).map(|(index, _)| *index).min();
    if let Some(index) = whole {
        return Some(Skip::with(format!("says nothing that {} does not say", documents[index].file)));
    }
    let most = shared.values().copied().max().unwrap_or(0);
    let gathers =
        shared.len() >= MANY && most * 2 < fingerprint.bytes && repeated * 100 >= fingerprint.bytes * GATHERED_PERCENT;
    gathers.then(|| Skip::with(format!("repeats {} other files", shared.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(documents: &[(&str, &[&str])], expected: &[Option<&str>]) {
        let texts: Vec<String> = documents.iter().map(|(_, paragraphs)| paragraphs.join("|")).collect();
        let candidates: Vec<Candidate<'_>> = documents
            .iter()
            .zip(&texts)
            .map(|((file, paragraphs), source)| Candidate {
                file,
                source,
                fingerprint: Fingerprint::of(paragraphs.iter().copied()),
            })
            .collect();
        let found = repeats(&candidates);
        assert_eq!(found.iter().map(|reason| reason.as_ref().map(Skip::reason)).collect::<Vec<_>>(), expected);
    }

    const A: &str =
        "The first chapter tells at some length how the reader gets started with the thing, and why it is good.";
    const B: &str =
        "The second chapter goes on about the parts of it, one after the other, each with an example of its use.";
    const C: &str =
        "The third chapter is for those who want to know what happens inside, with all the diagrams they need.";
    const D: &str =
        "The fourth chapter says who made it, and when, and who is to be thanked for all the help that was given.";

    #[test]
    fn copies_and_stubs_are_left_out() {
        check(&[("a", &[A]), ("b", &[A]), ("c", &["x", A, A])], &[None, Some("the same text as a"), None]);
        check(&[("a", &[A, "t"]), ("b", &["t", A])], &[None, Some("says nothing that a does not say")]);
        check(&[("a", &["No."]), ("b", &["No.", "No."])], &[None, None]);
    }

    #[test]
    fn a_page_that_gathers_the_others_is_left_out() {
        check(
            &[("all", &[A, B, C, D]), ("a", &[A]), ("b", &[B]), ("c", &[C]), ("d", &[D])],
            &[Some("repeats 4 other files"), None, None, None, None],
        );
    }

    #[test]
    fn a_new_edition_and_a_short_excerpt_are_kept() {
        check(&[("v1", &[A, B, C]), ("v2", &[A, B, C, D])], &[None, None]);
        check(&[("part", &[A]), ("whole", &[A, B, C])], &[None, None]);
    }
}
