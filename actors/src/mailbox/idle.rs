//! When is an agent put away because nobody needs it? It is asked once it has rested for a while, and goes if it agrees.
//!
//! Only its state and what actix holds for it go; the door with its id and its queue stays, and the next message brings it
//! back. The guard looks at the time, the shell asks the agent.

use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// The grain of the timers: with less there would be a look at every turn.
const SHORTEST: Duration = Duration::from_millis(1);

/// How long an agent has done nothing. Not exactly: it is looked at once in `after`, and not at each message.
pub(super) struct Idle {
    after: Duration,
    /// `None` while the agent is not there.
    timer: Option<Pin<Box<Sleep>>>,
    /// How much it had done at the last look.
    done: u64,
}

impl Idle {
    pub(super) fn new(after: Duration) -> Self {
        Self { after: after.max(SHORTEST), timer: None, done: 0 }
    }

    /// The agent is not there: nothing to look at.
    pub(super) fn pause(&mut self) {
        self.timer = None;
    }

    /// Whether the agent, which has `done` so much, has done nothing between two looks and rests now.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, done: impl Fn() -> u64, rests: impl Fn() -> bool) -> bool {
        let after = self.after;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(after)));
        while timer.as_mut().poll(cx).is_ready() {
            // A time that is too long to add is as good as never.
            timer.as_mut().reset(Instant::now().checked_add(after).unwrap_or_else(|| sleep(after).deadline()));
            let done = done();
            if std::mem::replace(&mut self.done, done) == done && rests() {
                return true;
            }
        }
        false
    }
}

/// What guard and shell say to each other about going, and how often the agent went. Written on its shard only.
#[derive(Debug, Default)]
pub(super) struct Leave {
    state: AtomicU8,
    times: AtomicU32,
}

const PRESENT: u8 = 0;
/// The guard has asked.
const ASKED: u8 = 1;
/// The agent agreed.
const AGREED: u8 = 2;
const AWAY: u8 = 3;

impl Leave {
    pub(super) fn ask(&self) {
        self.state.store(ASKED, Ordering::Relaxed);
    }

    /// Whether the guard has asked and nobody has answered.
    pub(super) fn is_asked(&self) -> bool {
        self.state.load(Ordering::Relaxed) == ASKED
    }

    pub(super) fn answer(&self, agrees: bool) {
        self.state.store(if agrees { AGREED } else { PRESENT }, Ordering::Relaxed);
    }

    /// Lets the agent go if it has agreed. A question without an answer is forgotten: a message came first.
    pub(super) fn go(&self) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        if state == AGREED {
            self.state.store(AWAY, Ordering::Relaxed);
            self.times.fetch_add(1, Ordering::Relaxed);
        } else if state == ASKED {
            self.come_back();
        }
        state == AGREED
    }

    /// It is not away, or is gone for good.
    pub(super) fn come_back(&self) {
        self.state.store(PRESENT, Ordering::Relaxed);
    }

    pub(super) fn is_away(&self) -> bool {
        self.state.load(Ordering::Relaxed) == AWAY
    }

    /// How often the agent was put away.
    pub(super) fn times(&self) -> u32 {
        self.times.load(Ordering::Relaxed)
    }
}
