//! Do the assertions of the test kit hold for the events of a real run, and is one that does not end a failure? On virtual time.

mod common;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use callboard_actors::event::Event;
use callboard_actors::pattern;
use callboard_actors::research::Status;
use callboard_actors::runtime::simulated;
use callboard_actors::supervisor::{Crew, RunOptions};
use callboard_actors::testkit::Events;
use common::LONG;
use common::library::*;
use futures_util::FutureExt;

#[test]
fn the_events_of_a_run_are_collected_to_its_end_and_a_run_without_one_is_a_failure() {
    simulated(1, |runtime| async move {
        let subjects = ["alder", "birch", "cedar"];
        let library = library(&subjects.map(|subject| (subject, Behaviour::After(2000))));
        let options = RunOptions { max_researchers: 2, ..RunOptions::default() };
        let run = runtime.research(&question(&subjects), Crew::by_rules(library), options).unwrap();
        let early = AssertUnwindSafe(Events::collect(run.events(), Duration::from_secs(3))).catch_unwind().await;
        let said = early.expect_err("it has not ended").downcast::<String>().unwrap();
        assert!(said.starts_with("the run did not end within 3s") && said.contains("TaskFinished"), "{said}");
        let all = Events::collect(run.events(), LONG).await;
        all.in_order(&[
            pattern!(Event::RunStarted { .. }),
            pattern!(Event::PlanMade { tasks } if tasks.len() == 3),
            pattern!(Event::TaskFinished { .. }),
            pattern!(Event::TaskStarted { .. }),
            pattern!(Event::CollectionFinished { replies: 3 }),
        ])
        .tasks_at_once(2)
        .ends_with(pattern!(Event::RunFinished { status: Status::Complete, cancelled: None }));
        assert!(runtime.stop(LONG).await.is_clean());
    });
}
