//! Is this file text? Bytes in, text out, or the reason why not.
//!
//! What a reader sees is valid UTF-8 without a byte order mark, with `\n` as its only line end.

use super::read::Skip;

/// Decodes a whole file.
///
/// A NUL byte makes a file binary; UTF-16 is named, because its user can convert it.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String, Skip> {
    if bytes.starts_with(b"%PDF-") {
        return Err(Skip::because("PDF"));
    }
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(Skip::because("UTF-16, not UTF-8"));
    }
    if bytes.contains(&0) {
        return Err(Skip::because("binary"));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| Skip::because("not valid UTF-8"))?;
    if text.starts_with('\u{FEFF}') {
        text.drain(..'\u{FEFF}'.len_utf8());
    }
    if text.contains('\r') {
        text = text.replace("\r\n", "\n").replace('\r', "\n");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<&str, &str>) {
        let found = decode(bytes.to_vec());
        assert_eq!(found.as_deref().map_err(Skip::reason), expected);
    }

    #[test]
    fn text_is_utf8_with_plain_line_ends() {
        check(b"a\r\nb\rc\n", Ok("a\nb\nc\n"));
        check("\u{FEFF}gr\u{fc}n".as_bytes(), Ok("gr\u{fc}n"));
        check(b"", Ok(""));
    }

    #[test]
    fn what_is_not_text_is_named() {
        check(b"%PDF-1.7 ...", Err("PDF"));
        check(b"a\0b", Err("binary"));
        check(b"a\xC3(b", Err("not valid UTF-8"));
        check(b"\xFF\xFEa\0", Err("UTF-16, not UTF-8"));
    }
}
