//! What may be configured of kept replies, and which values make sense?

use std::time::Duration;

use callboard_actors::error::StoreError;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The bounds of the replies in a file. They are kept when something is written; when the file is opened, what is too old goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyOptions {
    /// A reply is found as long as it is younger: above zero, at most 366 days. The default is 24 hours, as that of
    /// [`CachePolicy::max_age`](callboard_actors::gateway::CachePolicy::max_age), beyond which a gateway takes none.
    pub max_age: Duration,
    /// At most this many replies are kept, the newest: 1 to 100,000,000. The default is 100,000.
    pub max_entries: u64,
    /// At most this many bytes are kept, those of requests and replies together: 4,096 to a tebibyte. The default is 512 MiB.
    /// The file is somewhat larger, and does not shrink when this does.
    pub max_bytes: u64,
    /// Who answers, beside the model's name: the addresses of the providers, for example. What was kept under another name is
    /// not found. At most 64 KiB; the default is empty.
    pub realm: String,
    /// How long one operation waits for another process: up to 60 seconds. The default is 250 milliseconds.
    pub wait: Duration,
}

impl Default for ReplyOptions {
    fn default() -> Self {
        Self {
            max_age: DAY,
            max_entries: 100_000,
            max_bytes: 512 << 20,
            realm: String::new(),
            wait: Duration::from_millis(250),
        }
    }
}

impl ReplyOptions {
    /// Checks every rule.
    ///
    /// # Errors
    /// [`StoreError::Options`] names the value and its range.
    pub fn validate(&self) -> Result<(), StoreError> {
        let Self { max_age, max_entries, max_bytes, realm, wait } = self;
        let broken = if max_age.is_zero() || *max_age > 366 * DAY {
            format!("max_age is {max_age:?}; it must be above zero and at most 366 days")
        } else if !(1..=100_000_000).contains(max_entries) {
            format!("max_entries is {max_entries}; it must be between 1 and 100000000")
        } else if !(4096..=1 << 40).contains(max_bytes) {
            format!("max_bytes is {max_bytes}; it must be between 4096 and {}", 1_u64 << 40)
        } else if realm.len() > 64 << 10 {
            format!("realm is {} bytes long; it must be at most {}", realm.len(), 64 << 10)
        } else {
            return may_wait(*wait);
        };
        Err(StoreError::Options(broken))
    }
}

/// Whether a store may wait so long for another process.
pub(super) fn may_wait(wait: Duration) -> Result<(), StoreError> {
    match wait > Duration::from_secs(60) {
        true => Err(StoreError::Options(format!("wait is {wait:?}; it must be at most 60 seconds"))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use callboard_actors::gateway::CachePolicy;

    use super::*;

    #[test]
    fn every_value_out_of_range_is_named() {
        let options = ReplyOptions::default;
        let wrong = [
            ("max_age", ReplyOptions { max_age: Duration::ZERO, ..options() }),
            ("max_age", ReplyOptions { max_age: 367 * DAY, ..options() }),
            ("max_entries", ReplyOptions { max_entries: 0, ..options() }),
            ("max_entries", ReplyOptions { max_entries: 100_000_001, ..options() }),
            ("max_bytes", ReplyOptions { max_bytes: 4095, ..options() }),
            ("max_bytes", ReplyOptions { max_bytes: u64::MAX, ..options() }),
            ("realm", ReplyOptions { realm: "x".repeat((64 << 10) + 1), ..options() }),
            ("wait", ReplyOptions { wait: Duration::MAX, ..options() }),
        ];
        for (name, options) in wrong {
            let message = options.validate().unwrap_err().to_string();
            assert!(message.contains(&format!("{name} is ")), "{name}: {message}");
        }
        assert_eq!(options().validate(), Ok(()));
    }

    #[test]
    fn nothing_is_kept_that_no_gateway_would_take() {
        assert_eq!(ReplyOptions::default().max_age, CachePolicy::default().max_age);
    }
}
