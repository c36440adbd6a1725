//! Where do the bytes go? Counts each subject's blocks on the heap: for an idle agent by size, for an ask and for a tell.
//!
//! `cargo bench -p callboard-benches -- allocations` runs only this. The figures are exact and the same in each run; they
//! are what was asked for, without what the allocator adds. Counting costs time, so nothing is timed here.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use callboard_benches::each_peer;
use callboard_benches::options::Options;
use callboard_benches::peer::{Directory, Peer};
use callboard_benches::peers::SUBJECTS;

/// Blocks of this size and above are counted together: the tables of directories.
const LARGE: usize = 8192;

/// Live blocks by size.
static LIVE: [AtomicI64; LARGE + 1] = [const { AtomicI64::new(0) }; LARGE + 1];
static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);
static EVER: AtomicI64 = AtomicI64::new(0);
static EVER_BYTES: AtomicI64 = AtomicI64::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(size: usize, sign: i64) {
    let bytes = i64::try_from(size).unwrap_or(i64::MAX);
    LIVE[size.min(LARGE)].fetch_add(sign, Relaxed);
    LIVE_BYTES.fetch_add(sign * bytes, Relaxed);
    if sign > 0 {
        EVER.fetch_add(1, Relaxed);
        EVER_BYTES.fetch_add(bytes, Relaxed);
    }
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: every call goes to the system's allocator unchanged; counting neither allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller keeps the promises of this very method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller keeps the promises of this very method.
        unsafe { System.dealloc(block, layout) }
    }
}

/// What one subject allocates.
struct Counts {
    /// For each agent: bytes, and how many blocks of which size.
    bytes: f64,
    blocks: Vec<(usize, f64)>,
    /// Allocations and bytes of an ask and of a tell.
    ask: (f64, f64),
    tell: (f64, f64),
}

fn main() {
    let options = match Options::from_arguments(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{}", message.trim_end());
            std::process::exit(2);
        }
    };
    if !options.wants("allocations") {
        return;
    }
    println!("\n| | bytes of an idle agent | in blocks of | an ask allocates | a tell allocates |");
    println!("|---|---:|---|---:|---:|");
    let subjects: [Option<fn() -> Counts>; SUBJECTS.len()] = each_peer!(P => counts::<P>);
    for (index, subject) in subjects.iter().enumerate().filter(|(index, _)| options.wants_subject(*index)) {
        let Some(Counts { bytes, blocks, ask, tell }) = subject.map(|counts| counts()) else { continue };
        let name = SUBJECTS[index].0;
        println!("| {name} | {bytes:.0} | {} | {} | {} |", sizes(&blocks), each(ask), each(tell));
    }
}

fn each((times, bytes): (f64, f64)) -> String {
    format!("{times:.2} times, {bytes:.0} bytes")
}

/// `576, 2 x 208`: the sizes of an agent's blocks.
fn sizes(blocks: &[(usize, f64)]) -> String {
    let size = |(size, times): &(usize, f64)| {
        let size = if *size == LARGE { "tables".to_owned() } else { size.to_string() };
        if (times - 1.0).abs() < 0.01 { size } else { format!("{times:.2} x {size}") }
    };
    blocks.iter().rev().map(size).collect::<Vec<_>>().join(", ")
}

fn counts<P: Peer>() -> Counts {
    const AGENTS: u64 = 20_000;
    const MESSAGES: u64 = 10_000;
    P::run(1, |homes| async move {
        let directory = Directory::<P>::new();
        let start = async || P::enlist(&directory, P::spawn(&homes[0]).await);
        let mut last = 0;
        for _ in 0..1_000 {
            last = start().await;
        }
        let answer = async |id| P::ask(&P::find(&homes[0], &directory, id).expect("the agent lives"), 1).await;
        answer(last).await;
        let before = Snapshot::take();
        for _ in 0..AGENTS {
            last = start().await;
        }
        answer(last).await;
        let (bytes, blocks) = Snapshot::take().since(&before, AGENTS);

        let agent = P::find(&homes[0], &directory, last).expect("the agent lives");
        let mut ask = (0.0, 0.0);
        let mut tell = (0.0, 0.0);
        // The first of each warms up.
        for _ in 0..2 {
            let ever = Ever::now();
            for _ in 0..MESSAGES {
                P::ask(&agent, 1).await;
            }
            ask = ever.each(MESSAGES);
            let ever = Ever::now();
            for _ in 0..MESSAGES / 1_000 {
                (0..1_000).for_each(|_| P::tell(&agent, 1));
                P::ask(&agent, 1).await;
            }
            tell = ever.each(MESSAGES);
        }
        Counts { bytes, blocks, ask, tell }
    })
}

/// All live blocks at one moment.
struct Snapshot {
    bytes: i64,
    live: Vec<i64>,
}

impl Snapshot {
    fn take() -> Self {
        let live = LIVE.iter().map(|count| count.load(Relaxed)).collect();
        Self { bytes: LIVE_BYTES.load(Relaxed), live }
    }

    /// What came since: bytes for each agent, and blocks by size where there are enough to matter.
    fn since(&self, before: &Self, agents: u64) -> (f64, Vec<(usize, f64)>) {
        let each = |now: i64, then: i64| (now - then) as f64 / agents as f64;
        let blocks = self.live.iter().zip(&before.live).map(|(now, then)| each(*now, *then)).enumerate();
        let blocks = blocks.filter(|(size, times)| *times >= 0.01 || (*size == LARGE && *times > 0.0)).collect();
        (each(self.bytes, before.bytes), blocks)
    }
}

/// All allocations up to one moment.
struct Ever {
    times: i64,
    bytes: i64,
}

impl Ever {
    fn now() -> Self {
        Self { times: EVER.load(Relaxed), bytes: EVER_BYTES.load(Relaxed) }
    }

    fn each(&self, messages: u64) -> (f64, f64) {
        let now = Self::now();
        ((now.times - self.times) as f64 / messages as f64, (now.bytes - self.bytes) as f64 / messages as f64)
    }
}
