//! What are the tags and the texts of a page? A scanner that reads any bytes in one pass.
//!
//! It follows the HTML standard's tokenizer where that matters for text: quoted attributes, comments, and elements such
//! as `script` whose content is not markup. It builds no tree, so that neither depth nor broken nesting costs anything.

use super::entities::decode;

/// What the scanner finds, in the order of the page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Text with its entities resolved.
    Text(String),
    /// A start tag.
    Start(Tag<'a>),
    /// An end tag; the name is lower-case.
    End(String),
}

/// A start tag with the attributes that say what an element is for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    /// Lower-case.
    pub(super) name: String,
    pub(super) class: &'a str,
    pub(super) id: &'a str,
    pub(super) role: &'a str,
    pub(super) style: &'a str,
    pub(super) http_equiv: &'a str,
    /// `hidden`, or `aria-hidden="true"`.
    pub(super) hidden: bool,
    /// Written as `<name/>`.
    pub(super) closed: bool,
}

/// Elements whose content is not markup.
const RAW: &[&str] = &["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"];
/// Longer names are cut; no element has one.
const MAX_NAME: usize = 64;

/// The tokens of a page.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// The element whose content is not markup, when we stand in one.
    raw: Option<&'static str>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, raw: None }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn byte(&self, offset: usize) -> u8 {
        self.text.as_bytes().get(self.at + offset).copied().unwrap_or(0)
    }

    /// Moves behind the next `mark`, or to the end when there is none.
    fn skip_past(&mut self, mark: &str) {
        self.at = self.rest().find(mark).map_or(self.text.len(), |found| self.at + found + mark.len());
    }

    fn skip_space(&mut self) {
        self.at += self.rest().bytes().take_while(u8::is_ascii_whitespace).count();
    }

    /// The content of a raw element, up to its end tag.
    fn raw_text(&mut self, name: &str) -> String {
        let rest = self.rest().as_bytes();
        let ends = |at: usize| {
            let after = at + 2 + name.len();
            rest.get(at + 2..after).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
                && rest.get(after).is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'))
        };
        let end = self.rest().match_indices("</").map(|(at, _)| at).find(|at| ends(*at)).unwrap_or(rest.len());
        let text = &self.rest()[..end];
        self.at += end;
        if matches!(name, "title" | "textarea") { decode(text) } else { text.to_owned() }
    }

    /// Text up to the next thing that looks like markup.
    fn plain_text(&mut self) -> String {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let opens = |at: usize| {
            bytes.get(at + 1).is_some_and(|next| next.is_ascii_alphabetic() || matches!(next, b'/' | b'!' | b'?'))
        };
        let end = rest.match_indices('<').map(|(at, _)| at).find(|at| opens(*at)).unwrap_or(rest.len());
        self.at += end;
        decode(&rest[..end])
    }

    fn name(&mut self) -> String {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>')).unwrap_or(rest.len());
        self.at += end;
        rest.chars()
            .take(MAX_NAME.min(end))
            .take_while(|c| !c.is_ascii_whitespace() && !matches!(c, '/' | '>'))
            .collect::<String>()
            .to_ascii_lowercase()
    }

    /// A start tag; `None` when the page ends inside it.
    fn tag(&mut self) -> Option<Tag<'a>> {
        let mut tag = Tag { name: self.name(), ..Tag::default() };
        loop {
            self.skip_space();
            match self.byte(0) {
                b'>' => {
                    self.at += 1;
                    return Some(tag);
                }
                b'/' => {
                    self.at += 1;
                    tag.closed = self.byte(0) == b'>';
                }
                _ if self.at >= self.text.len() => return None,
                _ => {
                    let (name, value) = self.attribute();
                    tag.set(name, value);
                }
            }
        }
    }

    fn attribute(&mut self) -> (&'a str, &'a str) {
        let rest = self.rest();
        // The first character belongs to the name whatever it is, so that the scanner always moves.
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '=');
        let end = rest[first..].find(ends).map_or(rest.len(), |at| first + at);
        self.at += end;
        self.skip_space();
        if self.byte(0) != b'=' {
            return (&rest[..end], "");
        }
        self.at += 1;
        self.skip_space();
        (&rest[..end], self.value())
    }

    fn value(&mut self) -> &'a str {
        let rest = self.rest();
        let quote = match self.byte(0) {
            b'"' => '"',
            b'\'' => '\'',
            _ => {
                let end = rest.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(rest.len());
                self.at += end;
                return &rest[..end];
            }
        };
        let end = rest[1..].find(quote).map_or(rest.len(), |at| at + 1);
        self.at += (end + 1).min(rest.len());
        &rest[1..end]
    }

    /// A comment, a declaration or an instruction.
    fn skip_declaration(&mut self) {
        if !self.rest().starts_with("<!--") {
            return self.skip_past(">");
        }
        self.at += "<!--".len();
        if self.rest().starts_with('>') || self.rest().starts_with("->") {
            self.skip_past(">")
        } else {
            self.skip_past("-->")
        }
    }
}

