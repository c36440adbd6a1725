//! Under which headings does a place of a document stand? Each heading is kept once, with the one above it, so that
//! what is stored grows with the document and not with its passages times their headings.

use serde::{Deserialize, Serialize};

/// The headings of a document. A place in it is a number: 0 stands above all headings, `n` right below the `n`th.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outline {
    /// Text, and the place in which the heading stands: always a smaller number than its own.
    headings: Vec<(Box<str>, usize)>,
}

impl Outline {
    /// Adds a heading that stands in the place `above`; returns the place that it opens.
    pub(super) fn push(&mut self, text: &str, above: usize) -> usize {
        self.headings.push((text.into(), above));
        self.headings.len()
    }

    /// The heading that opened a place, and the place above.
    fn heading(&self, place: usize) -> Option<(&str, usize)> {
        let (text, above) = self.headings.get(place.checked_sub(1)?)?;
        // A smaller number each time: the way up ends even in an outline that somebody made up.
        Some((text, (*above).min(place - 1)))
    }

    /// The text of the heading that opened a place.
    pub(super) fn text(&self, place: usize) -> Option<&str> {
        self.heading(place).map(|(text, _)| text)
    }

    /// The headings above a place, outermost first.
    pub(super) fn trail(&self, place: usize) -> Vec<String> {
        let mut trail: Vec<String> = std::iter::successors(self.heading(place), |(_, above)| self.heading(*above))
            .map(|(text, _)| text.to_owned())
            .collect();
        trail.reverse();
        trail
    }

    /// Only what stands above the given places, which are renumbered. They come in any order.
    pub(super) fn keep<'a>(&self, places: impl Iterator<Item = &'a mut usize>) -> Self {
        let mut kept = Self::default();
        // The new number of each old place.
        let mut numbers: Vec<Option<usize>> = vec![None; self.headings.len() + 1];
        numbers[0] = Some(0);
        for place in places {
            let mut way = Vec::new();
            let mut at = (*place).min(self.headings.len());
            while numbers[at].is_none() {
                way.push(at);
                at = self.heading(at).map_or(0, |(_, above)| above);
            }
            let mut number = numbers[at].unwrap_or(0);
            for at in way.into_iter().rev() {
                number = kept.push(self.text(at).unwrap_or_default(), number);
                numbers[at] = Some(number);
            }
            *place = number;
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline() -> Outline {
        let mut outline = Outline::default();
        let one = outline.push("One", 0);
        outline.push("Unused", one);
        let two = outline.push("Two", one);
        assert_eq!(outline.push("Deep", two), 4);
        outline
    }

    #[test]
    fn a_trail_leads_down_to_its_place() {
        assert_eq!(outline().trail(4), ["One", "Two", "Deep"]);
        assert_eq!(outline().trail(0), Vec::<String>::new());
        assert_eq!(outline().text(3), Some("Two"));
    }

    #[test]
    fn what_no_place_needs_is_dropped() {
        let mut places = [4, 0, 3, 4];
        let kept = outline().keep(places.iter_mut());
        assert_eq!(places, [3, 0, 2, 3]);
        assert_eq!(kept.trail(3), ["One", "Two", "Deep"]);
        assert_eq!(kept.trail(2), ["One", "Two"]);
        assert_eq!(kept.headings.len(), 3);
    }

    #[test]
    fn an_outline_that_turns_in_circles_ends() {
        let circle = Outline { headings: vec![("a".into(), 2), ("b".into(), 9)] };
        assert_eq!(circle.trail(2), ["a", "b"]);
        assert_eq!(circle.trail(7), Vec::<String>::new());
    }
}
