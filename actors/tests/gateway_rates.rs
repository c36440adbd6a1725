//! Does the gateway keep to rates, pauses, budgets and its rules for retries, on virtual time?

mod common;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::chat::{ChatChunk, ChatReply};
use callboard_actors::error::{Limited, ModelError, Waiting};
use callboard_actors::gateway::{Budget, BudgetLimits, Gateway, GatewayLimits, ModelLimits, Price, ServedModel, Spent};
use callboard_actors::ports::{ChatModel, ModelCall};
use callboard_actors::runtime::simulated;
use common::model::{MODEL, SECOND, Scripted, USED, assert_idle, gateway, limits, request, served};
use futures_util::future::{BoxFuture, join_all};
use tokio::time::Instant;

/// What each call of these tests reserves: its text, the frame of a turn, and 16 tokens of reply.
fn most(script: &str) -> u64 {
    request(script).most_tokens().total()
}

#[test]
fn requests_in_a_minute_are_spread_and_a_call_that_comes_too_late_is_refused_at_once() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let rate = ModelLimits { max_in_flight: Some(10), requests_per_minute: Some(12), tokens_per_minute: None };
        let gateway = Gateway::start(&runtime, vec![served(&model, rate)], limits(100)).unwrap();
        let began = Instant::now();
        let calls = (0..13).map(|_| gateway.call(MODEL, request("x")).send());
        let answers = join_all(calls.collect::<Vec<_>>()).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(began.elapsed(), Duration::from_secs(6), "the thirteenth waits five seconds for its turn");
        let hurried = gateway.call(MODEL, request("x")).within(2 * SECOND).send();
        assert_eq!(hurried.await, Err(ModelError::Overloaded { retry_after: Duration::from_secs(4) }));
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn tokens_are_reserved_by_their_bound_and_settled_by_what_was_used() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let rate = ModelLimits { tokens_per_minute: Some(100), ..ModelLimits::default() };
        let gateway = Gateway::start(&runtime, vec![served(&model, rate)], limits(100)).unwrap();
        let began = Instant::now();
        for _ in 0..6 {
            gateway.call(MODEL, request("x")).send().await.unwrap();
        }
        assert!(6 * most("x") > 190 && began.elapsed() == 6 * SECOND, "30 tokens were used, whatever was reserved");
        for _ in 0..2 {
            gateway.call(MODEL, request("silent x")).send().await.unwrap();
        }
        let third = gateway.call(MODEL, request("silent x")).send().await;
        assert!(matches!(third, Err(ModelError::Overloaded { retry_after }) if retry_after > 10 * SECOND), "{third:?}");
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn a_call_is_made_again_when_that_can_help() {
    simulated(1, |runtime| async move {
        for (script, attempts) in [("down, x", 2), ("down, busy, x", 3), ("rate, x", 2), ("cut, x", 2)] {
            let model = Arc::new(Scripted::default());
            let gateway = gateway(&runtime, &model, 1, 10);
            let completed = gateway.call(MODEL, request(script)).send().await.unwrap();
            assert_eq!((completed.reply.text.as_str(), completed.times.attempts), ("x", attempts), "{script}");
            assert_eq!(completed.times.overhead, Duration::ZERO, "{script}");
            assert_idle(&gateway, &model).await;
        }
        for (script, attempts) in [("reject, x", 1), ("down", 3), ("panic, x", 1), ("hang, x", 1)] {
            let model = Arc::new(Scripted::default());
            let gateway = gateway(&runtime, &model, 1, 10);
            let failed = gateway.call(MODEL, request(script)).send().await;
            assert!(failed.is_err(), "{script}");
            assert_eq!(model.attempts.load(Ordering::SeqCst), attempts, "{script}");
            assert_idle(&gateway, &model).await;
        }
    });
}

