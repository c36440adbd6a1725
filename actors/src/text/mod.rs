//! What are the words and the sentences of a text? Pure; positions are UTF-8 bytes.
//!
//! - [`stems`]: every word of a text as an index wants it; [`content_stems`]: the words of a question that carry it
//! - [`sentences()`]: where sentences begin and end, and which lines are code, headings or tables
//! - [`grams()`]: character 5-grams, which forgive spelling and inflection
//! - [`language()`]: English or not
//!
//! Nothing here knows rarity or rank: that needs a corpus.

mod grams;
mod irregular;
mod language;
mod sentences;
mod stop;
mod words;

use std::fmt::Display;

pub use grams::{GRAM, grams};
pub use language::{Language, language};
pub use sentences::{Kind, MAX_SENTENCE, Sentence, sentences};
pub use stop::{is_foreign_stop_word, is_question_word, is_stop_word};
pub use words::{MAX_WORD, Word, content_stems, stem, stems};

/// `text` with each run of white space as one space and none at either end: the form in which quotes are compared.
///
/// ```
/// assert_eq!(callboard_actors::text::normalise("  two\n\t words "), "two words");
/// ```
pub fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// How many of a thing, in words: with an `s` unless it is one.
///
/// ```
/// assert_eq!(callboard_actors::text::count(1, "model call"), "1 model call");
/// assert_eq!(callboard_actors::text::count(0, "model call"), "0 model calls");
/// ```
pub fn count(number: impl Display + PartialEq + From<u8>, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1.into() { "" } else { "s" })
}
