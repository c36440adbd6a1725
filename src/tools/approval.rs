//! How is a person at a terminal asked whether a tool may be called?

use std::io::{BufRead, IsTerminal, Write};

use callboard_actors::ports::{Approval, Approver, Decision};
use callboard_actors::research::inert;
use callboard_actors::runtime::WorkBeside;
use futures_util::future::BoxFuture;

/// Asks on standard error, and reads the answer from standard input: `y` approves. Where standard input is no terminal it denies: there is
/// nobody to ask. One question at a time; a question that nobody waits for any more is still on the screen, and its answer counts for
/// nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct TerminalApprover;

impl Approver for TerminalApprover {
    fn decide(&self, approval: Approval) -> BoxFuture<'static, Decision> {
        Box::pin(async move {
            let beside = WorkBeside::begin();
            let asks = move || {
                let _until_it_is_over = beside;
                ask(&approval)
            };
            let asked = tokio::task::spawn_blocking(asks).await;
            asked.unwrap_or_else(|_| denied("the program is ending"))
        })
    }
}

fn ask(approval: &Approval) -> Decision {
    if !std::io::stdin().is_terminal() {
        return denied("there is no terminal to ask a person at");
    }
    let mut screen = std::io::stderr().lock();
    let mut input = std::io::stdin().lock();
    match decide(approval, &mut input, &mut screen) {
        Ok(decision) => decision,
        Err(error) => denied(&format!("the person could not be asked: {error}")),
    }
}

fn decide(approval: &Approval, input: &mut impl BufRead, screen: &mut impl Write) -> std::io::Result<Decision> {
    // What a model wrote must do nothing to a terminal.
    let arguments = serde_json::to_string_pretty(&approval.arguments).unwrap_or_default();
    let shown: Vec<_> = arguments.lines().map(inert::plain).collect();
    writeln!(
        screen,
        "The agent {} wants to call {} with",
        inert::plain(&approval.agent),
        inert::plain(&approval.tool)
    )?;
    writeln!(screen, "{}", shown.join("\n"))?;
    write!(screen, "May it? [y/N] ")?;
    screen.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    Ok(match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Decision::Approved { fingerprint: approval.fingerprint.clone() },
        _ => denied("no"),
    })
}

fn denied(reason: &str) -> Decision {
    Decision::Denied { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_yes_approves_and_nothing_of_it_acts_on_the_terminal() {
        let approval = Approval {
            agent: "assistant".into(),
            tool: "write".to_owned(),
            arguments: json!({"text": "\u{1b}[2J\u{202e}x"}),
            fingerprint: "f".to_owned(),
        };
        for (answer, is_approved) in
            [("y\n", true), ("YES\n", true), ("n\n", false), ("", false), ("\n", false), ("ye\n", false)]
        {
            let mut screen = Vec::new();
            let decision = decide(&approval, &mut answer.as_bytes(), &mut screen).unwrap();
            assert_eq!(decision == Decision::Approved { fingerprint: "f".to_owned() }, is_approved, "{answer:?}");
            let screen = String::from_utf8(screen).unwrap();
            assert!(screen.starts_with("The agent assistant wants to call write with\n{\n"), "{screen}");
            assert!(screen.ends_with("May it? [y/N] ") && !screen.contains('\u{1b}') && !screen.contains('\u{202e}'));
        }
    }
}
