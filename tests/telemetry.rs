//! Does a program see its agents as metrics? With a recorder that writes what Prometheus reads.

use std::time::Duration;

use callboard::prelude::*;
use callboard::telemetry::Publisher;
use metrics_exporter_prometheus::PrometheusBuilder;

const LONG: Duration = Duration::from_secs(20);

/// Counts, and dies of what is too much.
struct Clerk;

enum Paper {
    Form(Reply<()>),
    TooMuch,
}

impl Agent for Clerk {
    type Message = Paper;

    fn handle(&mut self, paper: Paper, _turn: &mut Turn<'_, Paper>) {
        match paper {
            Paper::Form(reply) => reply.send(()),
            // Without the panic hook, which would print it.
            Paper::TooMuch => std::panic::resume_unwind(Box::new("too much")),
        }
    }
}

#[test]
fn what_agents_are_like_is_published_and_forgotten_when_they_are_gone() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    let runtime = Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() }).unwrap();
    let mut publisher = Publisher::new(runtime.handle());
    let mut publish = || metrics::with_local_recorder(&recorder, || publisher.publish());

    let clerks = [(); 3].map(|()| runtime.spawn(AgentSpec::new("clerk", || Clerk)).unwrap());
    for clerk in &clerks {
        clerk.ask_blocking(LONG, Paper::Form).unwrap();
    }
    clerks[0].tell(Paper::TooMuch).unwrap();
    clerks[0].ask_blocking(LONG, Paper::Form).unwrap();
    while runtime.ledger().handled < 4 {
        // An answer is there before its handler returns.
        std::thread::yield_now();
    }
    publish();
    let text = page.render();
    for line in [
        "callboard_messages_accepted_total 5",
        "callboard_messages_handled_total 4",
        "callboard_dead_letters_total{reason=\"panicked\"} 1",
        "callboard_dead_letters_total{reason=\"stopped\"} 0",
        "callboard_shard_blocked_seconds{shard=\"0\"} 0",
        "callboard_agents{name=\"clerk\"} 3",
        "callboard_mailbox_messages{name=\"clerk\"} 0",
        "callboard_agent_handled{name=\"clerk\"} 4",
        "callboard_agent_dead_letters{name=\"clerk\"} 1",
        "callboard_agent_restarts{name=\"clerk\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "no line `{line}` in\n{text}");
    }

    for clerk in &clerks {
        clerk.stop();
    }
    let stopped = runtime.handle();
    runtime.stop_blocking(LONG);
    assert_eq!(stopped.directory().len(), 0);
    publish();
    let text = page.render();
    assert!(text.lines().any(|line| line == "callboard_agents{name=\"clerk\"} 0"), "{text}");
    assert!(text.lines().any(|line| line == "callboard_messages_handled_total 4"), "{text}");
}

#[test]
fn runtimes_with_names_of_their_own_are_told_apart() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    for (name, agents) in [("one", 1), ("two", 2)] {
        let runtime = Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() }).unwrap();
        for _ in 0..agents {
            let clerk = runtime.spawn(AgentSpec::new("clerk", || Clerk)).unwrap();
            clerk.ask_blocking(LONG, Paper::Form).unwrap();
        }
        let mut publisher = Publisher::new(runtime.handle()).named(name);
        metrics::with_local_recorder(&recorder, || publisher.publish());
    }
    let text = page.render();
    for line in [
        "callboard_messages_accepted_total{runtime=\"one\"} 1",
        "callboard_messages_accepted_total{runtime=\"two\"} 2",
        "callboard_agents{runtime=\"two\",name=\"clerk\"} 2",
    ] {
        assert!(text.lines().any(|found| found == line), "no line `{line}` in\n{text}");
    }
}

#[tokio::test]
async fn publishing_again_and_again_ends_with_the_runtime() {
    let runtime = Runtime::start(RuntimeConfig::default()).unwrap();
    let published = tokio::spawn(Publisher::new(runtime.handle()).publish_every(Duration::from_millis(1)));
    runtime.stop(LONG).await;
    tokio::time::timeout(LONG, published).await.expect("it ends").expect("it does not panic");
}
