//! Which character 5-grams does a word have? They match `deadlocks` with `deadlock` and forgive a misspelling.

/// How many characters a gram has.
pub const GRAM: usize = 5;

/// The character 5-grams of `word`, which is lower-case, with a space before and after it; a shorter word is one gram.
///
/// ```
/// let grams: Vec<String> = callboard_actors::text::grams("actor").collect();
/// assert_eq!(grams, [" acto", "actor", "ctor "]);
/// ```
pub fn grams(word: &str) -> impl Iterator<Item = String> + use<> {
    let padded: Vec<char> = std::iter::once(' ').chain(word.chars()).chain(std::iter::once(' ')).collect();
    let count = if padded.len() <= 2 { 0 } else { padded.len().saturating_sub(GRAM) + 1 };
    (0..count).map(move |at| padded[at..(at + GRAM).min(padded.len())].iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words_are_one_gram_and_nothing_is_none() {
        assert_eq!(grams("a").collect::<Vec<_>>(), [" a "]);
        assert_eq!(grams("üöä").collect::<Vec<_>>(), [" üöä "]);
        assert_eq!(grams("").count(), 0);
    }
}
