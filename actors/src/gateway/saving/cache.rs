//! Which replies are kept in memory, and which go first? Those that are too old, then the one that was not used for the longest
//! time. Pure: time is an argument, the desk holds the lock.
//!
//! Every operation takes time logarithmic in the number of replies. A clone of a reply is made on the way in and out.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::key::Key;
use super::policy::CachePolicy;
use crate::chat::{ChatReply, Headroom};

/// What an entry costs beside its texts, in bytes, about: its places in three orders, the reply, their blocks on the heap.
const ENTRY: usize = 512;

#[derive(Debug)]
struct Entry {
    reply: ChatReply,
    size: usize,
    /// It is not taken any more from then on.
    expires: Instant,
    /// Its place in the order of use.
    used: u64,
    /// Its place among those that expire at the same time.
    number: u64,
}

/// The replies that are kept, never more than the bounds.
#[derive(Debug)]
pub(in crate::gateway) struct ReplyCache {
    max_age: Duration,
    max_entries: usize,
    max_bytes: usize,
    entries: BTreeMap<Key, Entry>,
    by_use: BTreeMap<u64, Key>,
    by_end: BTreeMap<(Instant, u64), Key>,
    bytes: usize,
    next: u64,
}

impl ReplyCache {
    /// Empty, with the bounds of a policy that is valid.
    pub(in crate::gateway) fn new(policy: &CachePolicy) -> Self {
        let CachePolicy { mode: _, max_age, max_entries, max_bytes } = *policy;
        let (entries, by_use, by_end) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { max_age, max_entries, max_bytes, entries, by_use, by_end, bytes: 0, next: 0 }
    }

    /// The kept reply, which becomes the one that was used last; `None` when there is none or it is too old.
    pub(in crate::gateway) fn get(&mut self, key: &Key, now: Instant) -> Option<ChatReply> {
        let number = self.number();
        let entry = self.entries.get_mut(key)?;
        if entry.expires <= now {
            self.remove(key);
            return None;
        }
        if let Some(key) = self.by_use.remove(&entry.used) {
            self.by_use.insert(number, key);
        }
        entry.used = number;
        Some(entry.reply.clone())
    }

    /// Keeps a reply in place of the one before. `age` is zero for one that has just come, and what a store says of one that
    /// comes from there. One that is too old or larger than the whole cache is not kept, and neither is the one before.
    pub(in crate::gateway) fn put(&mut self, key: Key, mut reply: ChatReply, age: Duration, now: Instant) {
        self.remove(&key);
        self.expire(now);
        // It was true of the moment in which the reply came.
        reply.headroom = Headroom::default();
        let (size, left) = (size(&key, &reply), self.max_age.saturating_sub(age));
        if size > self.max_bytes || left.is_zero() {
            return;
        }
        while self.entries.len() >= self.max_entries || self.bytes + size > self.max_bytes {
            let Some((_, oldest)) = self.by_use.pop_first() else { break };
            self.remove(&oldest);
        }
        let (number, expires) = (self.number(), now + left);
        self.by_use.insert(number, key.clone());
        self.by_end.insert((expires, number), key.clone());
        self.bytes += size;
        self.entries.insert(key, Entry { reply, size, expires, used: number, number });
    }

