//! What do all agents of one runtime share? The shards, the directory, the clock, chance, and whether it still runs.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use super::chance::Chance;
use super::clock::ClockHandle;
use super::deadlines::ClockDeadlines;
use super::pulse::Look;
use super::registry;
use super::shard::{Job, ShardDoor, this_shard};
use super::watchdog::{Health, ShardInfo};
use crate::agent::Agent;
use crate::error::StartError;
use crate::mailbox::{AgentId, AgentRef, AgentSpec, Birth, Directory, Ledger, ShardLedger, prepare};
use crate::scope::Scope;
use crate::supervision::Kept;

pub(crate) struct Shared {
    shards: Vec<ShardDoor>,
    /// Of the shards; they are drawn in one block.
    numbers: Range<u64>,
    clock: ClockHandle,
    directory: Directory,
    scope: Scope,
    chance: Chance,
    /// Decides who waits for another turn, in simulations; `None` on real threads.
    coin: Option<Chance>,
    next_id: AtomicU64,
    began: Instant,
    /// Milliseconds since the beginning, as the watchdog knows them.
    time: AtomicU64,
    /// The longest step that it ever made.
    longest_step: AtomicU64,
    health: Health,
    deadlines: ClockDeadlines,
    /// No new agents.
    closing: AtomicBool,
    /// No timers either: the threads are about to end.
    closed: CancellationToken,
}

impl Shared {
    pub(super) fn new(shards: Vec<ShardDoor>, clock: ClockHandle, chance: Chance, coin: Option<Chance>) -> Arc<Self> {
        let first = shards.first().map_or(0, ShardDoor::number);
        let numbers = first..first + shards.len() as u64;
        let health = Health::new(shards.len());
        let shared = Arc::new(Self {
            shards,
            numbers,
            clock,
            directory: Directory::default(),
            scope: Scope::root(),
            chance,
            coin,
            next_id: AtomicU64::new(1),
            began: Instant::now(),
            time: AtomicU64::new(0),
            longest_step: AtomicU64::new(0),
            health,
            deadlines: ClockDeadlines::default(),
            closing: AtomicBool::new(false),
            closed: CancellationToken::new(),
        });
        registry::enlist(shared.numbers.clone(), Arc::downgrade(&shared));
        shared
    }

    /// Starts an agent, below the scope `inherited` if its spec names no other.
    pub(crate) fn spawn<A: Agent>(
        self: &Arc<Self>,
        spec: AgentSpec<A>,
        inherited: Option<&Scope>,
    ) -> Result<AgentRef<A::Message>, StartError> {
        spec.validate()?;
        let id = self.admit()?;
        let (agent, birth) = self.list(id, spec, inherited, None);
        self.launch(birth)?;
        Ok(agent)
    }

    /// The id of a new agent, unless the runtime takes none any more.
    pub(crate) fn admit(&self) -> Result<AgentId, StartError> {
        if self.is_closing() {
            return Err(StartError::RuntimeStopped);
        }
        Ok(AgentId(self.next_id.fetch_add(1, Ordering::Relaxed)))
    }

    /// Lists an agent that has yet to be [launched](Self::launch). One whose group decides what follows its ends then
    /// waits until the group says so.
    pub(crate) fn list<A: Agent>(
        self: &Arc<Self>,
        id: AgentId,
        spec: AgentSpec<A>,
        inherited: Option<&Scope>,
        kept: Option<Box<Kept>>,
    ) -> (AgentRef<A::Message>, Birth<A>) {
        let shard = spec.shard.unwrap_or_else(|| self.shard_of(id));
        prepare(self, id, shard, inherited, kept, spec)
    }

    /// Brings an agent to its shard. One that the shard does not take is dropped, which makes it gone.
    pub(crate) fn launch<A: Agent>(&self, birth: Birth<A>) -> Result<(), StartError> {
        let shard = usize::from(birth.shard());
        match self.shards[shard].run(Box::new(move || birth.run())) {
            Ok(()) => Ok(()),
            Err(_refused) if self.is_closing() => Err(StartError::RuntimeStopped),
            Err(_refused) => Err(StartError::Overloaded),
        }
    }

    /// A stable hash of the id chooses the shard (Fibonacci hashing: the upper bits of a multiplication).
    fn shard_of(&self, id: AgentId) -> u16 {
        let mixed = id.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let shard = usize::try_from(mixed).unwrap_or(0) % self.shards.len();
        u16::try_from(shard).unwrap_or(0)
    }

    /// A timer on this runtime's clock; it can be awaited on any executor, as long as the runtime is not closed.
    pub(crate) fn sleep(&self, duration: Duration) -> Sleep {
        let _inside = self.clock.handle().enter();
        tokio::time::sleep(duration)
    }

    /// Runs `watch` on the clock, where no agent can block it. It is dropped when the runtime is closed,
    /// or at once when that has ended.
    pub(crate) fn watch_over(&self, watch: impl Future<Output = ()> + Send + 'static) -> Option<JoinHandle<()>> {
        let closed = self.closed();
        self.clock.watch(async move {
            tokio::select! {
                biased;
                () = watch => {}
                () = closed => {}
            }
        })
    }

    /// What is watched over.
    #[cfg(test)]
    pub(crate) fn watches(&self) -> usize {
        self.clock.watches()
    }

    /// Runs `job` on the shard with this number, unless that has ended or is tens of thousands of jobs behind.
    pub(super) fn run_on(&self, number: u64, job: Job) {
        let shard = self.shards.iter().find(|shard| shard.number() == number);
        let _refused = shard.map(|shard| shard.run_if_there_is_room(job));
    }

