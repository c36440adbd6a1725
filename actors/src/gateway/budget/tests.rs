//! Is no level of a tree of budgets ever exceeded, and does everything that was not used come back once?

use std::task::{Context, Waker};

use proptest::prelude::*;

use super::*;

const MOST: TokenUsage = TokenUsage { input: 60, output: 40 };
/// One token is one millionth of a dollar.
const PRICE: Price = Price { input: 1_000_000, output: 1_000_000 };

fn limits(tokens: u64) -> BudgetLimits {
    BudgetLimits { tokens: Some(tokens), micros: None }
}

fn tokens(limit: u64) -> Budget {
    Budget::new(limits(limit))
}

fn using(tokens: u64) -> TokenUsage {
    TokenUsage { input: tokens, output: 0 }
}

/// Tokens spent and reserved.
fn state(budget: &Budget) -> (u64, u64) {
    (budget.spent().tokens, budget.spent().reserved_tokens)
}

#[test]
fn a_call_that_may_exceed_the_budget_is_not_made_and_says_what_to_do() {
    let budget = tokens(150);
    let first = budget.reserve("m", MOST, None).unwrap();
    let refused = budget.reserve("m", MOST, None).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "this budget has 50 of its 150 tokens left, and a call of m may use 100; 100 are set aside for others"
    );
    first.settle(Some(TokenUsage { input: 20, output: 5 }));
    budget.reserve("m", MOST, None).unwrap().take_back();
    let spent = Spent { calls: 2, tokens: 25, input_tokens: 20, output_tokens: 5, ..Spent::default() };
    assert_eq!(budget.spent(), Spent { unknown_price: 1, ..spent });
}

#[test]
fn unknown_usage_stays_reserved_and_unknown_prices_are_no_zero() {
    let budget = tokens(1_000);
    budget.reserve("m", MOST, None).unwrap().settle(None);
    drop(budget.reserve("m", MOST, None).unwrap());
    let spent = Spent { calls: 2, tokens: 200, unknown_usage: 2, unknown_price: 2, ..Spent::default() };
    assert_eq!(budget.spent(), spent);
    let money = Budget::new(BudgetLimits { tokens: None, micros: Some(1_000_000) });
    let below = money.child(limits(1_000_000));
    let price = Price { input: 1_000_000, output: 5_000_000 };
    let much = TokenUsage { input: 500_000, output: 500_000 };
    for budget in [&money, &below] {
        let refused = budget.reserve("m", MOST, None).unwrap_err().to_string();
        assert!(refused.starts_with("nobody knows what m costs, and this budget has a limit on costs"), "{refused}");
        let refused = budget.reserve("m", much, Some(price)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "this budget has $1.000000 of its $1.000000 left, and a call of m may cost $3.000000"
        );
    }
    assert_eq!((money.spent(), below.spent()), (Spent::default(), Spent::default()), "all levels or none");
}

#[test]
fn an_error_says_which_level_is_exhausted() {
    let total = tokens(300).named("whole program");
    let run = total.child(limits(250)).named("run");
    let writer = run.child(limits(150)).named("writer");
    let say = |budget: &Budget| budget.reserve("m", MOST, None).unwrap_err().to_string();
    let first = writer.reserve("m", MOST, None).unwrap();
    assert!(say(&writer).starts_with("the writer has 50 of its 150 tokens left, and a call of m may use 100"));
    let second = run.reserve("m", MOST, None).unwrap();
    assert!(say(&run).starts_with("the run has 50 of its 250 tokens left, "), "{}", say(&run));
    assert!(say(&run.child(limits(20))).starts_with("this budget has 20 of its 20 tokens left, "));
    let third = total.reserve("m", MOST, None).unwrap();
    let beside = total.child(BudgetLimits::default());
    assert!(say(&beside).starts_with("the whole program has 0 of its 300 tokens left, "));
    let refused = beside.split(limits(1)).unwrap_err().to_string();
    assert_eq!(
        refused,
        "the whole program has 0 of its 300 tokens left, and 1 are to be set aside for a part; 300 are set aside for others"
    );
    drop((first, second, third));
}

