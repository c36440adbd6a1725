//! Which deadlines have passed? A hierarchical timing wheel: plain values, with the time as an argument.
//!
//! Entering and leaving take the same few steps however many deadlines there are, and nearly all of them leave before
//! they pass. After Varghese and Lauck, "Hashed and hierarchical timing wheels" (1987), in the form with one bit for
//! each slot that is in use. Whoever enters says how long it waits, not until when: the clock is read once for all that
//! have entered since the last time, in [`Wheel::advance`].

/// Slots of one level.
const SLOTS: u64 = 64;
/// Bits that a level takes of a time.
const BITS: u32 = SLOTS.trailing_zeros();
/// Levels: 64⁶ milliseconds are two years.
const LEVELS: usize = 6;
/// What is further away waits on the last level, and is looked at again when its turn comes.
const HORIZON: u64 = SLOTS.pow(LEVELS as u32);
/// The list of those that wait for the clock to be read.
const FRESH: u16 = (LEVELS as u64 * SLOTS) as u16;
const NONE: u32 = u32::MAX;

/// One deadline in the wheel. A key of a deadline that has passed or left names nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    index: u32,
    generation: u32,
}

/// Values that wait for their times, in ticks.
#[derive(Debug)]
pub(super) struct Wheel<T> {
    /// What was due by then is out.
    now: u64,
    entries: Vec<Entry<T>>,
    /// The first free entry.
    free: u32,
    /// How many deadlines there are.
    len: usize,
    /// Of entries that are made from here on: no key of before names them.
    generation: u32,
    /// The first entry of each slot, level by level; of the [fresh](FRESH) ones last.
    heads: [u32; FRESH as usize + 1],
    /// One bit for each slot that is not empty.
    used: [u64; LEVELS],
}

#[derive(Debug)]
struct Entry<T> {
    /// `None` in a free entry.
    value: Option<T>,
    /// When it is due; of a fresh one, how long it waits.
    due: u64,
    generation: u32,
    /// The neighbours in the slot; of a free entry, `next` is the next free one.
    previous: u32,
    next: u32,
    slot: u16,
}

impl<T> Wheel<T> {
    pub(super) fn new() -> Self {
        let heads = [NONE; FRESH as usize + 1];
        Self { now: 0, entries: Vec::new(), free: NONE, len: 0, generation: 0, heads, used: [0; LEVELS] }
    }

    /// Lets `value` wait for so many ticks at least, counted from the next [`advance`](Self::advance).
    #[inline]
    pub(super) fn insert(&mut self, ticks: u64, value: T) -> Key {
        let index = self.take_free();
        let entry = &mut self.entries[index as usize];
        (entry.value, entry.due) = (Some(value), ticks);
        let key = Key { index, generation: entry.generation };
        self.len += 1;
        self.link(index, FRESH);
        key
    }

