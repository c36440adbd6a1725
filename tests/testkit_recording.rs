//! Is a conversation of an agent recorded and played as a program would do it, and refused where CI is set? The environment is a
//! process's own, so that each of them records in a process of its own.

use std::path::Path;
use std::process::{Command, Output};

use callboard::ChatAgentError;
use callboard::actors::error::ModelError;
use callboard::prelude::*;
use callboard::testkit::{Player, Recorded, RecordingError, ScriptedModel, play_or_record, simulated};
use serde_json::json;

/// Where the other process records; it records nothing without it.
const WHERE: &str = "TEST_RECORDS_IN";

/// In the environment of the other process, and in the conversation.
const CANARY: &str = "canary-of-the-environment";

/// The same, in a variable that only the configuration says is a key's.
const CONFIGURED: &str = "canary-of-the-configuration";

/// Who owns the key.
#[tool]
async fn owner(key: String) -> String {
    format!("the owner of {key} is Anna")
}

/// The conversation, whoever answers.
fn talk(model: Recorded, question: &str) -> Result<String, ChatAgentError> {
    let question = question.to_owned();
    simulated(1, model, |runtime| async move {
        let agent = runtime.agent("assistant").instructions("Be brief.").tool(owner).start().unwrap();
        agent.ask(question).await.map(|answer| answer.text)
    })
}

/// Only in the other process.
#[test]
fn records() {
    let Some(path) = std::env::var_os(WHERE) else { return };
    let model = || {
        ScriptedModel::new().calls("owner", json!({"key": CANARY})).says(format!("Anna has {CANARY}, {CONFIGURED}."))
    };
    let recorded = play_or_record(path, model);
    match &recorded {
        Err(error @ RecordingError::Ci(_)) => panic!("{error}; {}", error.hint()),
        _ => assert_eq!(talk(recorded.unwrap(), "Whose key?").unwrap(), format!("Anna has {CANARY}, {CONFIGURED}.")),
    }
}

fn other_process(path: &Path, ci: Option<&str>) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "records", "--nocapture"]).env(WHERE, path).env("SOME_API_KEY", CANARY).env_remove("CI");
    command
        .env("CALLBOARD_PROVIDERS_OPENAI_KEY_ENV", "MY_LLM")
        .env("MY_LLM", CONFIGURED)
        .env("CALLBOARD_NETWORK", "loopback");
    command.envs(ci.map(|value| ("CI", value))).output().unwrap()
}

#[test]
fn an_agents_conversation_is_recorded_without_keys_and_played() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talk.jsonl");
    let refused = other_process(&path, Some("true"));
    let said = String::from_utf8_lossy(&refused.stdout) + String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("because the variable CI is set; record it on your own"),
        "{said}"
    );
    assert!(!path.exists());

    let recorded = other_process(&path, Some("false"));
    assert!(recorded.status.success(), "{recorded:?}");
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written.lines().count(), 3, "{written}");
    assert!(!written.contains("canary"), "{written}");

    // Here nobody knows the key, and the conversation has none.
    let player = Player::open(&path).unwrap();
    let error = talk(Recorded::Plays(player.clone()), "Whose key is it?").unwrap_err();
    let ChatAgentError::Model { error: ModelError::NotRecorded(words), .. } = error else { panic!("{error}") };
    assert!(words.contains(r#"turns[1].text was "Whose key?" and is "Whose key is it?""#), "{words}");
    assert_eq!(player.left(), 2, "and it was not asked again");
    assert_eq!(talk(Recorded::Plays(player.clone()), "Whose key?").unwrap(), "Anna has (redacted), (redacted).");
    assert_eq!(player.left(), 0);
    assert!(matches!(play_or_record(&path, ScriptedModel::new), Ok(Recorded::Plays(_))));
}
