//! Where does a line end? Words wrapped to a terminal's width, counted in columns.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `text` in lines of at most `width` columns, the first after `first` and the others after `rest`; `None` is one line.
///
/// A word that is longer than a line is broken. The text is one paragraph: its white space separates words.
pub fn wrap(text: &str, width: Option<usize>, first: &str, rest: &str) -> String {
    let Some(width) = width else { return format!("{first}{text}\n") };
    let mut lines =
        Lines { width, rest, done: String::new(), line: first.to_owned(), columns: first.width(), words: 0 };
    for word in text.split_whitespace() {
        lines.push(word);
    }
    lines.done + &lines.line + "\n"
}

struct Lines<'a> {
    width: usize,
    rest: &'a str,
    done: String,
    line: String,
    columns: usize,
    words: usize,
}

impl Lines<'_> {
    fn push(&mut self, word: &str) {
        let columns = word.width();
        if self.words > 0 && self.columns + 1 + columns > self.width {
            self.next();
        }
        if self.words > 0 {
            self.line.push(' ');
            self.columns += 1;
        }
        for c in word.chars() {
            let columns = c.width().unwrap_or(0);
            if self.columns + columns > self.width && self.words > 0 {
                self.next();
            }
            self.line.push(c);
            self.columns += columns;
            self.words += 1;
        }
    }

    fn next(&mut self) {
        self.done.push_str(self.line.trim_end());
        self.done.push('\n');
        self.line = self.rest.to_owned();
        self.columns = self.rest.width();
        self.words = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wrap_with_a_hanging_indent() {
        assert_eq!(wrap("one two three four", Some(10), "- ", "  "), "- one two\n  three\n  four\n");
        assert_eq!(wrap("one two three four", None, "- ", "  "), "- one two three four\n");
        assert_eq!(wrap("", Some(10), "- ", "  "), "- \n");
    }

    #[test]
    fn long_words_and_wide_letters_stay_within_the_width() {
        for text in [
            "abcdefghijklmnopqrstuvwxyz",
            "short abcdefghijklmnopqrstuvwxyz x",
            "漢字漢字漢字漢字漢字漢字",
            "a 漢字漢字漢字漢字漢字",
        ] {
            for width in 4..12 {
                let wrapped = wrap(text, Some(width), "", " ");
                assert!(wrapped.lines().all(|line| line.width() <= width), "{width}: {wrapped}");
                let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
                assert_eq!(letters(&wrapped), letters(text));
            }
        }
    }

    #[test]
    fn a_width_of_zero_ends() {
        assert_eq!(wrap("ab", Some(0), "", ""), "a\nb\n");
    }
}
