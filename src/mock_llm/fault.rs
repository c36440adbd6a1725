//! Which fault does request number n get? Names, what each does, and the seeded choice between them; pure.

use std::fmt;
use std::str::FromStr;

use super::config::MockError;
use super::random::{Purpose, unit};

/// What can be wrong with a reply. [`Fault::name`] is what flags, scripts and the header `x-mock-fault` call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// Status 500 with an error of type `server_error`.
    Status500,
    /// Status 503 with `Retry-After: 1`.
    Status503,
    /// Status 529 with an error of type `overloaded_error` and `Retry-After: 1`.
    Status529,
    /// The connection is reset before the first byte.
    Reset,
    /// The connection stays open and nothing comes, until the client leaves or the server stops.
    Hang,
    /// The head comes one byte at a time.
    SlowHeaders,
    /// The body comes one byte at a time.
    SlowBody,
    /// The connection closes half way through the body; a stream's after its first token.
    Cut,
    /// The connection closes before the first byte.
    CutBefore,
    /// The body ends in the middle of its JSON, with the right length; in a stream the first token's event does.
    MalformedJson,
    /// The chunked encoding has a size that is no number.
    MalformedChunk,
    /// Status 200 with a page of HTML.
    WrongContentType,
    /// No `usage`, also where the request asks for it.
    MissingUsage,
    /// Status 200 and nothing in the body.
    EmptyBody,
    /// The body never ends; a stream has tokens for ever.
    EndlessBody,
    /// Each token of a stream comes twice; a plain body comes twice in one.
    DuplicateChunks,
    /// Chunks end inside of characters; the whole is right.
    SplitUtf8,
    /// A stream ends without `data: [DONE]`. A plain reply is as always.
    MissingDone,
    /// `finish_reason` is `length`.
    WrongFinish,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 19] = [
        Self::Status500,
        Self::Status503,
        Self::Status529,
        Self::Reset,
        Self::Hang,
        Self::SlowHeaders,
        Self::SlowBody,
        Self::Cut,
        Self::CutBefore,
        Self::MalformedJson,
        Self::MalformedChunk,
        Self::WrongContentType,
        Self::MissingUsage,
        Self::EmptyBody,
        Self::EndlessBody,
        Self::DuplicateChunks,
        Self::SplitUtf8,
        Self::MissingDone,
        Self::WrongFinish,
    ];

    /// Its name in flags, scripts, headers and counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status500 => "status_500",
            Self::Status503 => "status_503",
            Self::Status529 => "status_529",
            Self::Reset => "reset",
            Self::Hang => "hang",
            Self::SlowHeaders => "slow_headers",
            Self::SlowBody => "slow_body",
            Self::Cut => "cut",
            Self::CutBefore => "cut_before",
            Self::MalformedJson => "malformed_json",
            Self::MalformedChunk => "malformed_chunk",
            Self::WrongContentType => "wrong_content_type",
            Self::MissingUsage => "missing_usage",
            Self::EmptyBody => "empty_body",
            Self::EndlessBody => "endless_body",
            Self::DuplicateChunks => "duplicate_chunks",
            Self::SplitUtf8 => "split_utf8",
            Self::MissingDone => "missing_done",
            Self::WrongFinish => "wrong_finish",
        }
    }

    /// Its place in [`Fault::ALL`].
    pub(super) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// No fault has this name.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("no fault is called `{name}`; there are: {}", names())]
pub struct UnknownFault {
    name: String,
}

impl UnknownFault {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        "unknown_fault"
    }

    /// Whether the same name may be known later. It may not.
    pub fn is_retryable(&self) -> bool {
        false
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "write one of those that are named"
    }
}

callboard_actors::shown_to_people!(UnknownFault);

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        let found = Self::ALL.into_iter().find(|fault| fault.name() == name);
        found.ok_or_else(|| UnknownFault { name: name.chars().take(80).collect() })
    }
}

