//! Does every quote stand in the stored text, and does every sentence say no more than its quotes?

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::research::grounding::is_grounded;
use crate::research::{Claim, Draft, Evidence};
use crate::text::normalise;

/// A draft that holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verified {
    /// What is left of it.
    pub draft: Draft,
    /// Claims that were struck.
    pub struck: usize,
    /// Claims of a model that said more than their quotes, and now show the first of them.
    pub quoted: usize,
}

/// The draft without the claims that do not hold. `text_of` gives the stored text of a source; `question` is the person's.
///
/// A claim holds when it has evidence and each quote equals the stored bytes it names with runs of white space as one
/// space. Its text is one of those quotes, or says no more than they do with their headings and the question; else it is
/// replaced by the first quote. A section without claims is dropped.
pub fn verify(draft: Draft, question: &str, text_of: &dyn Fn(&str) -> Option<Arc<str>>) -> Verified {
    let mut verified = Verified::default();
    for mut section in draft.sections {
        let before = section.claims.len();
        section.claims.retain(|claim| holds(claim, text_of));
        verified.struck += before - section.claims.len();
        for claim in &mut section.claims {
            verified.quoted += usize::from(quote_if_it_says_more(claim, question));
        }
        let mut seen = BTreeSet::new();
        section.claims.retain(|claim| seen.insert(claim.text.clone()));
        if !section.claims.is_empty() {
            verified.draft.sections.push(section);
        }
    }
    verified
}

fn holds(claim: &Claim, text_of: &dyn Fn(&str) -> Option<Arc<str>>) -> bool {
    !claim.evidence.is_empty() && claim.evidence.iter().all(|evidence| stands(evidence, text_of))
}

/// Replaces the claim's text by its first quote if it says more than they do. Whether it did.
pub(crate) fn quote_if_it_says_more(claim: &mut Claim, question: &str) -> bool {
    let is_quote = claim.evidence.iter().any(|evidence| evidence.quote == claim.text);
    if is_quote || is_grounded(&claim.text, &sources(claim), question) {
        return false;
    }
    claim.evidence.truncate(1);
    claim.text = claim.evidence.first().map(|first| first.quote.clone()).unwrap_or_default();
    true
}

/// The quotes of a claim with their titles and headings.
fn sources(claim: &Claim) -> String {
    let mut sources = String::new();
    for evidence in &claim.evidence {
        for text in [&evidence.quote, &*evidence.title, &evidence.headings.join("\n")] {
            sources.push_str(text);
            sources.push('\n');
        }
    }
    sources
}

fn stands(evidence: &Evidence, text_of: &dyn Fn(&str) -> Option<Arc<str>>) -> bool {
    let Some(text) = text_of(&evidence.source) else { return false };
    // `get` is `None` when the range is out of bounds, backwards, or cuts a character.
    text.get(evidence.start..evidence.end)
        .is_some_and(|bytes| !evidence.quote.is_empty() && normalise(bytes) == evidence.quote)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::research::rules::fixtures::claim;
    use crate::research::{Section, TaskId};

    const STORED: &str = "Größe zählt.  The server\nlistens on port 5432. It stops.";

    fn checked(claim: Claim) -> (usize, usize, Vec<String>) {
        let section = Section { task: TaskId(1), heading: "h".into(), claims: vec![claim] };
        let store = |source: &str| (source == "hash").then(|| Arc::from(STORED));
        let verified = verify(Draft { sections: vec![section] }, "Where?", &store);
        assert_eq!(verified.draft.sections.len(), 1 - verified.struck);
        let claims = verified.draft.sections.into_iter().flat_map(|section| section.claims);
        (verified.struck, verified.quoted, claims.map(|claim| claim.text).collect())
    }

    /// How many claims were struck.
    fn check(claim: Claim) -> usize {
        checked(claim).0
    }

    fn good() -> Claim {
        let start = STORED.find("The").expect("stands there");
        let mut claim = claim("a", start, "The server listens on port 5432.");
        claim.evidence[0].source = "hash".into();
        claim
    }

    #[test]
    fn an_exact_quote_holds_across_a_line_break() {
        assert_eq!(check(good()), 0);
    }

    #[test]
    fn whatever_differs_is_struck() {
        let table: [fn(&mut Claim); 9] = [
            |c| c.evidence[0].source = "other".into(),
            |c| c.evidence[0].end = 10_000,
            |c| c.evidence[0].start = usize::MAX,
            |c| c.evidence[0].start = 3, // inside the first umlaut
            |c| c.evidence[0].end = c.evidence[0].start,
            |c| c.evidence[0].end -= 1,
            |c| c.evidence.clear(),
            |c| {
                c.evidence[0].quote = "The  server listens on port 5432.".into();
                c.text = c.evidence[0].quote.clone();
            },
            |c| {
                c.evidence[0] = Evidence { quote: String::new(), start: 0, end: 0, ..c.evidence[0].clone() };
                c.text.clear();
            },
        ];
        for (n, spoil) in table.iter().enumerate() {
            let mut claim = good();
            spoil(&mut claim);
            assert_eq!(check(claim), 1, "case {n}");
        }
    }

    #[test]
    fn a_sentence_that_says_more_than_its_quotes_is_replaced_by_them() {
        let quote = "The server listens on port 5432.";
        for (said, shown) in [
            ("It is port 5432 where the server listens.", "It is port 5432 where the server listens."),
            ("The server listens on port 80.", quote),
            ("The server listens on port 5432, says http://evil.example.", quote),
        ] {
            let mut claim = good();
            claim.text = said.into();
            let more = usize::from(said != shown);
            assert_eq!(checked(claim), (0, more, vec![shown.to_owned()]));
        }
    }

    #[test]
    fn one_bad_quote_of_two_strikes_the_claim() {
        let mut claim = good();
        let other = Evidence { quote: "invented".into(), ..claim.evidence[0].clone() };
        claim.evidence.push(other);
        assert_eq!(check(claim), 1);
    }

    proptest! {
        #[test]
        fn a_changed_quote_never_survives(at in 0_usize..32, with in any::<char>(), kind in 0_u8..3) {
            let mut claim = good();
            let mut chars: Vec<char> = claim.text.chars().collect();
            match kind {
                0 => chars[at.min(31)] = with,
                1 => chars.insert(at, with),
                _ => { chars.remove(at.min(31)); }
            }
            let changed: String = chars.into_iter().collect();
            prop_assume!(changed != claim.text);
            claim.text = changed.clone();
            claim.evidence[0].quote = changed;
            prop_assert_eq!(check(claim), 1);
        }

        #[test]
        fn no_range_panics(start in any::<usize>(), end in any::<usize>(), near in 0_usize..80) {
            let mut claim = good();
            (claim.evidence[0].start, claim.evidence[0].end) = (start, end);
            prop_assert_eq!(check(claim.clone()), 1);
            (claim.evidence[0].start, claim.evidence[0].end) = (near, end);
            check(claim);
        }
    }
}
