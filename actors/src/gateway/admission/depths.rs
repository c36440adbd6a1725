//! How many calls would be served if each flow had so many turns? Without asking each flow.
//!
//! The sum of min(length, turns) over all flows, from a histogram of the lengths with one rung for each power of two. It is
//! exact but for the flows on the rung of `turns` itself; there it is too large, by less than a quarter (the most is
//! half of what the root of two is above one, when the shortest and the longest of a rung stand beside each other).

/// The lengths of all flows, by magnitude.
#[derive(Debug, Clone, Default)]
pub(super) struct Depths {
    /// Rung `n` has the flows with 2^n calls or more, and fewer than twice that.
    rungs: Vec<Rung>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Rung {
    flows: usize,
    calls: usize,
}

impl Rung {
    fn served(self, turns: usize) -> usize {
        self.calls.min(self.flows.saturating_mul(turns))
    }
}

impl Depths {
    /// A flow that had `before` calls has `after` now. One without any is none.
    pub(super) fn moved(&mut self, before: usize, after: usize) {
        if let Some(rung) = rung_of(before).and_then(|number| self.rungs.get_mut(number)) {
            rung.flows -= 1;
            rung.calls -= before;
        }
        let Some(number) = rung_of(after) else { return };
        if self.rungs.len() <= number {
            self.rungs.resize(number + 1, Rung::default());
        }
        self.rungs[number].flows += 1;
        self.rungs[number].calls += after;
    }

    /// How many calls so many turns of each flow serve, one flow of this length left out.
    pub(super) fn served_beside(&self, own: usize, turns: usize) -> usize {
        let own_rung = rung_of(own);
        let rungs = self.rungs.iter().enumerate().map(|(number, rung)| match own_rung == Some(number) {
            true => Rung { flows: rung.flows - 1, calls: rung.calls - own },
            false => *rung,
        });
        rungs.fold(0, |sum, rung| sum + rung.served(turns))
    }
}

fn rung_of(calls: usize) -> Option<usize> {
    calls.checked_ilog2().map(|rung| rung as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever becomes of the flows: never less than is right, and less than a quarter more.
        #[test]
        fn the_sum_is_an_upper_bound_within_a_quarter(
            moves in proptest::collection::vec((0..8usize, 0..40usize), 1..60),
            own in 0..8usize,
            turns in 0..50usize,
        ) {
            let (mut lengths, mut depths) = ([0; 8], Depths::default());
            for (flow, after) in moves {
                depths.moved(lengths[flow], after);
                lengths[flow] = after;
            }
            let others = lengths.iter().enumerate().filter(|(flow, _)| *flow != own);
            let exact: usize = others.map(|(_, length)| turns.min(*length)).sum();
            let sum = depths.served_beside(lengths[own], turns);
            prop_assert!(exact <= sum && 4 * sum <= 5 * exact, "{sum} for {exact}");
        }
    }

    #[test]
    fn flows_that_are_longer_or_shorter_than_the_turns_are_counted_exactly() {
        let mut depths = Depths::default();
        for length in [1, 1, 3, 1000, 5] {
            depths.moved(0, length);
        }
        assert_eq!(depths.served_beside(5, 8), 1 + 1 + 3 + 8);
        assert_eq!(depths.served_beside(0, 8), 1 + 1 + 3 + 8 + 5);
    }
}
