//! Who does the work of a run? Planner, researchers, writer and verifier: one file each, each an actor.
//!
//! Each role has a [`Strategy`]. The rules are pure functions in [`crate::research::rules`] and call no model. What a model is
//! asked and what its reply must be is pure as well, in `crate::research::model`; when it is no use, the rules decide instead,
//! and the report says so.

use std::sync::Arc;

use crate::error::StartError;
use crate::gateway::Budget;
use crate::ports::{Retriever, SourceStore};

use silence::Silence;

mod asked;
mod caller;
mod consult;
mod declined;
mod planner;
mod researcher;
mod silence;
mod verifier;
mod watch;
mod writer;

pub(super) use caller::OnCall;
pub use consult::CrewModel;
pub use planner::plan_with_model;
pub(super) use planner::{PlanQuestion, Planner};
pub(super) use researcher::{ResearchTask, Researcher, TaskFailure};
pub(super) use verifier::{Verifier, VerifyDraft};
pub(super) use watch::CrewWatch;
pub(super) use writer::{OnText, WriteDraft, Writer, Written};

/// How a role decides.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// By rules: quotes and arranges, no language model.
    #[default]
    Rules,
    /// With a language model; the rules decide when it is no use.
    Model(Arc<CrewModel>),
}

impl Strategy {
    /// Whether it is a model's.
    pub(super) fn is_model(&self) -> bool {
        self.model().is_some()
    }

    /// The name of the model that is wanted; of a list the first.
    pub(super) fn wanted(&self) -> &str {
        self.model().map_or("", |model| &model.name)
    }

    pub(super) fn model(&self) -> Option<&Arc<CrewModel>> {
        match self {
            Self::Rules => None,
            Self::Model(model) => Some(model),
        }
    }
}

/// What one of the crew made, and how.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Made<T> {
    pub(super) value: T,
    pub(super) by: By,
}

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    Rules,
    /// The model with this name, perhaps in place of the one that was asked first.
    Model {
        name: Arc<str>,
        instead_of: Option<String>,
        /// Where its text was cut, for people; `None` for a whole one.
        cut_at: Option<String>,
    },
    /// The rules, as there was nothing that the model could have been asked about.
    Unasked {
        /// Its whole name; of a list the first.
        model: String,
    },
    /// The rules, because the model that was wanted was no use.
    RulesInstead {
        /// Its whole name; of a list the first that was asked.
        model: String,
        /// Why it was no use, and behind that each other one of a list that was asked with its own reason; for people.
        reason: String,
    },
}

impl<T> Made<T> {
    pub(super) fn by_rules(value: T) -> Self {
        Self { value, by: By::Rules }
    }

    pub(super) fn by_model(value: T, name: Arc<str>, asked: &str, cut_at: Option<String>) -> Self {
        let instead_of = (&*name != asked).then(|| asked.to_owned());
        Self { value, by: By::Model { name, instead_of, cut_at } }
    }

    /// With nothing to ask `model` about.
    pub(super) fn by_rules_unasked(value: T, model: &str) -> Self {
        Self { value, by: By::Unasked { model: model.to_owned() } }
    }

    /// In place of `model`.
    pub(super) fn by_rules_instead(value: T, model: &str, reason: String) -> Self {
        Self { value, by: By::RulesInstead { model: model.to_owned(), reason } }
    }
}

/// Who works on a run, and with what.
#[derive(Clone)]
pub struct Crew {
    /// Finds passages for the researchers.
    pub retriever: Arc<dyn Retriever>,
    /// Holds the texts that the verifier checks quotes against.
    pub sources: Arc<dyn SourceStore>,
    /// How the planner decides.
    pub planner: Strategy,
    /// How the researchers decide.
    pub researcher: Strategy,
    /// How the writer decides.
    pub writer: Strategy,
}

impl Crew {
    /// A crew that works by rules, on one store of documents.
    pub fn by_rules<S: Retriever + SourceStore>(documents: Arc<S>) -> Self {
        Self::all(documents, &Strategy::Rules)
    }

    /// A crew whose planner, researchers and writer decide with a language model, on one store of documents.
    pub fn with_model<S: Retriever + SourceStore>(documents: Arc<S>, model: CrewModel) -> Self {
        Self::all(documents, &Strategy::Model(Arc::new(model)))
    }

    fn all<S: Retriever + SourceStore>(documents: Arc<S>, strategy: &Strategy) -> Self {
        let [planner, researcher, writer] = [(); 3].map(|()| strategy.clone());
        Self { retriever: documents.clone(), sources: documents, planner, researcher, writer }
    }

    /// The same crew for one run: the gateway knows whose its calls are.
    pub(super) fn of_run(mut self, run: &Arc<str>, user: Option<&str>) -> Self {
        let user = user.map(Arc::<str>::from);
        // What one role learns of a model's silence the others know.
        let silence = Arc::<Silence>::default();
        for role in [&mut self.planner, &mut self.researcher, &mut self.writer] {
            if let Strategy::Model(model) = role {
                *model = Arc::new(model.of_run(run, user.clone(), silence.clone()));
            }
        }
        self
    }

    /// Checks every rule.
    pub(super) fn validate(&self) -> Result<(), StartError> {
        self.models().try_for_each(|model| model.validate())
    }

    /// The models of its roles that have one, with those that answer instead.
    fn models(&self) -> impl Iterator<Item = &Arc<CrewModel>> {
        [&self.planner, &self.researcher, &self.writer].into_iter().filter_map(Strategy::model)
    }

    /// The budgets of its roles, each once; of one below another only the other, which counts it.
    pub(super) fn budgets(&self) -> Vec<Budget> {
        let mut budgets: Vec<Budget> = Vec::new();
        for model in self.models() {
            if !budgets.iter().any(|budget| model.budget.is_within(budget)) {
                budgets.retain(|budget| !budget.is_within(&model.budget));
                budgets.push(model.budget.clone());
            }
        }
        budgets
    }
}
