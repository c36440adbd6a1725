//! How is a reply read that comes in pieces? To where the server says that it ends, within the clocks of its call.

use std::time::Duration;

use callboard_actors::chat::{ChatChunk, ChatReply};
use callboard_actors::error::{ModelError, Waiting};
use callboard_actors::gateway::Chunks;
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use super::caller::Growing;
use super::http::failed;
use super::key::Sieve;
use super::sse::{self, Events, TooLong};

/// How long the end of a body may take after its last word: most servers send both at once.
const MOMENT: Duration = Duration::from_millis(50);

/// How long is waited for what may be missing when the reply, or that it is refused, is known: what was used, or the words of a refusal.
const PATIENCE: Duration = Duration::from_secs(1);

/// The longest streamed reply, in bytes.
const LONGEST: usize = 64 * 1024 * 1024;

/// How long a reply may take after its head.
#[derive(Clone, Copy)]
pub(super) struct Clocks {
    pub(super) between: Duration,
    /// When its caller gives up.
    pub(super) end: Option<Instant>,
}

impl Clocks {
    /// Until when it is waited for what may be missing: before its caller gives up, to whom nothing can be given then.
    pub(super) fn briefly(&self) -> Instant {
        self.at_most(PATIENCE)
    }

    fn at_most(&self, time: Duration) -> Instant {
        let now = Instant::now();
        // A reply that somebody reads may go on for longer than its model's share of the time.
        let left = self.end.filter(|end| *end > now).map_or(time, |end| (end - now) / 2);
        now + time.min(left)
    }
}

/// Whether a reply has ended, as far as its events say. Some servers say with every piece why it ends: it does with the first one that
/// brings nothing more of it. Pure.
#[derive(Default)]
struct Ending {
    has_said: bool,
    is_settled: bool,
}

impl Ending {
    /// An event was read, with something of the reply in it or not; whether one has said why the reply ends.
    fn saw(&mut self, has_more: bool, is_finished: bool) {
        self.has_said |= has_more;
        self.is_settled = is_finished && self.has_said && !has_more;
    }
}

/// Reads a stream to its end: where the server says so, or the end of the connection after the model has said why it ends. From then
/// on only what was used may still come; it is waited for briefly, and nothing that goes wrong makes the reply incomplete.
pub(super) async fn streamed<G: Growing>(
    mut response: Response,
    chunks: &Chunks,
    first: Instant,
    clocks: Clocks,
    sieve: Sieve<'_>,
) -> Result<ChatReply, ModelError> {
    let url = response.url().clone();
    let (mut events, mut growing, mut bytes) = (Events::default(), G::default(), 0);
    let mut ending = Ending::default();
    let mut shown = Shown { sieve, chunks };
    let broken = |growing: &G, message: String| ModelError::Broken { received: growing.received(), message };
    let mut deadline = first;
    loop {
        let waiting = if growing.has_begun() { Waiting::NextToken } else { Waiting::FirstToken };
        let piece = match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(piece)) => piece,
            // The model has said that this is all; what the connection does afterwards is of no interest.
            _ if growing.is_finished() => None,
            Ok(Err(error)) => return Err(broken(&growing, failed(&url, &error).to_string())),
            Err(_) => return Err(ModelError::Timeout(waiting)),
        };
        let Some(piece) = piece else { break };
        bytes += piece.len();
        let was_settled = ending.is_settled;
        let found = match bytes {
            ..=LONGEST => events.take(&piece).map_err(|TooLong| longer("an event of it", sse::LONGEST)),
            _ => Err(longer("it", LONGEST)),
        };
        let found = match found {
            Ok(found) => found,
            Err(_) if was_settled => break,
            Err(error) => return Err(error),
        };
        for event in found.into_iter().filter(|event| !is_nothing(event)) {
            match shown.take(&mut growing, &event).await {
                Ok(has_more) => ending.saw(has_more, growing.is_finished()),
                Err(_) if ending.is_settled => {}
                Err(error) => return Err(after(&growing, error)),
            }
            if growing.is_over() {
                let reply = finish(growing)?;
                shown.end().await;
                to_its_end(response).await;
                return Ok(reply);
            }
        }
        deadline = match (growing.is_finished(), ending.is_settled) {
            (_, true) if was_settled => deadline,
            (_, true) => clocks.briefly(),
            (true, false) => clocks.at_most(clocks.between),
            (false, false) if growing.has_begun() => Instant::now() + clocks.between,
            (false, false) => deadline,
        };
    }
    if let Some(event) = events.rest().filter(|event| !is_nothing(event)) {
        match shown.take(&mut growing, &event).await {
            // A piece that was cut is no piece.
            Ok(_) | Err(ModelError::Malformed(_)) => {}
            Err(_) if growing.is_finished() => {}
            Err(error) => return Err(after(&growing, error)),
        }
    }
    if !growing.is_finished() {
        return Err(broken(&growing, "the stream ended before the model did".to_owned()));
    }
    let reply = growing.end()?;
    shown.end().await;
    Ok(reply)
}

