//! What happens on one connection? Requests are read one after the other and answered until somebody ends it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::exchange::{Scratch, answer, refuse};
use super::perform::{Ended, perform, send};
use super::state::State;
use crate::mock_llm::api::error::ApiError;
use crate::mock_llm::wire::chunked::Chunked;
use crate::mock_llm::wire::head::{self, Head, Length};
use crate::mock_llm::wire::steps::Wire;

/// How much is read at once, at least.
const READ: usize = 4096;

/// More memory than this is given back after a request.
const KEPT: usize = 256 * 1024;

/// After a refusal this much of what still comes is read and forgotten, and no longer than that: a client that still
/// writes would otherwise find its connection reset and never see why.
const LINGERED: (usize, Duration) = (32 * 1024 * 1024, Duration::from_secs(2));

struct Connection<'s> {
    state: &'s State,
    stream: TcpStream,
    /// What came and was not used yet.
    input: Vec<u8>,
    wire: Wire,
    scratch: Scratch,
}

/// Why no further request is read.
enum Stop {
    /// The client left, or took too long to begin.
    Quiet,
    /// What came is no request: it is said why.
    Refused(ApiError),
}

/// What follows the head in the input.
enum Body {
    /// So many bytes.
    Plain(usize),
    /// The body, from so many bytes.
    Chunks(Vec<u8>, usize),
}

/// Serves a connection to its end.
pub(super) async fn serve(stream: TcpStream, state: Arc<State>) {
    let counters = &state.counters;
    counters.connections.fetch_add(1, Relaxed);
    let _open = Open::new(&state);
    // Without it the last piece of a reply could wait for an acknowledgement. It fails only on a dead connection.
    let _ = stream.set_nodelay(true);
    let (wire, scratch) = (Wire::default(), Scratch::default());
    let mut connection = Connection { state: &state, stream, input: Vec::with_capacity(READ), wire, scratch };
    while let Some((head, length)) = connection.next().await {
        if !connection.exchange(head, length).await {
            break;
        }
    }
}

impl Connection<'_> {
    /// The next head and its length. When there is none, the connection is done with.
    async fn next(&mut self) -> Option<(Head, usize)> {
        match self.head().await {
            Ok(found) => Some(found),
            Err(Stop::Quiet) => None,
            Err(Stop::Refused(error)) => {
                self.refused(&error).await;
                None
            }
        }
    }

    async fn head(&mut self) -> Result<(Head, usize), Stop> {
        let config = &self.state.config;
        let mut deadline = None;
        loop {
            // Some clients send an empty line after a body.
            while self.input.starts_with(b"\r\n") {
                self.input.drain(..2);
            }
            if !self.input.is_empty() {
                if let Some(found) = head::read(&self.input).map_err(Stop::Refused)? {
                    return Ok(found);
                }
                deadline.get_or_insert_with(|| Instant::now() + config.request_time);
            }
            let until = deadline.unwrap_or_else(|| Instant::now() + config.idle);
            match timeout_at(until, self.read()).await {
                Ok(Ok(1..)) => {}
                Err(_) if deadline.is_some() => return Err(Stop::Refused(too_slow())),
                _ => return Err(Stop::Quiet),
            }
        }
    }

    /// Reads the body, answers, and says whether another request may follow.
    async fn exchange(&mut self, head: Head, length: usize) -> bool {
        let body = match self.body(&head, length).await {
            Ok(body) => body,
            Err(Stop::Quiet) => return false,
            Err(Stop::Refused(error)) => {
                self.refused(&error).await;
                return false;
            }
        };
        let (text, used) = match &body {
            Body::Plain(bytes) => (&self.input[length..length + bytes], length + bytes),
            Body::Chunks(text, bytes) => (text.as_slice(), length + bytes),
        };
        let in_flight = answer(self.state, &head, text, &mut self.wire, &mut self.scratch);
        self.consume(used);
        match perform(&self.wire, &self.stream, &mut self.input, in_flight, &self.state.counters).await {
            Ended::Meant => self.wire.keep,
            Ended::Aborted => {
                self.state.counters.aborted.fetch_add(1, Relaxed);
                false
            }
        }
    }

    async fn body(&mut self, head: &Head, at: usize) -> Result<Body, Stop> {
        let deadline = Instant::now() + self.state.config.request_time;
        let mut chunked = Chunked::default();
        let mut expects = head.expects;
        loop {
            match head.length {
                Length::Known(length) if self.input.len() - at >= length => return Ok(Body::Plain(length)),
                Length::Known(length) => self.input.reserve((at + length - self.input.len()).min(1 << 20)),
                Length::Chunked => {
                    if let Some(used) = chunked.read(&self.input[at..]).map_err(Stop::Refused)? {
                        return Ok(Body::Chunks(chunked.into_body(), used));
                    }
                }
            }
            if std::mem::take(&mut expects) {
                send(&self.stream, b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| Stop::Quiet)?;
            }
            match timeout_at(deadline, self.read()).await {
                Ok(Ok(1..)) => {}
                Ok(_) => return Err(Stop::Quiet),
                Err(_) => return Err(Stop::Refused(too_slow())),
            }
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        self.input.reserve(READ);
        self.stream.read_buf(&mut self.input).await
    }

    /// Forgets what was used. Most often that is everything.
    fn consume(&mut self, used: usize) {
        if used == self.input.len() {
            self.input.clear();
        } else {
            self.input.drain(..used);
        }
        self.input.shrink_to(KEPT.max(self.input.len()));
    }

    async fn refused(&mut self, error: &ApiError) {
        refuse(error, &mut self.wire);
        self.input.clear();
        if perform(&self.wire, &self.stream, &mut self.input, None, &self.state.counters).await == Ended::Aborted {
            return;
        }
        // What fails here fails on a connection that is over.
        let _ = timeout(LINGERED.1, self.linger()).await;
    }

    async fn linger(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let mut read = 0;
        while read < LINGERED.0 {
            self.input.clear();
            match self.read().await? {
                0 => break,
                more => read += more,
            }
        }
        Ok(())
    }
}

fn too_slow() -> ApiError {
    ApiError::invalid(408, "The request took too long to come.")
}

/// Counts an open connection.
struct Open<'s>(&'s State);

impl<'s> Open<'s> {
    fn new(state: &'s State) -> Self {
        state.counters.open.fetch_add(1, Relaxed);
        Self(state)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.counters.open.fetch_sub(1, Relaxed);
    }
}
