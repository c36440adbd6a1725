//! What does the core need from outside? Each port is one ability; adapters live in the facade crate.
//!
//! Every method returns a boxed future that may be dropped at any point: dropping it is cancellation. No method may
//! block the thread it is called on: blocking work belongs on a blocking pool, inside the adapter.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, ready};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::chat::{ChatReply, ChatRequest, ToolSpec, Turn};
use crate::chat_agent::{Callers, ToolPlace};
use crate::error::{ModelError, RetrieveError, StoreError, ToolError};
use crate::gateway::{Budget, Chunks, Priority, Timeouts};
use crate::research::{Query, Retrieved};
use crate::scope::Scope;

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
    /// How long to wait for what; the gateway itself keeps `total`, which is no more than what is left of the call's time.
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

    /// Whose rate its calls count against. `None`, the default, is nobody's but its own. A model that stands before another one says what
    /// that one says.
    fn rate_key(&self) -> Option<RateKey> {
        None
    }
}

/// Whose requests and tokens a provider counts together. A number that says nothing of the key behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RateKey(u64);

impl RateKey {
    /// Of whoever calls this address with this key; without a key, of all who do.
    pub fn of(address: &str, key: Option<&str>) -> Self {
        let mut hash = Sha256::new();
        for part in [address, key.unwrap_or("")] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
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

/// What a store has of a session for an agent that summarises.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The newest turns, oldest first, each with its number. Numbers grow along a session, and none comes twice, also when the session
    /// was forgotten meanwhile.
    pub turns: Vec<(u64, Turn)>,
    /// What was said up to one of the session's turns, if somebody summarised it.
    pub summary: Option<Summary>,
}

/// What was said in a session, in few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The words.
    pub text: String,
    /// The number of the last turn that they are about.
    pub through: u64,
}

/// Keeps what was said in sessions. Sessions are told apart by their names. A panic is the error [`StoreError::Panicked`] of an ask. `testkit::sessions` is what every store must do.
pub trait SessionStore: Send + Sync + 'static {
    /// The newest turns of a session, at most so many, oldest first; none of one that nobody knows.
    ///
    /// # Errors
    /// [`StoreError`] says what to do about it.
    fn load(&self, session: Arc<str>, most: usize) -> BoxFuture<'static, Result<Vec<Turn>, StoreError>>;

    /// Adds these turns at the end, all of them in one piece or none, whoever else adds at the same time. They are kept when the
    /// future ends. It is under way when this returns, and is not taken back by a drop of the future.
    ///
    /// # Errors
    /// [`StoreError`] says what to do about it. Nothing was added then, and nothing is; only after [`StoreError::Late`], or a panic, nobody
    /// knows.
    fn append(&self, session: Arc<str>, turns: Vec<Turn>) -> BoxFuture<'static, Result<(), StoreError>>;

    /// Removes all turns of a session, and its summary.
    ///
    /// # Errors
    /// [`StoreError`] says what to do about it.
    fn forget(&self, session: Arc<str>) -> BoxFuture<'static, Result<(), StoreError>>;

    /// The newest turns of a session, at most so many, with its summary; both of one moment. `None` from a store that keeps no summaries:
    /// the default.
    ///
    /// # Errors
    /// [`StoreError`] says what to do about it.
    fn history(&self, session: Arc<str>, most: usize) -> BoxFuture<'static, Result<Option<History>, StoreError>> {
        let _ = (session, most);
        Box::pin(ready(Ok(None)))
    }

    /// Keeps a summary in place of the one before. Not when that one goes as far or further, or when the turn that it goes through is not
    /// there any more: another run was faster, or the session was forgotten. Says whether it is kept. It is under way when this returns.
    ///
    /// # Errors
    /// [`StoreError`] says what to do about it. What was kept before is kept still.
    fn keep_summary(&self, session: Arc<str>, summary: Summary) -> BoxFuture<'static, Result<bool, StoreError>> {
        let _ = (session, summary);
        Box::pin(ready(Ok(false)))
    }
}

/// What an agent can do beside talking. One tool may serve many agents at the same time.
pub trait Tool: Send + Sync + 'static {
    /// What the model is told of it. Asked once, when an agent starts.
    fn spec(&self) -> Arc<ToolSpec>;

    /// How it may be called. Asked once, when an agent starts.
    fn policy(&self) -> ToolPolicy {
        ToolPolicy::default()
    }

    /// One call. `arguments` are JSON of the model's own making: check them. Dropping the future ends the call.
    ///
    /// # Errors
    /// [`ToolError`], whose text the model is told, so that it can do better.
    fn call(&self, arguments: Value, context: ToolContext) -> BoxFuture<'static, Result<String, ToolError>>;
}

