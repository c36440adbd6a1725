//! What is left at each level of a tree of budgets, and at which level is something missing?
//!
//! Each budget has a lock. Whoever changes something takes those from his budget up to the root, in this order, and holds
//! them for a few additions: nobody sees a reservation that only some of the levels have.
//!
//! What is set aside for a part is reserved in the budgets above it. What the part spends is spent there as well, and so much
//! less is reserved: above a part, only what it has spent and what is kept for it change. One rule moves them
//! ([`Level::passes_on`]): the budget above keeps what the part may still spend.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{BudgetLimits, Price, Spent, TokenUsage};
use crate::error::{ModelError, NO_PRICE, SET_ASIDE, TOKENS_LEFT};

/// Tokens and millionths of a US dollar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) tokens: u64,
    pub(super) micros: u64,
}

impl Amount {
    /// What a call can use at most, or has used.
    pub(super) fn of(usage: TokenUsage, price: Option<Price>) -> Self {
        Self { tokens: usage.total(), micros: price.map_or(0, |price| price.of(usage)) }
    }

    fn and(self, more: Self) -> Self {
        Self { tokens: self.tokens.saturating_add(more.tokens), micros: self.micros.saturating_add(more.micros) }
    }

    fn without(self, less: Self) -> Self {
        Self { tokens: self.tokens.saturating_sub(less.tokens), micros: self.micros.saturating_sub(less.micros) }
    }
}

/// Whether a call may be paid.
pub(super) enum Check {
    Now,
    /// When calls that are not over have given back what they do not use.
    Later,
    /// Why not, whatever those use.
    Never(ModelError),
}

/// One budget of a tree.
pub(super) struct Node {
    limits: BudgetLimits,
    parent: Option<Arc<Node>>,
    /// Its limits are set aside above it.
    is_part: bool,
    state: Mutex<State>,
    /// Wakes who waits for what others of this tree reserved: one for the whole tree.
    freed: Arc<Notify>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) name: Option<String>,
    pub(super) spent: Spent,
    /// What calls that are not over have reserved of this level itself, and not of what is set aside for a part: it comes back soon.
    of_calls: Amount,
    /// Nothing more is taken from this part.
    is_given_back: bool,
}

/// What something is taken for.
#[derive(Clone, Copy)]
pub(super) enum Wish<'a> {
    Call { model: &'a str, has_price: bool },
    Part,
}

impl Node {
    pub(super) fn root(limits: BudgetLimits) -> Self {
        Self { limits, parent: None, is_part: false, state: Mutex::default(), freed: Arc::default() }
    }

    /// A part is made after its limits were taken from its parent.
    pub(super) fn below(parent: &Arc<Self>, limits: BudgetLimits, is_part: bool) -> Self {
        let (freed, parent) = (parent.freed.clone(), Some(parent.clone()));
        Self { limits, parent, is_part, state: Mutex::default(), freed }
    }

    pub(super) fn limits(&self) -> BudgetLimits {
        self.limits
    }

    pub(super) fn freed(&self) -> &Arc<Notify> {
        &self.freed
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Itself, its parent, and so on.
    pub(super) fn and_above(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |node| node.parent.as_deref())
    }

