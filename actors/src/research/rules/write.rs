//! How are the findings arranged under the plan's headings, within the limits of a report?

use crate::research::{Draft, Findings, Plan};

/// The draft: sections in the order of the plan.
pub fn write(plan: &Plan, findings: &[Findings]) -> Draft {
    let _ = (plan, findings);
    Draft::default()
}
