//! How does somebody listen for what happens to his models? He is woken once, comes to the desk for all that is new, and is
//! woken again for what comes after that. So nothing piles up before him, and no lock is held while he is woken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Gateway;
use super::desk::Desk;
use super::notices::{Cursor, Heard, ModelChange};
use crate::mailbox::contain;

/// Wakes a listener. It may be called on any thread.
type Wake = Box<dyn Fn() + Send + Sync>;

/// One who listens.
pub(super) struct Listener {
    lanes: Vec<usize>,
    /// Whether he was woken, and has not come yet.
    is_woken: AtomicBool,
    wake: Wake,
}

/// All who listen at one desk: one for each run, at the most.
#[derive(Default)]
pub(super) struct Listeners(Mutex<Vec<Arc<Listener>>>);

impl Listeners {
    /// Wakes those who listen for one of these models.
    pub(super) fn wake(&self, lanes: &[usize]) {
        if lanes.is_empty() {
            return;
        }
        let listens = |listener: &&Arc<Listener>| listener.lanes.iter().any(|lane| lanes.contains(lane));
        let listeners: Vec<_> = self.lock().iter().filter(listens).cloned().collect();
        for listener in listeners {
            if !listener.is_woken.swap(true, Ordering::AcqRel)
                && let Err(panic) = contain(|| (listener.wake)())
            {
                tracing::warn!(%panic, "who listens for changes of a model was not woken");
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Listener>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears what happens to some models of a gateway, until it is dropped.
pub(crate) struct ModelWatch {
    desk: Arc<Desk>,
    listener: Arc<Listener>,
    cursor: Cursor,
    /// What he has to know before.
    known: Vec<(usize, ModelChange)>,
}

/// What somebody hears of his models.
#[derive(Default)]
pub(crate) struct ModelNews {
    /// So many before the others are not kept any more.
    pub(crate) missed: u64,
    /// With the names of the models, in the order in which it happened.
    pub(crate) changes: Vec<(Arc<str>, ModelChange)>,
}

impl ModelWatch {
    /// What is new; the first time also a breaker that is open and a pause that goes on. When nothing is, this is a look at one
    /// flag.
    pub(crate) fn news(&mut self) -> ModelNews {
        let known = std::mem::take(&mut self.known);
        if !self.listener.is_woken.swap(false, Ordering::AcqRel) && known.is_empty() {
            return ModelNews::default();
        }
        let Heard { changes, missed } = self.desk.hear(&mut self.cursor, &self.listener.lanes);
        let named = |(lane, change)| (self.desk.name(lane), change);
        ModelNews { missed, changes: known.into_iter().chain(changes).map(named).collect() }
    }
}

impl Drop for ModelWatch {
    fn drop(&mut self) {
        // What it holds is freed by `self`, when the list is not locked any more.
        self.desk.listeners().lock().retain(|listener| !Arc::ptr_eq(listener, &self.listener));
    }
}

impl Gateway {
    /// Listens for what happens to these models. `wake` is called when there is something new, and not again before it was
    /// [heard](ModelWatch::news). Names that it does not serve are left out.
    pub(crate) fn watch<'a>(
        &self,
        models: impl IntoIterator<Item = &'a str>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> ModelWatch {
        let mut lanes: Vec<_> = models.into_iter().filter_map(|model| self.lane(model).ok()).collect();
        lanes.sort_unstable();
        lanes.dedup();
        let listener = Listener { lanes, is_woken: AtomicBool::new(false), wake: Box::new(wake) };
        let listener = Arc::new(listener);
        // First in the list: what is decided from here on wakes him, and is in what he knows or in what he hears.
        self.desk.listeners().lock().push(listener.clone());
        let (cursor, known) = self.desk.listen(&listener.lanes);
        ModelWatch { desk: self.desk.clone(), listener, cursor, known }
    }

    /// Whether both are the same door.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.desk, &other.desk)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::chat::{ChatRequest, Turn};
    use crate::gateway::slow::Slow;
    use crate::gateway::{GatewayLimits, RetryPolicy, ServedModel};
    use crate::runtime::simulated;

    const MODEL: &str = "slow/model";

    /// Makes so many calls at once; the limit after them.
    async fn crowd(gateway: &Gateway, calls: usize) -> usize {
        let request = Arc::new(ChatRequest::new(vec![Turn::user("x")], 9));
        join_all((0..calls).map(|_| gateway.call(MODEL, request.clone()).send())).await;
        gateway.info().await.unwrap().models[0].limit
    }

    #[test]
    fn what_is_found_of_a_provider_is_told_also_when_other_limits_are_set_meanwhile() {
        simulated(1, |runtime| async move {
            let models = vec![ServedModel::new(MODEL, Arc::new(Slow))];
            let gateway = Gateway::start(&runtime, models, GatewayLimits::default()).unwrap();
            let mut watch = gateway.watch([MODEL], || ());
            let limit = crowd(&gateway, 12).await;
            assert!((9..16).contains(&limit), "not yet doubled: {limit}");
            let retry = RetryPolicy { attempts: 2, ..RetryPolicy::default() };
            gateway.set_limits(GatewayLimits { retry, ..gateway.limits() }).unwrap();
            while crowd(&gateway, 16).await < 16 {}
            let changes: Vec<_> = watch.news().changes.into_iter().map(|(_, change)| change).collect();
            assert!(matches!(changes[..], [ModelChange::Limit { limit: 16, before: 8 }]), "{changes:?}");
        });
    }
}