#[test]
fn a_call_that_waits_for_its_next_attempt_takes_no_place_and_keeps_its_turn() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let gateway = gateway(&runtime, &model, 1, 10);
        let began = Instant::now();
        let first = gateway.call(MODEL, request("down 5, again")).send();
        while model.attempts.load(Ordering::SeqCst) < 1 {
            gateway.info().await.unwrap();
        }
        model.attempts.store(0, Ordering::SeqCst);
        let other = gateway.call(MODEL, request("x")).send().await.unwrap();
        assert_eq!(other.times.queue, Duration::ZERO);
        assert_eq!(gateway.info().await.unwrap().waiting, 1);
        let first = first.await.unwrap();
        assert_eq!(first.reply.text, "again");
        assert!(began.elapsed() >= 6 * SECOND, "it waits as long as the provider asks");
        assert_eq!(first.times.queue + first.times.provider, began.elapsed(), "every second is counted once");
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn a_429_about_a_rate_makes_everybody_wait_once_and_one_about_places_nobody_else() {
    simulated(1, |runtime| async move {
        for (script, others_wait, pauses) in [("rate 4, x", true, 1), ("busy 4, x", false, 0)] {
            let model = Arc::new(Scripted::default());
            let gateway = gateway(&runtime, &model, 4, 10);
            let limited = gateway.call(MODEL, request(script)).send();
            while model.attempts.load(Ordering::SeqCst) < 1 {
                gateway.info().await.unwrap();
            }
            while gateway.info().await.unwrap().waiting == 0 {}
            let began = Instant::now();
            let others = join_all((0..3).map(|_| gateway.call(MODEL, request("x")).send()).collect::<Vec<_>>()).await;
            assert!(others.iter().all(Result::is_ok));
            assert_eq!(began.elapsed() >= 5 * SECOND, others_wait, "{script}: {:?}", began.elapsed());
            limited.await.unwrap();
            let info = gateway.info().await.unwrap();
            assert_eq!((info.models[0].pauses, info.models[0].retries), (pauses, 1), "{script}");
            assert_idle(&gateway, &model).await;
        }
        let model = Arc::new(Scripted::default());
        let gateway = gateway(&runtime, &model, 1, 10);
        let began = Instant::now();
        let too_long = gateway.call(MODEL, request("rate 100")).send().await;
        assert!(matches!(too_long, Err(ModelError::RateLimited { limited: Limited::Rate, .. })), "{too_long:?}");
        assert_eq!(began.elapsed(), Duration::ZERO, "a wait beyond the deadline is not begun");
        let other = gateway.call(MODEL, request("x")).send().await;
        assert_eq!(
            other,
            Err(ModelError::Paused { retry_after: Duration::from_secs(100), refused_model: MODEL.into() })
        );
    });
}

#[test]
fn no_more_is_spent_than_the_budget_whatever_becomes_of_the_calls() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let price = Some(Price { input: 1_000_000, output: 2_000_000 });
        let served = ServedModel { price, ..served(&model, ModelLimits::default()) };
        let gateway = Gateway::start(&runtime, vec![served], limits(100)).unwrap();
        let budget = Budget::new(BudgetLimits { tokens: Some(100), micros: None });
        let call = |script| gateway.call(MODEL, request(script)).budget(&budget).send();
        assert_eq!(call("x").await.unwrap().reply.usage, Some(USED));
        let known = Spent { calls: 1, tokens: 5, input_tokens: 3, output_tokens: 2, micros: 7, ..Spent::default() };
        assert_eq!(budget.spent(), known);
        call("reject").await.unwrap_err();
        let known = Spent { calls: 2, ..known };
        assert_eq!(budget.spent(), known, "a request that was rejected used nothing");
        call("hang").await.unwrap_err();
        let (calls, tokens, micros) = (3, 5 + most("hang"), 7 + 20 + 2 * 16);
        let bound = Spent { calls, tokens, micros, unknown_usage: 1, ..known };
        assert_eq!(budget.spent(), bound, "one that was cut short may have used its bound");
        let many = join_all((0..5).map(|_| call("x")).collect::<Vec<_>>()).await;
        let exhausted = many.iter().filter(|answer| matches!(answer, Err(ModelError::BudgetExhausted(_)))).count();
        assert_eq!(exhausted, 4, "{many:?}");
        assert_eq!(budget.spent().reserved_tokens, 0);
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn the_pieces_of_a_reply_come_while_it_is_made() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let gateway = gateway(&runtime, &model, 1, 10);
        let (call, mut pieces) = gateway.call(MODEL, request("a-b-c")).streamed();
        let (began, answer) = (Instant::now(), call.send());
        let read = async {
            let mut read = Vec::new();
            while let Some(ChatChunk::Text(piece)) = pieces.next().await {
                read.push((began.elapsed().as_secs(), piece));
            }
            read
        };
        let (answer, read) = tokio::join!(answer, read);
        let pieces = [(1, "a-"), (2, "b-"), (3, "c")].map(|(second, piece)| (second, piece.to_owned()));
        assert_eq!(read, pieces);
        let completed = answer.unwrap();
        assert_eq!((completed.reply.text.as_str(), completed.times.first_token), ("a-b-c", Some(SECOND)));
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn a_stream_that_broke_is_made_again_only_if_nobody_has_seen_any_of_it() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let gateway = gateway(&runtime, &model, 1, 10);
        let (call, mut pieces) = gateway.call(MODEL, request("cut ab, x")).streamed();
        let broken = call.send().await;
        let message = "cut ab".to_owned();
        assert_eq!(broken, Err(ModelError::Broken { received: 2, message }));
        assert_eq!(pieces.next().await, Some(ChatChunk::Text("ab".to_owned())));
        assert_eq!(pieces.next().await, None);
        model.attempts.store(0, Ordering::SeqCst);
        let (call, mut pieces) = gateway.call(MODEL, request("cut, x")).streamed();
        let (answer, piece) = tokio::join!(call.send(), pieces.next());
        assert_eq!(answer.unwrap().reply, ChatReply { usage: Some(USED), ..ChatReply::text("x") });
        assert_eq!(piece, Some(ChatChunk::Text("x".to_owned())));
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn time_is_over_at_the_deadline_also_between_two_attempts() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let gateway = gateway(&runtime, &model, 1, 10);
        let began = Instant::now();
        let failed = gateway.call(MODEL, request("down 6")).send().await.unwrap_err();
        assert!(matches!(failed, ModelError::Unavailable { .. }), "the second wait would end after the deadline");
        assert!(began.elapsed() < 10 * SECOND);
        let hung = gateway.call(MODEL, request("hang")).within(3 * SECOND).send();
        let queued = gateway.call(MODEL, request("x")).within(2 * SECOND).send();
        let (hung, queued) = tokio::join!(hung, queued);
        assert_eq!(hung, Err(ModelError::Timeout(Waiting::Total)));
        assert_eq!(queued, Err(ModelError::Timeout(Waiting::Queue)));
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn whoever_waits_for_a_time_is_woken_however_many_timers_were_set_before() {
    simulated(1, |runtime| async move {
        let (slow, flaky) = (Arc::new(Scripted::default()), Arc::new(Scripted::default()));
        let one = ModelLimits { max_in_flight: Some(1), ..ModelLimits::default() };
        let second = ServedModel { name: "scripted/flaky".to_owned(), ..served(&flaky, one.clone()) };
        let mut bounds = limits(100);
        (bounds.deadline, bounds.max_in_flight) = (600 * SECOND, 2);
        let gateway = Gateway::start(&runtime, vec![served(&slow, one), second], bounds).unwrap();
        let hangs = gateway.call(MODEL, request("hang")).send();
        let waits = gateway.call(MODEL, request("x")).send();
        while gateway.info().await.unwrap().waiting == 0 {}
        let began = Instant::now();
        for _ in 0..200 {
            flaky.attempts.store(0, Ordering::SeqCst);
            let again = gateway.call("scripted/flaky", request("down, x")).send().await.unwrap();
            assert_eq!(again.times.attempts, 2);
        }
        assert!(began.elapsed() < 400 * SECOND, "{:?}", began.elapsed());
        drop((hangs, waits));
    });
}

