//! Can a program fan out work of its own, act on each reply, and leave nothing running?

mod common;

use std::time::Duration;

use callboard_actors::event::CancelReason;
use callboard_actors::runtime::simulated;
use callboard_actors::scope::Scope;
use callboard_actors::supervisor::{AddError, Collect, FanOutLimits, TaskError};
use common::LONG;
use tokio::time::Instant;

/// Sleeps that many milliseconds; odd numbers fail, 13 panics.
async fn nap(millis: u64, _scope: Scope) -> Result<u64, String> {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    assert!(millis != 13, "on purpose");
    if millis.is_multiple_of(2) { Ok(millis) } else { Err(format!("{millis} is odd")) }
}

#[test]
fn a_program_adds_and_cancels_while_replies_arrive() {
    simulated(1, |runtime| async move {
        let began = Instant::now();
        let tasks = [1000, 2000, 60_000];
        let mut replies = runtime.fan_out(tasks, Collect::Quorum, FanOutLimits::default(), nap);
        let mut seen = Vec::new();
        while let Some((task, reply)) = replies.next().await {
            if seen.is_empty() {
                assert_eq!(replies.add(500), Ok(3));
            }
            seen.push((began.elapsed().as_millis(), task, reply));
        }
        let redundant = Err(TaskError::Cancelled(CancelReason::Redundant));
        let expected = [(1000, 0, Ok(1000)), (1500, 3, Ok(500)), (2000, 1, Ok(2000)), (2000, 2, redundant)];
        assert_eq!(seen, expected);
        assert_eq!(replies.add(1), Err(AddError::Finished));
        assert!(runtime.stop(LONG).await.is_clean());
    });
}

#[test]
fn a_failure_is_tried_again_and_then_reported_beside_the_rest() {
    simulated(1, |runtime| async move {
        let limits = FanOutLimits { task_deadline: Some(Duration::from_secs(1)), ..FanOutLimits::default() };
        let mut replies = runtime.fan_out([10, 11, 13, 5000], Collect::All, limits, nap);
        let mut seen = Vec::new();
        while let Some(end) = replies.next().await {
            seen.push(end);
        }
        let failed = |text: &str| Err(TaskError::Failed(text.to_owned()));
        let expected = [
            (0, Ok(10)),
            (1, failed("11 is odd")),
            (2, failed("the work panicked: on purpose")),
            (3, Err(TaskError::Cancelled(CancelReason::Deadline))),
        ];
        assert_eq!(seen, expected);
        while !runtime.directory().is_empty() {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn dropping_the_replies_stops_every_task() {
    simulated(1, |runtime| async move {
        let mut replies = runtime.fan_out([2, 60_000, 60_000], Collect::All, FanOutLimits::default(), nap);
        assert_eq!(replies.next().await, Some((0, Ok(2))));
        drop(replies);
        let began = Instant::now();
        while !runtime.directory().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    });
}

#[test]
fn the_edges_of_a_fan_out() {
    simulated(1, |runtime| async move {
        let limits =
            FanOutLimits { task_deadline: Some(Duration::from_secs(1)), attempts: 1, ..FanOutLimits::default() };
        let mut none = runtime.fan_out(Vec::<u64>::new(), Collect::All, limits.clone(), nap);
        assert_eq!(none.next().await, None);

        let began = Instant::now();
        let none_at_once = FanOutLimits { at_once: 0, attempts: 0, ..FanOutLimits::default() };
        let mut one_at_once = runtime.fan_out([2, 4, 6], Collect::All, none_at_once, nap);
        while let Some((_, reply)) = one_at_once.next().await {
            assert!(reply.is_ok(), "each is tried: {reply:?}");
        }
        assert_eq!(began.elapsed(), Duration::from_millis(12), "0 at a time is one at a time");

        let mut many = runtime.fan_out((0..1500).map(|_| 2), Collect::All, FanOutLimits::default(), nap);
        let mut ends = 0;
        while many.next().await.is_some() {
            ends += 1;
        }
        assert_eq!(ends, 1500, "no task of the beginning is lost");
        assert_eq!(many.add(2), Err(AddError::Finished));

        let all_even = Collect::until(|replies: &[&u64]| replies.iter().all(|reply| reply.is_multiple_of(2)));
        let mut until = runtime.fan_out([2, 4], all_even, limits.clone(), nap);
        assert_eq!(until.next().await, Some((0, Ok(2))), "a predicate is not asked without a reply");

        let mut swapped = runtime.fan_out([10, 900], Collect::All, limits.clone(), nap);
        assert_eq!(swapped.next().await, Some((0, Ok(10))));
        swapped.cancel(1);
        assert_eq!(swapped.add(20), Ok(2), "nothing is decided before the program comes back");
        assert_eq!(swapped.next().await, Some((1, Err(TaskError::Cancelled(CancelReason::Redundant)))));
        assert_eq!(swapped.next().await, Some((2, Ok(20))));
        assert_eq!(swapped.next().await, None);

        let mut late = runtime.fan_out([5000], Collect::All, limits, nap);
        assert_eq!(late.next().await, Some((0, Err(TaskError::Cancelled(CancelReason::Deadline)))));
    });
}
