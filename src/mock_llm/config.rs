//! How should the mock behave? One struct with public fields, and what makes it impossible.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::fault::FaultRates;
use super::latency::Latency;
use super::limits::Limits;
use super::script::Script;

/// The most threads that are taken.
const MOST_THREADS: usize = 64;

/// The longest time that is accepted for one wait.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The longest reply, in tokens.
const MOST_TOKENS: u32 = 1_000_000;

/// What is said of a limit of 0.
pub(super) const ZERO: &str = "a limit of 0 would refuse everything: choose 1 or more";

/// The behaviour of a mock server. The default answers at once, without faults and limits, on a free port.
#[derive(Debug, Clone)]
pub struct MockConfig {
    /// Where to listen; loopback only. Port 0 is a free one.
    pub listen: SocketAddr,
    /// Decides all that looks like chance. The same seed and the same order of calls give the same replies.
    pub seed: u64,
    /// How long replies wait.
    pub latency: Latency,
    /// The length of a reply without a script, in tokens of four bytes.
    pub reply_tokens: u32,
    /// What is refused with 429.
    pub limits: Limits,
    /// How often which fault happens.
    pub faults: FaultRates,
    /// The time between two bytes of `slow_headers` and `slow_body`.
    pub slow_byte: Duration,
    /// Fixed replies.
    pub script: Option<Script>,
    /// What `/v1/models` lists.
    pub models: Vec<String>,
    /// Whether a model that is not listed is answered with 404.
    pub strict_models: bool,
    /// Whether a request with `tools` and no `tool_choice` gets a call instead of text.
    pub tool_calls: bool,
    /// Whether a request without `Authorization: Bearer ...` is answered with 401. Any key will do.
    pub require_key: bool,
    /// How many threads serve. They belong to the server.
    pub threads: usize,
    /// How many connections may be open; more wait in the listener's queue.
    pub max_connections: usize,
    /// After this time without a request a connection is closed.
    pub idle: Duration,
    /// How long a request may take from its first byte to its last.
    pub request_time: Duration,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            seed: 0,
            latency: Latency::default(),
            reply_tokens: 16,
            limits: Limits::default(),
            faults: FaultRates::default(),
            slow_byte: Duration::from_secs(1),
            script: None,
            models: vec!["mock".into()],
            strict_models: false,
            tool_calls: false,
            require_key: false,
            threads: 2,
            max_connections: 10_000,
            idle: Duration::from_secs(75),
            request_time: Duration::from_secs(30),
        }
    }
}

impl MockConfig {
    /// Names the first setting that cannot be.
    pub fn validate(&self) -> Result<(), MockError> {
        let Latency { reply, first_token, between_tokens, sigma } = self.latency;
        let longest = [reply, first_token, between_tokens, self.slow_byte, self.idle, self.request_time];
        let wrong = if !self.listen.ip().is_loopback() {
            "the mock listens on loopback only: choose 127.0.0.1 or ::1"
        } else if !(0.0..=10.0).contains(&sigma) {
            "choose a sigma from 0 to 10"
        } else if longest.iter().any(|time| *time > LONGEST) {
            "choose times up to 24 hours"
        } else if self.reply_tokens > MOST_TOKENS {
            "choose a reply of at most 1,000,000 tokens"
        } else if self.limits.zero().is_some() {
            ZERO
        } else if !(1..=MOST_THREADS).contains(&self.threads) {
            "choose 1 to 64 threads"
        } else if self.max_connections == 0 {
            "choose at least one connection"
        } else if self.idle.is_zero() || self.request_time.is_zero() {
            "choose a time above 0 for `idle` and `request_time`"
        } else if self.models.is_empty() || self.models.iter().any(|name| name.trim().is_empty()) {
            "name at least one model, and none with an empty name"
        } else {
            return Ok(());
        };
        Err(MockError::Config(wrong.to_owned()))
    }
}

/// Why there is no server.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum MockError {
    /// A setting cannot be.
    #[error("{0}")]
    Config(String),
    /// The address cannot be listened on: most often its port is taken.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system gives no thread.
    #[error("no thread could be started")]
    Thread(#[source] std::io::Error),
}

impl MockError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "mock_config",
            Self::Listen { .. } => "cannot_listen",
            Self::Thread(_) => "thread",
        }
    }

    /// Whether the same server may start later: when a port or a thread is free again.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Config(_) => false,
            Self::Listen { source, .. } => source.kind() == std::io::ErrorKind::AddrInUse,
            Self::Thread(_) => true,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Config(_) => "correct the value that is named",
            Self::Listen { .. } if self.is_retryable() => {
                "stop what listens there and try again, or choose another port; port 0 takes a free one"
            }
            Self::Listen { .. } => {
                "choose an address of this machine and a port that you may use; port 0 takes a free one"
            }
            Self::Thread(_) => "close other programs, and try again",
        }
    }
}

callboard_actors::shown_to_people!(MockError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_may_be_free_later() {
        let listen = |kind: std::io::ErrorKind| MockError::Listen {
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            source: kind.into(),
        };
        assert!(listen(std::io::ErrorKind::AddrInUse).is_retryable());
        assert!(!listen(std::io::ErrorKind::PermissionDenied).is_retryable());
        assert!(!MockError::Config("x".to_owned()).is_retryable());
    }

    #[test]
    fn what_cannot_be_is_named() {
        let with = |change: &dyn Fn(&mut MockConfig)| {
            let mut config = MockConfig::default();
            change(&mut config);
            config.validate().map_err(|error| error.to_string())
        };
        assert_eq!(with(&|_| {}), Ok(()));
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(with(&|config| config.listen = address("[::1]:0")), Ok(()));
        type Change = fn(&mut MockConfig);
        let changes: [(Change, &str); 11] = [
            (|config| config.listen = "0.0.0.0:0".parse().unwrap(), "loopback"),
            (|config| config.listen = "[::]:0".parse().unwrap(), "loopback"),
            (|config| config.latency.sigma = f64::NAN, "sigma"),
            (|config| config.latency.sigma = -1.0, "sigma"),
            (|config| config.latency.reply = 2 * LONGEST, "24 hours"),
            (|config| config.reply_tokens = u32::MAX, "tokens"),
            (|config| config.limits.max_in_flight = Some(0), "limit of 0"),
            (|config| config.threads = 0, "threads"),
            (|config| config.max_connections = 0, "connection"),
            (|config| config.idle = Duration::ZERO, "idle"),
            (|config| config.models.clear(), "model"),
        ];
        for (change, word) in changes {
            assert!(with(&change).is_err_and(|error| error.contains(word)), "{word}");
        }
    }
}
