//! What does `callboard mock-llm` do? Starts the mock server, prints its address, and serves until a signal comes.

use callboard::ExitStatus;
use callboard::mock_llm::{FaultRates, Latency, Limits, MockConfig, MockError, MockLlm, Script, ScriptError};
use callboard::report::json::ErrorEntry;
use tokio::runtime::Builder;

use super::mock_args::MockArgs;
use super::output;
use super::signals::Signals;

/// Runs the command to its end. A signal is the only end that it has, so that it is no failure.
pub(super) fn run(args: &MockArgs) -> ExitStatus {
    let script = match args.script.as_deref().map(Script::read).transpose() {
        Ok(script) => script,
        Err(error) => return failed(&scripted(&error), ExitStatus::Input),
    };
    let config = match config(args, script) {
        Ok(config) => config,
        Err(error) => return failed(&usage(&error.to_string()), ExitStatus::Usage),
    };
    // The server has threads of its own; this one waits for the signal.
    let runtime = match Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => return failed(&internal(&format!("no thread could be started: {fault}")), ExitStatus::Internal),
    };
    runtime.block_on(async {
        let mut signals = match Signals::listen(|| {}) {
            Ok(signals) => signals,
            Err(fault) => return failed(&internal(&format!("signals cannot be heard: {fault}")), ExitStatus::Internal),
        };
        let server = match MockLlm::start(config) {
            Ok(server) => server,
            Err(error) => return refused(&error),
        };
        let told = output::answer(&format!("{}\n", server.base_url()), ExitStatus::Complete);
        if told == ExitStatus::Complete {
            signals.first().await;
        }
        server.stop().await;
        told
    })
}

fn config(args: &MockArgs, script: Option<Script>) -> Result<MockConfig, MockError> {
    let faults = args.fault.iter().try_fold(FaultRates::default(), |rates, (fault, rate)| rates.with(*fault, *rate))?;
    let mut config = MockConfig {
        listen: (args.host, args.port).into(),
        seed: args.seed,
        latency: Latency {
            reply: args.latency,
            first_token: args.first_token,
            between_tokens: args.between_tokens,
            sigma: args.latency_sigma,
        },
        reply_tokens: args.reply_tokens,
        limits: Limits {
            max_in_flight: args.max_in_flight,
            requests_per_minute: args.rpm,
            tokens_per_minute: args.tpm,
        },
        faults,
        slow_byte: args.slow_byte,
        script,
        strict_models: args.strict_models,
        tool_calls: args.tool_calls,
        require_key: args.require_key,
        threads: args.threads,
        ..MockConfig::default()
    };
    if !args.model.is_empty() {
        config.models.clone_from(&args.model);
    }
    config.validate()?;
    Ok(config)
}

fn refused(error: &MockError) -> ExitStatus {
    match error {
        MockError::Listen { source, .. } => {
            let message = format!("{error}: {source}");
            let hint = "stop what listens there, or choose another --port; --port 0 takes a free one";
            let entry = ErrorEntry { code: error.code().into(), cause: None, message, hint: hint.into() };
            failed(&entry, ExitStatus::Input)
        }
        _ => failed(&internal(&error.to_string()), ExitStatus::Internal),
    }
}

fn scripted(error: &ScriptError) -> ErrorEntry {
    let (message, hint) = match error {
        ScriptError::Read { source, .. } => {
            (format!("{error}: {source}"), "name a file that can be read after --script")
        }
        _ => (error.to_string(), error.hint()),
    };
    ErrorEntry { code: error.code().into(), cause: None, message, hint: hint.into() }
}

fn usage(problem: &str) -> ErrorEntry {
    let hint = "callboard mock-llm --help shows what can be said";
    ErrorEntry { code: "usage".into(), cause: None, message: problem.into(), hint: hint.into() }
}

fn internal(message: &str) -> ErrorEntry {
    let hint = "close other programs and try again; if it fails again, please report it with the command that you ran";
    ErrorEntry { code: "internal".into(), cause: None, message: message.into(), hint: hint.into() }
}

fn failed(entry: &ErrorEntry, status: ExitStatus) -> ExitStatus {
    output::complain(entry);
    status
}
