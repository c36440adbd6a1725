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

/// Bytes of all sessions together, unless told otherwise.
const MOST_BYTES: usize = 256 << 20;

/// What a turn takes up, about, in bytes.
fn bytes_of(turn: &Turn) -> usize {
    let calls =
        turn.tool_calls.iter().map(|call| size_of_val(call) + call.id.len() + call.name.len() + call.arguments.len());
    size_of::<(u64, Turn)>() + turn.text.len() + calls.sum::<usize>() + turn.answers.as_ref().map_or(0, String::len)
}

/// Sessions in memory: they end with the process. Clones are the same.
#[derive(Debug, Clone)]
pub struct MemorySessions {
    state: Arc<Mutex<State>>,
    most_sessions: usize,
    most_turns: usize,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    sessions: BTreeMap<Arc<str>, Session>,
    uses: u64,
    /// The number of the turn that was added last, in any session.
    newest: u64,
    /// Of all sessions.
    bytes: usize,
}

impl State {
    fn remove(&mut self, name: &str) {
        if let Some(gone) = self.sessions.remove(name) {
            self.bytes -= gone.bytes;
        }
    }

    /// Changes a session, and counts what it takes up then.
    fn change<T>(&mut self, name: &Arc<str>, change: impl FnOnce(&mut Session) -> T) -> T {
        let before = self.sessions.get(name).map_or(0, |session| session.bytes);
        let begun = || Session { bytes: size_of::<Session>() + name.len(), ..Session::default() };
        let session = self.sessions.entry(name.clone()).or_insert_with(begun);
        let changed = change(session);
        self.bytes = self.bytes - before + session.bytes;
        changed
    }

    /// The one that was not used for longest.
    fn oldest(&self) -> Option<Arc<str>> {
        self.sessions.iter().min_by_key(|(_, session)| session.used).map(|(name, _)| name.clone())
    }
}

#[derive(Debug, Default)]
struct Session {
    turns: VecDeque<(u64, Turn)>,
    summary: Option<Summary>,
    used: u64,
    /// Of its name, its turns and its summary.
    bytes: usize,
}

impl Session {
    fn add(&mut self, turns: impl Iterator<Item = (u64, Turn)>) {
        for (number, turn) in turns {
            self.bytes += bytes_of(&turn);
            self.turns.push_back((number, turn));
        }
    }

    fn drop_oldest(&mut self) {
        self.bytes -= self.turns.pop_front().map_or(0, |(_, turn)| bytes_of(&turn));
    }

    fn summarise(&mut self, summary: Summary) {
        self.bytes += summary.text.len();
        self.bytes -= self.summary.replace(summary).map_or(0, |before| before.text.len());
    }

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
    /// least 1 of both; the default is 10,000 and 1,000. All of them together have 256 MiB, or [`most_bytes`](Self::most_bytes).
    pub fn new(most_sessions: usize, most_turns: usize) -> Self {
        let (most_sessions, most_turns) = (most_sessions.max(1), most_turns.max(1));
        Self { state: Arc::default(), most_sessions, most_turns, most_bytes: MOST_BYTES }
    }

    /// At most so many bytes, of all sessions together, about. Beyond it the sessions go that were not used for longest, and of one that is
    /// larger by itself its oldest turns. It is for clones that are made afterwards.
    #[must_use]
    pub fn most_bytes(self, bytes: usize) -> Self {
        Self { most_bytes: bytes, ..self }
    }

    /// Makes room for what was added to this session.
    fn keep_bounds(&self, state: &mut State, added: &Arc<str>) {
        let is_too_much = |state: &State| state.sessions.len() > self.most_sessions || state.bytes > self.most_bytes;
        while is_too_much(state) && state.sessions.len() > 1 {
            // A summary is no use of its session: the one that it was added to may be the oldest.
            let Some(oldest) = state.oldest() else { return };
            state.remove(&oldest);
        }
        while is_too_much(state) && state.sessions.contains_key(added) {
            let is_empty = state.change(added, |session| {
                session.drop_oldest();
                session.turns.is_empty()
            });
            if is_empty {
                state.remove(added);
            }
        }
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
        state.change(&session, |kept| {
            kept.used = uses;
            kept.add((before + 1..).zip(turns));
            while kept.turns.len() > self.most_turns {
                kept.drop_oldest();
            }
        });
        self.keep_bounds(&mut state, &session);
        Box::pin(ready(Ok(())))
    }

    fn forget(&self, session: Arc<str>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.state().remove(&session);
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
        let goes_on = |session: &Session| {
            let is_there = session.turns.iter().any(|(number, _)| *number == summary.through);
            is_there && session.summary.as_ref().is_none_or(|before| before.through < summary.through)
        };
        let is_kept = state.sessions.get(&session).is_some_and(goes_on);
        if is_kept {
            let through = summary.through;
            state.change(&session, |kept| kept.summarise(summary));
            self.keep_bounds(&mut state, &session);
            // The bounds may have taken it, with its session or with the turns that it stands for.
            let kept = state.sessions.get(&session).and_then(|kept| kept.summary.as_ref());
            return Box::pin(ready(Ok(kept.is_some_and(|kept| kept.through == through))));
        }
        Box::pin(ready(Ok(false)))
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

    #[test]
    fn memory_is_bounded_in_bytes_and_the_session_goes_that_was_not_used_for_longest() {
        let now = |done: BoxFuture<'static, Result<(), StoreError>>| {
            futures_util::FutureExt::now_or_never(done).unwrap().unwrap()
        };
        let sessions = MemorySessions::new(9, 9).most_bytes(4_000);
        let append = |name: &str, bytes| {
            now(sessions.append(name.into(), vec![Turn::user("x".repeat(bytes))]));
            assert!(sessions.state().bytes <= 4_000, "{name}: {bytes}");
        };
        let kept = || {
            let state = sessions.state();
            let counted: usize = state.sessions.values().map(|session| session.bytes).sum();
            assert_eq!(state.bytes, counted);
            state.sessions.iter().map(|(name, session)| format!("{name}{}", session.turns.len())).collect::<Vec<_>>()
        };
        for name in ["a", "b", "c"] {
            append(name, 1_000);
        }
        drop(sessions.load("a".into(), 1));
        append("d", 1_000);
        assert_eq!(kept(), ["a1", "c1", "d1"]);
        append("a", 1_500);
        assert_eq!(kept(), ["a2", "d1"]);
        append("d", 3_000);
        assert_eq!(kept(), ["d1"], "its oldest turn went, and all others");
        append("d", 5_000);
        assert_eq!((kept().len(), sessions.state().bytes), (0, 0), "there is no room for it");
        append("e", 1_000);
        let summary = |text: String, through| Summary { text, through };
        let through = sessions.state().newest;
        let keep = sessions.keep_summary("e".into(), summary("s".repeat(2_000), through));
        assert_eq!((futures_util::FutureExt::now_or_never(keep).unwrap(), kept()), (Ok(true), vec!["e1".to_owned()]));
        append("e", 1_500);
        assert_eq!(kept(), ["e1"], "a summary counts");
        now(sessions.forget("e".into()));
        assert_eq!(sessions.state().bytes, 0);
    }
}
