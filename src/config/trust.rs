//! What may a project file say in a folder that nobody trusts? Pure: what the file system knows is an argument.
//!
//! Whoever hands somebody a folder must not get his documents sent to an address, his key read out of another variable,
//! or his money spent. So such a file may choose the rules, lower limits, and name what lies in its own folder.

use callboard_actors::gateway::FIRST_IN_FLIGHT;

use super::BUILTIN;
use super::error::ConfigError;
use super::keys::{Key, Name, Rule};
use super::layers::{Entry, Settings};
use super::origin::{Origin, Place};
use super::value::{Value, quoted};

/// What is known about a project file.
#[derive(Debug, Clone)]
pub(super) struct Project {
    /// Whether the user file names its folder.
    pub(super) is_trusted: bool,
    /// Its folder with every link resolved, as it would be written into the user file.
    pub(super) folder: String,
    /// The user file.
    pub(super) user_file: String,
}

/// Checks every entry of a project file against what the layers below say. `is_inside` is whether a path lies in its folder.
pub(super) fn check(
    below: &Settings,
    entries: &[Entry],
    project: &Project,
    is_inside: &dyn Fn(&Value) -> bool,
) -> Result<(), ConfigError> {
    entries.iter().try_for_each(|entry| match broken(below, entry, project, is_inside) {
        None => Ok(()),
        Some((why, advice)) => {
            let place = match &entry.origin {
                Origin::ProjectFile(place) | Origin::UserFile(place) => place.clone(),
                _ => Place { path: super::FILE_NAME.into(), line: 1, column: 1 },
            };
            Err(ConfigError::Untrusted { place, key: entry.name.to_string(), why, advice })
        }
    })
}

/// Which rule an entry breaks, and what to do.
fn broken(
    below: &Settings,
    entry: &Entry,
    project: &Project,
    is_inside: &dyn Fn(&Value) -> bool,
) -> Option<(String, String)> {
    let Project { is_trusted, folder, user_file } = project;
    let (value, rule) = (&entry.value, rule(&entry.name));
    if rule == Rule::UserFile {
        return Some(("stands in the user file only".to_owned(), format!("write it into {user_file}")));
    }
    if *is_trusted {
        return None;
    }
    let unset = unset(&entry.name);
    let before = below.get(&entry.name).and_then(|setting| setting.value.as_ref()).or(unset.as_ref());
    let why = match rule {
        Rule::BuiltinOnly if *value == Value::Text(BUILTIN.to_owned()) => return None,
        Rule::Inside if is_inside(value) => return None,
        Rule::Lower if before.is_none_or(|before| value.is_at_most(before)) => return None,
        Rule::BuiltinOnly => format!("may only be `{BUILTIN}`"),
        Rule::Inside => "may only name what lies in this folder".to_owned(),
        Rule::Lower => {
            let before = before.map(ToString::to_string).unwrap_or_default();
            format!("may only be lowered (it is {value}, and {before} without this file)")
        }
        Rule::Never | Rule::UserFile => "may not be set".to_owned(),
    };
    let advice = format!(
        "remove the line; or, if you trust whoever wrote this file, add its folder to the list at the top of {user_file}: \
         trusted = [{}]",
        quoted(folder)
    );
    Some((format!("{why}, because you have not trusted this folder"), advice))
}

/// What holds where nobody set a limit that is there all the same: what is written holds from the first call on.
fn unset(name: &Name) -> Option<Value> {
    let places = || u64::try_from(FIRST_IN_FLIGHT).ok().map(Value::Count);
    if *name == Name::Key("gateway.max_in_flight") { places() } else { None }
}

fn rule(name: &Name) -> Rule {
    match name {
        Name::Key(name) => Key::find(name).map_or(Rule::Never, |key| key.rule),
        // A price that is too low lifts the limit on costs.
        Name::Price(..) => Rule::Never,
    }
}