#[test]
fn what_a_part_does_not_use_comes_back_once() {
    let run = tokens(1_000);
    let part = run.split(limits(600)).unwrap().named("part");
    assert_eq!(state(&run), (0, 600), "set aside at once");
    assert!(run.split(limits(401)).is_err());
    part.reserve("m", MOST, None).unwrap().settle(Some(using(30)));
    assert_eq!((state(&run), state(&part)), ((30, 570), (30, 0)));
    let (clone, open) = (part.clone(), part.reserve("m", MOST, None).unwrap());
    part.give_back();
    assert_eq!(state(&run), (30, 100), "the call that is not over keeps its reservation");
    clone.clone().give_back();
    assert_eq!(state(&run), (30, 100), "never twice");
    let refused = clone.reserve("m", using(1), None).unwrap_err().to_string();
    assert_eq!(refused, "the part has 0 of its 600 tokens left, and a call of m may use 1, as it was given back");
    open.settle(Some(using(40)));
    assert_eq!(state(&run), (70, 0), "and what that call did not use comes back with its end");
    drop(clone);
    assert_eq!((state(&run), run.spent().calls, run.spent().open), ((70, 0), 2, 0));
}

#[test]
fn a_part_lives_as_long_as_what_it_pays_for() {
    let run = tokens(1_000);
    let part = run.split(limits(600)).unwrap();
    let (below, open) = (part.child(limits(300)), part.reserve("m", MOST, None).unwrap());
    drop(part);
    assert_eq!(state(&run), (0, 600));
    drop(open);
    assert_eq!(state(&run), (100, 500), "a call that nobody knows of is spent");
    below.reserve("m", MOST, None).unwrap().settle(Some(using(1)));
    assert_eq!(state(&run), (101, 499));
    drop(below);
    assert_eq!(state(&run), (101, 0));
}

#[test]
fn a_part_of_one_kind_takes_the_other_from_above() {
    let run = Budget::new(BudgetLimits { tokens: Some(1_000), micros: Some(150) });
    let part = run.split(limits(600)).unwrap();
    let first = part.reserve("m", MOST, Some(PRICE)).unwrap();
    assert_eq!((run.spent().reserved_tokens, run.spent().reserved_micros), (600, 100));
    let refused = part.reserve("m", MOST, Some(PRICE)).unwrap_err().to_string();
    assert!(refused.starts_with("this budget has $0.000050 of its $0.000150 left"), "{refused}");
    first.settle(Some(using(10)));
    assert_eq!((run.spent().reserved_tokens, run.spent().reserved_micros, run.spent().micros), (590, 0, 10));
}

#[test]
fn what_is_used_beyond_the_bound_is_counted_and_takes_nothing_from_others() {
    let run = tokens(1_000);
    let (one, other) = (run.split(limits(100)).unwrap(), run.split(limits(200)).unwrap());
    one.reserve("m", MOST, None).unwrap().settle(Some(using(150)));
    assert_eq!((state(&run), state(&one)), ((150, 200), (150, 0)));
    drop((one, other));
    assert_eq!(state(&run), (150, 0));
}

#[test]
fn who_waits_is_woken_by_an_end_beside_him_and_by_a_part_that_comes_back() {
    let run = tokens(100);
    let (one, other) = (run.child(limits(100)), run.child(limits(100)));
    let is_woken = |waits: &mut std::pin::Pin<Box<dyn Future<Output = ()>>>| {
        waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
    };
    let call = one.reserve("m", MOST, None).unwrap();
    assert!(other.reserve("m", using(1), None).is_err());
    let waits = || -> [std::pin::Pin<Box<dyn Future<Output = ()>>>; 3] {
        [Box::pin(run.settled()), Box::pin(one.settled()), Box::pin(other.settled())]
    };
    for waits in &mut waits() {
        assert!(!is_woken(waits));
    }
    let mut waiting = waits();
    call.take_back();
    assert!(waiting.iter_mut().all(is_woken));
    let part = one.split(limits(70)).unwrap();
    let mut waiting = waits();
    assert!(!waiting.iter_mut().any(is_woken));
    part.give_back();
    assert!(waiting.iter_mut().all(is_woken));
}

