//! How does an ask know what was said in its session before, and how is it kept? The shell of [`recalled`]: it reads the store, has
//! a model summarise, and knows the time.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, ChatAgentError, Ended};
use super::drive::Asking;
use super::sessions::{MOST_TURNS, fitting};
use super::summary::{ROUNDS, Recalled, Work, recalled};
use super::waits::AskWait;
use crate::chat::{ChatRequest, TokenUsage, Turn};
use crate::error::StoreError;
use crate::gateway::{CallFailed, Completed, Priority};
use crate::mailbox::panic_text;
use crate::ports::{History, SessionStore, Summary};

/// How long a store may take, also when the time of an ask is nearly over: an answer is not lost for a moment. Less than the agent
/// itself may take beyond that time.
const STORE: Duration = Duration::from_millis(500);

/// What was said in a session before, as far as there is room, and the calls that were to summarise it.
pub(super) async fn recall(
    asking: &Asking,
    session: &Arc<str>,
) -> Result<(Vec<Turn>, Vec<Summarised>), ChatAgentError> {
    let plan = asking.plan();
    let partial = || Box::new(Answer::unasked());
    let Some(sessions) = &plan.sessions else {
        return Err(ChatAgentError::Session { error: StoreError::NotGiven, partial: partial() });
    };
    let loading = async {
        if plan.summaries.is_some()
            && let Some(history) = contained(|| sessions.history(session.clone(), MOST_TURNS)).await?
        {
            return Ok(Said::History(history));
        }
        contained(|| sessions.load(session.clone(), MOST_TURNS)).await.map(Said::Turns)
    };
    match timeout_at(asking.until(), loading).await {
        // In a box: few asks do so, and all would hold the room for it.
        Ok(Ok(Said::History(history))) => Ok(Box::pin(summarised(asking, sessions, session, history)).await),
        Ok(Ok(Said::Turns(turns))) => Ok((fitting(turns, plan.limits.history_tokens), Vec::new())),
        Ok(Err(error)) => Err(ChatAgentError::Session { error, partial: partial() }),
        Err(_late) => Err(ChatAgentError::late(AskWait::Session, Answer::unasked())),
    }
}

/// What a store says; of one that panics, at once or later, that.
async fn contained<T>(said: impl FnOnce() -> BoxFuture<'static, Result<T, StoreError>>) -> Result<T, StoreError> {
    let said = AssertUnwindSafe(async { said().await }).catch_unwind().await;
    said.unwrap_or_else(|panic| Err(StoreError::Panicked(panic_text(panic))))
}

/// What a store has of a session.
enum Said {
    History(History),
    Turns(Vec<Turn>),
}

/// What became of a call that was to summarise a session, and what it can have used.
pub(super) type Summarised = (TokenUsage, Result<Completed, CallFailed>);

/// What is shown of a session when it is summarised as far as it must be and the rounds reach; when one fails, what there is without
/// it. Each summary is kept for the asks to come, and what no round came to is left to them.
async fn summarised(
    asking: &Asking,
    sessions: &Arc<dyn SessionStore>,
    session: &Arc<str>,
    mut history: History,
) -> (Vec<Turn>, Vec<Summarised>) {
    let plan = asking.plan();
    let (room, longest) = (plan.limits.history_tokens, plan.limits.longest_reply());
    let look = |history: &History| recalled(history, MOST_TURNS, room, longest);
    let (mut calls, now) = (Vec::new(), Instant::now());
    let Recalled { mut shown, mut work } = look(&history);
    // All rounds together may take half of the time that is left.
    let until = now + asking.until().saturating_duration_since(now) / 2;
    while let Some(next) = work.take()
        && calls.len() < ROUNDS
        && !plan.rests.has(session, Instant::now())
    {
        let Some(summary) = round(asking, session, next, until, &mut calls).await else { break };
        let is_kept = keep_summary(asking, sessions, session, summary.clone()).await;
        history.summary = Some(summary);
        let seen = look(&history);
        shown = seen.shown;
        work = seen.work.filter(|_| is_kept);
    }
    (shown, calls)
}