/// An error in a stream. What its model has used until then nobody knows, unless the error says it: what was told before was true then.
fn after(growing: &impl Growing, error: ModelError) -> ModelError {
    if growing.has_worked() { error.with_usage(None) } else { error }
}

/// Reads what is left of a body after it has said everything, which is its end: a connection is closed when it is left before, and
/// otherwise serves the next call. A server that does not end it, or goes on, is not waited for.
async fn to_its_end(mut response: Response) {
    let end = async { while let Ok(Some(_)) = response.chunk().await {} };
    let _it_is_over = tokio::time::timeout(MOMENT, end).await;
}

/// Whether an event keeps the connection alive, and says nothing.
fn is_nothing(event: &[u8]) -> bool {
    matches!(event.trim_ascii(), b"" | b"null")
}

fn longer(what: &str, bytes: usize) -> ModelError {
    ModelError::Malformed(format!("{what} is longer than {} MiB", bytes >> 20))
}

/// The server says that this is all.
fn finish(growing: impl Growing) -> Result<ChatReply, ModelError> {
    if !growing.is_finished() && growing.received() == 0 {
        return Err(ModelError::Malformed("it is empty".to_owned()));
    }
    growing.end()
}

/// What is seen of a stream while it comes. Whoever reads may have left; the caller still waits for the whole.
struct Shown<'a> {
    sieve: Sieve<'a>,
    chunks: &'a Chunks,
}

impl Shown<'_> {
    /// Whether the event had something of the reply in it.
    async fn take(&mut self, growing: &mut impl Growing, event: &[u8]) -> Result<bool, ModelError> {
        let mut has_more = false;
        for chunk in growing.take(event)? {
            has_more |= matches!(chunk, ChatChunk::Text(_) | ChatChunk::ToolCall { .. });
            if let Some(chunk) = self.sieve.take(chunk) {
                let _nobody_reads = self.chunks.send(chunk).await;
            }
        }
        Ok(has_more)
    }

    /// Nothing more comes.
    async fn end(self) {
        for chunk in self.sieve.rest() {
            let _nobody_reads = self.chunks.send(chunk).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_has_ended_with_the_first_event_behind_its_end_that_brings_nothing() {
        // Whether each event has something of the reply, and has said or says why it ends.
        let table: [(&[(bool, bool)], bool); 6] = [
            (&[(true, false), (false, true)], true),
            (&[(true, true)], false),
            (&[(true, true), (true, true), (false, true)], true),
            (&[(false, true), (false, true)], false),
            (&[(false, true), (true, true), (false, true)], true),
            (&[(true, false), (false, true), (true, true)], false),
        ];
        for (events, has_ended) in table {
            let mut ending = Ending::default();
            events.iter().for_each(|(has_more, is_finished)| ending.saw(*has_more, *is_finished));
            assert_eq!(ending.is_settled, has_ended, "{events:?}");
        }
    }
}