    /// All of them locked, in this order.
    fn levels(&self) -> Vec<Level<'_>> {
        self.and_above().map(|node| Level { node, state: node.lock() }).collect()
    }

    /// Reserves at this level and at all above it, or at none.
    pub(super) fn take(&self, amount: Amount, wish: Wish<'_>, count: impl Fn(&mut Spent)) -> Result<(), ModelError> {
        let mut levels = self.levels();
        let mut asked = amount;
        for level in &levels {
            level.check(asked, wish)?;
            asked = level.asks_above(asked);
        }
        let mut asked = amount;
        for level in &mut levels {
            let spent = &mut level.state.spent;
            spent.reserved_tokens = spent.reserved_tokens.saturating_add(asked.tokens);
            spent.reserved_micros = spent.reserved_micros.saturating_add(asked.micros);
            count(spent);
            if matches!(wish, Wish::Call { .. }) {
                level.state.of_calls = level.state.of_calls.and(asked);
            }
            asked = level.asks_above(asked);
        }
        Ok(())
    }

    /// Whether a call may take so much now; [`Check::Later`] where the calls that are not over hold what is missing, or enough of it.
    pub(super) fn look(&self, amount: Amount, wish: Wish<'_>) -> Check {
        let (mut asked, mut is_later) = (amount, false);
        for level in &self.levels() {
            if let Err(error) = level.check(asked, wish) {
                // Without what those calls hold.
                let fits =
                    level.fits_without(level.state.of_calls, asked) && level.check(Amount::default(), wish).is_ok();
                if !fits || level.state.is_given_back {
                    return Check::Never(error);
                }
                is_later = true;
            }
            asked = level.asks_above(asked);
        }
        if is_later { Check::Later } else { Check::Now }
    }

    /// What was taken for a call comes back; `count` says what it has spent of it.
    pub(super) fn release(&self, taken: Amount, count: impl Fn(&mut Spent)) {
        // After the locks are free again, on every way out.
        let _wake = Wake(&self.freed);
        let (mut levels, mut asked) = (self.levels(), taken);
        for level in &mut levels {
            level.state.of_calls = level.state.of_calls.without(asked);
            asked = level.asks_above(asked);
        }
        release(&mut levels, taken, count);
    }

    /// What is left of a part comes back to those above it. A second time there is nothing left.
    pub(super) fn give_back(&self) {
        if !self.is_part {
            return;
        }
        let _wake = Wake(&self.freed);
        let mut levels = self.levels();
        if let Some((part, above)) = levels.split_first_mut() {
            let kept = part.kept();
            part.state.is_given_back = true;
            let back = part.passes_on(Amount::default(), kept);
            release(above, back, |_| {});
        }
    }
}

impl Drop for Node {
    /// Nobody can take anything from it any more, and no call is paid by it.
    fn drop(&mut self) {
        self.give_back();
    }
}

fn release(levels: &mut [Level<'_>], mut back: Amount, count: impl Fn(&mut Spent)) {
    for level in levels {
        let kept = level.kept();
        let spent = &mut level.state.spent;
        spent.reserved_tokens = spent.reserved_tokens.saturating_sub(back.tokens);
        spent.reserved_micros = spent.reserved_micros.saturating_sub(back.micros);
        count(spent);
        back = level.passes_on(back, kept);
    }
}

/// One budget on the way up, locked.
struct Level<'a> {
    node: &'a Node,
    state: MutexGuard<'a, State>,
}

