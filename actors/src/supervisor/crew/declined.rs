//! Why is there no usable reply of a model? In words for a report.

use crate::error::{ModelError, in_seconds};

/// Why there is no usable reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::supervisor) enum Declined {
    /// A call did not work; whether an earlier one was answered.
    Model { error: ModelError, was_answered: bool },
    /// The reply was no use, twice.
    Unfit(String),
    /// Nothing of the evidence is short enough for the model.
    TooLong,
    /// No model was asked: each let earlier calls of the run wait for nothing.
    Silent,
    /// No model was asked: the server of each failed earlier calls of the run, at last so.
    Failing(String),
}

impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Model { error, .. } => write!(f, "{}", why(error)),
            Self::Unfit(reason) => write!(f, "its reply could not be used, and neither could a second one: {reason}"),
            Self::Silent => {
                write!(
                    f,
                    "it did not answer two calls in a row in the time that they had, and is not asked again in this run"
                )
            }
            Self::Failing(failure) => {
                let failure = failure.trim_end_matches('.');
                write!(f, "two calls in a row failed: {failure}; it is not asked again in this run")
            }
            Self::TooLong => write!(f, "the text is too long for it, however little of it is shown"),
        }
    }
}

/// Why a call of a model did not work, and when it may: the rules go on before that.
pub(super) fn why(error: &ModelError) -> String {
    match error {
        ModelError::Timeout(_) if !error.is_unreachable() => "it did not answer in the time that it had".to_owned(),
        ModelError::RateLimited { retry_after: Some(wait), .. }
        | ModelError::Unavailable { retry_after: Some(wait), .. } => {
            format!("{error}; it may be asked again in {}", in_seconds(*wait))
        }
        _ => error.to_string(),
    }
}

/// The same of one reply that was no use, when another model was asked after it.
pub(super) fn unfit_once(reason: &str) -> String {
    format!("its reply could not be used: {reason}")
}
