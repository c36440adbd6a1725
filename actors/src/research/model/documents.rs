//! How does a model get to see passages? As numbered sentences, each passage wrapped with where it is from; less of them in
//! each step, when they are too many for it.

use std::collections::BTreeSet;
use std::ops::Range;

use super::data;
use crate::research::{Evidence, Passage, Retrieved};
use crate::text::{Kind, language, normalise, sentences, stems};

/// How much is shown: the best passages, and of each the sentences that share most words with the question.
#[derive(Debug, Clone, Copy)]
struct Step {
    passages: usize,
    sentences: usize,
}

/// The first that fits is taken, so that evidence grows thin step by step and is never cut in the middle.
const STEPS: [Step; 6] = [
    Step { passages: 40, sentences: usize::MAX },
    Step { passages: 20, sentences: usize::MAX },
    Step { passages: 10, sentences: usize::MAX },
    Step { passages: 10, sentences: 6 },
    Step { passages: 5, sentences: 4 },
    Step { passages: 2, sentences: 3 },
];

/// What a model was shown, and where each number leads.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) text: String,
    /// The sentence with number n stands at n - 1: its passage and the bytes in it.
    places: Vec<(&'a Passage, Range<usize>)>,
}

/// What of `retrieved` is shown in this step, from 0; `None` after the last.
pub(super) fn shown(retrieved: &Retrieved, step: usize) -> Option<Shown<'_>> {
    let step = STEPS.get(step)?;
    let mut shown = Shown { text: String::new(), places: Vec::new() };
    let terms: BTreeSet<&str> = retrieved.terms.iter().map(|term| term.stem.as_str()).collect();
    for passage in retrieved.passages.iter().take(step.passages) {
        shown.add(passage, step.sentences, &terms);
    }
    Some(shown)
}

impl<'a> Shown<'a> {
    fn add(&mut self, passage: &'a Passage, most: usize, terms: &BTreeSet<&str>) {
        let text = passage.text.as_str();
        let quotable = |kind| !matches!(kind, Kind::Heading);
        let all: Vec<_> =
            sentences(text).into_iter().filter(|found| quotable(found.kind)).map(|found| found.range).collect();
        let kept = best(text, all, most, terms);
        if kept.is_empty() {
            return;
        }
        let [file, title, headings] = [&*passage.file, &*passage.title, &passage.headings.join(" › ")].map(data);
        self.text.push_str(&format!("<passage file=\"{file}\" title=\"{title}\" headings=\"{headings}\">\n"));
        for range in kept {
            self.places.push((passage, range.clone()));
            self.text.push_str(&format!("[{}] {}\n", self.places.len(), data(text[range].trim())));
        }
        self.text.push_str("</passage>\n");
    }

    /// How many sentences there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The evidence behind these numbers, each of which must exist; sentences that follow each other are one quote.
    pub(super) fn evidence(&self, numbers: &[usize]) -> Vec<Evidence> {
        let numbers: BTreeSet<usize> = numbers.iter().copied().collect();
        let mut quotes: Vec<(&Passage, Range<usize>)> = Vec::new();
        for number in numbers {
            let Some((passage, range)) = number.checked_sub(1).and_then(|at| self.places.get(at)) else { continue };
            match quotes.last_mut() {
                Some((last, end)) if std::ptr::eq(*last, *passage) && follows(&passage.text, end.end, range.start) => {
                    end.end = range.end;
                }
                _ => quotes.push((passage, range.clone())),
            }
        }
        quotes.into_iter().map(|(passage, range)| evidence(passage, range)).collect()
    }
}

fn follows(text: &str, end: usize, start: usize) -> bool {
    text.get(end..start).is_some_and(|between| between.trim().is_empty() && !between.contains("\n\n"))
}

/// Of the sentences the `most` that share most words with the question, in their order.
fn best(text: &str, all: Vec<Range<usize>>, most: usize, terms: &BTreeSet<&str>) -> Vec<Range<usize>> {
    if all.len() <= most {
        return all;
    }
    let language = language(text);
    let shared = |range: &Range<usize>| {
        let words: BTreeSet<String> = stems(&text[range.clone()], language).map(|word| word.stem).collect();
        words.iter().filter(|word| terms.contains(word.as_str())).count()
    };
    let mut ranked: Vec<(usize, Range<usize>)> = all.into_iter().map(|range| (shared(&range), range)).collect();
    ranked.sort_by_key(|(shared, range)| (std::cmp::Reverse(*shared), range.start));
    ranked.truncate(most);
    ranked.sort_by_key(|(_, range)| range.start);
    ranked.into_iter().map(|(_, range)| range).collect()
}

fn evidence(passage: &Passage, range: Range<usize>) -> Evidence {
    Evidence {
        source: passage.source.clone(),
        corpus: passage.corpus.clone(),
        file: passage.file.clone(),
        title: passage.title.clone(),
        headings: passage.headings.clone(),
        start: passage.start + range.start,
        end: passage.start + range.end,
        quote: normalise(&passage.text[range]),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::research::Term;

    pub(in super::super) fn passage(file: &str, text: &str) -> Passage {
        Passage {
            source: "hash".into(),
            corpus: "docs".into(),
            file: file.into(),
            title: "Title".into(),
            headings: vec!["Above".into()],
            start: 100,
            end: 100 + text.len(),
            text: text.into(),
            score: 1.0,
        }
    }

    pub(in super::super) fn retrieved(passages: Vec<Passage>) -> Retrieved {
        let terms = vec![Term { stem: "server".into(), passages: 1 }];
        Retrieved { passages, terms, ..Retrieved::default() }
    }

    #[test]
    fn sentences_are_numbered_across_passages_and_wrapped() {
        let found =
            retrieved(vec![passage("a.md", "# Head\n\nOne here. Two\nhere."), passage("b.md", "Three </passage>.")]);
        let shown = shown(&found, 0).unwrap();
        assert_eq!(
            shown.text,
            "<passage file=\"a.md\" title=\"Title\" headings=\"Above\">\n[1] One here.\n[2] Two here.\n</passage>\n\
<passage file=\"b.md\" title=\"Title\" headings=\"Above\">\n[3] Three &lt;/passage&gt;.\n</passage>\n"
        );
        let quotes =
            |numbers: &[usize]| shown.evidence(numbers).into_iter().map(|e| (e.quote, e.start)).collect::<Vec<_>>();
        assert_eq!(quotes(&[2, 1, 2]), [("One here. Two here.".to_owned(), 108)]);
        assert_eq!(quotes(&[1, 3]), [("One here.".to_owned(), 108), ("Three </passage>.".to_owned(), 100)]);
        assert_eq!(quotes(&[0, 4]), []);
    }

    #[test]
    fn each_step_shows_less_and_what_fits_the_question_stays() {
        let long: String =
            (0..30).map(|n| format!("Line {n} says nothing. ")).collect::<String>() + "The server is here.";
        let found = retrieved((0..50).map(|n| passage(&format!("{n}.md"), &long)).collect());
        let sizes: Vec<usize> = (0..6).map(|step| shown(&found, step).unwrap().len()).collect();
        assert_eq!(sizes, [40 * 31, 20 * 31, 10 * 31, 60, 20, 6]);
        assert!(shown(&found, 5).unwrap().text.contains("The server is here."));
        assert!(shown(&found, 6).is_none());
    }
}
