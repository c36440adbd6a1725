//! How much memory does an idle agent hold? Resident bytes for each of a million agents on one thread.
//!
//! Each subject is measured in a process of its own, so that nobody inherits another's heap: `VmRSS` before and after
//! the agents are started, and once more after each has answered one question. Each agent is found by a `u64`: in
//! Callboard's own directory, and in a `DashMap` for those that have none. Nothing else holds a reference.

use std::process::{Command, Stdio};

use crate::each_peer;
use crate::options::Options;
use crate::peer::{Directory, Peer};
use crate::peers::SUBJECTS;
use crate::rounds::Measure;

/// The measurement.
pub const MEASURE: Measure = Measure {
    name: "memory",
    titles: &["idle agent in a directory, resident bytes", "the same after each answered once, resident bytes"],
    subjects: [Some(sample::<0>), Some(sample::<1>), Some(sample::<2>), Some(sample::<3>), Some(sample::<4>)],
};

/// The first argument of a process that measures itself; the subject's place and the number of agents follow.
pub const CHILD: &str = "--resident";

/// Agents that are started before the first look, so that pages and pools that one needs anyway do not count.
const WARM_UP: usize = 1_000;

fn sample<const INDEX: usize>(options: &Options) -> Vec<f64> {
    let this = std::env::current_exe().expect("the path of a running program is known");
    let arguments = [CHILD.to_owned(), INDEX.to_string(), options.agents.to_string()];
    let output = Command::new(this).args(arguments).stderr(Stdio::inherit()).output();
    let output = output.expect("this program can be started again");
    assert!(output.status.success(), "{} did not come to its end: {}", SUBJECTS[INDEX].0, output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().map(|figure| figure.parse().expect("the child prints numbers")).collect()
}

/// Measures this process: prints bytes for each agent, idle and after an answer, and ends the process.
///
/// # Panics
/// Panics when the arguments are not those that this file passes.
pub fn child(mut arguments: impl Iterator<Item = String>) {
    let mut number = || arguments.next().and_then(|text| text.parse::<u64>().ok()).expect("two numbers follow");
    let (index, agents) = (number(), number());
    let subjects: [Option<fn(u64)>; SUBJECTS.len()] = each_peer!(P => resident::<P>);
    let subject = usize::try_from(index).ok().and_then(|index| subjects[index]).expect("there is such a subject");
    subject(agents);
}

fn resident<P: Peer>(agents: u64) {
    P::run(1, move |homes| async move {
        let directory = Directory::<P>::new();
        let mut warm = vec![0; WARM_UP];
        populate::<P>(&homes[0], &directory, &mut warm).await;
        touch::<P>(&homes[0], &directory, &warm).await;
        // The ids have their pages before the first look, too: written, because zeroes need none.
        let mut ids: Vec<u64> = (1..=agents).collect();
        let before = resident_bytes();
        populate::<P>(&homes[0], &directory, &mut ids).await;
        // Its answer says that all others have started.
        touch::<P>(&homes[0], &directory, &ids[ids.len() - 1..]).await;
        let idle = resident_bytes() - before;
        touch::<P>(&homes[0], &directory, &ids).await;
        let touched = resident_bytes() - before;
        println!("{} {}", idle / agents as f64, touched / agents as f64);
        // A million agents are not stopped one by one.
        std::process::exit(0);
    })
}

async fn populate<P: Peer>(home: &P::Home, directory: &Directory<P>, ids: &mut [u64]) {
    for id in ids {
        *id = P::enlist(directory, P::spawn(home).await);
    }
}

async fn touch<P: Peer>(home: &P::Home, directory: &Directory<P>, ids: &[u64]) {
    for id in ids {
        let agent = P::find(home, directory, *id).expect("the agent lives");
        assert_ne!(P::ask(&agent, 1).await, 0, "the agent answers with its sum");
    }
}

/// What this process has in memory.
///
/// # Panics
/// Panics where there is no `/proc`.
pub fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this measurement needs Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells it");
    let kibibytes = line.trim().trim_end_matches("kB").trim().parse::<f64>().expect("it is a number");
    kibibytes * 1024.0
}
