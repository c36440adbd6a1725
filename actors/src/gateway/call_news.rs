//! What is a caller told of his call while it is on its way? That it turns to its next model, and that it waits because a provider
//! asked for that. Told where no lock is held, in the order of each decision.
//!
//! A call that shares the attempt of an identical one is told of fall-backs when that is over, and not that it waits: what keeps it is
//! the other call.

use std::sync::Arc;
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

/// Takes what is told of a call.
#[derive(Clone)]
pub(super) struct OnNews(Arc<Listens>);

type Listens = dyn Fn(&CallNews) + Send + Sync;

impl OnNews {
    pub(super) fn new(on_news: impl Fn(&CallNews) + Send + Sync + 'static) -> Self {
        Self(Arc::new(on_news))
    }

    /// Tells it. A panic is logged and goes no further.
    pub(super) fn tell(self, news: &CallNews) {
        let told = contain(|| {
            (self.0)(news);
            drop(self);
        });
        if let Err(panic) = told {
            tracing::warn!(%panic, "a caller was not told what becomes of his call");
        }
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
        let on_news = self.on_news.as_ref().filter(|_| pause.wait >= WORTH_TELLING)?;
        self.is_held = true;
        Some((on_news.clone(), CallNews::Waits(pause)))
    }

    /// Its model is asked; what its caller is told, if he was told that it waits.
    pub(super) fn goes_on(&mut self, model: &Arc<str>) -> Option<(OnNews, CallNews)> {
        let was_held = std::mem::take(&mut self.is_held);
        let on_news = self.on_news.as_ref().filter(|_| was_held)?;
        Some((on_news.clone(), CallNews::GoesOn(model.clone())))
    }
}
