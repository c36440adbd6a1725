//! Who of those that wait for one model is next? Users take turns, within a user its runs, within a run the most urgent
//! class first, within a class the order of arrival. Pure, and without time.
//!
//! Hierarchical round robin with one call to a turn; `rotation.rs` has the source. Of users that have something waiting
//! all the while, none gets more than one call more than another, in any stretch; the same holds for the runs of one user.
//! A run with one call waits for one call at most of each other run of its user, and each of these for one call at most of
//! each other user. Whoever has many runs, calls or urgent calls gets nothing more by it than others of its kind.

use std::collections::BTreeSet;

use super::flow::{Flow, Priority, Turns};
use super::rotation::{Backlog, Rotation};

/// Calls are known by their numbers, which are in the order of arrival.
///
/// Turns are numbers too, each larger than those before it. They come from outside, so that whoever keeps several lines can
/// tell which of their heads has waited longest for its turn.
#[derive(Debug, Clone, Default)]
pub(super) struct FairLine {
    users: Rotation<User>,
}

#[derive(Debug, Clone, Default)]
struct User {
    runs: Rotation<Run>,
}

impl Backlog for User {
    fn len(&self) -> usize {
        self.runs.len()
    }
}

#[derive(Debug, Clone, Default)]
struct Run {
    /// The numbers of its calls, the most urgent class first.
    classes: [BTreeSet<u64>; Priority::COUNT],
}

impl Backlog for Run {
    fn len(&self) -> usize {
        self.classes.iter().map(BTreeSet::len).sum()
    }
}

impl FairLine {
    pub(super) fn len(&self) -> usize {
        self.users.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A call lines up. One with a smaller number than others of its class goes before them: it stood there before.
    pub(super) fn push(&mut self, flow: Flow, number: u64, turn: u64) {
        let line_up = |run: &mut Run| run.classes[flow.class.rank()].insert(number);
        self.users.add(flow.user, turn, |user| user.runs.add(flow.run, turn, line_up));
    }

    /// A call lines up that was served with these turns and got nothing for them: its user and its run have them again.
    pub(super) fn push_again(&mut self, flow: Flow, number: u64, turns: Turns) {
        let line_up = |run: &mut Run| run.classes[flow.class.rank()].insert(number);
        self.users.add(flow.user, turns.user, |user| {
            user.runs.add(flow.run, turns.run, line_up);
            user.runs.give_back(flow.run, turns.run);
        });
        self.users.give_back(flow.user, turns.user);
    }

    /// A call leaves without being served. That costs its flow no turn.
    pub(super) fn remove(&mut self, flow: Flow, number: u64) {
        let leave = |run: &mut Run| run.classes[flow.class.rank()].remove(&number);
        self.users.take(flow.user, None, |user| user.runs.take(flow.run, None, leave));
    }

    /// Who is next: the turn of its user, and its number.
    pub(super) fn head(&self) -> Option<(u64, u64)> {
        let (turn, _, user) = self.users.first()?;
        let (_, _, run) = user.runs.first()?;
        Some((turn, *run.classes.iter().find_map(BTreeSet::first)?))
    }

    /// The turns of who is next.
    pub(super) fn turns(&self) -> Option<Turns> {
        let (user, _, runs) = self.users.first()?;
        let (run, ..) = runs.runs.first()?;
        Some(Turns { user, run })
    }

    /// Takes out who is next. Its user and its run are last from now on.
    pub(super) fn serve(&mut self, turn: u64) -> Option<u64> {
        let (_, id, user) = self.users.first()?;
        let (_, run, _) = user.runs.first()?;
        let first = |run: &mut Run| run.classes.iter_mut().find_map(BTreeSet::pop_first);
        self.users.take(id, Some(turn), |user| user.runs.take(run, Some(turn), first)).flatten().flatten()
    }

    /// How many are served before a call that would line up now, at most, if nobody else comes. Too large by a half
    /// at most, a quarter for the runs and a quarter for the users, and by one call of each flow: see `depths.rs`.
    pub(super) fn before(&self, flow: Flow) -> usize {
        let user = self.users.get(flow.user);
        let own = user.and_then(|user| user.runs.get(flow.run));
        let of_run = 1 + own.map_or(0, |run| run.classes[..=flow.class.rank()].iter().map(BTreeSet::len).sum());
        let of_user = user.map_or(of_run, |user| user.runs.served_within(flow.run, of_run));
        self.users.served_within(flow.user, of_user) - 1
    }
}

#[cfg(test)]
#[path = "fair_line_tests.rs"]
pub(super) mod tests;
