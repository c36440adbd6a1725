//! What does a test put in a real thing's place? Models that are no models, a clock that jumps, seeds from the environment.
//!
//! - [`ScriptedModel`], [`FunctionModel`]: models that say what a test wants
//! - [`ChaosModel`]: a provider that does its worst, out of one seed
//! - [`Recorder`], [`Player`], [`play_or_record`]: a conversation with a provider that is recorded once and played from then on
//! - [`Probe`]: a test's own agent, which others send to
//! - [`Events`], [`pattern`]: assertions on what a run told
//! - [`only_loopback`]: no call leaves this machine
//! - [`simulated`](fn@simulated): agents with a model on virtual time
//! - [`explore`], [`explore_with`]: one scenario whatever the order of turns
//! - [`sessions`](fn@sessions): what every store of sessions must do
//!
//! ```
//! use std::time::Duration;
//! use callboard::prelude::*;
//! use callboard::testkit::{explore, seeds};
//!
//! struct Echo;
//!
//! impl Agent for Echo {
//!     type Message = (u64, Reply<u64>);
//!
//!     fn handle(&mut self, (number, reply): Self::Message, _turn: &mut Turn<'_, Self::Message>) {
//!         reply.send(number);
//!     }
//! }
//!
//! explore(seeds(0..20), |seed, runtime, log| async move {
//!     let agent = runtime.spawn(AgentSpec::new("echo", || Echo)).unwrap();
//!     let answer = agent.ask(Duration::from_secs(1), |reply| (seed, reply)).await;
//!     log.note(format!("{answer:?}"));
//!     assert_eq!(answer, Ok(seed));
//! });
//! ```
//!
//! A failure ends with the command that runs its seed alone: `CALLBOARD_SEED=13 cargo test NAME`.

mod chance;
mod chaos;
mod models;
mod recording;
mod sessions;
mod simulated;

use std::ops::Range;

pub use chaos::{ChaosFault, ChaosModel};
pub use models::{FunctionModel, ScriptedModel};
pub use recording::{Player, Recorded, Recorder, RecordingError, play_or_record};
pub use sessions::sessions;
pub use simulated::{TEST_MODEL, explore_with, simulated, simulated_with};

use crate::network;

pub use callboard_actors::pattern;
pub use callboard_actors::testkit::{Change, Events, Log, Pattern, Probe, ProbeError, SEED_VARIABLE, explore};

/// From now on no call of a provider leaves this machine: it is [`ModelError::NetworkBlocked`], and nothing is sent. One line at the
/// begin of a test program that must cost nothing. `CALLBOARD_NETWORK=any` in the environment allows calls all the same, and
/// `CALLBOARD_NETWORK=loopback` does the same as this line, for child processes too.
///
/// [`ModelError::NetworkBlocked`]: callboard_actors::error::ModelError::NetworkBlocked
pub fn only_loopback() {
    network::stay_on_loopback();
}

/// The seeds to explore: `range`, or the one seed that [`SEED_VARIABLE`] names.
///
/// # Panics
/// Panics when the variable is set and is not a number below 2⁶⁴ - 1: a test that then explored something else would
/// mislead.
pub fn seeds(range: Range<u64>) -> Range<u64> {
    choose(range, std::env::var(SEED_VARIABLE).ok().as_deref())
}

fn choose(range: Range<u64>, named: Option<&str>) -> Range<u64> {
    let Some(named) = named.map(str::trim).filter(|named| !named.is_empty()) else { return range };
    let seed = named.parse::<u64>().ok().and_then(|seed| Some(seed..seed.checked_add(1)?));
    seed.unwrap_or_else(|| panic!("{SEED_VARIABLE} is `{named}`; set it to the number of a seed, or unset it"))
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn a_named_seed_is_the_only_one() {
        for (named, seeds) in [(None, 0..9), (Some(""), 0..9), (Some("13"), 13..14), (Some(" 0 "), 0..1)] {
            assert_eq!(choose(0..9, named), seeds, "{named:?}");
        }
    }

    #[test]
    #[should_panic(expected = "CALLBOARD_SEED is `many`")]
    fn a_name_that_is_no_number_is_not_passed_over() {
        choose(0..9, Some("many"));
    }
}
