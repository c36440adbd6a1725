//! What do `&amp;` and its kin stand for?
//!
//! Names are those of HTML5, which CommonMark shares; the Markdown parser's table is used rather than a second one.

use pulldown_cmark::{Event, Parser};

/// The longest name of the standard has 33 bytes with `&` and `;`.
const MAX_NAME: usize = 33;

/// The text with its entities resolved. What is not an entity stays as it stands.
pub(super) fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = entity(rest, &mut out);
        if length == 0 {
            out.push('&');
        }
        rest = &rest[length.max(1)..];
    }
    out.push_str(rest);
    out
}

/// Appends what the entity at the start of `text` stands for and returns its length; 0 when there is none.
fn entity(text: &str, out: &mut String) -> usize {
    let body =
        text[1..].bytes().take(MAX_NAME).take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'#').count();
    let name = &text[1..=body];
    let length = 1 + body + usize::from(text[1 + body..].starts_with(';'));
    let resolved =
        if let Some(number) = name.strip_prefix('#') { numbered(number) } else { named(name, &text[..length]) };
    match resolved {
        Some(resolved) => {
            out.push_str(&resolved);
            length
        }
        None => 0,
    }
}

fn numbered(number: &str) -> Option<String> {
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    // Out of range, NUL or half of a pair: a character that cannot be shown.
    let number = code.ok()?;
    Some(char::from_u32(number).filter(|c| *c != '\0').unwrap_or('\u{FFFD}').to_string())
}

fn named(name: &str, whole: &str) -> Option<String> {
    let common = match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        "nbsp" => "\u{A0}",
        _ if !whole.ends_with(';') || name.is_empty() => return None,
        _ => {
            return Parser::new(whole).find_map(|event| match event {
                Event::Text(text) if &*text != whole && !text.starts_with('&') => Some(text.into_string()),
                _ => None,
            });
        }
    };
    Some(common.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_resolved() {
        assert_eq!(decode("a&nbsp;b &mdash; &#8217;&#x41; &rarr;&copy;"), "a\u{A0}b — ’A →©");
        assert_eq!(decode("&lt&gt; &amp;amp; R&D; &nosuch; &; & &#; &#xZZ;"), "<> &amp; R&D; &nosuch; &; & &#; &#xZZ;");
        assert_eq!(decode("&#0;&#xD800;&#99999999;"), "\u{FFFD}\u{FFFD}\u{FFFD}");
    }
}
