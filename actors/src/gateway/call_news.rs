//! What is a caller told of his call while it is on its way? That it turns to its next model, and that it waits because a provider
//! asked for that. Told when the desk is not locked any more, by whoever decided it, so that what was decided first may come last: a wait that
//! is over is not told then.
//!
//! A call that shares the attempt of an identical one is told of fall-backs when that is over, and not that it waits: what keeps it is
//! the other call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::call::Call;
use super::fallback::FallBack;
use crate::error::ModelError;
use crate::mailbox::contain;

/// What becomes of a call on its way.
#[derive(Debug, Clone)]
pub(crate) enum CallNews {
    /// It turns to the next model of its list; and the whole error of the one before, which is for who made the call and for nobody else.
    FellBack(FallBack, ModelError),
    /// It is held back, as a provider asked for that.
    Waits(Pause),
    /// It is held back no longer: this model is asked.
    GoesOn(Arc<str>),
}

/// A wait that a provider asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pause {
    /// The whole name of the model that waits.
    pub(crate) model: Arc<str>,
    /// That of the model whose call was refused: the same, or another one with its key.
    pub(crate) refused_model: Arc<str>,
    /// How long, from now on.
    pub(crate) wait: Duration,
}

/// Takes what is told of a call, and knows how many there were before.
#[derive(Clone)]
pub(super) struct OnNews {
    caller: Arc<Caller>,
    number: u64,
}

struct Caller {
    listens: Box<dyn Fn(&CallNews) + Send + Sync>,
    /// The number of the last that he was told.
    told: Mutex<u64>,
}

impl OnNews {
    pub(super) fn new(on_news: impl Fn(&CallNews) + Send + Sync + 'static) -> Self {
        Self { caller: Arc::new(Caller { listens: Box::new(on_news), told: Mutex::new(0) }), number: 0 }
    }

    /// For the next that is told.
    pub(super) fn next(&mut self) -> Self {
        self.number += 1;
        self.clone()
    }

    /// Its call is over. What is told from here on is too late.
    pub(super) fn is_over(&self) {
        *self.caller.told() = u64::MAX;
    }

    /// Tells it. A panic is logged and goes no further.
    pub(super) fn tell(self, news: &CallNews) {
        let told = contain(|| {
            self.caller.hears(self.number, news);
            drop(self);
        });
        if let Err(panic) = told {
            tracing::warn!(%panic, "a caller was not told what becomes of his call");
        }
    }
}

impl Caller {
    fn hears(&self, number: u64, news: &CallNews) {
        let mut told = self.told();
        let is_late = number < *told;
        *told = number.max(*told);
        match news {
            // Each of them is told. Not under the lock: it may be a program of somebody else that listens.
            CallNews::FellBack(..) => {
                drop(told);
                (self.listens)(news);
            }
            CallNews::Waits(_) | CallNews::GoesOn(_) if is_late => {}
            // What comes after it waits, so that it comes after it here, too.
            CallNews::Waits(_) | CallNews::GoesOn(_) => (self.listens)(news),
        }
    }

    fn told(&self) -> MutexGuard<'_, u64> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for OnNews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OnNews")
    }
}

/// No shorter wait is told: who reads of it has not read it before it is over.
const WORTH_TELLING: Duration = Duration::from_secs(1);

impl Call {
    /// It is held back for so long; what its caller is told, if he wants to know and it is worth it.
    pub(super) fn is_held_back(&mut self, pause: Pause) -> Option<(OnNews, CallNews)> {
        let on_news = self.on_news.as_mut().filter(|_| pause.wait >= WORTH_TELLING)?;
        self.is_held = true;
        Some((on_news.next(), CallNews::Waits(pause)))
    }

    /// Its model is asked; what its caller is told, if he was told that it waits.
    pub(super) fn goes_on(&mut self, model: &Arc<str>) -> Option<(OnNews, CallNews)> {
        let was_held = std::mem::take(&mut self.is_held);
        let on_news = self.on_news.as_mut().filter(|_| was_held)?;
        Some((on_news.next(), CallNews::GoesOn(model.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_is_over_is_not_told_when_another_thread_was_faster() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let said = heard.clone();
        let mut on_news = OnNews::new(move |news| {
            said.lock().unwrap().push(match news {
                CallNews::Waits(_) => "waits",
                CallNews::GoesOn(_) => "goes on",
                CallNews::FellBack(..) => "fell back",
            });
        });
        let model: Arc<str> = "one".into();
        let waits = CallNews::Waits(Pause { model: model.clone(), refused_model: model.clone(), wait: WORTH_TELLING });
        let fell_back = FallBack { from: model.clone(), to: model.clone(), error_code: "paused" };
        let fell_back = CallNews::FellBack(fell_back, ModelError::Stopped);
        let goes_on = CallNews::GoesOn(model);
        let [first, second, third, fourth, fifth, sixth] = std::array::from_fn(|_| on_news.next());
        first.tell(&waits);
        third.tell(&goes_on);
        second.tell(&waits);
        fifth.tell(&fell_back);
        fourth.tell(&fell_back);
        on_news.is_over();
        sixth.tell(&waits);
        assert_eq!(*heard.lock().unwrap(), ["waits", "goes on", "fell back", "fell back"]);
    }
}
