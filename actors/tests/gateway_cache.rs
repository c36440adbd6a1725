//! Does the gateway save calls without mixing up their callers? Kept replies, and identical calls that share one attempt.

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::chat::{ChatChunk, ChatReply};
use callboard_actors::error::{ModelError, StoreError, Waiting};
use callboard_actors::gateway::{
    Budget, BudgetLimits, CacheMode, CachePolicy, Completed, Gateway, GatewayLimits, ModelLimits, ServedModel, Source,
    Timeouts,
};
use callboard_actors::ports::{ReplyStore, StoredReply};
use callboard_actors::runtime::{Runtime, simulated};
use common::model::{MODEL, SECOND, Scripted, USED, assert_idle, limits, request, served};
use futures_util::future::BoxFuture;

/// A gateway in front of one model with one place, whose calls say `mode` unless they say otherwise.
fn stage(runtime: &Runtime, mode: CacheMode) -> (Gateway, Arc<Scripted>) {
    let model = Arc::new(Scripted::default());
    let cache = CachePolicy { mode, max_age: 60 * SECOND, ..CachePolicy::default() };
    let one = ModelLimits { max_in_flight: Some(1), ..ModelLimits::default() };
    let served = ServedModel { cache, ..served(&model, one) };
    (Gateway::start(runtime, vec![served], limits(100)).unwrap(), model)
}

fn attempts(model: &Scripted) -> usize {
    model.attempts.load(Ordering::SeqCst)
}

fn of(answers: &[Result<Completed, ModelError>]) -> Vec<(&str, Source)> {
    answers.iter().map(|answer| answer.as_ref().unwrap()).map(|done| (&*done.reply.text, done.source)).collect()
}

