//! How does an ask know what was said in its session before, and how is it kept? The shell of [`recalled`]: it reads the store, has
//! a model summarise, and knows the time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::answer::{Answer, ChatAgentError, Ended};
use super::drive::Asking;
use super::sessions::{MOST_TURNS, fitting};
use super::summary::{Recalled, Work, recalled};
use super::waits::AskWait;
use crate::chat::{ChatRequest, Turn};
use crate::error::StoreError;
use crate::gateway::{CallFailed, Completed, Priority};
use crate::ports::{History, SessionStore};

/// How long a store may take, also when the time of an ask is nearly over: an answer is not lost for a moment. Less than the agent
/// itself may take beyond that time.
const STORE: Duration = Duration::from_millis(500);

/// What was said in a session before, as far as there is room, and the call that was to summarise it, if there was one.
pub(super) async fn recall(asking: &Asking, session: &Arc<str>) -> Result<(Vec<Turn>, Summarised), ChatAgentError> {
    let plan = asking.plan();
    let partial = || Box::new(Answer::unasked());
    let Some(sessions) = &plan.sessions else {
        let error =
            StoreError::Options("the agent has none: give it some by `.sessions(store)` when it is started".to_owned());
        return Err(ChatAgentError::Session { error, partial: partial() });
    };
    let limits = &plan.limits;
    let loading = async {
        if plan.summaries.is_some()
            && let Some(history) = sessions.history(session.clone(), MOST_TURNS).await?
        {
            return Ok(recalled(history, limits.history_tokens, limits.output_tokens));
        }
        let turns = sessions.load(session.clone(), MOST_TURNS).await?;
        Ok(Recalled { shown: fitting(turns, limits.history_tokens), work: None })
    };
    match timeout_at(asking.until(), loading).await {
        Ok(Ok(Recalled { shown, work: Some(work) })) if !plan.rests.has(session, Instant::now()) => {
            // In a box: few asks do so, and all would hold the room for it.
            Ok(Box::pin(summarise(asking, sessions, session, shown, work)).await)
        }
        Ok(Ok(Recalled { shown, .. })) => Ok((shown, None)),
        Ok(Err(error)) => Err(ChatAgentError::Session { error, partial: partial() }),
        Err(_late) => Err(ChatAgentError::late(AskWait::Session, Answer::unasked())),
    }
}

/// What became of the call that was to summarise a session.
pub(super) type Summarised = Option<Result<Completed, CallFailed>>;

/// What is shown with a new summary, which is kept for the asks to come; what there was without it when that fails.
async fn summarise(
    asking: &Asking,
    sessions: &Arc<dyn SessionStore>,
    session: &Arc<str>,
    shown: Vec<Turn>,
    work: Work,
) -> (Vec<Turn>, Summarised) {
    let agent = asking.name();
    // What was paid for in vain is not paid for again with the next ask.
    let rest = || asking.plan().rests.begin(session, Instant::now());
    let completed = match call(asking, work.request.clone()).await {
        Ok(completed) => completed,
        Err(failed) => {
            let code = failed.error.code();
            // One that was refused at once cost nothing, neither money nor time, and may be answered the next time.
            if failed.times.is_none_or(|times| times.without_usage > 0 || times.attempts > 1) {
                rest();
            }
            tracing::warn!(%agent, code, "a session was not summarised: its oldest exchanges are left out");
            return (shown, Some(Err(failed)));
        }
    };
    let Some((summary, with)) = work.done(&completed.reply.text) else {
        rest();
        tracing::warn!(%agent, code = "empty", "a session was not summarised: its oldest exchanges are left out");
        return (shown, Some(Ok(completed)));
    };
    let (through, until) = (summary.through, asking.until().min(Instant::now() + STORE));
    match timeout_at(until, sessions.keep_summary(session.clone(), summary)).await {
        Ok(Ok(true)) => {}
        // Another ask may have been faster, or the session was forgotten. Otherwise the store keeps none.
        Ok(Ok(false)) => match timeout_at(until, sessions.history(session.clone(), 1)).await {
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
            tracing::warn!(%agent, code = "timeout", "the summary of a session was not kept");
            rest();
        }
    }
    (with, Some(Ok(completed)))
}

/// The call of the model: after those of its kind that somebody waits for, and within half of the time that is left.
async fn call(asking: &Asking, request: ChatRequest) -> Result<Completed, CallFailed> {
    let plan = asking.plan();
    let model = plan.summaries.as_deref().unwrap_or(&plan.model);
    let priority = match asking.priority() {
        Priority::Urgent => Priority::Normal,
        Priority::Normal | Priority::Background => Priority::Background,
    };
    let left = asking.until().saturating_duration_since(Instant::now());
    let call = plan.gateway.call(model, request).within(left / 2).priority(priority);
    asking.on_behalf(call).send_timed().await
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
    let appending = sessions.append(session, said);
    let kept = timeout_at(within, appending).await;
    match kept.unwrap_or_else(|_| Err(StoreError::Busy("the session".to_owned()))) {
        Ok(()) => Ok(answer),
        Err(error) => Err(ChatAgentError::Session { error, partial: answer }),
    }
}
