//! What does an agent know of what was said before? The newest exchanges of a session that fit into its room for them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, ready};

use crate::chat::{Role, Turn};
use crate::error::StoreError;
use crate::ports::{History, SessionStore, Summary};

/// Turns of a session that are looked at.
pub(super) const MOST_TURNS: usize = 1_000;
/// What a turn costs beside its text, about, in tokens.
const FRAME: u64 = 8;

/// The newest exchanges that have together at most so many tokens, roughly. An exchange begins with what a person said, and stays whole:
/// no tool's answer is without its call.
pub(super) fn fitting(mut turns: Vec<Turn>, most: u64) -> Vec<Turn> {
    turns.drain(..first_fitting(turns.iter(), most));
    turns
}

/// Where those begin, among the turns.
pub(super) fn first_fitting<'a>(
    turns: impl DoubleEndedIterator<Item = &'a Turn> + ExactSizeIterator,
    most: u64,
) -> usize {
    let (mut from, mut sum) = (turns.len(), 0);
    for (number, turn) in turns.enumerate().rev() {
        sum += about_tokens(turn);
        if sum > most {
            break;
        }
        if turn.role == Role::User {
            from = number;
        }
    }
    from
}

/// Four bytes are about a token.
pub(super) fn about_tokens(turn: &Turn) -> u64 {
    let calls: usize = turn.tool_calls.iter().map(|call| call.name.len() + call.arguments.len()).sum();
    (turn.text.len() + calls) as u64 / 4 + FRAME
}

/// Sessions in memory: they end with the process. Clones are the same.
#[derive(Debug, Clone)]
pub struct MemorySessions {
    state: Arc<Mutex<State>>,
    most_sessions: usize,
    most_turns: usize,
}

#[derive(Debug, Default)]
struct State {
    sessions: BTreeMap<Arc<str>, Session>,
    uses: u64,
    /// The number of the turn that was added last, in any session.
    newest: u64,
}

#[derive(Debug, Default)]
struct Session {
    turns: VecDeque<(u64, Turn)>,
    summary: Option<Summary>,
    used: u64,
}

impl Session {
    fn newest(&self, most: usize) -> impl Iterator<Item = &(u64, Turn)> {
        self.turns.iter().skip(self.turns.len().saturating_sub(most))
    }
}

impl Default for MemorySessions {
    fn default() -> Self {
        Self::new(10_000, MOST_TURNS)
    }
}

impl MemorySessions {
    /// At most so many sessions, of which the one goes that was not used for longest, and so many turns of each, of which the oldest go. At
    /// least 1 of both; the default is 10,000 and 1,000.
    pub fn new(most_sessions: usize, most_turns: usize) -> Self {
        Self { state: Arc::default(), most_sessions: most_sessions.max(1), most_turns: most_turns.max(1) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is read of a session, which is used by that; nothing of one that nobody knows.
    fn read<T: Default>(&self, session: &Arc<str>, read: impl FnOnce(&Session) -> T) -> T {
        let mut state = self.state();
        state.uses += 1;
        let uses = state.uses;
        let session = state.sessions.get_mut(session);
        session.map_or_else(T::default, |session| {
            session.used = uses;
            read(session)
        })
    }
}

impl SessionStore for MemorySessions {
    fn load(&self, session: Arc<str>, most: usize) -> BoxFuture<'static, Result<Vec<Turn>, StoreError>> {
        let turns = self.read(&session, |session| session.newest(most).map(|(_, turn)| turn.clone()).collect());
        Box::pin(ready(Ok(turns)))
    }

    fn append(&self, session: Arc<str>, turns: Vec<Turn>) -> BoxFuture<'static, Result<(), StoreError>> {
        let mut state = self.state();
        state.uses += 1;
        let (uses, before) = (state.uses, state.newest);
        state.newest += turns.len() as u64;
        let kept = state.sessions.entry(session).or_default();
        kept.used = uses;
        kept.turns.extend((before + 1..).zip(turns));
        let too_many = kept.turns.len().saturating_sub(self.most_turns);
        kept.turns.drain(..too_many);
        if state.sessions.len() > self.most_sessions {
            let oldest = state.sessions.iter().min_by_key(|(_, session)| session.used).map(|(name, _)| name.clone());
            oldest.map(|name| state.sessions.remove(&name));
        }
        Box::pin(ready(Ok(())))
    }

    fn forget(&self, session: Arc<str>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.state().sessions.remove(&session);
        Box::pin(ready(Ok(())))
    }

    fn history(&self, session: Arc<str>, most: usize) -> BoxFuture<'static, Result<Option<History>, StoreError>> {
        let history = self.read(&session, |session| History {
            turns: session.newest(most).cloned().collect(),
            summary: session.summary.clone(),
        });
        Box::pin(ready(Ok(Some(history))))
    }

    fn keep_summary(&self, session: Arc<str>, summary: Summary) -> BoxFuture<'static, Result<bool, StoreError>> {
        let mut state = self.state();
        let session = state.sessions.get_mut(&session);
        let goes_on = |session: &&mut Session| {
            let is_there = session.turns.iter().any(|(number, _)| *number == summary.through);
            is_there && session.summary.as_ref().is_none_or(|before| before.through < summary.through)
        };
        let is_kept = session.filter(goes_on).map(|session| session.summary = Some(summary)).is_some();
        Box::pin(ready(Ok(is_kept)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ToolCall;

    fn exchange(number: usize) -> [Turn; 4] {
        let call = ToolCall { id: number.to_string(), name: "a".to_owned(), arguments: "{}".to_owned() };
        [
            Turn::user("question"),
            Turn { tool_calls: vec![call], ..Turn::assistant("") },
            Turn::tool(number.to_string(), "told"),
            Turn::assistant("answer"),
        ]
    }

    #[test]
    fn whole_exchanges_are_kept_the_newest_first() {
        let all: Vec<_> = (0..3).flat_map(exchange).collect();
        let one: u64 = exchange(0).iter().map(about_tokens).sum();
        for (most, kept) in [(0, 0), (one - 1, 0), (one, 4), (2 * one - 1, 4), (2 * one, 8), (9 * one, 12)] {
            let fit = fitting(all.clone(), most);
            assert_eq!(fit, all[12 - kept..], "{most}");
        }
        // What was cut in the middle begins with the next question.
        assert_eq!(fitting(all[2..].to_vec(), 9 * one), all[4..]);
    }

    #[test]
    fn memory_is_bounded() {
        let sessions = MemorySessions::new(2, 3);
        let turns = |name: &str| {
            let loaded = sessions.load(name.into(), 9);
            futures_util::FutureExt::now_or_never(loaded).unwrap().unwrap().len()
        };
        let append = |name: &str| drop(sessions.append(name.into(), vec![Turn::user("x"); 2]));
        append("a");
        append("a");
        assert_eq!(turns("a"), 3, "the oldest turn is gone");
        append("b");
        assert_eq!(turns("a"), 3);
        append("c");
        assert_eq!((turns("a"), turns("b"), turns("c")), (3, 0, 2), "b was not used for longest");
    }
}
