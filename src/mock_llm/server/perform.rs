//! How are the steps of a reply performed on a socket? And is the client still there?

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use crate::mock_llm::stats::{Counters, InFlight};
use crate::mock_llm::wire::steps::{Step, Wire};

/// How long a client may take nothing before it counts as gone.
const STALLED: Duration = Duration::from_secs(60);

/// How much a client may send ahead while it waits for its reply, in bytes. One that sends more is not listening.
const AHEAD: usize = 1024 * 1024;

/// How a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// As it was meant.
    Meant,
    /// The client left before.
    Aborted,
}

/// Performs all steps. What the client sends meanwhile is appended to `input`.
pub(super) async fn perform(
    wire: &Wire,
    stream: &TcpStream,
    input: &mut Vec<u8>,
    mut in_flight: Option<InFlight<'_>>,
    counters: &Counters,
) -> Ended {
    let mut status = wire.status;
    // Each wait ends where it would without what was sent and waited before: being late does not add up.
    let mut due = Instant::now();
    for step in &wire.steps {
        if matches!(step, Step::Send(_) | Step::Slow(..) | Step::Repeat(..)) {
            // Before the first byte: whoever has the reply finds it counted.
            status.take().into_iter().for_each(|status| counters.status(status));
        }
        let is_there = match step {
            Step::Release => {
                in_flight = None;
                true
            }
            Step::Wait(time) => {
                due += *time;
                is_there_at(due, stream, input).await
            }
            Step::Send(range) => send(stream, &wire.bytes[range.clone()]).await.is_ok(),
            Step::Slow(range, every) => slow(wire, range.clone(), *every, stream, input).await,
            Step::Repeat(range, every) => repeat(&wire.bytes[range.clone()], *every, stream, input).await,
            // Whoever reads then finds the connection reset, when the stream is dropped.
            Step::Reset => stream.set_zero_linger().is_ok(),
            Step::Hang => {
                left(stream, input).await;
                false
            }
        };
        if !is_there {
            return Ended::Aborted;
        }
    }
    drop(in_flight);
    Ended::Meant
}

/// Writes everything, or fails when the client takes nothing for a long time.
pub(super) async fn send(stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match stream.try_write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => timeout(STALLED, stream.writable()).await??,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn slow(wire: &Wire, range: Range<usize>, every: Duration, stream: &TcpStream, input: &mut Vec<u8>) -> bool {
    for byte in wire.bytes[range].chunks(1) {
        if !is_there_at(Instant::now() + every, stream, input).await || send(stream, byte).await.is_err() {
            return false;
        }
        // Without a wait this is many small writes; the others have their turn between them.
        tokio::task::yield_now().await;
    }
    true
}

async fn repeat(bytes: &[u8], every: Duration, stream: &TcpStream, input: &mut Vec<u8>) -> bool {
    loop {
        if !is_there_at(Instant::now() + every, stream, input).await || send(stream, bytes).await.is_err() {
            return false;
        }
        // A client that reads as fast as this writes must not keep the others waiting.
        tokio::task::yield_now().await;
    }
}

/// Waits; `false` as soon as the client is gone.
async fn is_there_at(time: Instant, stream: &TcpStream, input: &mut Vec<u8>) -> bool {
    if time <= Instant::now() {
        return true;
    }
    tokio::select! {
        biased;
        () = left(stream, input) => false,
        () = sleep_until(time) => true,
    }
}

/// Returns when the client has left. One that only closed its half counts as gone, as with other servers.
async fn left(stream: &TcpStream, input: &mut Vec<u8>) {
    loop {
        if input.len() >= AHEAD {
            return;
        }
        if stream.readable().await.is_err() {
            return;
        }
        input.reserve(1024);
        match stream.try_read_buf(input) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
