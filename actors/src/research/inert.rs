//! How is text that somebody else wrote shown so that it can do nothing? Pure: for terminals and for Markdown.
//!
//! A document may hold terminal escapes, markup, links to remote images and characters that reorder a line. The JSON
//! keeps a quote as it stands; everything that a person looks at passes through here first.

/// `text` in one line, fit for a terminal: white space becomes one space, a control character its visible picture
/// (`␛` for escape), a character that reorders the line `U+FFFD`; invisible characters are left out.
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match kind(c) {
            Kind::Visible => shown.push(c),
            Kind::Space if shown.ends_with(' ') => {}
            Kind::Space => shown.push(' '),
            Kind::Control => shown.push(picture(c)),
            Kind::Reorders => shown.push(char::REPLACEMENT_CHARACTER),
            Kind::Invisible => {}
        }
    }
    shown
}

/// [`plain`] text that a Markdown renderer shows letter by letter: no markup, no HTML, no link, no image.
pub fn markdown(text: &str) -> String {
    let text = plain(text);
    let mut escaped = String::with_capacity(text.len() + 16);
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            _ => {
                if is_markup(c, before, &text[at + c.len_utf8()..], &text[..at]) {
                    escaped.push('\\');
                }
                escaped.push(c);
            }
        }
        before = c;
    }
    escaped
}

/// What [`markdown`] made, at the begin of a line: no item of a list, no rule and no heading made of underlining either.
pub fn line_of_markdown(text: String) -> String {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let at = if digits > 0 && text[digits..].starts_with(['.', ')']) { digits } else { 0 };
    let is_mark = at > 0 || text.starts_with(['-', '+', '=']);
    if is_mark { format!("{}\\{}", &text[..at], &text[at..]) } else { text }
}

/// Whether `c` takes part in what a terminal or a reader's eye could be fooled with: such a character never leaves
/// the program raw, and JSON writes it as an escape.
pub fn is_hostile(c: char) -> bool {
    match kind(c) {
        Kind::Visible => false,
        Kind::Space => !matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{a0}' | '\u{3000}' | '\u{2000}'..='\u{200a}'),
        Kind::Control | Kind::Reorders | Kind::Invisible => true,
    }
}

fn is_markup(c: char, before: char, rest: &str, done: &str) -> bool {
    match c {
        '\\' | '`' | '*' | '_' | '[' | ']' | '{' | '}' | '#' | '|' | '~' | '$' | '^' => true,
        '!' => rest.starts_with('['),
        '(' => before == ']',
        '%' => before == '{' || rest.starts_with('}'),
        // A bare address would become a link of its own.
        ':' => rest.starts_with("//"),
        '.' => {
            done.len() >= 3
                && done.is_char_boundary(done.len() - 3)
                && done[done.len() - 3..].eq_ignore_ascii_case("www")
        }
        _ => false,
    }
}

enum Kind {
    Visible,
    Space,
    Control,
    Reorders,
    Invisible,
}

fn kind(c: char) -> Kind {
    match c {
        ' '..='~' => {
            if c == ' ' {
                Kind::Space
            } else {
                Kind::Visible
            }
        }
        // Format characters without a glyph; joiners stay, scripts and emoji need them.
        '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}' => {
            Kind::Invisible
        }
        '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => Kind::Invisible,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Kind::Reorders,
        // NEL is a control character first: a terminal acts on it.
        '\u{80}'..='\u{9f}' => Kind::Control,
        c if c.is_whitespace() => Kind::Space,
        c if c.is_control() => Kind::Control,
        _ => Kind::Visible,
    }
}

/// The picture of a control character: Unicode has one for each of the old ones.
fn picture(c: char) -> char {
    match u32::from(c) {
        code @ 0..=0x1f => char::from_u32(0x2400 + code).unwrap_or(char::REPLACEMENT_CHARACTER),
        0x7f => '\u{2421}',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_control_character() {
        assert_eq!(plain("a\u{1b}[31mred\u{7}\u{9b}2J\0\u{7f}"), "a␛[31mred␇\u{fffd}2J␀␡");
        assert_eq!(plain("one\r\ntwo\t\tthree\u{2028}four"), "one two three four");
    }

    #[test]
    fn no_character_reorders_or_hides() {
        assert_eq!(plain("ev\u{202e}il\u{2066}x\u{200f}"), "ev\u{fffd}il\u{fffd}x\u{fffd}");
        assert_eq!(plain("hid\u{200b}den\u{e0041}\u{feff}"), "hidden");
        assert_eq!(plain("می\u{200c}خواهم 👩\u{200d}🔧"), "می\u{200c}خواهم 👩\u{200d}🔧");
    }

    #[test]
    fn every_char_is_shown_or_replaced() {
        for c in '\0'..=char::MAX {
            let shown = plain(&c.to_string());
            assert!(!shown.chars().any(is_hostile), "{c:?} is shown as {shown:?}");
            assert!(!shown.chars().any(char::is_control), "{c:?} is shown as {shown:?}");
        }
    }

    #[test]
    fn a_line_of_text_begins_no_list() {
        for (text, shown) in [
            ("1. One", "1\\. One"),
            ("12) One", "12\\) One"),
            ("- One", "\\- One"),
            ("+ One", "\\+ One"),
            ("=====", "\\====="),
            ("1 and 2.", "1 and 2."),
            ("One - two", "One - two"),
        ] {
            assert_eq!(line_of_markdown(markdown(text)), shown);
        }
    }

    #[test]
    fn markdown_stays_text() {
        for (text, shown) in [
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("![x](http://e.org/i.png)", "\\!\\[x\\]\\(http\\://e.org/i.png)"),
            ("see www.e.org & WWW.E.org", "see www\\.e.org &amp; WWW\\.E.org"),
            ("a *b* _c_ `d` ~~e~~ # f | g", "a \\*b\\* \\_c\\_ \\`d\\` \\~\\~e\\~\\~ \\# f \\| g"),
            ("{{ x }} {% y %} 50%", "\\{\\{ x \\}\\} \\{\\% y \\%\\} 50%"),
            ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
            ("back\\slash! (yes)", "back\\\\slash! (yes)"),
        ] {
            assert_eq!(markdown(text), shown, "{text}");
        }
    }
}
