//! What of the gateway's decisions is worth a line in the log? It is noted where it is decided, and written where no lock is
//! held.

use std::sync::Arc;
use std::time::Duration;

use crate::error::ModelError;

/// What is worth a line in the log.
pub(super) enum Note {
    Again {
        error: ModelError,
        wait: Duration,
        attempt: u32,
    },
    /// With the numbers of the models.
    FallsBack {
        model: usize,
        instead: usize,
        error: ModelError,
    },
    /// So many that waited.
    TurnAway {
        model: usize,
        calls: usize,
        /// The model whose refusal they would have had to wait for.
        refused: Option<Arc<str>>,
    },
}

impl Note {
    /// Writes the line, where no lock is held.
    pub(super) fn log(self, names: &[Arc<str>]) {
        match self {
            Self::Again { error, wait, attempt } => {
                tracing::debug!(%error, ?wait, attempt, "a model call is made again");
            }
            Self::FallsBack { model, instead, error } => {
                let (model, instead) = (&names[model], &names[instead]);
                tracing::warn!(%model, %instead, %error, "a model call falls back to the next model");
            }
            Self::TurnAway { model, calls, refused } => {
                let (model, refused) = (&names[model], refused.as_deref());
                tracing::warn!(%model, calls, refused, "calls that waited for a model that fails or pauses turn to the next one");
            }
        }
    }
}
