//! How does a recorded conversation answer? A model that gives to each request what was recorded for it, piece by piece as it came then.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use callboard_actors::chat::{ChatReply, ChatRequest};
use callboard_actors::error::ModelError;
use callboard_actors::gateway::{Chunks, canonical};
use callboard_actors::ports::{ChatModel, ModelCall};
use callboard_actors::text::count;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep_until};

use super::difference::nearest;
use super::error::RecordingError;
use super::file::{Exchange, Outcome, TimedChunk, parse};
use super::secrets::Secrets;

/// The longest recording that is played, in MiB.
const LONGEST: u64 = 256;

/// Plays a recording: each request gets what was recorded for it, the same request again what was recorded next, and one that was not
/// recorded is [`ModelError::NotRecorded`], which says what differs from the nearest. Pieces come when they came then, by tokio's clock:
/// on virtual time that takes none. Clones play one recording.
#[derive(Clone)]
pub struct Player {
    path: Arc<Path>,
    exchanges: Arc<[Arc<Exchange>]>,
    left: Arc<Mutex<Left>>,
    secrets: Arc<Secrets>,
    waits: bool,
}

/// What was not played yet: places of exchanges by their request, in canonical form.
type Left = BTreeMap<Vec<u8>, VecDeque<usize>>;

impl std::fmt::Debug for Player {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Player({}, {} of {} left)", self.path.display(), self.left(), self.exchanges.len())
    }
}

impl Player {
    /// Reads a recording to its end.
    ///
    /// # Errors
    /// [`RecordingError`] for a file that is not there, is something else, damaged, cut or of a newer version. Its
    /// [`hint`](RecordingError::hint) says what to do.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RecordingError> {
        Self::open_with(path.into(), Secrets::of_process())
    }

    pub(super) fn open_with(path: PathBuf, secrets: Secrets) -> Result<Self, RecordingError> {
        let exchanges: Arc<[_]> = parse(&path, &read(&path)?)?.into_iter().map(Arc::new).collect();
        let (left, secrets) = (Arc::new(Mutex::new(unplayed(&exchanges, &secrets))), Arc::new(secrets));
        Ok(Self { path: path.into(), exchanges, left, secrets, waits: true })
    }

    /// One more text that was not written down: see [`Recorder::secret`](super::Recorder::secret).
    #[must_use]
    pub fn secret(mut self, secret: &str) -> Self {
        Arc::make_mut(&mut self.secrets).add(secret);
        self.left = Arc::new(Mutex::new(unplayed(&self.exchanges, &self.secrets)));
        self
    }

    /// Without the waits of then: everything comes at once.
    #[must_use]
    pub fn without_waits(self) -> Self {
        Self { waits: false, ..self }
    }

    /// Replies that nobody has asked for yet.
    pub fn left(&self) -> usize {
        self.unplayed().values().map(VecDeque::len).sum()
    }

    fn unplayed(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, request: &ChatRequest) -> Result<Arc<Exchange>, ModelError> {
        let request = self.secrets.request(request);
        let key = canonical(&request).unwrap_or_default();
        let place = match self.unplayed().get_mut(&key) {
            Some(places) => places.pop_front().ok_or_else(|| self.over(&key)),
            None => Err(self.unknown(&request)),
        };
        place.map(|place| self.exchanges[place].clone())
    }

    /// It was recorded, and less often.
    fn over(&self, key: &[u8]) -> ModelError {
        let same = |exchange: &&Arc<Exchange>| key_of(exchange, &self.secrets) == key;
        let (path, times) = (self.path.display(), count(self.exchanges.iter().filter(same).count(), "time"));
        ModelError::NotRecorded(format!(
            "this request was recorded {times} in `{path}`, and is made once more; make as many calls as then, or remove the file \
             and record anew"
        ))
    }

    fn unknown(&self, request: &ChatRequest) -> ModelError {
        let path = self.path.display();
        let differs = match nearest(request, self.exchanges.iter().map(|exchange| &exchange.request)) {
            // The first line says what the file is.
            Some((place, words)) => format!("the nearest is that of line {}, where {words}", place + 2),
            None => "nothing was recorded".to_owned(),
        };
        ModelError::NotRecorded(format!(
            "no such request was recorded in `{path}`: {differs}; ask as it was asked then, or remove the file and record anew"
        ))
    }
}

/// All of a recording.
fn unplayed(exchanges: &[Arc<Exchange>], secrets: &Secrets) -> Left {
    let mut left = Left::new();
    for (place, exchange) in exchanges.iter().enumerate() {
        left.entry(key_of(exchange, secrets)).or_default().push_back(place);
    }
    left
}

/// What is a key here may not have been one where it was recorded.
fn key_of(exchange: &Exchange, secrets: &Secrets) -> Vec<u8> {
    canonical(&secrets.request(&exchange.request)).unwrap_or_default()
}

impl ChatModel for Player {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let (found, waits) = (self.find(&call.request), self.waits);
        Box::pin(async move { play(&*found?, call.chunks.as_ref(), waits).await })
    }
}

/// One reply, as it came. Who reads along sees one that came whole when it is there.
async fn play(exchange: &Exchange, reader: Option<&Chunks>, waits: bool) -> Result<ChatReply, ModelError> {
    let began = Instant::now();
    let until = |micros: u64| sleep_until(began + if waits { Duration::from_micros(micros) } else { Duration::ZERO });
    let mut reader = reader;
    if let Some(chunks) = reader {
        for TimedChunk { at_us, chunk } in &exchange.chunks {
            until(*at_us).await;
            if !chunks.send(chunk.clone()).await {
                reader = None;
                break;
            }
        }
    }
    until(exchange.took_us).await;
    if let (Some(chunks), Outcome::Reply(reply)) = (reader, &exchange.outcome)
        && exchange.chunks.is_empty()
    {
        for chunk in reply.chunks() {
            if !chunks.send(chunk).await {
                break;
            }
        }
    }
    exchange.outcome.clone().into()
}

fn read(path: &Path) -> Result<Vec<u8>, RecordingError> {
    let failed = |error: &std::io::Error| RecordingError::of_system(path, error);
    let mut content = Vec::new();
    let file = File::open(path).map_err(|error| failed(&error))?;
    file.take((LONGEST << 20) + 1).read_to_end(&mut content).map_err(|error| failed(&error))?;
    match content.len() as u64 > LONGEST << 20 {
        true => Err(RecordingError::TooLong { path: path.to_owned(), most: LONGEST }),
        false => Ok(content),
    }
}