impl Level<'_> {
    /// What was set aside for it, if that is so.
    fn set_aside(&self) -> BudgetLimits {
        if self.node.is_part { self.node.limits } else { BudgetLimits::default() }
    }

    /// What has to be asked for above it: nothing of a kind that was set aside for it.
    fn asks_above(&self, asked: Amount) -> Amount {
        let BudgetLimits { tokens, micros } = self.set_aside();
        Amount { tokens: tokens.map_or(asked.tokens, |_| 0), micros: micros.map_or(asked.micros, |_| 0) }
    }

    /// What is still kept for it above: what it may still spend.
    fn kept(&self) -> Amount {
        let BudgetLimits { tokens, micros } = self.set_aside();
        let spent = &self.state.spent;
        let kept = |limit: Option<u64>, spent, reserved| match limit.unwrap_or(0).saturating_sub(spent) {
            left if self.state.is_given_back => left.min(reserved),
            left => left,
        };
        Amount {
            tokens: kept(tokens, spent.tokens, spent.reserved_tokens),
            micros: kept(micros, spent.micros, spent.reserved_micros),
        }
    }

    /// What comes back above it when `back` came back to it: the same; and of what was set aside for it, what need not be
    /// kept any more of what was `kept` before.
    fn passes_on(&self, back: Amount, kept: Amount) -> Amount {
        let (BudgetLimits { tokens, micros }, now) = (self.set_aside(), self.kept());
        Amount {
            tokens: tokens.map_or(back.tokens, |_| kept.tokens.saturating_sub(now.tokens)),
            micros: micros.map_or(back.micros, |_| kept.micros.saturating_sub(now.micros)),
        }
    }

    /// Whether there is room for so much once these reservations have come back.
    fn fits_without(&self, back: Amount, asked: Amount) -> bool {
        let (BudgetLimits { tokens, micros }, spent) = (self.node.limits, &self.state.spent);
        let fits = |limit: Option<u64>, spent: u64, reserved: u64, back: u64, asked: u64| {
            let used = spent.saturating_add(reserved.saturating_sub(back)).saturating_add(asked);
            limit.is_none_or(|limit| used <= limit)
        };
        fits(tokens, spent.tokens, spent.reserved_tokens, back.tokens, asked.tokens)
            && fits(micros, spent.micros, spent.reserved_micros, back.micros, asked.micros)
    }

    fn check(&self, asked: Amount, wish: Wish<'_>) -> Result<(), ModelError> {
        let (BudgetLimits { tokens, micros }, spent) = (self.node.limits, &self.state.spent);
        if let Some(limit) = tokens {
            let left = self.left(limit, spent.tokens, spent.reserved_tokens);
            if asked.tokens > left {
                let wish = match wish {
                    Wish::Call { model, .. } => format!("a call of {model} may use {}", asked.tokens),
                    Wish::Part => format!("{} are to be set aside for a part", asked.tokens),
                };
                let held = match spent.reserved_tokens {
                    reserved if self.would_fit(asked.tokens, limit, spent.tokens, reserved) => {
                        format!("; {reserved} are {SET_ASIDE}")
                    }
                    _ => String::new(),
                };
                return self.refuse(&format!("has {left} of its {limit} {TOKENS_LEFT}, and {wish}{held}"));
            }
        }
        let Some(limit) = micros else { return Ok(()) };
        if let Wish::Call { model, has_price: false } = wish {
            let what = format!("{NO_PRICE} {model} costs, and {} has a limit on costs", self.name());
            return Err(ModelError::BudgetExhausted(what));
        }
        let left = self.left(limit, spent.micros, spent.reserved_micros);
        if asked.micros <= left {
            return Ok(());
        }
        let limit_micros = limit;
        let [left, limit, most] = [left, limit, asked.micros].map(dollars);
        let wish = match wish {
            Wish::Call { model, .. } => format!("a call of {model} may cost {most}"),
            Wish::Part => format!("{most} are to be set aside for a part"),
        };
        let held = match spent.reserved_micros {
            reserved if self.would_fit(asked.micros, limit_micros, spent.micros, reserved) => {
                format!("; {} are {SET_ASIDE}", dollars(reserved))
            }
            _ => String::new(),
        };
        self.refuse(&format!("has {left} of its {limit} left, and {wish}{held}"))
    }

    fn left(&self, limit: u64, spent: u64, reserved: u64) -> u64 {
        match self.state.is_given_back {
            true => 0,
            false => limit.saturating_sub(spent).saturating_sub(reserved),
        }
    }

    /// Whether there would be room for it without what others have reserved.
    fn would_fit(&self, asked: u64, limit: u64, spent: u64, reserved: u64) -> bool {
        reserved > 0 && !self.state.is_given_back && asked <= limit.saturating_sub(spent)
    }

    fn refuse(&self, what: &str) -> Result<(), ModelError> {
        let why = if self.state.is_given_back { ", as it was given back" } else { "" };
        Err(ModelError::BudgetExhausted(format!("{} {what}{why}", self.name())))
    }

    fn name(&self) -> String {
        self.state.name.as_ref().map_or_else(|| "this budget".to_owned(), |name| format!("the {name}"))
    }
}

/// Wakes who waits when it is dropped.
struct Wake<'a>(&'a Notify);

impl Drop for Wake<'_> {
    fn drop(&mut self) {
        self.0.notify_waiters();
    }
}

fn dollars(micros: u64) -> String {
    format!("${}.{:06}", micros / 1_000_000, micros % 1_000_000)
}