#[test]
fn a_budget_is_within_itself_and_those_above() {
    let run = Budget::default();
    let (one, other) = (run.child(limits(1)), run.child(limits(1)));
    let below = one.split(limits(1)).unwrap();
    assert!(run.clone().is_within(&run) && below.is_within(&one) && below.is_within(&run));
    assert!(!run.is_within(&one) && !one.is_within(&other) && !below.is_within(&other));
}

#[test]
fn threads_that_take_from_one_run_at_the_same_time_do_not_exceed_it() {
    let (run, begin) = (tokens(250), std::sync::Barrier::new(4));
    std::thread::scope(|threads| {
        for number in 0..4 {
            let (run, own, begin) = (&run, run.child(limits(200)), &begin);
            threads.spawn(move || {
                begin.wait();
                for _ in 0..5_000 {
                    let part = (number == 0).then(|| own.split(limits(100)));
                    let call = part.is_none().then(|| own.reserve("m", MOST, None));
                    let (spent, reserved) = state(run);
                    assert!(spent + reserved <= 250);
                    call.and_then(Result::ok).into_iter().for_each(Reservation::take_back);
                }
            });
        }
    });
    assert_eq!(state(&run), (0, 0));
}

/// What a tree of budgets should be like, worked out anew each time from what happened.
#[derive(Default)]
struct Model {
    nodes: Vec<Said>,
    /// Of which budget, and how much.
    open: Vec<(usize, u64)>,
    used: Vec<(usize, u64)>,
}

struct Said {
    parent: Option<usize>,
    /// Of tokens and of money.
    limits: [Option<u64>; 2],
    is_part: bool,
    is_given_back: bool,
    handles: usize,
}

impl Model {
    fn children(&self, node: usize) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(move |child| self.nodes[*child].parent == Some(node))
    }

    fn spent(&self, node: usize) -> u64 {
        let own = self.used.iter().filter(|(of, _)| *of == node).map(|(_, used)| used).sum::<u64>();
        own + self.children(node).map(|child| self.spent(child)).sum::<u64>()
    }

    fn is_gone(&self, node: usize) -> bool {
        let is_paying = self.open.iter().any(|(of, _)| *of == node);
        self.nodes[node].handles == 0 && !is_paying && self.children(node).all(|child| self.is_gone(child))
    }

    fn reserved(&self, node: usize, kind: usize) -> u64 {
        let own = self.open.iter().filter(|(of, _)| *of == node).map(|(_, most)| most).sum::<u64>();
        own + self.children(node).map(|child| self.kept(child, kind)).sum::<u64>()
    }

    /// What is reserved above for this one.
    fn kept(&self, node: usize, kind: usize) -> u64 {
        let said = &self.nodes[node];
        let reserved = self.reserved(node, kind);
        match said.limits[kind] {
            Some(_) if said.is_part && self.is_gone(node) => 0,
            Some(_) if said.is_part && said.is_given_back => reserved,
            Some(limit) if said.is_part => limit - self.spent(node),
            _ => reserved,
        }
    }

    /// Whether there is so much of a kind, here and as far up as it has to be asked for.
    fn has(&self, node: usize, kind: usize, amount: u64) -> bool {
        let said = &self.nodes[node];
        let taken = self.spent(node) + self.reserved(node, kind);
        let here = said.limits[kind].is_none_or(|limit| match said.is_given_back {
            true => amount == 0,
            false => taken + amount <= limit,
        });
        let is_set_aside = said.is_part && said.limits[kind].is_some();
        let above = if is_set_aside { None } else { said.parent };
        here && above.is_none_or(|above| self.has(above, kind, amount))
    }
}

fn kinds(limits: BudgetLimits) -> [Option<u64>; 2] {
    [limits.tokens, limits.micros]
}

fn some_limits() -> impl Strategy<Value = BudgetLimits> {
    (proptest::option::weighted(0.8, 0..600u64), proptest::option::weighted(0.8, 0..600u64))
        .prop_map(|(tokens, micros)| BudgetLimits { tokens, micros })
}

