//! Does a runtime that has ended leave nothing behind: no thread, no open file, no memory?
//!
//! The only test of this process, for it looks at the whole of it.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::task::{Context, Waker};
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::error::AskError;
use callboard_actors::mailbox::{AgentRef, AgentSpec, Ask, Reply};
use callboard_actors::runtime::Runtime;
use callboard_actors::supervision::tree::{GroupSpec, Lifetime};
use callboard_actors::supervision::{Down, Next};
use common::{Count, LONG, counter, runtime, tenacious, wait};

const WARM_UP: u32 = 100;
const ROUNDS: u32 = 1_000;

/// What memory may grow by: a quarter of a kilobyte for each round. On a quiet machine it grows by 20 to 40 KiB, most of
/// it in the first rounds, and by no more in ten times as many.
const ALLOWED_KIB: u64 = 256;

/// Has a child, work, a timer, a watch and a question that it keeps: what an end must clear away.
#[derive(Default)]
struct Busy {
    notices: u32,
    waits: Option<Reply<u32>>,
    kept: Option<Reply<()>>,
}

enum Task {
    Begin(AgentRef<Count>, Reply<()>),
    Ended(Down),
    Notices(Reply<u32>),
    Keep(Reply<()>),
    Nothing,
}

impl Agent for Busy {
    type Message = Task;

    fn handle(&mut self, task: Task, turn: &mut Turn<'_, Task>) {
        match task {
            Task::Begin(watched, begun) => {
                turn.watch(&watched, Task::Ended);
                let child = turn.spawn(counter()).unwrap();
                assert!(turn.start(async move { child.ask(LONG, Count::Get).await }, |_| Task::Nothing).is_ok());
                assert!(turn.start(std::future::pending::<()>(), |_| Task::Nothing).is_ok());
                turn.after(LONG, Task::Nothing).unwrap();
                begun.send(());
            }
            Task::Ended(down) => {
                self.notices += u32::from(down.next == Next::Restarts);
                if let Some(reply) = self.waits.take() {
                    reply.send(self.notices);
                }
            }
            Task::Notices(reply) if self.notices > 0 => reply.send(self.notices),
            Task::Notices(reply) => self.waits = Some(reply),
            Task::Keep(reply) => self.kept = Some(reply),
            Task::Nothing => {}
        }
    }
}

/// A little of everything: messages, asks, a watch, deaths, a group, work and a timer. Returns a question that nobody
/// answers.
async fn live(runtime: &Runtime) -> Ask<()> {
    let agents: Vec<_> = (0..4).map(|_| runtime.spawn(counter().restart(tenacious())).unwrap()).collect();
    let busy = runtime.spawn(AgentSpec::new("busy", Busy::default)).unwrap();
    busy.ask(LONG, |reply| Task::Begin(agents[0].clone(), reply)).await.unwrap();
    let group = runtime.group(GroupSpec::default());
    let member = group.spawn(counter(), Lifetime::Permanent).unwrap();
    for agent in agents.iter().chain([&member]) {
        agent.watch(|_| ());
        agent.tell(Count::Add).unwrap();
        assert_eq!(agent.ask(LONG, Count::Get).await, Ok((1, 1)));
    }
    member.tell(Count::Quiet).unwrap();
    let notices = busy.ask(LONG, Task::Notices);
    agents[0].tell(Count::Quiet).unwrap();
    assert_eq!(notices.await, Ok(1));
    drop(agents[1].ask(LONG, Count::Get));
    busy.ask(LONG, Task::Keep)
}

/// Ends a runtime in one of the ways there are.
async fn end(runtime: Runtime, way: u32) {
    let moment = Duration::from_millis(1);
    match way % 5 {
        0 => assert_eq!(runtime.stop(moment).await.stuck_threads, 0),
        1 => assert_eq!(runtime.stop_blocking(moment).stuck_threads, 0),
        2 => drop(runtime),
        3 => drop(runtime.stop(LONG)),
        _ => {
            let mut stop = Box::pin(runtime.stop(LONG));
            assert!(stop.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
    }
}

/// One life after the other; the threads of one that was only dropped are over before the next begins.
fn live_and_end(rounds: u32) {
    let threads = entries("task");
    for round in 0..rounds {
        let runtime = runtime(2);
        let question = wait(live(&runtime));
        wait(end(runtime, round));
        assert_eq!(wait(question), Err(AskError::Stopped));
        until(|| entries("task") == threads, "a thread of a runtime that has ended is still there");
    }
}

fn until(holds: impl Fn() -> bool, otherwise: &str) {
    let began = tokio::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < LONG, "{otherwise}");
        std::thread::yield_now();
    }
}

/// How many threads or open files this process has.
fn entries(of: &str) -> usize {
    fs::read_dir(format!("/proc/self/{of}")).expect("Linux has it").count()
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has this line");
    line.trim().trim_end_matches(" kB").parse().expect("it is a number")
}

#[test]
fn a_thousand_lives_of_a_runtime_leave_nothing_behind() {
    live_and_end(WARM_UP);
    let (threads, files, memory) = (entries("task"), entries("fd"), resident_kib());
    live_and_end(ROUNDS);
    assert_eq!((entries("task"), entries("fd")), (threads, files), "threads and open files");
    let grown = resident_kib().saturating_sub(memory);
    assert!(grown <= ALLOWED_KIB, "memory grew by {grown} KiB in {ROUNDS} lives");
}