/// How a tool may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolPolicy {
    /// How long one attempt may take: above zero. The default is a minute.
    pub timeout: Duration,
    /// How often a call is made at most when it fails in a way that may pass: at least 1, which is the default and no retry.
    pub attempts: u32,
    /// How many of an agent's asks and turns may use it at the same time: at least 1; `None`, the default, is as many as come. What goes
    /// on after its time, on a thread, is one of them until it is over; a call that has waited for nothing but such is given up after `timeout`
    /// ([`ToolError::Busy`]).
    pub at_once: Option<usize>,
    /// Its calls wait for those before them in the turn, and those after them wait for it. Not so by default. One that goes on after its
    /// time, on a thread, is waited for by later turns, too.
    pub sequential: bool,
    /// It works on a thread of the blocking pool, as a plain function with `#[tool]` does. A process has 256 for its tools together, and a
    /// tool as many of these as it leaves free; one more call waits for a thread. Not so by default. A tool of your own that says so gives
    /// what [`ToolContext::place`] holds to its work.
    pub blocks: bool,
    /// A person has to approve each call. Not so by default. The wait for the person is none of `timeout`.
    pub needs_approval: bool,
    /// The longest output or error in bytes that the model is shown: at least 64; more is cut. The default is 64 KiB.
    pub max_output: usize,
}

impl Default for ToolPolicy {
    fn default() -> Self {
        let timeout = Duration::from_secs(60);
        let max_output = 64 * 1024;
        Self {
            timeout,
            attempts: 1,
            at_once: None,
            sequential: false,
            blocks: false,
            needs_approval: false,
            max_output,
        }
    }
}

/// What a tool is told beside its arguments.
#[derive(Debug, Clone)]
pub struct ToolContext {
    /// The agent that calls it.
    pub agent: Arc<str>,
    /// The agents that wait for this call: the first was asked by the program, the last is the one that calls.
    pub callers: Callers,
    /// What the ask's model calls are taken from, for a tool that calls models itself.
    pub budget: Option<Budget>,
    /// The run that the ask belongs to.
    pub run: Option<String>,
    /// The user on whose behalf it is asked.
    pub user: Option<String>,
    /// The session that the ask goes on with.
    pub session: Option<String>,
    /// How soon the ask matters, for a tool that calls models itself.
    pub priority: Priority,
    /// The provider's name for the call; the same in all attempts.
    pub call: Arc<str>,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// When the attempt is over at the latest.
    pub deadline: Instant,
    /// Ends with the ask, or when nobody waits for this attempt any more: for a tool that cannot be dropped, such as one on a thread
    /// of its own.
    pub scope: Scope,
    /// What the call takes up, of `at_once` and of the other bounds. A tool on a thread of its own [holds](ToolPlace::hold) it there until
    /// it is over, so that calls which nobody waits for any more are counted still.
    pub place: ToolPlace,
}

/// What a [`Guardrail`] looks at.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Guarded {
    /// The question of an ask. It is looked at while the model is called, whose call is dropped when the look says so.
    Input(String),
    /// The answer, before its asker has it.
    Output(String),
    /// A tool call, before it is made. A handoff is one, too: of the tool `transfer_to_NAME`.
    ToolCall {
        /// Which tool.
        tool: String,
        /// Its arguments.
        arguments: Value,
    },
}

/// What a [`Guardrail`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing against it.
    Pass,
    /// It must not be; why, for people, and for the model where it is a tool call.
    Block(String),
}

/// Looks at what goes into an agent, comes out of it, or is done by it.
pub trait Guardrail: Send + Sync + 'static {
    /// Its name, for people.
    fn name(&self) -> &str;

    /// Whether this may be. Dropping the future ends the look. A panic blocks.
    fn check(&self, what: Guarded) -> BoxFuture<'static, Verdict>;
}

/// A tool call that a person is to approve.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// The agent that wants it.
    pub agent: Arc<str>,
    /// Which tool.
    pub tool: String,
    /// Its arguments. They are a model's, and may come from a document: show them so that no terminal acts on them.
    pub arguments: Value,
    /// SHA-256 of tool and arguments, in hexadecimal: an approval is of this very call.
    pub fingerprint: String,
}

/// What a person decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may be made, if it is the call with this [`fingerprint`](Approval::fingerprint).
    Approved {
        /// That of the [`Approval`].
        fingerprint: String,
    },
    /// It may not; the model is told why.
    Denied {
        /// Why.
        reason: String,
    },
}

/// Asks a person. The ask goes on waiting, within its time.
pub trait Approver: Send + Sync + 'static {
    /// What the person decides. Dropping the future means that nobody waits for the decision any more. A panic denies.
    fn decide(&self, approval: Approval) -> BoxFuture<'static, Decision>;
}
