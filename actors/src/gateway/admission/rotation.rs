//! Whose turn is it? Flows with something waiting, each served once before any is served again.
//!
//! Round robin with one call to a turn: John Nagle, "On packet switches with infinite storage" (1987), which is deficit
//! round robin with equal quanta and packets of one size: M. Shreedhar and George Varghese, "Efficient fair queueing using
//! deficit round robin" (1995). A flow that has nothing left loses its turn and its memory at once; when it comes back it is
//! the last, so that leaving and coming back buys nothing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::depths::Depths;

/// What takes turns.
pub(super) trait Backlog: Default {
    /// How many calls wait in it.
    fn len(&self) -> usize;
}

/// Flows in the order of their turns. Everything takes the logarithm of the number of flows.
#[derive(Debug, Clone)]
pub(super) struct Rotation<F> {
    flows: BTreeMap<u64, Seat<F>>,
    /// Flows by their turns; whose is the smallest is next.
    turns: BTreeMap<u64, u64>,
    depths: Depths,
    waiting: usize,
}

#[derive(Debug, Clone)]
struct Seat<F> {
    turn: u64,
    flow: F,
}

// Derived, it would ask for a flow with a default.
impl<F> Default for Rotation<F> {
    fn default() -> Self {
        Self { flows: BTreeMap::new(), turns: BTreeMap::new(), depths: Depths::default(), waiting: 0 }
    }
}

impl<F: Backlog> Rotation<F> {
    /// How many calls wait in all its flows.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    pub(super) fn get(&self, id: u64) -> Option<&F> {
        self.flows.get(&id).map(|seat| &seat.flow)
    }

    /// Whose turn it is: the turn, the flow's id and the flow.
    pub(super) fn first(&self) -> Option<(u64, u64, &F)> {
        let (turn, id) = self.turns.first_key_value()?;
        Some((*turn, *id, self.get(*id)?))
    }

    /// Adds to a flow. One that had nothing gets `turn`, which must be larger than all before it, or have been its own.
    pub(super) fn add<T>(&mut self, id: u64, turn: u64, add: impl FnOnce(&mut F) -> T) {
        let seat = match self.flows.entry(id) {
            Entry::Occupied(seat) => seat.into_mut(),
            Entry::Vacant(seat) => {
                self.turns.insert(turn, id);
                seat.insert(Seat { turn, flow: F::default() })
            }
        };
        let before = seat.flow.len();
        add(&mut seat.flow);
        self.depths.moved(before, seat.flow.len());
        self.waiting = self.waiting + seat.flow.len() - before;
    }

    /// A flow has a turn again that was its own, unless it has an older one.
    pub(super) fn give_back(&mut self, id: u64, turn: u64) {
        let Some(seat) = self.flows.get_mut(&id).filter(|seat| turn < seat.turn) else { return };
        self.turns.remove(&seat.turn);
        self.turns.insert(turn, id);
        seat.turn = turn;
    }

    /// Takes something out of a flow. With `next` it was served, and that is its next turn; without, it keeps its turn.
    pub(super) fn take<T>(&mut self, id: u64, next: Option<u64>, take: impl FnOnce(&mut F) -> T) -> Option<T> {
        let seat = self.flows.get_mut(&id)?;
        let before = seat.flow.len();
        let taken = take(&mut seat.flow);
        let after = seat.flow.len();
        self.depths.moved(before, after);
        self.waiting = self.waiting + after - before;
        if after == 0 {
            self.turns.remove(&seat.turn);
            self.flows.remove(&id);
        } else if let Some(next) = next {
            // In this order, the map of a single flow is never empty, and keeps its memory.
            self.turns.insert(next, id);
            self.turns.remove(&seat.turn);
            seat.turn = next;
        }
        Some(taken)
    }

    /// How many calls are served, at most, until this flow has had so many turns, its own included.
    pub(super) fn served_within(&self, id: u64, turns: usize) -> usize {
        let own = self.get(id).map_or(0, F::len);
        turns + self.depths.served_beside(own, turns)
    }

    #[cfg(test)]
    pub(super) fn flows(&self) -> impl Iterator<Item = (u64, &F)> {
        assert_eq!(self.flows.len(), self.turns.len());
        self.flows.iter().map(|(id, seat)| (*id, &seat.flow))
    }
}
