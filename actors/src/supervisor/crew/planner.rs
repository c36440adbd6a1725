//! Which parts does the question have, and what is missing when they were researched?

use std::sync::Arc;
use std::time::Duration;

use super::asked::NoUse;
use super::caller::{Caller, OnCall};
use super::consult::{CrewModel, Question};
use super::declined::Declined;
use super::{By, Made, Strategy};
use crate::agent::{Agent, Turn, WorkError};
use crate::error::ModelError;
use crate::gateway::Priority;
use crate::mailbox::Reply;
use crate::research::model::plan::{self, Further};
use crate::research::{
    Failure, FailureCause, Findings, Generator, Plan, PlanReport, RulesInstead, RunStep, Task, rules,
};

/// The actor that plans.
pub(in crate::supervisor) struct Planner {
    pub(in crate::supervisor) strategy: Strategy,
}

type Planned = Result<Made<Plan>, Failure>;
type More = Made<Further>;

/// What a planner understands.
pub(in crate::supervisor) enum PlanQuestion {
    /// "Plan this."
    Begin { question: String, within: Duration, on_call: OnCall, reply: Reply<Planned> },
    /// "This was found. What is missing?"
    LookBack {
        question: String,
        tasks: Vec<Task>,
        findings: Vec<Findings>,
        within: Duration,
        on_call: OnCall,
        reply: Reply<More>,
    },
    /// The model planned, or did not.
    Planned { question: String, answer: Result<Result<Made<Plan>, NoUse>, WorkError>, reply: Reply<Planned> },
    /// The model looked back, or did not.
    LookedBack { answer: Result<Result<More, NoUse>, WorkError>, reply: Reply<More> },
}

impl Agent for Planner {
    type Message = PlanQuestion;

    fn handle(&mut self, message: PlanQuestion, turn: &mut Turn<'_, PlanQuestion>) {
        let begun = match (message, &self.strategy) {
            (PlanQuestion::Begin { question, reply, .. }, Strategy::Rules) => {
                reply.send(Ok(Made::by_rules(rules::plan::plan(&question))));
                return;
            }
            (PlanQuestion::Begin { question, within, on_call, reply }, Strategy::Model(model)) => {
                let caller = Caller::planner(Some(on_call));
                let work = plan_by_model(model.clone(), question.clone(), within, caller);
                turn.start(work, |answer| PlanQuestion::Planned { question, answer, reply })
            }
            // Rules plan everything at once.
            (PlanQuestion::LookBack { reply, .. }, Strategy::Rules) => {
                return reply.send(Made::by_rules(Further::default()));
            }
            (PlanQuestion::LookBack { question, tasks, findings, within, on_call, reply }, Strategy::Model(model)) => {
                let caller = Caller::planner(Some(on_call));
                let work = look_back(model.clone(), question, tasks, findings, within, caller);
                turn.start(work, |answer| PlanQuestion::LookedBack { answer, reply })
            }
            (PlanQuestion::Planned { question, answer, reply }, strategy) => {
                return reply.send(planned(&question, strategy.wanted(), answer));
            }
            (PlanQuestion::LookedBack { answer, reply }, strategy) => {
                return reply.send(match answer {
                    Ok(Ok(more)) => more,
                    Ok(Err(no_use)) => no_use.rules_made(Further::default()),
                    Err(error) => Made::by_rules_instead(Further::default(), strategy.wanted(), error.to_string()),
                });
            }
        };
        if let Err(refused) = begun {
            self.handle(refused, turn);
        }
    }
}

/// A model that only a person can put right ends the run here, before anything else is done; one that fails or is no use does not.
fn planned(question: &str, wanted: &str, answer: Result<Result<Made<Plan>, NoUse>, WorkError>) -> Planned {
    match answer {
        Ok(Ok(plan)) => Ok(plan),
        Ok(Err(no_use)) if is_for_a_person(&no_use.declined) => Err(failure(no_use)),
        Ok(Err(no_use)) => Ok(no_use.rules_made(rules::plan::plan(question))),
        Err(error) => Ok(Made::by_rules_instead(rules::plan::plan(question), wanted, error.to_string())),
    }
}

/// Whether it would be the same with every further call: the key, the name, the address, the budget, or nobody there.
fn is_for_a_person(declined: &Declined) -> bool {
    let Declined::Model { error, was_answered: false } = declined else { return false };
    match error {
        // It is there, and has trouble or much to do; or it will not answer this.
        ModelError::Unavailable { .. }
        | ModelError::RateLimited { .. }
        | ModelError::Broken { .. }
        | ModelError::Overloaded { .. }
        | ModelError::Paused { .. }
        | ModelError::ContentRefused(_) => false,
        ModelError::BreakerOpen { .. } | ModelError::Timeout(_) => error.is_unreachable(),
        _ => true,
    }
}

fn failure(no_use: NoUse) -> Failure {
    let message = no_use.named();
    let declined = no_use.declined;
    let cause = match &declined {
        Declined::Model { error: ModelError::BudgetExhausted(_), .. } => FailureCause::Budget,
        _ => FailureCause::Provider,
    };
    let error = match declined {
        Declined::Model { error, .. } => Some(error),
        Declined::Unfit(_) | Declined::TooLong | Declined::Silent | Declined::Failing(_) => None,
    };
    Failure { cause, message, error }
}

/// The plan that a language model makes of a question, and nothing more; as in a run, the rules plan where it is no use. Within this time;
/// dropping the future leaves the call.
///
/// # Errors
/// [`Failure`] when only a person can put the model right, or the budget allows no call.
pub async fn plan_with_model(model: CrewModel, question: &str, within: Duration) -> Result<PlanReport, Failure> {
    let wanted = model.name.clone();
    let answer = plan_by_model(Arc::new(model.alone()), question.to_owned(), within, Caller::planner(None)).await;
    let Made { value: plan, by } = planned(question, &wanted, Ok(answer))?;
    Ok(match by {
        By::Model { name, .. } => PlanReport { generator: Generator::llm(&*name), ..PlanReport::by_rules(plan) },
        By::RulesInstead { model, reason } => {
            let instead = RulesInstead { step: RunStep::Plan, task: None, model, reason };
            PlanReport { rules_instead: Some(instead), ..PlanReport::by_rules(plan) }
        }
        By::Rules | By::Unasked { .. } => PlanReport::by_rules(plan),
    })
}

async fn plan_by_model(
    model: Arc<CrewModel>,
    question: String,
    within: Duration,
    caller: Caller,
) -> Result<Made<Plan>, NoUse> {
    let ask = |step| (step == 0).then(|| plan::request(&question, model.output_tokens));
    let read = |_, reply: &str| plan::read(&question, reply);
    model.consult(Question { ask, read, within, priority: Priority::Urgent, listener: None, caller }).await
}

/// Findings of each part that a look back shows; fewer in each step.
const SHOWN: [usize; 4] = [8, 4, 2, 1];

async fn look_back(
    model: Arc<CrewModel>,
    question: String,
    tasks: Vec<Task>,
    findings: Vec<Findings>,
    within: Duration,
    caller: Caller,
) -> Result<More, NoUse> {
    let ask = |step: usize| {
        let most = *SHOWN.get(step)?;
        let mut shown = findings.clone();
        shown.iter_mut().for_each(|found| found.claims.truncate(most));
        Some(plan::request_more(&question, &tasks, &shown, model.output_tokens))
    };
    let read = |_, reply: &str| plan::read_more(&question, &tasks, &findings, reply);
    model.consult(Question { ask, read, within, priority: Priority::Urgent, listener: None, caller }).await
}
