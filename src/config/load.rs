//! Which files and variables are there, and what do they make together? The only file here that reads anything.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use super::error::ConfigError;
use super::keys::{KEYS, Key, Name};
use super::layers::{Entry, Settings};
use super::origin::{Origin, Place};
use super::value::{Kind, Value};
use super::{BUILTIN, Config, ModelConfig, file, prices, suggest, trust};
use crate::{cache_folder, network};

/// What a file of the configuration is called.
pub const FILE_NAME: &str = "callboard.toml";

/// The variable that names another user file.
pub const CONFIG_VARIABLE: &str = "CALLBOARD_CONFIG";

/// Variables of ours that are no keys.
const OTHERS: [&str; 4] = [CONFIG_VARIABLE, cache_folder::VARIABLE, network::VARIABLE, "CALLBOARD_SEED"];

/// What the names of our own variables begin with.
const OURS: &str = "CALLBOARD_";

/// The longest file that is read, in bytes.
const LONGEST: u64 = 64 * 1024;

/// What a configuration depends on outside its files.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Where the project file is looked for; empty is the current folder.
    pub folder: PathBuf,
    /// Where the user file is unless [`CONFIG_VARIABLE`] names another; `None` when nobody knows.
    pub user_file: Option<PathBuf>,
    /// What `~/` stands for.
    pub home: Option<PathBuf>,
    /// The environment: variables that are ours. One that is empty is as good as none.
    pub variables: BTreeMap<String, OsString>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        let ours = |name: &str| name.starts_with(OURS) || KEYS.iter().any(|key| key.variable == Some(name));
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self {
            folder: PathBuf::new(),
            user_file: dirs::config_dir().map(|folder| folder.join("callboard").join(FILE_NAME)),
            home: dirs::home_dir(),
            variables: variables.filter(|(name, value)| ours(name) && !value.is_empty()).collect(),
        }
    }
}

/// A file of the configuration that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFile {
    /// `user` or `project`.
    pub whose: &'static str,
    /// Where it was looked for.
    pub path: PathBuf,
    /// Whether it was there.
    pub is_found: bool,
    /// Whether it may set everything; the user file always may.
    pub is_trusted: bool,
}

/// A configuration with all that is known about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Every value with its origin.
    pub settings: Settings,
    /// The files that were looked for.
    pub files: Vec<ReadFile>,
    /// What looks like a mistake and is none for sure.
    pub notes: Vec<String>,
}

/// Reads everything and lays it together: defaults, user file, project file, environment, flags.
///
/// # Errors
/// [`ConfigError`] for the first thing that is wrong; it names its place.
pub fn load(around: &Surroundings, flags: Vec<Entry>) -> Result<Loaded, ConfigError> {
    let named = around.variables.get(CONFIG_VARIABLE).map(PathBuf::from);
    let user = named.clone().or_else(|| around.user_file.clone());
    let project = around.folder.join(FILE_NAME);
    let (mut settings, mut files) = (Settings::defaults(), Vec::new());
    settings.lay(prices::table()?);
    if let Some(path) = &user {
        let text = text(path, named.is_some())?;
        files.push(ReadFile { whose: "user", path: path.clone(), is_found: text.is_some(), is_trusted: true });
        settings.lay(entries(text, path, Origin::UserFile, around)?);
    }
    let said = variables(around);
    let is_the_users = user.as_deref().is_some_and(|user| is_same(user, &project));
    if let Some(text) = text(&project, false)?.filter(|_| !is_the_users) {
        let entries = entries(Some(text), &project, Origin::ProjectFile, around)?;
        let known = judge(&project, user.as_deref(), &settings);
        // What would hold without this file: a model may be named above it.
        let (mut without, above) = (settings.clone(), said.iter().flat_map(|(said, _)| said).chain(&flags));
        without.lay(above.filter(|entry| entry.name == Name::Key("model.name")).cloned().collect());
        without.give_a_model_time();
        let checked = trust::check(&without, &entries, &known, &|value| is_inside(around, value));
        // A variable that cannot be read may be what would have named a model.
        if let Err(wrong) = checked {
            said?;
            return Err(wrong);
        }
        files.push(ReadFile { whose: "project", path: project, is_found: true, is_trusted: known.is_trusted });
        settings.lay(entries);
    } else if !is_the_users {
        files.push(ReadFile { whose: "project", path: project, is_found: false, is_trusted: false });
    }
    let (said, foreign) = said?;
    settings.lay(said);
    settings.lay(flags);
    settings.give_a_model_time();
    let config = settings.config()?;
    // It may be meant for other programs. Who calls a model must know where it is; the rules call none.
    let foreign = match foreign {
        Some(error) if config.model.name != BUILTIN => return Err(error),
        foreign => foreign.map(|error| error.to_string()),
    };
    let names = around.variables.keys().map(String::as_str);
    let notes = suggest::misspelt(names, &OTHERS)
        .into_iter()
        .map(|(written, meant)| format!("the variable {written} means nothing; did you mean {meant}?"));
    let notes = notes.chain(foreign).chain(repeated(&config.model)).collect();
    Ok(Loaded { config, notes, settings, files })
}