    /// Takes out a value that still waits.
    #[inline]
    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.entries.get(key.index as usize)?;
        if entry.value.is_none() || entry.generation != key.generation {
            return None;
        }
        self.unlink(key.index);
        Some(self.release(key.index))
    }

    /// Takes out everything that waits, in no order.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> + use<'_, T> {
        self.heads = [NONE; FRESH as usize + 1];
        self.used = [0; LEVELS];
        (self.free, self.len) = (NONE, 0);
        self.entries.drain(..).filter_map(|entry| entry.value)
    }

    /// The tick at which to [advance](Self::advance) again, fresh ones apart: nothing is due before it. `None` when
    /// nothing waits.
    pub(super) fn next(&self) -> Option<u64> {
        let level = self.used.iter().position(|used| *used != 0)?;
        let shift = level as u32 * BITS;
        let here = (self.now >> shift) % SLOTS;
        // The slot of the present holds nothing of this turn: only on the last level something of the next one.
        let ahead = 1 + u64::from(self.used[level].rotate_right(here as u32 + 1).trailing_zeros());
        let turn = SLOTS << shift;
        Some(self.now - self.now % turn + ((here + ahead) << shift))
    }

    /// Goes on to the tick `now`, the last one that is over, and puts what is due into `out`, by order of time.
    pub(super) fn advance(&mut self, now: u64, out: &mut Vec<T>) {
        while let Some(next) = self.next().filter(|next| *next <= now) {
            let level = self.used.iter().position(|used| *used != 0).unwrap_or(0);
            let slot = (next >> (level as u32 * BITS)) % SLOTS;
            self.now = next;
            self.used[level] &= !(1 << slot);
            let mut index = std::mem::replace(&mut self.heads[level * SLOTS as usize + slot as usize], NONE);
            while index != NONE {
                let entry = &self.entries[index as usize];
                let (following, due) = (entry.next, entry.due);
                if due <= next {
                    out.push(self.release(index));
                } else {
                    self.link(index, self.slot_of(due));
                }
                index = following;
            }
        }
        self.now = self.now.max(now);
        self.settle();
        if self.len == 0 && self.entries.len() > 1024 {
            // A peak that is over holds no memory, once nothing at all waits.
            let last = self.entries.iter().map(|entry| entry.generation).max().unwrap_or(0);
            self.generation = last.wrapping_add(1);
            (self.entries, self.free) = (Vec::new(), NONE);
        }
    }

    /// Gives the fresh ones their time. The tick that has begun does not count: they may have entered at its end.
    fn settle(&mut self) {
        let mut index = std::mem::replace(&mut self.heads[usize::from(FRESH)], NONE);
        while index != NONE {
            let entry = &mut self.entries[index as usize];
            let following = entry.next;
            entry.due = entry.due.saturating_add(self.now + 1);
            let slot = self.slot_of(self.entries[index as usize].due);
            self.link(index, slot);
            index = following;
        }
    }

    fn slot_of(&self, due: u64) -> u16 {
        let due = due.min(self.now + HORIZON - 1);
        let highest = 63 - ((due ^ self.now) | 1).leading_zeros();
        let level = (highest / BITS).min(LEVELS as u32 - 1);
        (u64::from(level) * SLOTS + (due >> (level * BITS)) % SLOTS) as u16
    }

    #[inline]
    fn take_free(&mut self) -> u32 {
        if self.free != NONE {
            let index = self.free;
            self.free = self.entries[index as usize].next;
            return index;
        }
        let entry = Entry { value: None, due: 0, generation: self.generation, previous: NONE, next: NONE, slot: FRESH };
        self.entries.push(entry);
        u32::try_from(self.entries.len() - 1).unwrap_or(NONE)
    }

    /// Puts an entry first into a slot.
    #[inline]
    fn link(&mut self, index: u32, slot: u16) {
        let next = std::mem::replace(&mut self.heads[usize::from(slot)], index);
        self.mark(slot, true);
        let entry = &mut self.entries[index as usize];
        (entry.slot, entry.previous, entry.next) = (slot, NONE, next);
        if next != NONE {
            self.entries[next as usize].previous = index;
        }
    }

    #[inline]
    fn unlink(&mut self, index: u32) {
        let Entry { previous, next, slot, .. } = self.entries[index as usize];
        if next != NONE {
            self.entries[next as usize].previous = previous;
        }
        if previous != NONE {
            self.entries[previous as usize].next = next;
            return;
        }
        self.heads[usize::from(slot)] = next;
        if next == NONE {
            self.mark(slot, false);
        }
    }

    fn mark(&mut self, slot: u16, is_used: bool) {
        if slot != FRESH {
            let bit = 1 << (u64::from(slot) % SLOTS);
            let level = &mut self.used[usize::from(slot) / SLOTS as usize];
            *level = if is_used { *level | bit } else { *level & !bit };
        }
    }

    /// Frees an entry that is in no slot any more, and gives its value.
    #[inline]
    fn release(&mut self, index: u32) -> T {
        let entry = &mut self.entries[index as usize];
        entry.generation = entry.generation.wrapping_add(1);
        entry.next = std::mem::replace(&mut self.free, index);
        self.len -= 1;
        entry.value.take().expect("an entry in a slot has a value: insert puts both there, and only this takes it")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u64),
        Remove(prop::sample::Index),
        Advance(u64),
        /// To where the wheel says that it wants to go.
        Follow,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        // All sizes of distances are equally likely.
        let distance = (0u32..45).prop_flat_map(|bits| 0..(2u64 << bits));
        let step = prop_oneof![
            4 => distance.clone().prop_map(Step::Insert),
            2 => any::<prop::sample::Index>().prop_map(Step::Remove),
            1 => distance.prop_map(Step::Advance),
            2 => Just(Step::Follow),
        ];
        prop::collection::vec(step, 0..120)
    }

    proptest! {
        #[test]
        fn it_says_what_a_sorted_list_says(steps in steps()) {
            let mut wheel = Wheel::new();
            // By number: when it is due, once that is known, and how long it waits.
            let mut model: BTreeMap<usize, (Option<u64>, u64)> = BTreeMap::new();
            let (mut now, mut keys) = (0, Vec::new());
            for (number, step) in steps.iter().enumerate() {
                let mut out = Vec::new();
                match step {
                    Step::Insert(distance) => {
                        let distance = *distance;
                        let key = wheel.insert(distance, number);
                        model.insert(number, (None, distance));
                        keys.push((number, key));
                    }
                    Step::Remove(at) if !keys.is_empty() => {
                        let (number, key): (usize, Key) = keys[at.index(keys.len())];
                        prop_assert_eq!(wheel.remove(key), model.remove(&number).map(|_| number));
                    }
                    Step::Remove(_) => {}
                    Step::Advance(distance) => now += distance,
                    Step::Follow => if let Some(next) = wheel.next() {
                        prop_assert!(next > now);
                        now = next;
                    }
                }
                if matches!(step, Step::Advance(_) | Step::Follow) {
                    wheel.advance(now, &mut out);
                    let is_due = |(due, _): &(Option<u64>, u64)| due.is_some_and(|due| due <= now);
                    let due: Vec<_> = model.iter().filter(|(_, one)| is_due(one)).map(|(number, _)| *number).collect();
                    model.retain(|_, one| !is_due(one));
                    model.values_mut().for_each(|(due, waits)| *due = due.or(Some(now + 1 + *waits)));
                    out.sort_unstable();
                    prop_assert_eq!(out, due);
                }
                let earliest = model.values().filter_map(|(due, _)| *due).min();
                prop_assert_eq!(wheel.next().is_some(), earliest.is_some());
                prop_assert!(wheel.next().is_none_or(|next| Some(next) <= earliest), "nothing is due before");
                prop_assert_eq!(wheel.len, model.len());
            }
        }
    }

    #[test]
    fn what_comes_out_is_in_order_of_time_and_a_passed_key_names_nothing() {
        let mut wheel = Wheel::new();
        let keys = [70_000, 3, 64, 4097].map(|ticks| wheel.insert(ticks, ticks));
        let mut out = Vec::new();
        wheel.advance(10, &mut out);
        wheel.advance(13, &mut out);
        assert!(out.is_empty(), "the tick in which they entered does not count");
        wheel.advance(14, &mut out);
        assert_eq!(out, [3]);
        wheel.advance(100_000, &mut out);
        assert_eq!(out, [3, 64, 4097, 70_000]);
        let again = wheel.insert(200_000, 0);
        assert!(keys.iter().all(|key| wheel.remove(*key).is_none()));
        assert_eq!(wheel.remove(again), Some(0));
    }

    #[test]
    fn a_peak_that_is_over_holds_no_memory_and_its_keys_name_nothing() {
        let mut wheel = Wheel::new();
        let first = wheel.insert(0, 0u64);
        for number in 1..10_000 {
            wheel.insert(0, number);
        }
        let mut out = Vec::new();
        wheel.advance(1, &mut out);
        wheel.advance(2, &mut out);
        assert_eq!((out.len(), wheel.entries.capacity()), (10_000, 0));
        let again = wheel.insert(5, 1);
        assert_eq!((wheel.remove(first), wheel.remove(again)), (None, Some(1)));
    }
}
