//! Which events are in a stream of bytes? The `data` of server-sent events, as the WHATWG standard frames them.
//!
//! Pure, and bounded: an event that is too long is an error. Names, ids and retry times are not needed by any provider.

/// The longest event, in bytes.
pub(super) const LONGEST: usize = 4 * 1024 * 1024;

/// Cuts bytes into events, however they are cut into pieces on their way.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    /// Whether `data` has a line.
    has_data: bool,
    /// The last byte was a carriage return: a line feed after it belongs to it.
    after_return: bool,
    begun: bool,
}

/// An event is longer than [`LONGEST`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Events {
    /// Takes the next bytes in; gives the data of the events that are complete with them.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            let follows_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if follows_return => {}
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    events.extend(self.end_line());
                }
                _ if self.line.len() + self.data.len() >= LONGEST => return Err(TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Option<Vec<u8>> {
        let mut line = std::mem::take(&mut self.line);
        if !std::mem::replace(&mut self.begun, true) && line.starts_with("\u{feff}".as_bytes()) {
            line.drain(..3);
        }
        if line.is_empty() {
            return std::mem::take(&mut self.has_data).then(|| std::mem::take(&mut self.data));
        }
        let value = line.strip_prefix(b"data").and_then(|rest| match rest {
            [] => Some(rest),
            [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
            _ => None,
        });
        if let Some(value) = value {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value);
        }
        None
    }

    /// The stream is over: an event without its empty line, which careless servers leave out.
    pub(super) fn rest(mut self) -> Option<Vec<u8>> {
        // Its last line may have an end, and is then the empty one that ends the event.
        self.end_line().or_else(|| self.has_data.then_some(self.data))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(pieces: &[&[u8]]) -> Vec<String> {
        let mut events = Events::default();
        let found: Vec<_> = pieces.iter().flat_map(|piece| events.take(piece).unwrap()).collect();
        found.into_iter().chain(events.rest()).map(|event| String::from_utf8(event).unwrap()).collect()
    }

    #[test]
    fn every_kind_of_line_is_read() {
        let table: [(&str, &[&str]); 11] = [
            ("data: a\n\ndata: b\n\n", &["a", "b"]),
            ("data:a\r\n\r\ndata: b\r\r", &["a", "b"]),
            ("\u{feff}data: a\n\n", &["a"]),
            (": a comment\nevent: x\nid: 1\ndata: a\n\n", &["a"]),
            ("data: a\ndata: b\n\n", &["a\nb"]),
            ("data\n\n", &[""]),
            ("database: a\n\ndata: b\n\n", &["b"]),
            ("\n\n\ndata:  a\n\n", &[" a"]),
            ("data: a", &["a"]),
            ("data: a\n", &["a"]),
            ("data: a\n\ndata: b\r\n", &["a", "b"]),
        ];
        for (stream, events) in table {
            assert_eq!(texts(&[stream.as_bytes()]), events, "{stream:?}");
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut events = Events::default();
        let piece = vec![b'x'; LONGEST / 2];
        assert_eq!(events.take(&piece), Ok(Vec::new()));
        assert_eq!(events.take(&piece), Ok(Vec::new()));
        assert_eq!(events.take(b"x"), Err(TooLong));
    }

    proptest! {
        #[test]
        fn however_it_is_cut_it_says_the_same(stream in "(data: ?[aäö€😀]{0,5}|\r\n|\n|\r|:x){0,12}", cut in 1..7usize) {
            let whole = texts(&[stream.as_bytes()]);
            let pieces: Vec<_> = stream.as_bytes().chunks(cut).collect();
            prop_assert_eq!(texts(&pieces), whole);
        }
    }
}