impl<'a> Tag<'a> {
    /// The first of two attributes of the same name counts.
    fn set(&mut self, name: &str, value: &'a str) {
        let slot = match name.to_ascii_lowercase().as_str() {
            "class" => &mut self.class,
            "id" => &mut self.id,
            "role" => &mut self.role,
            "style" => &mut self.style,
            "http-equiv" => &mut self.http_equiv,
            "hidden" => return self.hidden = true,
            "aria-hidden" => return self.hidden |= value.eq_ignore_ascii_case("true"),
            _ => return,
        };
        if slot.is_empty() {
            *slot = value;
        }
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(name) = self.raw.take() {
            return Some(Token::Text(self.raw_text(name)));
        }
        while self.at < self.text.len() {
            match (self.byte(0), self.byte(1)) {
                (b'<', b'!' | b'?') => self.skip_declaration(),
                (b'<', b'/') if self.byte(2).is_ascii_alphabetic() => {
                    self.at += 2;
                    return self.tag().map(|tag| Token::End(tag.name));
                }
                (b'<', b'/') => self.skip_past(">"),
                (b'<', next) if next.is_ascii_alphabetic() => {
                    self.at += 1;
                    let tag = self.tag()?;
                    self.raw = RAW.iter().copied().find(|raw| *raw == tag.name).filter(|_| !tag.closed);
                    return Some(Token::Start(tag));
                }
                _ => return Some(Token::Text(self.plain_text())),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(page: &str, expected: &[&str]) {
        let found: Vec<String> = Scanner::new(page)
            .map(|token| match token {
                Token::Text(text) => text,
                Token::Start(tag) => {
                    format!("<{}{}{}>", tag.name, if tag.class.is_empty() { "" } else { "." }, tag.class)
                }
                Token::End(name) => format!("</{name}>"),
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn tags_texts_and_entities() {
        check("<P class='a b' data-x=\">\">1 &lt; 2 &amp; 3 < 4</P>", &["<p.a b>", "1 < 2 & 3 < 4", "</p>"]);
        check("<!doctype html><!-- <b> --><?xml?>x<br/>", &["x", "<br>"]);
        check("<script>if (a</b/.x) '</scr'</script >y", &["<script>", "if (a</b/.x) '</scr'", "</script>", "y"]);
        check("<title>a &amp; <b></title>", &["<title>", "a & <b>", "</title>"]);
    }

    #[test]
    fn a_page_may_end_anywhere() {
        for page in [
            "<",
            "a<b",
            "<a class",
            "<a class=",
            "<a class='",
            "<!--",
            "</",
            "</a",
            "<script",
            "<script>x",
            "<a =>",
            "<a /",
        ] {
            assert!(Scanner::new(page).count() <= 3, "{page}");
        }
        check("x</>y<3", &["x", "y<3"]);
    }
}