/// Models that a fall-back names again.
fn repeated(model: &ModelConfig) -> Option<String> {
    let all: Vec<_> = std::iter::once(&model.name).chain(&model.fallbacks).collect();
    let again: BTreeSet<_> = (1..all.len()).filter(|at| all[..*at].contains(&all[*at])).map(|at| &**all[at]).collect();
    let names = again.into_iter().collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then(|| {
        format!("model.fallbacks names a model that is asked already, and none is asked twice: leave it out there, or name another: {names}")
    })
}

/// A file's text; `None` when it is not there and need not be.
fn text(path: &Path, must_be: bool) -> Result<Option<String>, ConfigError> {
    let unreadable = |source: io::Error| ConfigError::Unreadable { path: path.to_owned(), source };
    let not_text = |what| ConfigError::NotText { path: path.to_owned(), what };
    let kind = match fs::metadata(path) {
        Ok(kind) => kind,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_be => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    // Before it is opened: a pipe would be waited for.
    if !kind.is_file() {
        return Err(not_text("is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST {
        return Err(not_text("is longer than 64 KiB"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| not_text("is not UTF-8"))
}

/// What a file says, its paths relative to it.
fn entries(
    text: Option<String>,
    path: &Path,
    origin: fn(Place) -> Origin,
    around: &Surroundings,
) -> Result<Vec<Entry>, ConfigError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let mut entries = file::read(&text, path, origin)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for entry in &mut entries {
        if let Value::Paths(paths) = &mut entry.value {
            paths.iter_mut().for_each(|path| *path = at_home(path, around).unwrap_or_else(|| folder.join(&*path)));
        }
    }
    Ok(entries)
}

fn at_home(path: &Path, around: &Surroundings) -> Option<PathBuf> {
    let below = path.strip_prefix("~").ok()?;
    Some(around.home.as_ref()?.join(below))
}

/// Whether the folder of a project file is trusted. Links are resolved: neither a link nor `..` changes the answer, and a
/// file that is a link must lie in a trusted folder itself.
fn judge(project: &Path, user: Option<&Path>, settings: &Settings) -> trust::Project {
    let trusted = match settings.get(&Name::Key("trusted")).and_then(|setting| setting.value.as_ref()) {
        Some(Value::Paths(paths)) => paths.iter().filter_map(|path| path.canonicalize().ok()).collect(),
        _ => Vec::new(),
    };
    let folder = here(project.parent().unwrap_or(Path::new(""))).canonicalize().ok();
    let home_of_file = project.canonicalize().ok().and_then(|file| file.parent().map(Path::to_owned));
    let is_trusted = |folder: &Option<PathBuf>| folder.as_ref().is_some_and(|folder| trusted.contains(folder));
    let shown = |path: Option<&Path>| path.map_or_else(|| FILE_NAME.to_owned(), |path| path.display().to_string());
    let untrusted = [&folder, &home_of_file].into_iter().find(|folder| !is_trusted(folder));
    trust::Project {
        is_trusted: untrusted.is_none(),
        folder: shown(untrusted.unwrap_or(&folder).as_deref()),
        user_file: shown(user),
    }
}

/// Whether every path lies in the folder of the project file, links resolved. One that is not there lies where it is said.
fn is_inside(around: &Surroundings, value: &Value) -> bool {
    let (Value::Paths(paths), Ok(folder)) = (value, here(&around.folder).canonicalize()) else { return false };
    paths.iter().all(|path| match path.canonicalize() {
        Ok(path) => path.starts_with(&folder),
        Err(_) => path
            .strip_prefix(&around.folder)
            .unwrap_or(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir)),
    })
}

fn here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// What the environment says, and what is wrong with a variable that is not ours alone.
fn variables(around: &Surroundings) -> Result<(Vec<Entry>, Option<ConfigError>), ConfigError> {
    let (mut entries, mut foreign) = (Vec::new(), None);
    for key in KEYS {
        let Some((name, value)) = key.variable.and_then(|name| Some((name, around.variables.get(name)?))) else {
            continue;
        };
        match variable(key, name, value) {
            Ok(entry) => entries.push(entry),
            Err(error) if !name.starts_with(OURS) => foreign = Some(error),
            Err(error) => return Err(error),
        }
    }
    Ok((entries, foreign))
}

fn variable(key: &'static Key, name: &'static str, text: &OsStr) -> Result<Entry, ConfigError> {
    let origin = Origin::Variable(name);
    let value = match (key.kind, text.to_str()) {
        (Kind::Paths, _) => {
            let paths = Value::Paths(std::env::split_paths(text).collect());
            key.kind.check(&paths).map(|()| paths)
        }
        (kind, Some(text)) => kind.parse(text),
        (_, None) => Err("it is not UTF-8".to_owned()),
    };
    let shown = text.to_str().filter(|_| key.kind.may_be_shown());
    let value = value.map_err(|problem| ConfigError::of_text(&origin.to_string(), key.name, shown, problem))?;
    Ok(Entry { name: Name::Key(key.name), value, origin })
}
