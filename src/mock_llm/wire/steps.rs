//! What does a reply consist of, in time? Bytes to send, waits between them, and how it ends.

use std::ops::Range;
use std::time::Duration;

/// One step of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing happens for so long. A client that leaves meanwhile ends the reply.
    Wait(Duration),
    /// These bytes are written.
    Send(Range<usize>),
    /// These bytes are written one by one, each after a wait.
    Slow(Range<usize>, Duration),
    /// The call is over for the limit on calls in flight.
    Release,
    /// These bytes are written again and again, each time after a wait, until the client leaves.
    Repeat(Range<usize>, Duration),
    /// The connection is reset.
    Reset,
    /// Nothing happens until the client leaves.
    Hang,
}

/// A reply as steps over bytes. It is used again for the next one.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) bytes: Vec<u8>,
    pub(crate) steps: Vec<Step>,
    /// What is counted when the first byte is sent.
    pub(crate) status: Option<u16>,
    /// Whether the connection stays open afterwards.
    pub(crate) keep: bool,
    /// Whether the reply has a whole end. One that is cut on purpose has none.
    pub(crate) is_chunked: bool,
    /// The next bytes belong to a step of their own.
    is_flushed: bool,
}

/// More memory than this is given back after a reply.
const KEPT: usize = 256 * 1024;

impl Wire {
    /// An empty reply.
    pub(crate) fn clear(&mut self, keep: bool) {
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
            self.steps = Vec::new();
        }
        self.bytes.clear();
        self.steps.clear();
        (self.status, self.keep, self.is_chunked, self.is_flushed) = (None, keep, false, false);
    }

    /// Waits before what follows.
    pub(crate) fn wait(&mut self, time: Duration) {
        if !time.is_zero() {
            self.steps.push(Step::Wait(time));
        }
    }

    /// Sends what `write` appends.
    pub(crate) fn send(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        let is_flushed = std::mem::take(&mut self.is_flushed);
        match self.steps.last_mut() {
            Some(Step::Send(range)) if range.end == begin && !is_flushed => range.end = end,
            _ => self.steps.push(Step::Send(begin..end)),
        }
    }

    /// Sends bytes as part of the body: in a chunk of their own where the reply has chunks.
    pub(crate) fn chunk(&mut self, data: &[u8]) {
        let is_chunked = self.is_chunked;
        if data.is_empty() {
            return;
        }
        self.send(|out| match is_chunked {
            true => chunk(data, out),
            false => out.extend(data),
        });
    }

    /// Ends a body of chunks.
    pub(crate) fn last_chunk(&mut self) {
        if self.is_chunked {
            self.send(|out| out.extend(b"0\r\n\r\n"));
        }
    }

    /// What is sent next is not joined to what was sent.
    pub(crate) fn flush(&mut self) {
        self.is_flushed = true;
    }

    /// Sends what `write` appends one byte at a time.
    pub(crate) fn slow(&mut self, every: Duration, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        if begin < end {
            self.steps.push(Step::Slow(begin..end - 1, every));
            self.wait(every);
            // The last byte is a step of its own, so that the release can stand before it.
            self.steps.push(Step::Send(end - 1..end));
        }
        self.is_flushed = true;
    }

    /// Sends what `write` appends for ever.
    pub(crate) fn repeat(&mut self, every: Duration, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.bytes.len();
        write(&mut self.bytes);
        self.steps.push(Step::Repeat(begin..self.bytes.len(), every));
    }

    /// The end of all replies: the call is released before the last bytes, or before the connection ends.
    pub(crate) fn finish(&mut self) {
        let at = match self.steps.last() {
            Some(Step::Send(_) | Step::Reset) => self.steps.len() - 1,
            Some(Step::Hang | Step::Repeat(..)) => return,
            _ => self.steps.len(),
        };
        self.steps.insert(at, Step::Release);
    }
}

/// Writes a chunk.
pub(crate) fn chunk(data: &[u8], out: &mut Vec<u8>) {
    super::plan::put(out, format_args!("{:x}\r\n", data.len()));
    out.extend(data);
    out.extend(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn steps(build: impl FnOnce(&mut Wire)) -> Vec<Step> {
        let mut wire = Wire::default();
        build(&mut wire);
        wire.finish();
        wire.steps
    }

    #[test]
    fn bytes_without_a_wait_between_are_one_step() {
        let joined = steps(|wire| {
            wire.wait(Duration::ZERO);
            wire.send(|out| out.extend(b"ab"));
            wire.send(|out| out.extend(b"c"));
        });
        assert_eq!(joined, [Step::Release, Step::Send(0..3)]);
        let apart = steps(|wire| {
            wire.send(|out| out.extend(b"ab"));
            wire.flush();
            wire.send(|out| out.extend(b"c"));
        });
        assert_eq!(apart, [Step::Send(0..2), Step::Release, Step::Send(2..3)]);
    }

    #[test]
    fn the_call_is_released_before_the_last_byte() {
        assert_eq!(
            steps(|wire| wire.slow(SECOND, |out| out.extend(b"abc"))),
            [Step::Slow(0..2, SECOND), Step::Wait(SECOND), Step::Release, Step::Send(2..3)]
        );
        assert_eq!(steps(|wire| wire.steps.push(Step::Reset)), [Step::Release, Step::Reset]);
        assert_eq!(steps(|wire| wire.wait(SECOND)), [Step::Wait(SECOND), Step::Release]);
    }

    #[test]
    fn what_never_ends_is_never_released() {
        assert_eq!(steps(|wire| wire.steps.push(Step::Hang)), [Step::Hang]);
        assert_eq!(steps(|wire| wire.repeat(SECOND, |out| out.push(b'a'))), [Step::Repeat(0..1, SECOND)]);
    }
}