proptest! {
    /// Whatever is made, split, reserved, settled, lost, dropped and given back, in whatever order: each budget of the tree
    /// is as the simple model says, and as long as a call uses no more than its bound, none is exceeded.
    #[test]
    fn a_tree_is_as_the_simple_model_says(
        top in some_limits(),
        steps in proptest::collection::vec((0..10u8, 0..64usize, some_limits(), 0..200u64), 0..80),
    ) {
        let mut budgets = vec![vec![Budget::new(top)]];
        let said = |parent, limits, is_part| {
            Said { parent, limits: kinds(limits), is_part, is_given_back: false, handles: 1 }
        };
        let mut model = Model { nodes: vec![said(None, top, false)], ..Model::default() };
        let mut open: Vec<Reservation> = Vec::new();
        for (step, which, limits, amount) in steps {
            let node = which % budgets.len();
            let budget = budgets[node].first().cloned();
            let call = (!open.is_empty()).then(|| which % open.len().max(1));
            match (step, budget, call) {
                (0, Some(budget), _) => {
                    budgets.push(vec![budget.child(limits)]);
                    model.nodes.push(said(Some(node), limits, false));
                }
                (1 | 2, Some(budget), _) => {
                    let has = (0..2).all(|kind| model.has(node, kind, kinds(limits)[kind].unwrap_or(0)));
                    let part = budget.split(limits);
                    prop_assert_eq!(part.is_ok(), has);
                    if let Ok(part) = part {
                        budgets.push(vec![part]);
                        model.nodes.push(said(Some(node), limits, true));
                    }
                }
                (3..=5, Some(budget), _) => {
                    let has = (0..2).all(|kind| model.has(node, kind, amount));
                    let call = budget.reserve("m", using(amount), Some(PRICE));
                    prop_assert_eq!(call.is_ok(), has);
                    if let Ok(call) = call {
                        open.push(call);
                        model.open.push((node, amount));
                    }
                }
                (6, _, Some(call)) => {
                    let (of, most) = model.open.remove(call);
                    let used = amount.min(most);
                    open.remove(call).settle(Some(using(used)));
                    model.used.push((of, used));
                }
                (7, _, Some(call)) => {
                    let (of, most) = model.open.remove(call);
                    match amount % 2 {
                        0 => open.remove(call).take_back(),
                        _ => {
                            drop(open.remove(call));
                            model.used.push((of, most));
                        }
                    }
                }
                (8, Some(budget), _) if amount % 2 == 0 => {
                    budgets[node].push(budget);
                    model.nodes[node].handles += 1;
                }
                (8, Some(budget), _) => {
                    budget.give_back();
                    model.nodes[node].is_given_back = model.nodes[node].is_part;
                }
                // The root stays, to be looked at.
                (9, Some(_), _) if node > 0 => {
                    budgets[node].pop();
                    model.nodes[node].handles -= 1;
                }
                _ => {}
            }
            for (node, handles) in budgets.iter().enumerate() {
                let Some(spent) = handles.first().map(Budget::spent) else { continue };
                prop_assert_eq!((spent.tokens, spent.micros), (model.spent(node), model.spent(node)));
                let reserved = [spent.reserved_tokens, spent.reserved_micros];
                for (kind, reserved) in reserved.into_iter().enumerate() {
                    prop_assert_eq!(reserved, model.reserved(node, kind), "of {}", node);
                    if let Some(limit) = model.nodes[node].limits[kind] {
                        prop_assert!(spent.tokens + reserved <= limit, "{} is exceeded", node);
                        let parts = model.children(node).map(|part| model.kept(part, kind)).sum::<u64>();
                        prop_assert!(parts <= reserved);
                    }
                }
            }
        }
        let root = budgets.swap_remove(0);
        drop((budgets, open));
        let spent = root[0].spent();
        prop_assert_eq!((spent.reserved_tokens, spent.reserved_micros, spent.open), (0, 0, 0));
    }
}
