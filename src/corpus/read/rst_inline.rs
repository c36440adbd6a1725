//! What does a line of reStructuredText say without its inline markup?
//!
//! One pass: when a closing mark was not found once, it is not looked for again.

/// The text without roles, link targets, emphasis and literal marks.
pub(super) fn plain(text: &str) -> String {
    Inline { text, at: 0, out: String::with_capacity(text.len()), missing: [false; 4] }.run()
}

struct Inline<'a> {
    text: &'a str,
    at: usize,
    out: String,
    /// For each of [`MARKS`]: there is no closing one in the rest of the text.
    missing: [bool; 4],
}

/// Longest first, so that `**` is not taken for two `*`.
const MARKS: [&str; 4] = ["``", "**", "`", "*"];

impl Inline<'_> {
    fn run(mut self) -> String {
        while let Some(c) = self.text[self.at..].chars().next() {
            if !self.step(c) {
                self.out.push(c);
                self.at += c.len_utf8();
            }
        }
        self.out
    }

    /// Handles markup at the current place; `false` when there is none.
    fn step(&mut self, c: char) -> bool {
        let rest = &self.text[self.at..];
        if c == '\\' {
            let escaped = rest[1..].chars().next();
            self.out.extend(escaped.filter(|c| !c.is_whitespace()));
            self.at += 1 + escaped.map_or(0, char::len_utf8);
            return true;
        }
        if c == ':' && self.role() {
            return true;
        }
        if c == '_' && self.out.ends_with(char::is_alphanumeric) {
            let after = rest.trim_start_matches('_');
            if rest.len() - after.len() <= 2 && ends_a_word(after) && !self.in_private_name() {
                self.at += rest.len() - after.len();
                return true;
            }
        }
        if !self.may_open() {
            return false;
        }
        let marks = MARKS.iter().enumerate();
        for (index, mark) in marks.filter(|(_, mark)| rest.starts_with(**mark)) {
            if self.missing[index] {
                continue;
            }
            let body = &rest[mark.len()..];
            if body.starts_with(char::is_whitespace) || body.is_empty() {
                continue;
            }
            match body.find(mark) {
                None => self.missing[index] = true,
                Some(0) => {}
                Some(end) => {
                    self.at += mark.len() * 2 + end;
                    self.span(mark, &body[..end]);
                    return true;
                }
            }
        }
        false
    }

    /// The word before this place begins with `_`, like `__init__`: it is a name, not a reference.
    fn in_private_name(&self) -> bool {
        let word = self.out.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next();
        word.is_some_and(|word| word.starts_with('_'))
    }

    /// Markup begins at the start of a word only.
    fn may_open(&self) -> bool {
        !self.out.ends_with(char::is_alphanumeric) || self.text[..self.at].ends_with('`')
    }

    /// `:role:` before a backquote is left out.
    fn role(&mut self) -> bool {
        let rest = &self.text[self.at + 1..];
        let name = rest
            .bytes()
            .take(64)
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+' | b'.' | b':'));
        let length = name.count();
        let found = length > 1 && rest[..length].ends_with(':') && rest[length..].starts_with('`');
        if found {
            self.at += 1 + length;
        }
        found
    }

    fn span(&mut self, mark: &str, body: &str) {
        if mark != "`" {
            return self.out.push_str(body);
        }
        // `text <target>` shows its text, `~module.name` its last part, `!name` its name.
        let shown = match body.rfind('<').filter(|at| body.ends_with('>') && *at > 0) {
            Some(at) => body[..at].trim_end(),
            None => body,
        };
        let shown = match shown.strip_prefix('~') {
            Some(path) => path.rsplit('.').next().unwrap_or(path),
            None => shown.strip_prefix('!').unwrap_or(shown),
        };
        self.out.push_str(shown);
        let after = &self.text[self.at..];
        self.at += after.len() - after.trim_start_matches('_').len();
    }
}

fn ends_a_word(rest: &str) -> bool {
    !rest.starts_with(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_left_out() {
        assert_eq!(plain("Use ``a*b`` and **bold** or *it*."), "Use a*b and bold or it.");
        assert_eq!(
            plain("See :py:meth:`~os.path.join`, `the docs <https://x>`__ and Python_."),
            "See join, the docs and Python."
        );
        assert_eq!(plain("2 * 3 * 4, my_var, __init__, a\\*b, time: `x`"), "2 * 3 * 4, my_var, __init__, a*b, time: x");
    }

    #[test]
    fn open_marks_cost_nothing() {
        for hostile in ["`a ".repeat(200_000), "*".repeat(400_000), "**a *b ".repeat(100_000), ":a".repeat(200_000)] {
            assert!(plain(&hostile).len() <= hostile.len());
        }
    }
}