    /// How many replies are kept.
    #[cfg(test)]
    pub(in crate::gateway) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What they take, about.
    #[cfg(test)]
    pub(in crate::gateway) fn bytes(&self) -> usize {
        self.bytes
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn expire(&mut self, now: Instant) {
        while let Some(first) = self.by_end.first_entry().filter(|first| first.key().0 <= now) {
            let key = first.remove();
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_use.remove(&entry.used);
            self.by_end.remove(&(entry.expires, entry.number));
            self.bytes -= entry.size;
        }
    }
}

/// Bytes of the key and of all texts of a reply, and what holds them.
fn size(key: &Key, reply: &ChatReply) -> usize {
    let call = size_of::<crate::chat::ToolCall>();
    let calls: usize =
        reply.tool_calls.iter().map(|made| call + made.id.len() + made.name.len() + made.arguments.len()).sum();
    ENTRY + key.bytes().len() + reply.text.len() + calls
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy(max_age: u64, max_entries: usize, max_bytes: usize) -> CachePolicy {
        CachePolicy { max_age: SECOND * max_age as u32, max_entries, max_bytes, ..CachePolicy::default() }
    }

    fn reply(length: usize) -> ChatReply {
        ChatReply::text("x".repeat(length))
    }

    #[test]
    fn what_is_kept_comes_back_without_what_was_true_at_its_time() {
        let now = Instant::now();
        let mut cache = ReplyCache::new(&policy(10, 2, 4096));
        let headroom = Headroom { requests: Some(0), ..Headroom::default() };
        let told = ChatReply { headroom, usage: Some(crate::chat::TokenUsage { input: 3, output: 1 }), ..reply(4) };
        cache.put(Key::numbered(1), told.clone(), Duration::ZERO, now);
        assert_eq!(cache.get(&Key::numbered(1), now), Some(ChatReply { headroom: Headroom::default(), ..told }));
        assert_eq!(cache.get(&Key::numbered(2), now), None);
        assert_eq!((cache.len(), cache.bytes()), (1, ENTRY + 10 + 4));
    }

    #[test]
    fn a_reply_that_was_kept_elsewhere_brings_its_age() {
        let now = Instant::now();
        let mut cache = ReplyCache::new(&policy(10, 2, 4096));
        cache.put(Key::numbered(1), reply(1), SECOND * 7, now);
        assert!(cache.get(&Key::numbered(1), now + SECOND * 2).is_some());
        assert!(cache.get(&Key::numbered(1), now + SECOND * 3).is_none());
        cache.put(Key::numbered(1), reply(1), SECOND * 10, now);
        assert_eq!((cache.len(), cache.bytes()), (0, 0));
    }

    #[test]
    fn one_that_is_larger_than_the_cache_leaves_the_others_alone() {
        let now = Instant::now();
        let mut cache = ReplyCache::new(&policy(10, 9, 2048));
        cache.put(Key::numbered(1), reply(1), Duration::ZERO, now);
        cache.put(Key::numbered(2), reply(1), Duration::ZERO, now);
        cache.put(Key::numbered(2), reply(4096), Duration::ZERO, now);
        assert!(cache.get(&Key::numbered(1), now).is_some());
        assert!(cache.get(&Key::numbered(2), now).is_none(), "nor does the answer before stand for the new one");
    }

    /// The same with a list, the least recently used first.
    struct Model {
        policy: CachePolicy,
        list: Vec<(u8, usize, Instant)>,
    }

    impl Model {
        fn bytes(&self) -> usize {
            self.list.iter().map(|(_, length, _)| ENTRY + 10 + length).sum()
        }

        fn get(&mut self, key: u8, now: Instant) -> Option<usize> {
            self.list.retain(|(_, _, end)| *end > now);
            let at = self.list.iter().position(|(number, ..)| *number == key)?;
            let found = self.list.remove(at);
            self.list.push(found);
            Some(found.1)
        }

        fn put(&mut self, key: u8, length: usize, age: Duration, now: Instant) {
            self.list.retain(|(number, _, end)| *number != key && *end > now);
            if age >= self.policy.max_age || ENTRY + 10 + length > self.policy.max_bytes {
                return;
            }
            self.list.push((key, length, now + (self.policy.max_age - age)));
            while self.list.len() > self.policy.max_entries || self.bytes() > self.policy.max_bytes {
                self.list.remove(0);
            }
        }
    }

    proptest! {
        /// Whatever is put in and taken out, and when: the same answers as a plain list gives, within both bounds.
        #[test]
        fn it_answers_as_a_plain_list_does_and_keeps_to_its_bounds(
            steps in proptest::collection::vec((0..3u8, 0..6u8, 0..1500usize, 0..4u64, 0..3u64), 1..200),
            max_age in 1..8u64, max_entries in 1..6usize, max_bytes in 1024..6000usize,
        ) {
            let policy = policy(max_age, max_entries, max_bytes);
            let (mut cache, mut model) = (ReplyCache::new(&policy), Model { policy: policy.clone(), list: Vec::new() });
            let mut now = Instant::now();
            for (step, key, length, age, seconds) in steps {
                now += SECOND * seconds as u32;
                if step == 0 {
                    let age = SECOND * age as u32;
                    cache.put(Key::numbered(key), reply(length), age, now);
                    model.put(key, length, age, now);
                    prop_assert_eq!((cache.len(), cache.bytes()), (model.list.len(), model.bytes()));
                } else {
                    let got = cache.get(&Key::numbered(key), now).map(|reply| reply.text.len());
                    prop_assert_eq!(got, model.get(key, now));
                }
                prop_assert!(cache.len() <= max_entries && cache.bytes() <= max_bytes);
                let sum: usize = cache.entries.values().map(|entry| entry.size).sum();
                prop_assert_eq!(sum, cache.bytes());
                prop_assert_eq!(cache.by_use.len(), cache.len());
                prop_assert_eq!(cache.by_end.len(), cache.len());
            }
        }
    }
}
