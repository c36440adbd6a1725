//! How does a program watch its agents and its model calls from outside? It publishes what they are like as metrics of the
//! `metrics` crate, to whichever recorder it has installed: Prometheus, StatsD or another.
//!
//! Names follow Prometheus: a counter ends with `_total` and nothing else does, and time is in seconds. Counters of the `metrics` crate
//! hold whole numbers: one of seconds leaves out the part of a second at its end, which never adds up, and money is in millionths of a
//! US dollar (`microdollars`), as few calls cost a dollar.
//!
//! # Agents
//!
//! [`Publisher`]. Counters are the whole runtime's and only rise. Gauges are of the agents that live, one for each name that
//! agents have in common; a runtime of a million agents has a few names, and the first [`MOST_NAMES`] that are seen are told
//! apart. With several runtimes in one process, each [has a name](Publisher::named) as the label `runtime`.
//!
//! | metric | kind, labels | what it is |
//! |---|---|---|
//! | `callboard_messages_accepted_total` | counter | messages that mailboxes took |
//! | `callboard_messages_handled_total` | counter | messages whose handler returned, or with which the actor of actix's is done |
//! | `callboard_dead_letters_total` | counter, `reason` | messages that were accepted and not handled; what is accepted and in neither counter is pending |
//! | `callboard_shard_blockages_total` | counter, `shard` | how often an agent blocked its shard |
//! | `callboard_shard_blocked_seconds` | gauge, `shard` | for how long it is blocked right now, or 0 |
//! | `callboard_agents` | gauge, `name` | agents that live |
//! | `callboard_agents_away` | gauge, `name` | those that are put away until their next message |
//! | `callboard_mailbox_messages` | gauge, `name` | messages that wait |
//! | `callboard_mailbox_oldest_seconds` | gauge, `name` | how long the oldest of them has waited |
//! | `callboard_agent_work` | gauge, `name` | futures in flight |
//! | `callboard_agent_handled` | gauge, `name` | messages that those which live have handled |
//! | `callboard_agent_dead_letters` | gauge, `name` | messages that they accepted and did not handle |
//! | `callboard_agent_restarts` | gauge, `name` | how often they were restarted |
//!
//! # Model calls
//!
//! [`GatewayMetrics`]. Counters count since the gateway started. With several gateways in one process, each
//! [has a name](GatewayMetrics::named) as the label `gateway`.
//!
//! | metric | kind, labels | what it is |
//! |---|---|---|
//! | `callboard_gateway_in_flight` | gauge | attempts that are being made, of all models |
//! | `callboard_gateway_peak_in_flight` | gauge | the most that there ever were at a time |
//! | `callboard_gateway_waiting` | gauge | calls that wait for a place, a rate, their next attempt or the answer to an identical call |
//! | `callboard_model_in_flight` | gauge, `model` | attempts that are being made |
//! | `callboard_model_limit` | gauge, `model` | how many may be, now; of all models together no more than the gateway's `max_in_flight` |
//! | `callboard_model_breaker` | gauge, `model` | the circuit breaker: 0 is closed, 1 half-open, 2 open |
//! | `callboard_model_attempts_total` | counter, `model` | attempts that were begun |
//! | `callboard_model_retries_total` | counter, `model` | those of them that were not the first of their call |
//! | `callboard_model_retries_refused_total` | counter, `model` | calls that were not made again because too many were |
//! | `callboard_model_failed_total` | counter, `model` | calls that ended with an error after they were let in |
//! | `callboard_model_refused_total` | counter, `model` | calls that were refused without an attempt |
//! | `callboard_model_pauses_total` | counter, `model` | how often the provider made everybody wait |
//! | `callboard_model_fell_back_total` | counter, `model` | calls that the next model of their list made instead |
//! | `callboard_model_cached_total` | counter, `model` | calls that a kept reply answered |
//! | `callboard_model_shared_total` | counter, `model` | calls that the answer to an identical one answered |
//! | `callboard_model_paused_seconds` | gauge, `model` | for how long its provider makes everybody wait from now on, or 0 |
//! | `callboard_model_breaker_opened_total` | counter, `model` | how often the breaker has opened |
//! | `callboard_model_limited_by_rate_total` | counter, `model` | attempts that the provider refused for a rate |
//! | `callboard_model_limited_by_places_total` | counter, `model` | attempts that it refused because of how many it makes at a time |
//! | `callboard_model_queue_seconds_total` | counter, `model` | how long calls waited in line, all together |
//! | `callboard_model_provider_seconds_total` | counter, `model` | how long attempts took, all together |
//! | `callboard_model_input_tokens_total`, `callboard_model_output_tokens_total` | counter, `model` | tokens that the provider counted |
//! | `callboard_model_without_usage_total` | counter, `model` | attempts that may have used tokens, and nobody knows how many |
//! | `callboard_model_cost_microdollars_total` | counter, `model` | what those tokens cost, of a model with a price |
//! | `callboard_model_out_of_budget_total` | counter, `model` | calls that were not made because a budget has not enough left |
//!
//! # Budgets
//!
//! Of those that are [named](GatewayMetrics::budget); what is spent and reserved below one is in its numbers. A limit is published if
//! there is one.
//!
//! | metric | kind, labels | what it is |
//! |---|---|---|
//! | `callboard_budget_calls_total` | counter, `budget` | attempts that were begun |
//! | `callboard_budget_spent_tokens`, `callboard_budget_reserved_tokens`, `callboard_budget_limit_tokens` | gauge, `budget` | tokens |
//! | `callboard_budget_spent_microdollars`, `callboard_budget_reserved_microdollars`, `callboard_budget_limit_microdollars` | gauge, `budget` | millionths of a US dollar |

mod agents;
mod gateway;

use metrics::Label;

pub use agents::{MOST_NAMES, OTHERS, Publisher};
pub use gateway::GatewayMetrics;

fn with(labels: &[Label], key: &'static str, value: &str) -> Vec<Label> {
    labels.iter().cloned().chain([Label::new(key, value.to_owned())]).collect()
}
