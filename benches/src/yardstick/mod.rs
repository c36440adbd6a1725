//! How is the gateway measured beside a loop that is written by hand?
//!
//! - [`ours`], [`direct`]: the two [`Side`]s, and what is the same for both
//! - [`server`]: the mock, as a process of its own
//! - [`load`]: all at once behind a limit, or so many in a second; [`waiting`]: the memory of calls that wait
//! - [`limits`], [`storm`]: a provider that refuses calls, and changes its mind; [`crowd`]: its callers
//! - [`measures`]: what is measured, and what is aimed at; [`row`]: medians, spread and ratio as Markdown
//! - [`runs`]: runs of agents, beside [`loops`] written by hand
//! - [`same`]: whether both sides send the same

pub mod crowd;
pub mod direct;
pub mod limits;
pub mod load;
pub mod loops;
pub mod measures;
pub mod options;
pub mod ours;
mod plain;
pub mod row;
pub mod runs;
pub mod same;
pub mod server;
pub mod storm;
pub mod waiting;
mod wire;

use std::time::Duration;

/// What both sides ask: about as much as a program would.
pub const SYSTEM: &str = "You are a careful researcher. Quote your sources and say what you do not know.";
/// The question.
pub const QUESTION: &str = "How does a supervisor learn that one of its agents died, and what does it do about it?";
/// The longest reply, in tokens.
pub const MOST: u32 = 256;
/// The key, which the mock does not look at.
pub const KEY: &str = "sk-of-the-benchmark";

/// A call that was answered.
#[derive(Debug)]
pub struct Answered {
    /// Bytes of text.
    pub bytes: usize,
    /// Tokens that were used, as the provider counts them.
    pub tokens: u64,
    /// What the gateway says that it took itself; `None` where there is no gateway.
    pub overhead: Option<Duration>,
}

/// Makes calls. Clones are the same.
pub trait Side: Clone + Send + Sync + 'static {
    /// What the table calls it.
    const NAME: &'static str;

    /// Ready for calls to the mock at this address, so many at the same time.
    fn open(base_url: &str, in_flight: usize) -> Self;

    /// Makes one call, from the task that waits for it.
    ///
    /// # Panics
    /// Panics when it is not answered.
    fn call(&self) -> impl Future<Output = Answered> + Send;
}
