//! What does `callboard config show` print? The configuration as a file that could be read again, or as one JSON object.

use callboard::ExitStatus;
use callboard::actors::research::inert;
use callboard::config::keys::Name;
use callboard::config::quoted;
use callboard::config::{Loaded, Setting, Value};
use callboard::report::json::{self, Layout};
use clap::{Args, Subcommand};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::output::{self, failed};
use super::settings::SettingArgs;

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print the configuration that a command would have here, as a callboard.toml.
    ///
    /// A flag is over the environment, that over callboard.toml in the current folder, that over the user's file. Keys
    /// of providers are never shown, because they are never part of it.
    Show(ShowArgs),
}

/// The arguments of `callboard config show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Say where each value came from: its file with the line, its variable, its flag.
    #[arg(long, overrides_with = "origin")]
    origin: bool,

    /// Print one JSON object, which always has the origins.
    #[arg(long, overrides_with = "json")]
    pub(super) json: bool,

    #[command(flatten)]
    settings: SettingArgs,
}

/// Runs the command to its end.
pub(super) fn run(args: &ShowArgs) -> ExitStatus {
    match args.settings.load() {
        Ok(loaded) => {
            loaded.notes.iter().for_each(|note| output::note(note));
            output::answer(&shown(args, &loaded, output::style().width), ExitStatus::Complete)
        }
        Err(error) => failed(super::json_or_text(args.json), &error),
    }
}

fn shown(args: &ShowArgs, loaded: &Loaded, columns: Option<usize>) -> String {
    if args.json { object(loaded) } else { text(loaded, args.origin, columns) }
}

/// As a file. A value that nobody set stands in a comment; where it came from stands beside it, or above it where that is too
/// wide.
fn text(loaded: &Loaded, origin: bool, columns: Option<usize>) -> String {
    let of = |(name, setting): (&Name, &Setting)| {
        (section(name), line(name, setting), inert::plain(&setting.origin.to_string()))
    };
    let lines: Vec<_> = loaded.settings.all().map(of).collect();
    let width = lines.iter().map(|(_, line, _)| line.width()).max().unwrap_or_default();
    let widest = lines.iter().map(|(.., origin)| origin.width()).max().unwrap_or_default();
    let is_beside = columns.is_none_or(|columns| width + "  # ".len() + widest <= columns);
    let (mut text, mut open) = (String::new(), String::new());
    for (section, line, from) in lines {
        if section != open {
            let gap = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}[{section}]\n"));
            open = section;
        }
        text.push_str(&match (origin, is_beside) {
            (false, _) => format!("{line}\n"),
            (true, true) => format!("{line}{}  # {from}\n", " ".repeat(width - line.width())),
            (true, false) => format!("# {from}:\n{line}\n"),
        });
    }
    text
}

/// The table in which a key stands; of the first keys none.
fn section(name: &Name) -> String {
    match name {
        Name::Key(name) => name.rsplit_once('.').map(|(section, _)| section.to_owned()).unwrap_or_default(),
        Name::Price(model, _) => format!("prices.{}", quoted(model)),
    }
}

fn line(name: &Name, setting: &Setting) -> String {
    let name = name.to_string();
    let key = name.rsplit('.').next().unwrap_or(&name);
    match &setting.value {
        Some(value) => format!("{key} = {}", written(value)),
        None => format!("# {key} is not set"),
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::Count(_) | Value::Money(_) => value.to_string(),
        Value::Text(_) | Value::Time(_) => quoted(&value.to_string()),
        Value::Paths(paths) => {
            let paths: Vec<_> = paths.iter().map(|path| quoted(&path.display().to_string())).collect();
            format!("[{}]", paths.join(", "))
        }
        Value::Names(names) => {
            let names: Vec<_> = names.iter().map(|name| quoted(name)).collect();
            format!("[{}]", names.join(", "))
        }
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    schema_version: u32,
    files: Vec<ShownFile>,
    settings: Vec<ShownSetting>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct ShownFile {
    whose: &'static str,
    path: String,
    found: bool,
    trusted: bool,
}

#[derive(Serialize)]
struct ShownSetting {
    key: String,
    value: serde_json::Value,
    origin: ShownOrigin,
}

#[derive(Serialize)]
struct ShownOrigin {
    kind: &'static str,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
}

fn object(loaded: &Loaded) -> String {
    let files = loaded.files.iter().map(|file| ShownFile {
        whose: file.whose,
        path: file.path.display().to_string(),
        found: file.is_found,
        trusted: file.is_trusted,
    });
    let settings = loaded.settings.all().map(|(name, setting)| ShownSetting {
        key: name.to_string(),
        value: setting.value.as_ref().map_or(serde_json::Value::Null, value_of),
        origin: ShownOrigin {
            kind: setting.origin.kind(),
            text: setting.origin.to_string(),
            path: setting.origin.place().map(|place| place.path.display().to_string()),
            line: setting.origin.place().map(|place| place.line),
        },
    });
    let shown = Shown { schema_version: 1, files: files.collect(), settings: settings.collect(), notes: &loaded.notes };
    json::value(&shown, Layout::Indented)
}

/// Numbers as numbers; money as a text, because it is exact.
fn value_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Count(count) => (*count).into(),
        Value::Paths(paths) => paths.iter().map(|path| path.display().to_string()).collect(),
        Value::Names(names) => names.clone().into(),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard::config::{Surroundings, load};

    #[test]
    fn an_origin_stands_beside_its_value_or_above_it() {
        let around = Surroundings { folder: "no-such-folder".into(), ..Surroundings::default() };
        let loaded = load(&around, Vec::new()).unwrap();
        let line =
            |columns| text(&loaded, true, columns).lines().find(|line| line.starts_with("name")).unwrap().to_owned();
        assert_eq!(line(None), "name = \"builtin\"                  # default");
        assert_eq!(line(Some(80)), line(None));
        assert_eq!(line(Some(40)), "name = \"builtin\"");
        let narrow = text(&loaded, true, Some(40));
        assert!(narrow.contains("\n# default:\nname = \"builtin\"\n"), "{narrow}");
        assert!(narrow.lines().all(|line| line.len() <= 40), "{narrow}");
    }
}
