//! How do the pieces of a reply reach their reader while it is made?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::chat::ChatChunk;

/// Pieces that wait for their reader; then the provider's connection waits.
const ROOM: usize = 64;

/// Where a [`ChatModel`](crate::ports::ChatModel) sends the pieces of a reply.
#[derive(Debug, Clone)]
pub struct Chunks {
    sender: mpsc::Sender<ChatChunk>,
    progress: Arc<Progress>,
}

/// How far a reply has come, over all attempts.
#[derive(Debug)]
struct Progress {
    began: Instant,
    /// Nanoseconds until the first piece, plus one; 0 before it.
    first: AtomicU64,
    /// Bytes of text, names and arguments.
    bytes: AtomicUsize,
}

/// The pieces of one reply, in order. It ends with the call. Dropping it only means that nobody reads: to leave the call,
/// drop the future of [`ChatCall::send`](super::ChatCall::send).
#[derive(Debug)]
pub struct ChunkStream {
    receiver: mpsc::Receiver<ChatChunk>,
}

pub(super) fn chunks() -> (Chunks, ChunkStream) {
    let (sender, receiver) = mpsc::channel(ROOM);
    let progress = Progress { began: Instant::now(), first: AtomicU64::new(0), bytes: AtomicUsize::new(0) };
    (Chunks { sender, progress: Arc::new(progress) }, ChunkStream { receiver })
}

impl Chunks {
    /// A pair that belongs to no call of a gateway: for a [`ChatModel`](crate::ports::ChatModel) that stands in front of another one
    /// and looks at the pieces of its reply.
    pub fn channel() -> (Self, ChunkStream) {
        chunks()
    }

    /// Sends the next piece, and waits while the reader is behind. `false` when the reader has left.
    pub async fn send(&self, chunk: ChatChunk) -> bool {
        let bytes = match &chunk {
            ChatChunk::Text(text) => text.len(),
            ChatChunk::ToolCall { name, arguments, .. } => {
                // Also one without a word has been seen.
                (arguments.len() + name.as_ref().map_or(0, String::len)).max(1)
            }
        };
        if self.progress.first.load(Ordering::Relaxed) == 0 {
            let nanos = u64::try_from(self.progress.began.elapsed().as_nanos()).unwrap_or(u64::MAX - 1);
            self.progress.first.store(nanos + 1, Ordering::Relaxed);
        }
        self.progress.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.sender.send(chunk).await.is_ok()
    }

    /// Bytes of text, names and arguments that were sent.
    pub fn sent(&self) -> usize {
        self.progress.bytes.load(Ordering::Relaxed)
    }

    /// From the call until the first piece.
    pub(super) fn first(&self) -> Option<Duration> {
        self.progress.first.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_nanos)
    }
}

impl ChunkStream {
    /// The next piece; `None` when the call is over, and its result says how.
    pub async fn next(&mut self) -> Option<ChatChunk> {
        self.receiver.recv().await
    }

    /// The same for who polls.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ChatChunk>> {
        self.receiver.poll_recv(cx)
    }
}
