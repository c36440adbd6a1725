//! How does a test have a real conversation without the provider? It is recorded once, committed, and played from then on.

mod difference;
mod error;
mod file;
mod player;
mod recorder;
mod redact;
mod secrets;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use callboard_actors::chat::ChatReply;
use callboard_actors::error::ModelError;
use callboard_actors::ports::{ChatModel, ModelCall};
use futures_util::future::BoxFuture;

pub use error::RecordingError;
pub use player::Player;
pub use recorder::Recorder;

/// A conversation that is played if it was recorded, and recorded if not.
#[derive(Debug, Clone)]
pub enum Recorded {
    /// It was recorded.
    Plays(Player),
    /// It is recorded now.
    Records(Recorder),
}

/// Plays the recording in this file. When there is none, `model` is asked, and the conversation is recorded there.
///
/// # Errors
/// [`RecordingError`]: of a file that cannot be played, or of one that cannot be recorded, as in continuous integration.
pub fn play_or_record<M: ChatModel>(
    path: impl Into<PathBuf>,
    model: impl FnOnce() -> M,
) -> Result<Recorded, RecordingError> {
    let path = path.into();
    match Player::open(&path) {
        Ok(player) => Ok(Recorded::Plays(player)),
        Err(RecordingError::Missing(_)) => Recorder::create(path, model()).map(Recorded::Records),
        Err(error) => Err(error),
    }
}

impl ChatModel for Recorded {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        match self {
            Self::Plays(player) => player.complete(call),
            Self::Records(recorder) => recorder.complete(call),
        }
    }
}
