//! Where does a chunked body end, and what is in it? Read from what came so far.

use super::head::{LONGEST_BODY, too_large};
use crate::mock_llm::api::error::ApiError;

/// The longest line of a chunk's size, and the longest list of trailers.
const LONGEST_LINE: usize = 4096;

/// A body that comes in. Fed again with the same bytes and more, it goes on where it was.
#[derive(Debug, Default)]
pub(crate) struct Chunked {
    /// How far the raw bytes are understood.
    at: usize,
    body: Vec<u8>,
}

impl Chunked {
    /// Reads on in all raw bytes since the head; `Some` with the number of them when the body is complete.
    pub(crate) fn read(&mut self, raw: &[u8]) -> Result<Option<usize>, ApiError> {
        loop {
            let rest = &raw[self.at..];
            let Some((line, after)) = line(rest)? else { return Ok(None) };
            let size = size(line)?;
            if self.body.len().saturating_add(size) > LONGEST_BODY {
                return Err(too_large());
            }
            if size == 0 {
                return Ok(trailers(&rest[after..])?.map(|end| self.at + after + end));
            }
            let Some(data) = rest.get(after..after + size + 2) else { return Ok(None) };
            if !data.ends_with(b"\r\n") {
                return Err(ApiError::invalid(400, "A chunk of the body is longer than its size."));
            }
            self.body.extend(&data[..size]);
            self.at += after + size + 2;
        }
    }

    /// The body so far.
    pub(crate) fn into_body(self) -> Vec<u8> {
        self.body
    }
}

/// A line without its end, and where the next one begins.
fn line(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, ApiError> {
    let seen = &bytes[..bytes.len().min(LONGEST_LINE)];
    match seen.windows(2).position(|pair| pair == b"\r\n") {
        Some(end) => Ok(Some((&bytes[..end], end + 2))),
        None if bytes.len() < LONGEST_LINE => Ok(None),
        None => Err(ApiError::invalid(400, "A line between the chunks of the body is too long.")),
    }
}

fn size(line: &[u8]) -> Result<usize, ApiError> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let size = text.and_then(|text| usize::from_str_radix(text, 16).ok());
    size.ok_or_else(|| ApiError::invalid(400, "The size of a chunk of the body is no number."))
}

/// Where the trailers end. What they say is nobody's concern.
fn trailers(bytes: &[u8]) -> Result<Option<usize>, ApiError> {
    let mut at = 0;
    while let Some((text, after)) = line(&bytes[at..])? {
        at += after;
        if text.is_empty() {
            return Ok(Some(at));
        }
        if at > LONGEST_LINE {
            return Err(ApiError::invalid(400, "The trailers of the body are too long."));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_found_however_it_comes() {
        let raw = b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\ntrailer: x\r\n\r\nGET";
        for step in 1..raw.len() {
            let mut chunked = Chunked::default();
            let mut ends: Vec<_> = (1..=raw.len()).step_by(step).collect();
            ends.push(raw.len());
            let found = ends.into_iter().find_map(|end| chunked.read(&raw[..end]).unwrap());
            assert_eq!(found, Some(raw.len() - 3));
            assert_eq!(chunked.into_body(), b"abc0123456789");
        }
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let long = "1".repeat(LONGEST_LINE);
        for (raw, status) in [
            ("x\r\n", 400),
            ("-1\r\n", 400),
            ("\r\n", 400),
            ("3\r\nabcd\r\n", 400),
            ("1000001\r\n", 413),
            ("FFFFFFFFFFFFFFFF\r\n", 413),
            ("FFFFFFFFFFFFFFFFF\r\n", 400),
            (&long, 400),
        ] {
            let read = Chunked::default().read(raw.as_bytes()).map_err(|error| error.status);
            // An empty size counts as zero digits, which is no number.
            assert_eq!(read, Err(status), "{raw:.20}");
        }
        assert_eq!(Chunked::default().read(b"3\r\nab"), Ok(None));
    }
}
