//! Does a seed give the same events, byte for byte, as often as one likes, and in another process?
//!
//! What differs between processes only, such as the keys of std's hash maps, shows in the second.

mod common;

use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use callboard_actors::event::Event;
use callboard_actors::runtime::simulated;
use callboard_actors::supervisor::{Crew, FollowUp, RunOptions};
use callboard_actors::testkit::explore;
use common::library::*;

/// A run with a bit of everything, as lines of JSON: a panic, a failure, a task that hangs and one that is added on the
/// way, something invented, and a researcher that is killed while it works.
fn events(seed: u64) -> String {
    simulated(seed, |runtime| async move {
        let subjects = [
            ("alder", Behaviour::Panics(1)),
            ("birch", Behaviour::After(30)),
            ("cedar", Behaviour::Damaged),
            ("damson", Behaviour::Hangs),
            ("elder", Behaviour::Invents),
            ("fir", Behaviour::After(5)),
        ];
        let adds = Arc::new(|reply: callboard_actors::supervisor::TaskReply<'_>| {
            let first = reply.replies == 1;
            first.then(|| FollowUp::Add("What is the fir protocol?".to_owned())).into_iter().collect()
        });
        let options =
            RunOptions { task_deadline: Some(Duration::from_secs(1)), on_reply: Some(adds), ..RunOptions::default() };
        let asked = question(&["alder", "birch", "cedar", "damson", "elder"]);
        let mut run = runtime.research(&asked, Crew::by_rules(library(&subjects)), options).unwrap();
        let mut events = run.events();
        let mut lines = String::new();
        while let Some(event) = events.next().await {
            lines += &serde_json::to_string(&event).unwrap();
            lines.push('\n');
            if let Event::TaskFinished { .. } = event.event {
                let agents = runtime.directory().list();
                if let Some(victim) = agents.iter().find(|agent| agent.name == "researcher-t2") {
                    runtime.directory().stop(victim.id);
                }
            }
        }
        run.outcome().await;
        lines
    })
}

#[test]
fn twenty_runs_of_one_seed_give_the_same_bytes() {
    for seed in 0..10 {
        let first = events(seed);
        for word in ["task_retried", "task_failed", "task_added", "task_cancelled", "\"struck\":1", "\"partial\""] {
            assert!(first.contains(word), "nothing of {word}: {first}");
        }
        for _ in 1..20 {
            assert_eq!(events(seed), first, "seed {seed}");
        }
    }
}

/// Tells this test that it is the other process.
const CHILD: &str = "CALLBOARD_REPEATS_CHILD";

#[test]
fn other_processes_give_the_same_bytes() {
    let all: String = (0..10).map(events).collect();
    if std::env::var_os(CHILD).is_some() {
        // A line of its own, whatever the test harness has written before it.
        let mut out = std::io::stdout().lock();
        return write!(out, "\n{all}").unwrap();
    }
    for _ in 0..4 {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let child = child.args(["--exact", "other_processes_give_the_same_bytes"]).env(CHILD, "1").output().unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        let printed = String::from_utf8(child.stdout).unwrap();
        let lines = printed.split_inclusive('\n').filter(|line| line.starts_with('{'));
        assert_eq!(lines.collect::<String>(), all);
    }
}

#[test]
fn several_readers_of_one_run_are_woken_in_the_same_order() {
    explore(common::chance::seeds(20), |_, runtime, log| async move {
        let crew = Crew::by_rules(library(&[("alder", Behaviour::After(3)), ("birch", Behaviour::After(5))]));
        let run = runtime.research(&question(&["alder", "birch"]), crew, RunOptions::default()).unwrap();
        let readers: Vec<_> = (0..6)
            .map(|reader| {
                let (mut events, log) = (run.events(), log.clone());
                tokio::task::spawn_local(async move {
                    while let Some(event) = events.next().await {
                        log.note(format!("{reader} reads {}", event.seq));
                    }
                })
            })
            .collect();
        for reader in readers {
            reader.await.unwrap();
        }
    });
}
