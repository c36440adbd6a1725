//! Of which sessions is no summary tried for a while? Of those whose last one was paid for, or tried several times, and came to nothing: it would most likely do
//! so again, with every ask.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long.
const REST: Duration = Duration::from_mins(5);
/// Sessions that are remembered; one more takes the place of the one whose time is over first.
const MOST: usize = 1_000;

/// Sessions that rest, of all agents that are started by one spec and its clones.
#[derive(Debug, Default)]
pub(super) struct Rests(Mutex<BTreeMap<Arc<str>, Instant>>);

impl Rests {
    /// Whether no summary is to be tried now.
    pub(super) fn has(&self, session: &str, now: Instant) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(session).is_some_and(|until| now < *until)
    }

    /// None is to be tried from now on, for a while.
    pub(super) fn begin(&self, session: &Arc<str>, now: Instant) {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= MOST && !until.contains_key(session) {
            let first = until.iter().min_by_key(|(_, until)| **until).map(|(session, _)| session.clone());
            first.map(|session| until.remove(&session));
        }
        until.insert(session.clone(), now + REST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_rests_for_a_while_and_not_too_many_do() {
        let (rests, now) = (Rests::default(), Instant::now());
        rests.begin(&"a".into(), now);
        assert!(rests.has("a", now) && !rests.has("b", now));
        assert!(rests.has("a", now + REST / 2) && !rests.has("a", now + REST));
        for number in 0..MOST {
            rests.begin(&number.to_string().into(), now + Duration::from_secs(1));
        }
        assert!(!rests.has("a", now) && rests.has("0", now));
        assert_eq!(rests.0.lock().unwrap().len(), MOST);
    }
}