    /// Whether time is virtual, and everything happens on one thread.
    pub(crate) fn is_simulated(&self) -> bool {
        self.coin.is_some()
    }

    /// Whether the current thread is one of these shards, and does nothing else.
    #[inline]
    pub(crate) fn is_here(&self) -> bool {
        self.coin.is_none() && this_shard().is_some_and(|number| self.numbers.contains(&number))
    }

    /// The place among these shards of the one that the current thread is; none in a simulation, where all are one thread.
    #[inline]
    pub(crate) fn here(&self) -> Option<usize> {
        let number = this_shard().filter(|number| self.coin.is_none() && self.numbers.contains(number))?;
        usize::try_from(number - self.numbers.start).ok()
    }

    /// The runtime that the current thread works for, if it is one of these shards or has several threads: what belongs to a caller may
    /// be done there. Another one of one thread may be blocked by its caller.
    pub(crate) fn home(&self) -> Option<Handle> {
        let here = Handle::try_current().ok()?;
        (here.runtime_flavor() == RuntimeFlavor::MultiThread || self.here().is_some()).then_some(here)
    }

    /// The scope above all agents and runs.
    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Ends when the runtime's threads are about to end.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.closed.clone().cancelled_owned()
    }

    #[inline]
    pub(crate) fn ledger(&self, shard: u16) -> &ShardLedger {
        &self.shards[usize::from(shard)].ledger
    }

    /// Counts a message that a door on this shard took; whether the current thread is that shard.
    #[inline]
    pub(crate) fn accept(&self, shard: u16) -> bool {
        let shard = &self.shards[usize::from(shard)];
        let is_here = this_shard() == Some(shard.number());
        shard.ledger.accept(is_here);
        is_here
    }

    /// The agent has its shard from here on, until [`Shared::end_turn`].
    #[inline]
    pub(crate) fn begin_turn(&self, agent: AgentId, shard: u16) {
        self.shards[usize::from(shard)].pulse.begin(agent);
    }

    #[inline]
    pub(crate) fn end_turn(&self, shard: u16) {
        self.shards[usize::from(shard)].pulse.end();
    }

    pub(super) fn looks(&self) -> impl Iterator<Item = Look> {
        self.shards.iter().map(|shard| shard.pulse.look())
    }

    /// Whose work has gone on beside a shard for longest.
    pub(super) fn oldest_beside(&self, shard: usize) -> Option<AgentId> {
        self.shards.get(shard)?.pulse.oldest_beside()
    }

    /// Those that the clock keeps.
    pub(super) fn deadlines(&self) -> &ClockDeadlines {
        &self.deadlines
    }

    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    pub(super) fn shard_infos(&self) -> Vec<ShardInfo> {
        self.health.all()
    }

    pub(super) fn tell_time(&self, now: Instant) {
        let now = millis(now.saturating_duration_since(self.began));
        // Before the time itself: who sees the new time sees the step that led to it.
        self.longest_step.fetch_max(now.saturating_sub(self.time.load(Ordering::Relaxed)), Ordering::Relaxed);
        self.time.store(now, Ordering::Release);
    }

    /// How many milliseconds have surely passed since this [moment](Self::moment): fewer than really have, by as much as
    /// the clock's thread was ever held up between two looks, usually 50.
    pub(crate) fn surely_passed(&self, since: u32) -> u64 {
        let now = self.time.load(Ordering::Acquire) as u32;
        u64::from(now.wrapping_sub(since)).saturating_sub(self.longest_step.load(Ordering::Relaxed))
    }

    /// The time as exactly as it costs nothing: that of the watchdog's last look, and in a simulation that of the clock.
    /// Milliseconds since the beginning, of which 32 bits are kept: for ages of less than 49 days.
    #[inline]
    pub(crate) fn moment(&self) -> u32 {
        let exact = || millis(self.began.elapsed());
        let time = if self.coin.is_some() { exact() } else { self.time.load(Ordering::Relaxed) };
        time as u32
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// A share in `0.0..1.0` from the runtime's one stream of chance.
    pub(crate) fn chance(&self) -> f64 {
        self.chance.share()
    }

    /// Whether whoever asks should let the others go first, for once. Never on real threads, where chance does that; in
    /// a simulation one time in four, so that each seed has interleavings of its own.
    #[inline]
    pub(crate) fn defers(&self) -> bool {
        self.coin.as_ref().is_some_and(|coin| coin.next().is_multiple_of(4))
    }

    /// How many of `most` things to do in a row: all of them on real threads, in a simulation as the coin falls.
    #[inline]
    pub(crate) fn in_a_row(&self, most: u32) -> u32 {
        let few = |coin: &Chance| 1 + u32::try_from(coin.next() % 8).unwrap_or(0);
        self.coin.as_ref().map_or(most, |coin| few(coin).min(most))
    }

    /// 64 bits from the runtime's one stream of chance.
    pub(crate) fn draw(&self) -> u64 {
        self.chance.next()
    }

    /// How many there are.
    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    pub(super) fn sum_ledgers(&self) -> Ledger {
        Ledger::sum(self.shards.iter().map(|shard| &*shard.ledger), self.directory.pending())
    }

    /// Whether it takes no new agents, because it stops.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Refuses new agents from here on.
    pub(super) fn refuse_new(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Refuses new agents and ends every wait: the threads are about to end.
    pub(super) fn close(&self) {
        self.refuse_new();
        self.closed.cancel();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        registry::strike(&self.numbers);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
