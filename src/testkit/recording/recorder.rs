//! How does a conversation come into a file? A model that hands every call on to another one, and writes down what was asked and
//! what came back, and when.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callboard_actors::chat::ChatReply;
use callboard_actors::error::ModelError;
use callboard_actors::gateway::{ChunkStream, Chunks};
use callboard_actors::ports::{ChatModel, ModelCall, RateKey};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::error::RecordingError;
use super::file::{Exchange, TimedChunk, header, line};
use super::secrets::Secrets;

/// Records the calls of another model. Keys are struck before anything is written: those of the environment, those that were named,
/// and what looks like one. Headers are not among what a model is asked, and so never in a recording.
///
/// Not recorded are calls whose caller leaves, and those that tell of no conversation but of how it was set up: a key that is not
/// accepted, no such model, nobody at the address. A file without a call is removed at the end. Lines are written as replies end, and wait
/// for nothing but the system's file cache.
#[derive(Clone)]
pub struct Recorder {
    model: Arc<dyn ChatModel>,
    tape: Arc<Tape>,
    secrets: Arc<Secrets>,
}

struct Tape {
    path: PathBuf,
    line: Mutex<Line>,
}

struct Line {
    file: File,
    /// Whether anything was recorded.
    has_begun: bool,
}

/// One that nothing was recorded on is removed: it would be played from then on.
impl Drop for Tape {
    fn drop(&mut self) {
        if !self.line().has_begun {
            let _gone_already = std::fs::remove_file(&self.path);
        }
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recorder({}, {:?})", self.tape.path.display(), self.secrets)
    }
}

/// The variable that says that this is continuous integration.
const CI: &str = "CI";

impl Recorder {
    /// Records what `model` is asked in a new file. Its folder must be there.
    ///
    /// # Errors
    /// [`RecordingError`]: the variable `CI` is set, there is such a file, or it cannot be made. Its
    /// [`hint`](RecordingError::hint) says what to do.
    pub fn create(path: impl Into<PathBuf>, model: impl ChatModel) -> Result<Self, RecordingError> {
        let is_ci = std::env::var_os(CI).is_some_and(|value| !["", "0", "false"].iter().any(|no| value == *no));
        Self::create_in(path.into(), Arc::new(model), is_ci, Secrets::of_process())
    }

    pub(super) fn create_in(
        path: PathBuf,
        model: Arc<dyn ChatModel>,
        is_ci: bool,
        secrets: Secrets,
    ) -> Result<Self, RecordingError> {
        if is_ci {
            return Err(RecordingError::Ci(path));
        }
        let file = OpenOptions::new().append(true).create_new(true).open(&path);
        let mut file = file.map_err(|error| RecordingError::of_system(&path, &error))?;
        file.write_all(header().as_bytes()).map_err(|error| RecordingError::of_system(&path, &error))?;
        let tape = Arc::new(Tape { path, line: Mutex::new(Line { file, has_begun: false }) });
        Ok(Self { model, tape, secrets: Arc::new(secrets) })
    }

    /// One more text that must not be written down, in calls from now on. Name it to the [`Player`](super::Player), too.
    #[must_use]
    pub fn secret(mut self, secret: &str) -> Self {
        Arc::make_mut(&mut self.secrets).add(secret);
        self
    }

    /// Where it records.
    pub fn path(&self) -> &Path {
        &self.tape.path
    }
}

impl Tape {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes one line in one piece.
    fn write(&self, exchange: Option<&Exchange>) -> Result<(), ModelError> {
        let failed = |what: &str| {
            let path = self.path.display();
            ModelError::Provider(format!("the conversation cannot be recorded in `{path}`: {what}"))
        };
        let line = exchange.and_then(line).ok_or_else(|| failed("it cannot be written as JSON"))?;
        let mut tape = self.line();
        tape.has_begun = true;
        tape.file.write_all(line.as_bytes()).map_err(|error| failed(&error.to_string()))
    }
}

impl ChatModel for Recorder {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let ModelCall { request, timeouts, chunks } = call;
        let (began, asked) = (Instant::now(), request.clone());
        let (inner, pieces) = chunks.as_ref().map(|_| Chunks::channel()).unzip();
        let answer = self.model.complete(ModelCall { request, timeouts, chunks: inner });
        let (tape, secrets) = (self.tape.clone(), self.secrets.clone());
        Box::pin(async move {
            let (outcome, chunks) = match chunks.zip(pieces) {
                Some((reader, pieces)) => listen(answer, pieces, &reader, began).await,
                None => (answer.await, Vec::new()),
            };
            if outcome.as_ref().is_err_and(is_about_the_setup) {
                return outcome;
            }
            let request = Arc::unwrap_or_clone(asked);
            let exchange = Exchange { request, chunks, took_us: since(began), outcome: outcome.clone().into() };
            tape.write(secrets.exchange(exchange).as_ref())?;
            outcome
        })
    }

    fn rate_key(&self) -> Option<RateKey> {
        self.model.rate_key()
    }
}

/// Whether the next try, with another key or address, is the first one that is worth keeping.
fn is_about_the_setup(error: &ModelError) -> bool {
    matches!(
        error,
        ModelError::Unauthorized { .. }
            | ModelError::NotFound(_)
            | ModelError::Untrusted(_)
            | ModelError::Network { sent: false, .. }
            | ModelError::NetworkBlocked(_)
            | ModelError::NotRecorded(_)
    )
}

fn since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Waits for the reply, hands its pieces on as they come, and keeps when they came.
async fn listen(
    mut answer: BoxFuture<'static, Result<ChatReply, ModelError>>,
    mut pieces: ChunkStream,
    reader: &Chunks,
    began: Instant,
) -> (Result<ChatReply, ModelError>, Vec<TimedChunk>) {
    let mut heard = Vec::new();
    let outcome = loop {
        tokio::select! {
            biased;
            Some(chunk) = pieces.next() => {
                heard.push(TimedChunk { at_us: since(began), chunk: chunk.clone() });
                if !reader.send(chunk).await {
                    // The model learns it with its next piece.
                    drop(pieces);
                    return (answer.await, heard);
                }
            }
            outcome = &mut answer => break outcome,
        }
    };
    // What it sent last.
    while let Some(Some(chunk)) = pieces.next().now_or_never() {
        heard.push(TimedChunk { at_us: since(began), chunk: chunk.clone() });
        if !reader.send(chunk).await {
            break;
        }
    }
    (outcome, heard)
}
