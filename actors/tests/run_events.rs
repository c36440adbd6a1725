//! Do the assertions of the test kit hold for the events of a real run, also of one that has not ended yet? On virtual time.

mod common;

use std::time::Duration;

use callboard_actors::event::Event;
use callboard_actors::pattern;
use callboard_actors::research::Status;
use callboard_actors::runtime::simulated;
use callboard_actors::supervisor::{Crew, RunOptions};
use callboard_actors::testkit::Events;
use common::LONG;
use common::library::*;

#[test]
fn the_events_of_a_run_are_collected_to_its_end_or_until_the_time_is_over() {
    simulated(1, |runtime| async move {
        let subjects = ["alder", "birch", "cedar"];
        let library = library(&subjects.map(|subject| (subject, Behaviour::After(2000))));
        let options = RunOptions { max_researchers: 2, ..RunOptions::default() };
        let run = runtime.research(&question(&subjects), Crew::by_rules(library), options).unwrap();
        let so_far = Events::collect(run.events(), Duration::from_secs(3)).await;
        so_far
            .times(3, pattern!(Event::TaskStarted { attempt: 1, .. }))
            .times(2, pattern!(Event::TaskFinished { .. }))
            .never(pattern!(Event::RunFinished { .. }));
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
        assert!(all.iter().count() > so_far.iter().count());
        assert!(runtime.stop(LONG).await.is_clean());
    });
}