#[test]
fn each_deadline_is_kept_although_each_comes_before_the_one_that_was_set() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let one = ModelLimits { max_in_flight: Some(1), ..ModelLimits::default() };
        let mut bounds = limits(200);
        bounds.deadline = 600 * SECOND;
        let gateway = Gateway::start(&runtime, vec![served(&model, one)], bounds).unwrap();
        let hangs = gateway.call(MODEL, request("hang")).send();
        let began = Instant::now();
        let mut calls = Vec::new();
        for number in 0..150 {
            calls.push(gateway.call(MODEL, request("x")).within((200 - number) * SECOND).send());
            gateway.info().await.unwrap();
        }
        for (number, call) in calls.into_iter().enumerate().rev() {
            assert_eq!(call.await, Err(ModelError::Timeout(Waiting::Queue)));
            assert_eq!(began.elapsed().as_secs(), 200 - number as u64);
        }
        drop(hangs);
    });
}

#[test]
fn calls_that_fail_at_once_do_not_pile_up_while_they_wait_to_be_made_again() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let gateway = gateway(&runtime, &model, 4, 5);
        let mut calls = Vec::new();
        for _ in 0..200 {
            calls.push(gateway.call(MODEL, request("down 5")).send());
            gateway.info().await.unwrap();
        }
        let waiting = gateway.info().await.unwrap().waiting;
        assert!(waiting <= 64 + 5 + 4, "{waiting} wait");
        drop(calls);
    });
}

#[test]
fn who_has_left_holds_up_nobody_in_line() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let rate = ModelLimits { tokens_per_minute: Some(1_000), ..ModelLimits::default() };
        let gateway = Gateway::start(&runtime, vec![served(&model, rate)], limits(100)).unwrap();
        gateway.call(MODEL, request("silent x")).send().await.unwrap();
        let mut large = request("x");
        large.max_output_tokens = 1_000;
        let large = gateway.call(MODEL, large).send();
        let small = gateway.call(MODEL, request("x")).send();
        while gateway.info().await.unwrap().waiting < 2 {}
        drop(large);
        assert!(small.await.unwrap().times.queue < SECOND);
    });
}