/// One call, and the summary that came of it.
async fn round(
    asking: &Asking,
    session: &Arc<str>,
    work: Work,
    until: Instant,
    calls: &mut Vec<Summarised>,
) -> Option<Summary> {
    let agent = asking.name();
    // What was paid for in vain is not paid for again with the next ask.
    let rest = || asking.plan().rests.begin(session, Instant::now());
    let most = work.request.most_tokens();
    let called = call(asking, work.request.clone(), until).await;
    let summary = match &called {
        Ok(completed) => {
            let summary = work.done(&completed.reply.text);
            if summary.is_none() {
                rest();
                tracing::warn!(%agent, code = "empty", "a session was not summarised: its oldest exchanges are left out");
            }
            summary
        }
        Err(failed) => {
            let code = failed.error.code();
            // One that was refused at once cost nothing, neither money nor time, and may be answered the next time.
            if failed
                .times
                .is_none_or(|times| times.without_usage > 0 || times.failed_usage.total() > 0 || times.attempts > 1)
            {
                rest();
            }
            tracing::warn!(%agent, code, "a session was not summarised: its oldest exchanges are left out");
            None
        }
    };
    calls.push((most, called));
    summary
}

/// Keeps a summary, and says whether another one may go on from it.
async fn keep_summary(asking: &Asking, sessions: &Arc<dyn SessionStore>, session: &Arc<str>, summary: Summary) -> bool {
    let (agent, through) = (asking.name(), summary.through);
    let rest = || asking.plan().rests.begin(session, Instant::now());
    let until = asking.until().min(Instant::now() + STORE);
    match timeout_at(until, contained(|| sessions.keep_summary(session.clone(), summary))).await {
        Ok(Ok(true)) => return true,
        // Another ask may have been faster, or the session was forgotten. Otherwise the store keeps none.
        Ok(Ok(false)) => match timeout_at(until, contained(|| sessions.history(session.clone(), 1))).await {
            Ok(Ok(Some(History { summary: Some(kept), .. }))) if kept.through >= through => {}
            Ok(Ok(Some(History { turns, .. }))) if turns.is_empty() => {}
            Ok(Ok(_)) => rest(),
            // That is not known now, and the next ask sees it.
            Ok(Err(_)) | Err(_) => {}
        },
        Ok(Err(error)) => {
            tracing::warn!(%agent, code = error.code(), "the summary of a session was not kept");
            rest();
        }
        Err(_late) => {
            tracing::warn!(%agent, code = "timeout", "the summary of a session was not kept in time");
            rest();
        }
    }
    false
}

/// The call of the model: after those of its kind that somebody waits for.
async fn call(asking: &Asking, request: ChatRequest, until: Instant) -> Result<Completed, CallFailed> {
    let plan = asking.plan();
    let model = plan.summaries.as_deref().unwrap_or(&plan.model);
    let priority = match asking.priority() {
        Priority::Urgent => Priority::Normal,
        Priority::Normal | Priority::Background => Priority::Background,
    };
    // Another model that was named for summaries is to be that one.
    let others = if model == plan.model { &*plan.fallbacks } else { &[] };
    let request = Arc::new(request);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let call = plan.gateway.call(model, request.clone()).within(left).priority(priority);
        let call = others.iter().fold(call, |call, other| call.or(other));
        let called = asking.on_behalf(call).send_timed().await;
        let short = match &called {
            // A call of which something was made is told, and counted.
            Err(CallFailed { short: Some(short), times: Some(times), .. }) if times.attempts == 0 => short.clone(),
            _ => return called,
        };
        if !matches!(timeout_at(until, short.is_over()).await, Ok(Ok(()))) {
            return called;
        }
    }
}

/// Keeps what was `said`, when there is an answer: a question without one is asked again, and is no part of the conversation.
pub(super) async fn keep(
    sessions: Arc<dyn SessionStore>,
    session: Arc<str>,
    said: Vec<Turn>,
    ended: Ended,
    until: Instant,
) -> Ended {
    let answer = ended?;
    let within = until.max(Instant::now() + STORE);
    let kept = timeout_at(within, contained(|| sessions.append(session, said))).await;
    // What is under way is not taken back: it may be kept when nobody waits for it any more.
    match kept.unwrap_or_else(|_| Err(StoreError::Late("the store of the session".to_owned()))) {
        Ok(()) => Ok(answer),
        Err(error) => Err(ChatAgentError::Session { error, partial: answer }),
    }
}
