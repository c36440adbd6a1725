//! Does each assertion hold when it should, and say what is wrong when it should not?

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::mailbox::panic_text;
use crate::research::{SCHEMA_VERSION, Status, TaskId};

fn started(task: u32) -> Event {
    Event::TaskStarted { task: TaskId(task), attempt: 1 }
}

fn finished(task: u32) -> Event {
    Event::TaskFinished { task: TaskId(task), claims: 2 }
}

/// A run of three tasks, two at a time.
fn run() -> Events<Event> {
    let events = [
        Event::RunStarted { question: "Why?".to_owned() },
        Event::PlanMade { tasks: Vec::new() },
        started(1),
        started(2),
        finished(2),
        started(3),
        finished(1),
        finished(3),
        Event::CollectionFinished { replies: 3 },
        Event::RunFinished { status: Status::Complete, cancelled: None },
    ];
    let of_run = |(place, event): (usize, Event)| RunEvent {
        schema_version: SCHEMA_VERSION,
        run_id: "run-1".to_owned(),
        seq: place as u64 + 1,
        at_ms: 10 * place as u64,
        event,
    };
    Events::of_run(events.into_iter().enumerate().map(of_run))
}

/// What an assertion says that does not hold.
fn said(assertion: impl FnOnce(&Events<Event>) -> &Events<Event>) -> String {
    said_of(&run(), assertion)
}

fn said_of<E>(events: &Events<E>, assertion: impl FnOnce(&Events<E>) -> &Events<E>) -> String {
    let held = catch_unwind(AssertUnwindSafe(|| assertion(events).entries.len()));
    panic_text(held.expect_err("it should not hold"))
}

#[test]
fn what_happened_holds() {
    let second = TaskId(2);
    run()
        .in_order(&[
            pattern!(Event::RunStarted { question } if question == "Why?"),
            pattern!(Event::TaskStarted { .. }),
            pattern!(Event::TaskStarted { task, .. } if *task == second),
            pattern!(Event::TaskFinished { .. } | Event::TaskFailed { .. }),
        ])
        .in_order(&[])
        .never(pattern!(Event::TaskFailed { .. }))
        .times(3, pattern!(Event::TaskStarted { .. }))
        .times(0, pattern!(Event::LookBackStarted))
        .tasks_at_once(2)
        .ends_with(pattern!(Event::RunFinished { status: Status::Complete, .. }));
    assert_eq!(run().count(&pattern!(Event::TaskFinished { claims: 2, .. })), 3);
}

#[test]
fn an_order_that_is_broken_is_told_with_where_it_broke() {
    let broken = [pattern!(Event::CollectionFinished { .. }), pattern!(Event::PlanMade { .. })];
    let text = said(|events| events.in_order(&broken));
    assert!(
        text.starts_with("Event::PlanMade { .. } did not happen after Event::CollectionFinished { .. }\n"),
        "{text}"
    );
    assert!(text.contains(">    9      80 ms  CollectionFinished { replies: 3 }\n"), "{text}");
    assert!(
        text.contains("\n  ... 3 more\n     4      30 ms  TaskStarted { task: TaskId(2), attempt: 1 }\n"),
        "{text}"
    );
    let twice = [pattern!(Event::PlanMade { .. }), pattern!(Event::PlanMade { .. })];
    let text = said(|events| events.in_order(&twice));
    assert!(text.starts_with("Event::PlanMade { .. } did not happen after Event::PlanMade { .. }"), "{text}");
    let text = said(|events| events.in_order(&[pattern!(Event::LookBackStarted)]));
    assert!(text.starts_with("Event::LookBackStarted did not happen at all\n"), "{text}");
    assert!(text.contains("   1       0 ms  RunStarted") && !text.contains('>'), "{text}");
}

#[test]
fn what_should_not_have_happened_is_marked() {
    let text = said(|events| events.never(pattern!(Event::TaskStarted { task, .. } if task.0 == 3)));
    assert!(text.starts_with("Event::TaskStarted { task, .. } if task.0 == 3 happened, and should not\n"), "{text}");
    assert!(text.contains(">    6      50 ms  TaskStarted { task: TaskId(3), attempt: 1 }\n"), "{text}");
    let text = said(|events| events.times(2, pattern!(Event::TaskFinished { .. })));
    assert!(text.starts_with("Event::TaskFinished { .. } happened 3 times, and not 2\n"), "{text}");
    assert!(text.contains(">    8 "), "the last of them: {text}");
    let text = said(|events| events.ends_with(pattern!(Event::RunFinished { status: Status::Partial, .. })));
    assert!(text.starts_with("the last event should be Event::RunFinished { status: Status::Partial, .. }"), "{text}");
    assert!(text.contains("> 10") || text.contains(">   10 "), "{text}");
}

#[test]
fn one_too_many_at_once_is_named_and_a_task_that_never_began_ends_nothing() {
    let text = said(|events| events.tasks_at_once(1));
    assert!(text.starts_with("2 at once, and not at most 1: {TaskId(1), TaskId(2)}\n"), "{text}");
    assert!(text.contains(">    4 "), "{text}");
    let events = Events::new([started(1), finished(7), started(2)]);
    let text = said_of(&events, |events| events.tasks_at_once(1));
    assert!(text.starts_with("2 at once"), "{text}");
    Events::new([started(1), started(1), finished(1), started(2)]).tasks_at_once(1);
}

#[test]
fn other_events_than_those_of_a_run_will_do_and_long_ones_are_cut() {
    let notes = Events::new(["a", "b", "a"]);
    notes.in_order(&[pattern!(&"b"), pattern!(&"a")]).times(2, pattern!(&"a"));
    let events = Events::new(["x".repeat(1000)]);
    let text = said_of(&events, |events| events.never(Pattern::new("a long one", |text: &String| text.len() > 9)));
    assert!(text.starts_with("a long one happened") && text.len() < 250 && text.trim_end().ends_with("..."), "{text}");
    let none = Events::new(Vec::<String>::new());
    let text = said_of(&none, |events| events.ends_with(pattern!(_)));
    assert!(text.ends_with("  (no event at all)\n"), "{text}");
}