#[test]
fn what_was_made_and_refused_or_broken_is_paid_for() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let gateway = gateway(&runtime, &model, 1, 10);
        let budget = Budget::new(BudgetLimits { tokens: Some(1_000), micros: None });
        gateway.call(MODEL, request("refused")).budget(&budget).send().await.unwrap_err();
        assert_eq!(budget.spent().tokens, most("refused"));
        let (call, _pieces) = gateway.call(MODEL, request("busy after ab")).budget(&budget).streamed();
        assert!(matches!(call.send().await, Err(ModelError::Broken { received: 2, .. })));
        assert_eq!(budget.spent().tokens, most("refused") + most("busy after ab"));
        let late = gateway.call(MODEL, request("x")).within(Duration::ZERO).send().await;
        assert_eq!(late, Err(ModelError::Timeout(Waiting::Queue)), "no time is no overload");
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn a_call_beyond_the_budget_uses_up_no_rate_and_is_counted() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let rate = ModelLimits { requests_per_minute: Some(1), ..ModelLimits::default() };
        let gateway = Gateway::start(&runtime, vec![served(&model, rate)], limits(100)).unwrap();
        let nothing = Budget::new(BudgetLimits { tokens: Some(0), micros: None });
        let refused = gateway.call(MODEL, request("x")).budget(&nothing).send().await;
        assert!(matches!(refused, Err(ModelError::BudgetExhausted(_))));
        assert_eq!(gateway.info().await.unwrap().models[0].failed, 1);
        assert!(gateway.call(MODEL, request("x")).send().await.is_ok(), "the one request of this minute is there");
    });
}

/// A provider that takes so many calls a minute, and `burst` at once; one more is told to come again in a second.
struct Metered {
    per_minute: f64,
    burst: f64,
    takes: Duration,
    left: Mutex<(f64, Option<Instant>, u32)>,
    /// What it asks to wait: a second, or until it takes one more.
    is_exact: bool,
}

impl Metered {
    fn asks(&self, left: f64) -> f64 {
        if self.is_exact { (1.0 - left) * 60.0 / self.per_minute } else { 1.0 }
    }
}

impl ChatModel for Metered {
    fn complete(&self, _call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let (takes, now, mut left) = (self.takes, Instant::now(), self.left.lock().unwrap());
        let passed = left.1.map_or(Duration::ZERO, |at| now - at).as_secs_f64();
        (left.0, left.1) = ((left.0 + passed * self.per_minute / 60.0).min(self.burst), Some(now));
        if left.0 < 1.0 {
            left.2 += 1;
            let (limited, retry_after) = (Limited::Rate, Some(Duration::from_secs_f64(self.asks(left.0))));
            return Box::pin(
                async move { Err(ModelError::RateLimited { limited, retry_after, message: String::new() }) },
            );
        }
        left.0 -= 1.0;
        Box::pin(async move {
            tokio::time::sleep(takes).await;
            Ok(ChatReply::text("x"))
        })
    }
}

#[test]
fn a_rate_that_nobody_told_costs_no_call_that_has_time() {
    for (per_minute, burst, takes, calls, is_exact) in [
        (60.0, 1.0, SECOND / 3, 30, false),
        (300.0, 1.0, SECOND / 10, 100, false),
        (120.0, 1.0, SECOND, 40, false),
        (60.0, 60.0, SECOND, 120, false),
        (10.0, 1.0, SECOND, 15, true),
        (10.0, 1.0, SECOND / 5, 15, true),
        (600.0, 1.0, SECOND, 300, true),
    ] {
        simulated(1, move |runtime| async move {
            let metered = Arc::new(Metered { per_minute, burst, takes, left: Mutex::new((burst, None, 0)), is_exact });
            let served = ServedModel::new("metered/one", metered.clone());
            let limits = GatewayLimits { deadline: 120 * SECOND, ..GatewayLimits::default() };
            let gateway = Gateway::start(&runtime, vec![served], limits).unwrap();
            let all: Vec<_> = (0..calls).map(|_| gateway.call("metered/one", request("x")).send()).collect();
            let answers = join_all(all).await;
            let failed = answers.iter().filter(|answer| answer.is_err()).count();
            let refused = metered.left.lock().unwrap().2;
            let most = answers.iter().flatten().map(|answer| answer.times.attempts).max();
            assert!(most <= Some(4), "one attempt of five is left at least: {most:?}");
            assert_eq!(failed, 0, "{per_minute} a minute: {refused} of {calls} were refused");
            assert!(refused < calls * 5 / 4, "{per_minute} a minute: {refused} of {calls} were refused");
        });
    }
}
