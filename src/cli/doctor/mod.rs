//! What does `callboard doctor` do? Looks at everything that a run depends on, and says what to do about what is wrong.
//!
//! - `check`: what a check says, and how it is shown; pure
//! - `setup`: the configuration, the keys and the provider
//! - `machine`: the program, the cache, the disk and the limits of the system

mod check;
mod machine;
mod setup;

use callboard::ExitStatus;
use callboard::config::Config;
use clap::Args;
use tokio::runtime::Builder;

use super::output;
use super::settings::SettingArgs;
use check::{Check, Status};

const EXAMPLES: &str = "\
Examples:
  callboard doctor
  callboard doctor --model openai/NAME
  callboard doctor --offline --json | jq .checks

Exit codes:
  0    no check failed
  1    internal error, or standard output cannot be written
  2    usage: an unknown flag, a value that cannot be
  8    a check failed";

/// The arguments of `callboard doctor`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DoctorArgs {
    /// Print one JSON object.
    #[arg(long, overrides_with = "json")]
    pub(super) json: bool,

    /// Leave out what needs the network: the provider is not asked.
    #[arg(long, overrides_with = "offline")]
    offline: bool,

    #[command(flatten)]
    settings: SettingArgs,
}

/// Runs the command to its end.
pub(super) fn run(args: &DoctorArgs) -> ExitStatus {
    let checks = checks(args);
    let failed = checks.iter().any(|check| check.status == Status::Fail);
    let text = match args.json {
        true => check::object(&checks),
        false => check::text(&checks, output::style().width),
    };
    output::answer(&text, if failed { ExitStatus::Check } else { ExitStatus::Complete })
}

fn checks(args: &DoctorArgs) -> Vec<Check> {
    let loaded = args.settings.load();
    let mut checks = vec![machine::version(), setup::configuration(&loaded)];
    let config = loaded.as_ref().ok().map(|loaded| &loaded.config);
    checks.push(setup::keys(config));
    checks.push(setup::model(loaded.as_ref().ok()));
    checks.push(provider(config, args.offline));
    checks.extend(config.into_iter().flat_map(|config| fall_backs(config, args.offline)));
    checks.push(setup::corpus(config));
    checks.push(machine::cache());
    checks.push(machine::disk());
    checks.push(machine::limits(config.unwrap_or(&Config::default())));
    checks
}

fn provider(config: Option<&Config>, offline: bool) -> Check {
    const NAME: &str = "provider";
    let Some(config) = config else { return Check::skipped(NAME, "the configuration cannot be read") };
    if config.model.name == callboard::config::BUILTIN {
        return Check::skipped(NAME, "the rules need none");
    }
    if offline {
        return Check::skipped(NAME, "not asked: --offline");
    }
    asked(NAME, config, &config.model.name)
}

/// Each of the next models has a provider, which may not have it.
fn fall_backs(config: &Config, offline: bool) -> Vec<Check> {
    const NAME: &str = "fall_back";
    let of = |model: &String| match offline {
        true => Check::skipped(NAME, "not asked: --offline").about(model),
        false => asked(NAME, config, model).about(model),
    };
    config.model.fallbacks.iter().map(of).collect()
}

fn asked(name: &'static str, config: &Config, model: &str) -> Check {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            setup::provider(name, runtime.block_on(callboard::compose::probe_model(config, model, setup::WITHIN)))
        }
        Err(fault) => {
            let hint = "close other programs and try again";
            Check::fail(name, format!("it cannot be asked: no thread could be started: {fault}"), hint)
        }
    }
}
