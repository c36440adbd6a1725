//! Does every quote stand in the stored text?

use std::sync::Arc;

use crate::research::{Claim, Draft, Evidence};
use crate::text::normalise;

/// The draft without the claims that do not hold, and how many were struck. `text_of` gives the stored text of a source.
///
/// A claim holds when it has evidence, when each quote equals the stored bytes it names with runs of white space as one
/// space, and when its text is one of those quotes: the rules only quote. A section without claims is dropped.
pub fn verify(draft: Draft, text_of: &dyn Fn(&str) -> Option<Arc<str>>) -> (Draft, usize) {
    let mut struck = 0;
    let mut sections = Vec::new();
    for mut section in draft.sections {
        let before = section.claims.len();
        section.claims.retain(|claim| holds(claim, text_of));
        struck += before - section.claims.len();
        if !section.claims.is_empty() {
            sections.push(section);
        }
    }
    (Draft { sections }, struck)
}

fn holds(claim: &Claim, text_of: &dyn Fn(&str) -> Option<Arc<str>>) -> bool {
    claim.evidence.iter().any(|evidence| evidence.quote == claim.text)
        && claim.evidence.iter().all(|evidence| stands(evidence, text_of))
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

    fn check(claim: Claim) -> usize {
        let section = Section { task: TaskId(1), heading: "h".into(), claims: vec![claim] };
        let store = |source: &str| (source == "hash").then(|| Arc::from(STORED));
        let (draft, struck) = verify(Draft { sections: vec![section] }, &store);
        assert_eq!(draft.sections.len(), 1 - struck);
        struck
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
        let table: [fn(&mut Claim); 10] = [
            |c| c.evidence[0].source = "other".into(),
            |c| c.evidence[0].end = 10_000,
            |c| c.evidence[0].start = usize::MAX,
            |c| c.evidence[0].start = 3, // inside the first umlaut
            |c| c.evidence[0].end = c.evidence[0].start,
            |c| c.evidence[0].end -= 1,
            |c| c.text.push('!'),
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
