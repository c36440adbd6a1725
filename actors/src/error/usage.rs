//! What did a call use that did not work?

use super::{ModelError, Waiting};
use crate::chat::TokenUsage;

impl ModelError {
    /// The same of a call whose model had worked; `None` when nobody knows what it used. What was said before stands.
    pub fn with_usage(self, usage: Option<TokenUsage>) -> Self {
        match self {
            Self::WithUsage { .. } => self,
            error => Self::WithUsage { error: Box::new(error), usage },
        }
    }

    /// Whether the provider has surely counted nothing for the attempt.
    pub(crate) fn used_nothing(&self) -> bool {
        match self {
            Self::Network { sent, .. } => !sent,
            Self::Timeout(waiting) => matches!(waiting, Waiting::Queue | Waiting::Connection),
            // A model that is overloaded has not begun; behind another failure one may have worked, and is paid for.
            Self::Unavailable { status, .. } => matches!(status, 503 | 529),
            // A reply that was refused halfway was made, and is paid for.
            Self::Broken { .. }
            | Self::Malformed(_)
            | Self::WithUsage { .. }
            | Self::Provider(_)
            | Self::ContentRefused(_) => false,
            _ => true,
        }
    }

    /// The error alone, and what was used; `None` when nobody knows.
    pub(crate) fn and_usage(self) -> (Self, Option<TokenUsage>) {
        match self {
            // A model may stand before another one.
            Self::WithUsage { error, usage } => (error.and_usage().0, usage),
            error if error.used_nothing() => (error, Some(TokenUsage::default())),
            error => (error, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_with_usage_is_the_same_error() {
        let second = Some(std::time::Duration::from_secs(1));
        let error = ModelError::Unavailable { status: 503, retry_after: second, message: "no".to_owned() };
        let used = Some(TokenUsage { input: 3, output: 2 });
        for usage in [used, None] {
            let with_usage = error.clone().with_usage(usage).with_usage(None);
            let said = |error: &ModelError| (error.code(), error.to_string(), error.hint(), error.retry_after());
            assert_eq!(said(&with_usage), said(&error));
            let (is_retryable, may_be_repeated) = (with_usage.is_retryable(), with_usage.may_be_repeated());
            assert_eq!((is_retryable, may_be_repeated, with_usage.used_nothing()), (true, true, false));
            assert_eq!(with_usage.and_usage(), (error.clone(), usage));
        }
        assert_eq!(error.clone().and_usage(), (error, Some(TokenUsage::default())));
        let broken = ModelError::Broken { received: 0, message: String::new() };
        assert_eq!(broken.clone().and_usage(), (broken, None));
    }
}
