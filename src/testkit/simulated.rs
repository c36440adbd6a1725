//! How does a program test its own agents on virtual time? A runtime with a model, on one thread and a clock that jumps.

use std::future::Future;
use std::sync::Arc;

use callboard_actors::gateway::ServedModel;
use callboard_actors::ports::ChatModel;
use callboard_actors::{runtime, testkit};

use super::Log;
use crate::choice::ModelChoice;
use crate::runtime::Runtime;

/// What a model of a test is called, where nobody calls it otherwise.
pub const TEST_MODEL: &str = "test/model";

/// Runs `body` with a runtime whose agents ask `model`, on one thread and on virtual time: a wait of an hour takes none. The seed
/// decides ids, jitter and the order of turns. What touches real time, sockets or threads does not belong in it.
///
/// # Panics
/// Panics when called inside an async runtime, and when `body` panics.
pub fn simulated<Body, Fut>(seed: u64, model: impl ChatModel, body: Body) -> Fut::Output
where
    Body: FnOnce(Runtime) -> Fut,
    Fut: Future,
{
    simulated_with(seed, of(model), body)
}

/// The same with limits, a budget, fall-backs.
///
/// # Panics
/// Also when a limit of the choice breaks a rule.
pub fn simulated_with<Body, Fut>(seed: u64, choice: ModelChoice, body: Body) -> Fut::Output
where
    Body: FnOnce(Runtime) -> Fut,
    Fut: Future,
{
    runtime::simulated(seed, |core| body(started(core, choice)))
}

/// Runs a scenario of agents with a model under many orders of turns, each of them twice: see [`explore`](super::explore()). `model` is
/// made anew for each run.
///
/// # Panics
/// As [`explore`](super::explore()).
pub fn explore_with<Model, Scenario, Fut>(
    seeds: impl IntoIterator<Item = u64>,
    model: impl Fn(u64) -> Model,
    scenario: Scenario,
) where
    Model: ChatModel,
    Scenario: Fn(u64, Runtime, Log) -> Fut,
    Fut: Future<Output = ()>,
{
    testkit::explore(seeds, |seed, core, log| scenario(seed, started(core, of(model(seed))), log));
}

fn of(model: impl ChatModel) -> ModelChoice {
    ModelChoice::new(ServedModel::new(TEST_MODEL, Arc::new(model)))
}

fn started(core: runtime::Runtime, choice: ModelChoice) -> Runtime {
    Runtime::on(core, choice).unwrap_or_else(|error| panic!("the model of the test cannot be used: {error}"))
}
