//! Which words does `callboard mock-llm` know? The flags with their help; their values are checked here.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use callboard::mock_llm::Fault;
use clap::Args;

use super::duration;
use super::settings::TIME;

const EXAMPLES: &str = "\
Examples:
  callboard mock-llm
  callboard mock-llm --port 0 --latency 200ms --latency-sigma 0.5 --seed 7
  callboard mock-llm --max-in-flight 8 --rpm 600 --fault status_503=0.05 --fault cut=0.01
  callboard mock-llm --script replies.json

Faults, for --fault, scripts and the request header x-mock-fault:
  status_500, status_503, status_529, reset, hang, slow_headers, slow_body, cut, cut_before,
  malformed_json, malformed_chunk, wrong_content_type, missing_usage, empty_body, endless_body,
  duplicate_chunks, split_utf8, missing_done, wrong_finish

Exit codes:
  0    a signal ended it
  1    internal error, or standard output cannot be written
  2    usage: an unknown flag, a value that cannot be
  3    the script cannot be used, or the port is taken
  130  a second signal came before it was stopped";

/// The arguments of `callboard mock-llm`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MockArgs {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, value_name = "PORT", allow_negative_numbers = true, default_value_t = 8080, value_parser = whole::<u16>(0, u16::MAX.into()))]
    pub(super) port: u16,

    /// The address to listen on: loopback only.
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_parser = loopback)]
    pub(super) host: IpAddr,

    /// How long each reply waits, such as 200ms.
    #[arg(long, value_name = TIME, allow_negative_numbers = true, default_value = "0s", value_parser = wait)]
    pub(super) latency: Duration,

    /// Makes all waits log-normal: the times are their medians, this the deviation of their logarithm. 0.5 is lively.
    #[arg(long, value_name = "SIGMA", allow_negative_numbers = true, default_value_t = 0.0, value_parser = sigma)]
    pub(super) latency_sigma: f64,

    /// In streams, the time between the head of a reply and its first token.
    #[arg(long, value_name = TIME, allow_negative_numbers = true, default_value = "0s", value_parser = wait)]
    pub(super) first_token: Duration,

    /// In streams, the time between two tokens.
    #[arg(long, value_name = TIME, allow_negative_numbers = true, default_value = "0s", value_parser = wait)]
    pub(super) between_tokens: Duration,

    /// Decides waits, faults and words: the same seed and the same calls in the same order give the same replies.
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0, value_parser = whole::<u64>(0, u64::MAX))]
    pub(super) seed: u64,

    /// The length of a reply in tokens of four bytes.
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 16, value_parser = whole::<u32>(0, 1_000_000))]
    pub(super) reply_tokens: u32,

    /// How many calls may be in flight; more get 429.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(1, u32::MAX.into()))]
    pub(super) max_in_flight: Option<u32>,

    /// How many requests a minute has; more get 429.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(1, u32::MAX.into()))]
    pub(super) rpm: Option<u32>,

    /// How many tokens a minute has; more get 429. A call counts its prompt and the longest reply it may get.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(1, u32::MAX.into()))]
    pub(super) tpm: Option<u32>,

    /// How often a fault happens, from 0 to 1, such as cut=0.01; may be repeated. The names are below.
    #[arg(long, value_name = "NAME=RATE", value_parser = fault)]
    pub(super) fault: Vec<(Fault, f64)>,

    /// The time between two bytes of the faults slow_headers and slow_body.
    #[arg(long, value_name = TIME, allow_negative_numbers = true, default_value = "1s", value_parser = wait)]
    pub(super) slow_byte: Duration,

    /// Fixed replies from a JSON file, such as ["one", {"text": "two", "delay_ms": 50}, {"fault": "cut"}].
    #[arg(long, value_name = "FILE")]
    pub(super) script: Option<PathBuf>,

    /// A model that /v1/models lists; may be repeated. `mock` unless told otherwise.
    #[arg(long, value_name = "NAME")]
    pub(super) model: Vec<String>,

    /// Answer 404 to calls for a model that is not listed.
    #[arg(long)]
    pub(super) strict_models: bool,

    /// Call the first tool where a request offers tools and leaves the choice to the model.
    #[arg(long)]
    pub(super) tool_calls: bool,

    /// Answer 401 where no `Authorization: Bearer` is sent. Any key will do.
    #[arg(long)]
    pub(super) require_key: bool,

    /// How many threads serve, 1 to 64.
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 2, value_parser = whole::<usize>(1, 64))]
    pub(super) threads: usize,
}

fn loopback(text: &str) -> Result<IpAddr, String> {
    let address = text.trim().parse().ok().filter(IpAddr::is_loopback);
    address.ok_or_else(|| "the mock listens on loopback only: write 127.0.0.1 or ::1".into())
}

/// A time that may also be nothing.
fn wait(text: &str) -> Result<Duration, String> {
    match text.trim() {
        "0" | "0s" | "0ms" => Ok(Duration::ZERO),
        text => duration::parse(text),
    }
}

fn sigma(text: &str) -> Result<f64, String> {
    let sigma = text.trim().parse().ok().filter(|sigma| (0.0..=10.0).contains(sigma));
    sigma.ok_or_else(|| "write a number from 0 to 10".into())
}

/// Reads a whole number within bounds.
fn whole<T: TryFrom<u64>>(least: u64, most: u64) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync {
    move |text| {
        let number = text.trim().parse().ok().filter(|number| (least..=most).contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("write a whole number from {least} to {most}"))
    }
}

fn fault(text: &str) -> Result<(Fault, f64), String> {
    let (name, rate) = text.split_once('=').unwrap_or((text, ""));
    let fault = name.trim().parse::<Fault>().map_err(|error| error.to_string())?;
    let rate = rate.trim().parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
    rate.map(|rate| (fault, rate)).ok_or_else(|| format!("write a rate from 0 to 1, such as {fault}=0.05"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_a_name_and_a_rate() {
        assert_eq!(fault("cut=0.25"), Ok((Fault::Cut, 0.25)));
        assert!(fault("help").unwrap_err().contains("there are: status_500"));
        for text in ["cut", "cut=", "cut=2", "cut=-1", "cut=NaN", "cut=x"] {
            assert_eq!(fault(text), Err("write a rate from 0 to 1, such as cut=0.05".into()), "{text}");
        }
    }

    #[test]
    fn the_help_names_every_fault() {
        for name in Fault::ALL.map(Fault::name) {
            assert!(EXAMPLES.contains(name), "{name}");
        }
    }

    #[test]
    fn a_wait_may_be_nothing() {
        assert_eq!(wait("0s"), Ok(Duration::ZERO));
        assert_eq!(wait("200ms"), Ok(Duration::from_millis(200)));
        assert!(wait("").is_err() && wait("5").is_err());
    }

    #[test]
    fn only_loopback_is_listened_on() {
        assert!(loopback("127.0.0.1").is_ok() && loopback("::1").is_ok() && loopback("127.9.9.9").is_ok());
        assert!(["0.0.0.0", "::", "192.168.0.1", "localhost", ""].iter().all(|text| loopback(text).is_err()));
    }
}
