//! How are the tools of a turn called, and how is it told what they say? What the shell of [`Turns`] does of it.

use tokio::time::Instant;

use super::behalf::Behalf;
use super::callers::Caller;
use super::delegate::Handoff;
use super::drive::Asking;
use super::host::Host;
use super::places::ToolPlace;
use super::stream::AskEvent;
use super::turns::{Next, Outcome, Turns};
use super::waits::{AskWait, Pending};
use crate::chat::ToolCall;
use crate::ports::ToolContext;
use crate::scope::Scope;

impl Asking {
    /// The tools of one turn, and what follows from what they say.
    pub(super) async fn tools(&mut self, calls: Vec<ToolCall>, turns: &mut Turns) -> Next {
        let (pending, since) = (Pending::default(), Instant::now());
        match self.made(calls, &pending, turns).await {
            Ok(outcomes) => turns.used(outcomes, since.elapsed()),
            Err(wait) => {
                turns.cut_short(pending.take(), since.elapsed());
                turns.late(wait)
            }
        }
    }

    /// Calls them. What they wait for when the time is over before they are: then `pending` has what those have said that are.
    async fn made(
        &mut self,
        calls: Vec<ToolCall>,
        pending: &Pending,
        turns: &mut Turns,
    ) -> Result<Vec<Outcome>, AskWait> {
        if self.events.is_some() && !Box::pin(self.tell_all(calls.iter().map(called).collect())).await {
            return Err(AskWait::Reader);
        }
        let handoff = calls.iter().find_map(|call| {
            let handoffs = &self.agent.plan.handoffs;
            handoffs.iter().find(|handoff| handoff.spec.name == call.name).map(|to| (call.id.clone(), to.clone()))
        });
        let calls = calls.into_iter().enumerate();
        let (made, taken): (Vec<_>, Vec<_>) = match &handoff {
            None => (calls.collect(), Vec::new()),
            Some(_) => calls.partition(|(_, call)| !self.is_handoff(&call.name)),
        };
        let taken: Vec<_> = taken.into_iter().map(|(_, call)| call).collect();
        let plan = self.agent.plan.clone();
        let context = self.context();
        let refused = match taken.first().filter(|_| !plan.guards.tools.is_empty()) {
            Some(call) => {
                let arguments = serde_json::from_str(&call.arguments).unwrap_or_default();
                let look = Box::pin(plan.guards.allow(&context.agent, &call.name, &arguments, false, |_| ()));
                tokio::time::timeout_at(self.until, look).await.map_err(|_late| AskWait::Guardrail)?.err()
            }
            None => None,
        };
        // Of the agent that was asked, which has one ask at a time: many may have come to this one by a handoff.
        let asked = self.behalf.as_deref().and_then(|behalf| behalf.asked.as_ref()).unwrap_or(&self.agent);
        let all = made.len();
        let making = plan.tools.make(made, &context, &plan.guards, pending, &asked.order, self.events.as_ref());
        // Late or not: what matters is what is over. Who does not read what was said in time learns it at the end.
        let _late = tokio::time::timeout_at(self.until, making).await;
        turns.delegated(&context.callers.counted());
        if !pending.are_over(all) {
            return Err(pending.waits());
        }
        let mut outcomes: Vec<_> = pending.take().into_values().flatten().collect();
        if let Some((first, to)) = handoff {
            // Looked at when the others are over, which may have taken their time.
            let refused = refused.or_else(|| to.refusal());
            let answer = match &refused {
                Some(error) => super::tools::refused(error),
                None => to.words(),
            };
            let to_others = || refused.is_none().then(|| to.to_others());
            let handed = outcomes.len();
            outcomes.extend(taken.into_iter().map(|call| match call.id == first {
                true => Outcome { id: call.id, text: answer.clone(), to_others: to_others() },
                false => Outcome { id: call.id, text: "error: one handoff at a time".to_owned(), to_others: None },
            }));
            if refused.is_none() {
                Box::pin(self.hand_over(&to, turns)).await;
            }
            if self.events.is_some() {
                Box::pin(self.tell_all(outcomes[handed..].iter().map(answered).collect())).await;
            }
        }
        Ok(outcomes)
    }

    /// Another agent goes on from here.
    async fn hand_over(&mut self, to: &Handoff, turns: &mut Turns) {
        // The one before waits, too: its turn goes on.
        let caller = self.caller();
        let behalf = self.behalf.get_or_insert_default();
        behalf.callers = behalf.callers.and(caller);
        let before = std::mem::replace(&mut self.agent, to.host.clone());
        behalf.asked.get_or_insert(before);
        let plan = &to.host.plan;
        turns.hand_over(plan.instructions(), plan.specs.clone(), plan.temperature);
        self.tell_all(vec![AskEvent::HandedOver { to: to.host.name.clone() }]).await;
    }

    fn is_handoff(&self, tool: &str) -> bool {
        self.agent.plan.handoffs.iter().any(|handoff| handoff.spec.name == tool)
    }

    /// Its agent, as one that waits. It is the line of the one that was asked that waits for the end.
    fn caller(&self) -> Caller {
        let Host { id, name, .. } = &*self.agent;
        let is_busy = self.behalf.as_deref().is_none_or(|behalf| behalf.asked.is_none());
        Caller { host: *id, name: name.clone(), is_busy }
    }

    /// What the tools of this ask are told.
    fn context(&self) -> ToolContext {
        let (host, nothing) = (&self.agent, Behalf::default());
        let Behalf { run, user, session, budget, callers, asked: _ } = self.behalf.as_deref().unwrap_or(&nothing);
        ToolContext {
            agent: host.name.clone(),
            callers: callers.and(self.caller()),
            budget: budget.as_ref().or(host.plan.budget.as_ref()).cloned(),
            run: run.clone(),
            user: user.clone(),
            session: session.clone(),
            priority: self.priority,
            call: "".into(),
            attempt: 0,
            deadline: self.until,
            scope: Scope::root(),
            place: ToolPlace::default(),
        }
    }
}

fn called(call: &ToolCall) -> AskEvent {
    let ToolCall { id, name, arguments } = call.clone();
    AskEvent::ToolCalled { id, name, arguments }
}

pub(super) fn answered(outcome: &Outcome) -> AskEvent {
    let Outcome { id, text, .. } = outcome.clone();
    AskEvent::ToolAnswered { id, text }
}
