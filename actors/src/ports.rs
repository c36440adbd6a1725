//! What does the core need from outside? Each port is one ability; adapters live in the facade crate.
//!
//! Every method returns a boxed future that may be dropped at any point: dropping it is cancellation. No method may
//! block the thread it is called on: blocking work belongs on a blocking pool, inside the adapter.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::chat::{ChatReply, ChatRequest};
use crate::error::{ModelError, RetrieveError, StoreError};
use crate::gateway::{Chunks, Timeouts};
use crate::research::{Query, Retrieved};

/// Finds passages. Implemented by a corpus of local documents.
pub trait Retriever: Send + Sync + 'static {
    /// The passages that fit `query`, best first, at most `query.limit`.
    ///
    /// # Errors
    /// [`RetrieveError`] says whether asking again can help.
    fn search(&self, query: Query) -> BoxFuture<'static, Result<Retrieved, RetrieveError>>;
}

/// Hands out the stored text of a source, so that a quote can be checked against it.
pub trait SourceStore: Send + Sync + 'static {
    /// The whole stored text whose SHA-256 (lower-case hexadecimal) is `source`; `None` when there is none.
    ///
    /// # Errors
    /// [`RetrieveError`] when the store cannot be read.
    fn text(&self, source: &str) -> BoxFuture<'static, Result<Option<Arc<str>>, RetrieveError>>;
}

/// One attempt of a call, as a [`ChatModel`] gets it.
#[derive(Debug)]
pub struct ModelCall {
    /// What is asked.
    pub request: Arc<ChatRequest>,
    /// How long to wait for what; the gateway itself keeps `total`.
    pub timeouts: Timeouts,
    /// Where the pieces of the reply go as they come; `None` when nobody wants them, and the reply may come in one piece.
    pub chunks: Option<Chunks>,
}

/// A language model behind one address and name. It makes a call once: retries belong to the gateway.
pub trait ChatModel: Send + Sync + 'static {
    /// One attempt. Dropping the future closes the connection.
    ///
    /// # Errors
    /// [`ModelError`] says what the caller can do about it.
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>>;
}

/// A reply as a [`ReplyStore`] has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReply {
    /// The answer, whose [`headroom`](ChatReply::headroom) is empty: it was true of another moment.
    pub reply: ChatReply,
    /// How long ago it was written.
    pub age: Duration,
}

/// Keeps replies longer than a process lives. It is a cache: what it loses or drops is asked for again. A key is everything
/// that was asked, in the canonical form that the gateway writes; an adapter never answers for another key with the same hash.
pub trait ReplyStore: Send + Sync + 'static {
    /// The reply that was kept for this key; `None` when there is none, or when it is too old.
    ///
    /// # Errors
    /// [`StoreError`] says what to do about it. The call is then made as if nothing were kept.
    fn read(&self, key: Arc<[u8]>) -> BoxFuture<'static, Result<Option<StoredReply>, StoreError>>;

    /// Keeps a reply in place of the one before. Ends when it is kept. It is under way when this returns, and is not taken back
    /// by a drop of the future.
    ///
    /// # Errors
    /// [`StoreError`] says what to do about it. Nothing is kept then.
    fn write(&self, key: Arc<[u8]>, reply: ChatReply) -> BoxFuture<'static, Result<(), StoreError>>;
}