fn names() -> String {
    Fault::ALL.map(Fault::name).join(", ")
}

/// How often each fault happens: shares of all model calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FaultRates(Vec<(Fault, f64)>);

impl FaultRates {
    /// Adds a fault that `rate` of the calls get, 0 to 1.
    ///
    /// # Errors
    /// [`MockError::Config`] when the rate is none, the sum is above 1, or the fault is there already.
    pub fn with(mut self, fault: Fault, rate: f64) -> Result<Self, MockError> {
        if !(0.0..=1.0).contains(&rate) {
            return Err(MockError::Config(format!("the rate of {fault} is {rate}; choose a number from 0 to 1")));
        }
        if self.0.iter().any(|(known, _)| *known == fault) {
            return Err(MockError::Config(format!("{fault} has two rates; give it one")));
        }
        self.0.push((fault, rate));
        // Ten times 0.1 is a little more than 1.
        match self.sum() > 1.0 + 1e-9 {
            true => {
                let wrong = format!("the rates of the faults sum up to {}; at most 1 can be given away", self.sum());
                Err(MockError::Config(wrong))
            }
            false => Ok(self),
        }
    }

    /// The fault of request `number`, if it gets one.
    pub(super) fn choose(&self, seed: u64, number: u64) -> Option<Fault> {
        if self.0.is_empty() {
            return None;
        }
        let mut left = unit(seed, Purpose::Fault, number, 0);
        self.0.iter().find_map(|(fault, rate)| {
            left -= rate;
            (left < 0.0).then_some(*fault)
        })
    }

    fn sum(&self) -> f64 {
        self.0.iter().map(|(_, rate)| rate).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_leads_back_to_its_fault() {
        for (index, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault.name().parse(), Ok(fault));
            assert_eq!(fault.index(), index);
        }
        let error = "Reset".parse::<Fault>().unwrap_err().to_string();
        assert!(error.starts_with("no fault is called `Reset`; there are: status_500, "), "{error}");
    }

    #[test]
    fn rates_are_shares_of_one() {
        let rates = FaultRates::default().with(Fault::Cut, 0.5).unwrap();
        assert!(rates.clone().with(Fault::Hang, 0.5).is_ok());
        for (fault, rate) in [(Fault::Hang, 0.51), (Fault::Hang, -0.1), (Fault::Hang, f64::NAN), (Fault::Cut, 0.1)] {
            assert_eq!(rates.clone().with(fault, rate).unwrap_err().code(), "mock_config", "{fault} {rate}");
        }
        let tenths = Fault::ALL.into_iter().take(10).try_fold(FaultRates::default(), |rates, f| rates.with(f, 0.1));
        assert!(tenths.is_ok());
    }

    #[test]
    fn each_fault_comes_as_often_as_its_rate_says() {
        let rates = FaultRates::default().with(Fault::Cut, 0.2).unwrap().with(Fault::Reset, 0.05).unwrap();
        let drawn: Vec<_> = (0..20_000).map(|number| rates.choose(9, number)).collect();
        let share = |fault| drawn.iter().filter(|drawn| **drawn == fault).count() as f64 / 20_000.0;
        for (fault, rate) in [(Some(Fault::Cut), 0.2), (Some(Fault::Reset), 0.05), (None, 0.75)] {
            assert!((share(fault) - rate).abs() < 0.01, "{fault:?}: {}", share(fault));
        }
        let again: Vec<_> = (0..20_000).map(|number| rates.choose(9, number)).collect();
        assert_eq!(drawn, again);
    }

    #[test]
    fn zero_is_never_and_one_is_always() {
        let never = FaultRates::default().with(Fault::Cut, 0.0).unwrap();
        let always = FaultRates::default().with(Fault::Cut, 1.0).unwrap();
        for number in 0..10_000 {
            assert_eq!((never.choose(1, number), always.choose(1, number)), (None, Some(Fault::Cut)));
        }
    }
}
