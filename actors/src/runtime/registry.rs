//! To which runtime does a shard belong? For what has left its shard and holds no more than the shard's number.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::Shared;

/// A runtime, with the numbers of its shards.
type Listed = (Range<u64>, Weak<Shared>);

/// The runtimes of this process that somebody holds, by the number of their first shard.
static RUNTIMES: Mutex<BTreeMap<u64, Listed>> = Mutex::new(BTreeMap::new());

fn runtimes() -> MutexGuard<'static, BTreeMap<u64, Listed>> {
    RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn enlist(numbers: Range<u64>, runtime: Weak<Shared>) {
    runtimes().insert(numbers.start, (numbers, runtime));
}

pub(super) fn strike(numbers: &Range<u64>) {
    runtimes().remove(&numbers.start);
}

/// The runtime of the shard with this number, if anybody still holds it.
pub(super) fn runtime_of(shard: u64) -> Option<Arc<Shared>> {
    // The last reference must not be dropped under the lock: its end strikes it off the list.
    let found =
        runtimes().range(..=shard).next_back().filter(|(_, (numbers, _))| numbers.contains(&shard))?.1.1.clone();
    found.upgrade()
}
