//! By which clock? The wall's, or with `--cpu` the processor time of the measuring thread.
//!
//! What happens on one thread costs the same by both on a machine that does nothing else. On one that does, only the
//! second says anything; it does not see what a subject makes other threads do.

use std::time::{Duration, Instant};

/// Where time comes from in the measurements on one thread. Those on two always use the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// What a person would see.
    Wall,
    /// What the thread used.
    Thread,
}

impl Clock {
    /// Begins to measure, on the thread that does the work.
    pub fn start(self) -> Stopwatch {
        match self {
            Self::Wall => Stopwatch::Wall(Instant::now()),
            Self::Thread => Stopwatch::Thread(thread_time()),
        }
    }
}

/// A measurement that runs.
#[derive(Debug)]
pub enum Stopwatch {
    /// Since then.
    Wall(Instant),
    /// Since the thread had used so much.
    Thread(Duration),
}

impl Stopwatch {
    /// How long it took so far. Processor time is exact to a tick of the scheduler, a few milliseconds.
    pub fn elapsed(&self) -> Duration {
        match self {
            Self::Wall(begin) => begin.elapsed(),
            Self::Thread(begin) => thread_time() - *begin,
        }
    }
}

/// The first number of the file are nanoseconds on a processor.
fn thread_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("`--cpu` needs Linux");
    let nanoseconds = text.split_whitespace().next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.expect("the kernel keeps these numbers"))
}

/// What all threads of this process used so far, those that have ended included.
pub fn process_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