#[test]
fn a_reply_is_kept_for_its_time_and_costs_nothing() {
    simulated(1, |runtime| async move {
        let (gateway, model) = stage(&runtime, CacheMode::On);
        let budget = Budget::new(BudgetLimits::default());
        let call = || gateway.call(MODEL, request("so")).budget(&budget).send();
        let first = call().await.unwrap();
        assert_eq!((first.source, first.times.attempts), (Source::Model, 1));
        let second = call().await.unwrap();
        assert_eq!((second.source, second.times.attempts, second.reply.usage), (Source::Cache, 0, Some(USED)));
        assert_eq!((budget.spent().calls, budget.spent().tokens), (1, USED.total()));
        let other = gateway.call(MODEL, request("other")).send().await.unwrap();
        assert_eq!(other.source, Source::Model);
        tokio::time::sleep(61 * SECOND).await;
        assert_eq!(call().await.unwrap().source, Source::Model, "it is too old");
        let info = gateway.info().await.unwrap();
        assert_eq!((info.models[0].attempts, info.models[0].cached), (3, 1));
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn each_mode_reads_and_writes_as_it_says() {
    simulated(1, |runtime| async move {
        let (gateway, _) = stage(&runtime, CacheMode::Off);
        let call = async |mode| gateway.call(MODEL, request("so")).cache(mode).send().await.unwrap().source;
        assert_eq!(call(CacheMode::ReadOnly).await, Source::Model);
        assert_eq!(call(CacheMode::ReadOnly).await, Source::Model, "it kept nothing");
        assert_eq!(call(CacheMode::WriteOnly).await, Source::Model);
        assert_eq!(call(CacheMode::WriteOnly).await, Source::Model, "it reads nothing");
        assert_eq!(call(CacheMode::Off).await, Source::Model);
        assert_eq!(
            gateway.call(MODEL, request("so")).send().await.unwrap().source,
            Source::Model,
            "off is the default"
        );
        assert_eq!(call(CacheMode::ReadOnly).await, Source::Cache);
        assert_eq!(call(CacheMode::On).await, Source::Cache);
    });
}

#[test]
fn a_kept_reply_comes_in_pieces_to_who_wants_them() {
    simulated(1, |runtime| async move {
        let (gateway, _) = stage(&runtime, CacheMode::On);
        gateway.call(MODEL, request("so")).send().await.unwrap();
        let (call, mut pieces) = gateway.call(MODEL, request("so")).streamed();
        let (answer, read) = tokio::join!(call.send(), async {
            let mut read = Vec::new();
            while let Some(piece) = pieces.next().await {
                read.push(piece);
            }
            read
        });
        assert_eq!(answer.unwrap().source, Source::Cache);
        assert_eq!(read, [ChatChunk::Text("so".to_owned())]);
    });
}

#[test]
fn identical_calls_at_the_same_time_are_one_and_the_first_pays() {
    simulated(1, |runtime| async move {
        let (gateway, model) = stage(&runtime, CacheMode::ReadOnly);
        let budgets: Vec<_> = (0..5).map(|_| Budget::new(BudgetLimits::default())).collect();
        let calls = budgets.iter().map(|budget| gateway.call(MODEL, request("so")).budget(budget).send());
        let answers = futures_util::future::join_all(calls).await;
        let mut expected = vec![("so", Source::Shared); 5];
        expected[0].1 = Source::Model;
        assert_eq!(of(&answers), expected);
        assert_eq!(attempts(&model), 1);
        assert_eq!(budgets.iter().map(|budget| budget.spent().calls).collect::<Vec<_>>(), [1, 0, 0, 0, 0]);
        let waited = answers[3].as_ref().unwrap().times;
        assert_eq!((waited.queue, waited.provider, waited.attempts), (SECOND, Duration::ZERO, 0));
        assert_eq!(gateway.info().await.unwrap().models[0].shared, 4);
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn whoever_follows_has_his_own_time_when_the_first_one_leaves() {
    // Also for another attempt.
    for script in ["so", "x, down 2, so"] {
        simulated(1, move |runtime| async move {
            let (gateway, model) = stage(&runtime, CacheMode::ReadOnly);
            let before = gateway.call(MODEL, request("before")).cache(CacheMode::Off).send();
            let leader = gateway.call(MODEL, request(script)).within(SECOND + SECOND / 2).send();
            let follower = gateway.call(MODEL, request(script)).within(10 * SECOND).send();
            // It leaves in line; a call takes a second.
            let leader = tokio::time::timeout(SECOND / 2, leader);
            let (before, leader, follower) = tokio::join!(before, leader, follower);
            assert!(before.is_ok() && leader.is_err());
            assert_eq!(follower.map(|answer| answer.source), Ok(Source::Model), "{script}");
            assert_idle(&gateway, &model).await;
        });
    }
}

#[test]
fn who_has_time_for_another_attempt_is_not_told_the_error_of_one_who_has_not() {
    simulated(1, |runtime| async move {
        let (gateway, model) = stage(&runtime, CacheMode::ReadOnly);
        let call = |within| gateway.call(MODEL, request("down 2, x")).within(within).send();
        let (hasty, also, patient, last) =
            tokio::join!(call(SECOND), call(SECOND * 2), call(10 * SECOND), call(9 * SECOND));
        for hasty in [hasty, also] {
            assert!(matches!(hasty, Err(ModelError::Unavailable { .. })), "{hasty:?}");
        }
        assert_eq!(of(&[patient, last]), [("x", Source::Model), ("x", Source::Shared)]);
        assert_eq!(attempts(&model), 2);
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn a_store_is_not_waited_for_beyond_the_deadline() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let cache = CachePolicy { mode: CacheMode::On, ..CachePolicy::default() };
        let store: Option<Arc<dyn ReplyStore>> = Some(Arc::new(Shelf { hangs: true, ..Shelf::default() }));
        let served = ServedModel { cache, store, ..served(&model, ModelLimits::default()) };
        let gateway = Gateway::start(&runtime, vec![served], limits(100)).unwrap();
        let began = tokio::time::Instant::now();
        gateway.call(MODEL, request("so")).within(SECOND / 20).send().await.unwrap_err();
        assert!(began.elapsed() < SECOND / 10, "{:?}", began.elapsed());
    });
}

#[test]
fn whoever_leaves_leaves_alone() {
    for first_leaves_after in [0, 500] {
        simulated(1, |runtime| async move {
            let (gateway, model) = stage(&runtime, CacheMode::ReadOnly);
            // The place is taken for a second, so that the others are in line at first.
            let before = gateway.call(MODEL, request("before")).cache(CacheMode::Off).send();
            let budgets: Vec<_> = (0..3).map(|_| Budget::new(BudgetLimits::default())).collect();
            let call = |number: usize| gateway.call(MODEL, request("so")).budget(&budgets[number]).send();
            let (leader, second, third) = (call(0), call(1), call(2));
            let leaves = tokio::time::timeout(SECOND + Duration::from_millis(first_leaves_after), leader);
            let also_leaves = tokio::time::timeout(Duration::from_millis(300), third);
            let (before, first, second, third) = tokio::join!(before, leaves, second, also_leaves);
            assert!(before.is_ok() && first.is_err() && third.is_err());
            let second = second.unwrap();
            assert_eq!((&*second.reply.text, attempts(&model)), ("so", 2), "its call is made once");
            // In line the place is the follower's, who pays; in flight the one who began it does.
            let (source, paid) =
                if first_leaves_after == 0 { (Source::Model, [0, 1, 0]) } else { (Source::Shared, [1, 0, 0]) };
            assert_eq!(second.source, source);
            assert_eq!(budgets.iter().map(|budget| budget.spent().calls).collect::<Vec<_>>(), paid);
            assert_idle(&gateway, &model).await;
        });
    }
}

#[test]
fn when_all_have_left_the_call_ends() {
    simulated(1, |runtime| async move {
        let (gateway, model) = stage(&runtime, CacheMode::On);
        let calls = (0..3).map(|_| gateway.call(MODEL, request("hang")).send());
        let all = futures_util::future::join_all(calls);
        assert!(tokio::time::timeout(SECOND, all).await.is_err());
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_idle(&gateway, &model).await;
        assert_eq!(attempts(&model), 1);
    });
}

#[test]
fn what_ends_the_first_for_its_own_sake_ends_nobody_else() {
    simulated(1, |runtime| async move {
        let (gateway, model) = stage(&runtime, CacheMode::ReadOnly);
        let poor = Budget::new(BudgetLimits { tokens: Some(1), micros: None });
        let broke = gateway.call(MODEL, request("so")).budget(&poor).send();
        let hasty = gateway.call(MODEL, request("so")).within(Duration::from_millis(500)).send();
        let calls = [gateway.call(MODEL, request("so")).send(), gateway.call(MODEL, request("so")).send()];
        let (broke, hasty, others) = tokio::join!(broke, hasty, futures_util::future::join_all(calls));
        assert_eq!(hasty, Err(ModelError::Timeout(Waiting::Total)));
        assert!(matches!(broke, Err(ModelError::BudgetExhausted(_))), "{broke:?}");
        assert_eq!(of(&others), [("so", Source::Shared), ("so", Source::Shared)]);
        assert_eq!(attempts(&model), 1, "the first one's goes on for the others");
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn an_error_of_the_provider_is_everybodys_and_is_not_kept() {
    simulated(1, |runtime| async move {
        let (gateway, model) = stage(&runtime, CacheMode::On);
        let calls = (0..3).map(|_| gateway.call(MODEL, request("reject")).send());
        for answer in futures_util::future::join_all(calls).await {
            assert!(matches!(answer, Err(ModelError::Rejected { .. })), "{answer:?}");
        }
        assert_eq!((attempts(&model), gateway.info().await.unwrap().models[0].failed), (1, 3));
        assert!(gateway.call(MODEL, request("reject")).send().await.is_err());
        assert_eq!(attempts(&model), 2);
        // One that is made again is made for all.
        let calls = (0..3).map(|_| gateway.call(MODEL, request("x, x, down, so")).send());
        let answers = futures_util::future::join_all(calls).await;
        assert_eq!((of(&answers)[2], attempts(&model)), (("so", Source::Shared), 4));
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn a_panic_leaves_nobody_without_an_answer() {
    simulated(1, |runtime| async move {
        let (gateway, model) = stage(&runtime, CacheMode::On);
        let calls = (0..3).map(|_| gateway.call(MODEL, request("panic")).send());
        for answer in futures_util::future::join_all(calls).await {
            assert!(matches!(answer, Err(ModelError::Provider(_))), "{answer:?}");
        }
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn the_deadline_of_a_follower_is_its_own() {
    simulated(1, |runtime| async move {
        let (gateway, model) = stage(&runtime, CacheMode::On);
        let first = gateway.call(MODEL, request("so")).send();
        let hasty = gateway.call(MODEL, request("so")).within(Duration::from_millis(200)).send();
        let (first, hasty) = tokio::join!(first, async {
            let answer = hasty.await;
            (answer, tokio::time::Instant::now())
        });
        assert_eq!(hasty.0, Err(ModelError::Timeout(Waiting::Queue)));
        assert_eq!(first.unwrap().source, Source::Model);
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn whose_time_is_over_while_his_call_is_made_is_counted_once_whoever_follows() {
    for (follows, failed) in [(false, 1), (true, 2)] {
        simulated(1, move |runtime| async move {
            let model = Arc::new(Scripted::default());
            let cache = CachePolicy { mode: CacheMode::ReadOnly, ..CachePolicy::default() };
            // An attempt that fails when the first caller has left.
            let timeouts = Timeouts { total: SECOND, ..Timeouts::default() };
            let served = ServedModel { cache, ..served(&model, ModelLimits::default()) };
            let gateway = Gateway::start(&runtime, vec![served], GatewayLimits { timeouts, ..limits(100) }).unwrap();
            let hasty = gateway.call(MODEL, request("hang")).within(SECOND / 2).send();
            let follower = follows.then(|| gateway.call(MODEL, request("hang")).send());
            assert_eq!(hasty.await, Err(ModelError::Timeout(Waiting::Total)));
            assert_eq!(gateway.info().await.unwrap().models[0].failed, 1, "at once");
            if let Some(follower) = follower {
                assert_eq!(follower.await, Err(ModelError::Timeout(Waiting::Total)));
            }
            assert_eq!(gateway.info().await.unwrap().models[0].failed, failed);
            assert_idle(&gateway, &model).await;
        });
    }
}

#[test]
fn a_call_that_is_streamed_is_made_for_itself() {
    simulated(1, |runtime| async move {
        let (gateway, model) = stage(&runtime, CacheMode::On);
        let (streamed, mut pieces) = gateway.call(MODEL, request("so")).streamed();
        let plain = gateway.call(MODEL, request("so")).send();
        let read = async { while pieces.next().await.is_some() {} };
        let (plain, streamed, ()) = tokio::join!(plain, streamed.send(), read);
        assert_eq!(of(&[plain, streamed]), [("so", Source::Model), ("so", Source::Model)]);
        assert_eq!(attempts(&model), 2);
    });
}

#[test]
fn the_reply_of_a_fall_back_is_not_kept_as_that_of_the_model_that_was_asked() {
    simulated(1, |runtime| async move {
        let models = [Arc::new(Scripted::default()), Arc::new(Scripted::default())];
        let cache = CachePolicy { mode: CacheMode::On, ..CachePolicy::default() };
        let served = |number: usize| ServedModel {
            name: format!("scripted/{number}"),
            cache: cache.clone(),
            ..served(&models[number], ModelLimits::default())
        };
        let gateway = Gateway::start(&runtime, vec![served(0), served(1)], limits(100)).unwrap();
        // Both follow one script, of which the first model has the first three steps.
        models[1].attempts.store(3, Ordering::SeqCst);
        let call = || gateway.call("scripted/0", request("down, down, down, so")).or("scripted/1").send();
        let first = call().await.unwrap();
        assert_eq!((&*first.model, first.source), ("scripted/1", Source::Model));
        let second = call().await.unwrap();
        assert_eq!((&*second.model, second.source), ("scripted/0", Source::Model), "it is asked again");
        assert_eq!(call().await.unwrap().source, Source::Cache);
    });
}

#[test]
fn who_may_turn_to_another_model_and_who_may_not_do_not_share_a_call() {
    simulated(1, |runtime| async move {
        let models = [Arc::new(Scripted::default()), Arc::new(Scripted::default())];
        let cache = CachePolicy { mode: CacheMode::ReadOnly, ..CachePolicy::default() };
        let served = |number: usize| ServedModel {
            name: format!("scripted/{number}"),
            cache: cache.clone(),
            ..served(&models[number], ModelLimits::default())
        };
        let gateway = Gateway::start(&runtime, vec![served(0), served(1)], limits(100)).unwrap();
        models[1].attempts.store(9, Ordering::SeqCst);
        let script = "down, down, down, down, down, down, so";
        let call = || gateway.call("scripted/0", request(script));
        let calls = [call().send(), call().or("scripted/1").send(), call().or("scripted/1").send()];
        let [alone, first, second] = <[_; 3]>::try_from(futures_util::future::join_all(calls).await).unwrap();
        assert!(matches!(alone, Err(ModelError::Unavailable { .. })), "it named no other model: {alone:?}");
        assert_eq!(of(&[first, second]), [("so", Source::Model), ("so", Source::Shared)]);
    });
}

#[test]
fn the_pieces_of_a_call_that_failed_end_with_it() {
    simulated(1, |runtime| async move {
        let (gateway, _) = stage(&runtime, CacheMode::On);
        let (call, mut pieces) = gateway.call(MODEL, request("reject")).streamed();
        let mut answer = std::pin::pin!(call.send());
        assert!((&mut answer).await.is_err());
        let end = tokio::time::timeout(SECOND, pieces.next()).await;
        assert_eq!(end, Ok(None), "though the call is still in its caller's hands");
    });
}

/// Keeps replies in a map, or fails, or never answers.
#[derive(Default)]
struct Shelf {
    replies: Mutex<BTreeMap<Vec<u8>, ChatReply>>,
    /// In seconds, of all that it keeps.
    age: AtomicU64,
    is_broken: bool,
    hangs: bool,
    panics: bool,
}

impl ReplyStore for Shelf {
    fn read(&self, key: Arc<[u8]>) -> BoxFuture<'static, Result<Option<StoredReply>, StoreError>> {
        let found = self.replies.lock().unwrap().get(&*key).cloned();
        let (is_broken, hangs) = (self.is_broken, self.hangs);
        let age = Duration::from_secs(self.age.load(Ordering::SeqCst));
        Box::pin(async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            if is_broken {
                return Err(StoreError::Closed("on purpose".to_owned()));
            }
            Ok(found.map(|reply| StoredReply { reply, age }))
        })
    }

    fn write(&self, key: Arc<[u8]>, reply: ChatReply) -> BoxFuture<'static, Result<(), StoreError>> {
        assert!(!self.panics, "on purpose");
        self.replies.lock().unwrap().insert(key.to_vec(), reply);
        Box::pin(async { Ok(()) })
    }
}

#[test]
fn a_store_is_asked_before_the_model_and_gone_without_when_it_is_no_use() {
    simulated(1, |runtime| async move {
        let start = |store: &Arc<Shelf>| {
            let model = Arc::new(Scripted::default());
            let cache = CachePolicy { mode: CacheMode::On, max_age: 60 * SECOND, ..CachePolicy::default() };
            let store: Option<Arc<dyn ReplyStore>> = Some(store.clone());
            let served = ServedModel { cache, store, ..served(&model, ModelLimits::default()) };
            Gateway::start(&runtime, vec![served], limits(100)).unwrap()
        };
        let shelf = Arc::new(Shelf { age: AtomicU64::new(59), ..Shelf::default() });
        let source = async |gateway: &Gateway| gateway.call(MODEL, request("so")).send().await.unwrap().source;
        assert_eq!(source(&start(&shelf)).await, Source::Model);
        let later = start(&shelf);
        assert_eq!(source(&later).await, Source::Cache, "another process finds it");
        tokio::time::sleep(2 * SECOND).await;
        shelf.replies.lock().unwrap().clear();
        assert_eq!(source(&later).await, Source::Model, "its age came with it");
        shelf.age.store(61, Ordering::SeqCst);
        assert_eq!(source(&start(&shelf)).await, Source::Model, "somebody had more patience when he kept it");
        for shelf in [Shelf { is_broken: true, ..Shelf::default() }, Shelf { hangs: true, ..Shelf::default() }] {
            assert_eq!(source(&start(&Arc::new(shelf))).await, Source::Model);
        }
    });
}

#[test]
fn a_store_that_panics_takes_no_call_with_it() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let cache = CachePolicy { mode: CacheMode::On, ..CachePolicy::default() };
        let store: Option<Arc<dyn ReplyStore>> = Some(Arc::new(Shelf { panics: true, ..Shelf::default() }));
        let served = ServedModel {
            cache,
            store,
            ..served(&model, ModelLimits { max_in_flight: Some(1), ..Default::default() })
        };
        let gateway = Gateway::start(&runtime, vec![served], limits(100)).unwrap();
        let calls = ["one", "two", "three"].map(|text| gateway.call(MODEL, request(text)).send());
        let answers = futures_util::future::join_all(calls).await;
        assert_eq!(of(&answers), ["one", "two", "three"].map(|text| (text, Source::Model)));
        assert_idle(&gateway, &model).await;
    });
}
