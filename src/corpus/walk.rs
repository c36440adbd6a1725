//! Which files does a corpus have? Walks folders, honours `.gitignore` (and no other list of what to ignore), and names what it leaves out.
//!
//! Links are never followed below a corpus path. Files that `.gitignore` excludes are not listed: their owner said that
//! they do not belong to the folder.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ignore::{DirEntry, WalkBuilder};
use serde::{Deserialize, Serialize};

use super::progress::{IndexProgress, Watch};
use super::read::{Format, Skip, format};
use super::{CorpusError, CorpusOptions};

/// A corpus path.
#[derive(Debug, Clone)]
pub(super) struct Root {
    /// As the user gave it.
    pub(super) given: PathBuf,
    /// Absolute, with every link resolved.
    pub(super) path: PathBuf,
    is_file: bool,
}

/// What the file system says about a file without reading it. Equal stamps mean: not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) bytes: u64,
    /// Nanoseconds since 1970.
    modified: i128,
    /// Nanoseconds since 1970 of the last change of the entry itself; 0 where the system has none.
    changed: i128,
    /// The file's number; 0 where the system has none.
    number: u64,
}

/// A file to read.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Which root.
    pub(super) corpus: usize,
    /// Relative to the root, with `/` between parts.
    pub(super) file: String,
    pub(super) path: PathBuf,
    pub(super) format: Format,
    pub(super) stamp: Stamp,
    /// The user named it, and not only a folder in which it lies.
    pub(super) is_named: bool,
}

/// A file that is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) corpus: usize,
    pub(super) file: String,
    pub(super) reason: Skip,
}

/// All files of all roots, in the order of their roots and names.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) found: Vec<Found>,
    pub(super) left: Vec<Left>,
}

impl Root {
    pub(super) fn is_file(&self) -> bool {
        self.is_file
    }
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let modified = modified.map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(0));
        #[cfg(unix)]
        let (changed, number) = {
            use std::os::unix::fs::MetadataExt;
            (i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()), metadata.ino())
        };
        #[cfg(not(unix))]
        let (changed, number) = (0, 0);
        Self { bytes: metadata.len(), modified, changed, number }
    }

    /// Whether the file was quiet for two seconds before `now` (nanoseconds since 1970). Clocks of file systems are
    /// coarse: a younger file may change again without a change of its stamp. A time that somebody set to the future says
    /// nothing of the last change, and a change would replace it.
    pub(super) fn is_settled(&self, now: i128) -> bool {
        (now - self.modified).abs() > 2_000_000_000
    }
}

/// Resolves the paths that the user gave.
pub(super) fn roots(paths: &[PathBuf]) -> Result<Vec<Root>, CorpusError> {
    if paths.is_empty() {
        return Err(CorpusError::NoPaths);
    }
    paths.iter().map(|given| root(given)).collect()
}

fn root(given: &Path) -> Result<Root, CorpusError> {
    let unreadable = |source: io::Error| CorpusError::of_path(given, source);
    let path = fs::canonicalize(given).map_err(unreadable)?;
    let metadata = fs::metadata(&path).map_err(unreadable)?;
    if metadata.is_dir() {
        fs::read_dir(&path).map_err(unreadable)?;
    } else if !metadata.is_file() {
        return Err(unreadable(io::Error::new(io::ErrorKind::InvalidInput, "neither a folder nor a regular file")));
    }
    Ok(Root { given: given.to_path_buf(), path, is_file: metadata.is_file() })
}

/// Lists the files of every root. A file that two roots share belongs to the first.
pub(super) fn walk(roots: &[Root], options: &CorpusOptions, watch: &mut Watch<'_>) -> Result<Walked, CorpusError> {
    let mut lister = Lister { roots, options, walked: Walked::default(), seen: HashSet::new() };
    watch.tell(IndexProgress::Scanning { files: 0 })?;
    for (corpus, root) in roots.iter().enumerate() {
        if root.is_file {
            lister.named_file(corpus, root);
        } else {
            lister.folder(corpus, root, watch)?;
        }
    }
    let mut walked = lister.walked;
    walked.found.sort_by(|a, b| (a.corpus, &a.file).cmp(&(b.corpus, &b.file)));
    watch.tell(IndexProgress::Scanning { files: walked.found.len() + walked.left.len() })?;
    Ok(walked)
}

struct Lister<'a> {
    roots: &'a [Root],
    options: &'a CorpusOptions,
    walked: Walked,
    seen: HashSet<PathBuf>,
}

impl Lister<'_> {
    fn leave(&mut self, corpus: usize, file: String, reason: Skip) {
        self.walked.left.push(Left { corpus, file, reason });
    }

    fn named_file(&mut self, corpus: usize, root: &Root) {
        let file = root.given.file_name().or(root.path.file_name()).unwrap_or(root.path.as_os_str());
        let file = shown(file);
        match fs::metadata(&root.path) {
            Ok(metadata) => self.file(corpus, file, root.path.clone(), &metadata),
            Err(error) => self.leave(corpus, file, failure(&error)),
        }
    }

    fn folder(&mut self, corpus: usize, root: &Root, watch: &mut Watch<'_>) -> Result<(), CorpusError> {
        let hidden = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&hidden);
        let walk = WalkBuilder::new(&root.path)
            .standard_filters(false)
            .parents(true)
            .git_ignore(true)
            .git_exclude(false)
            .git_global(false)
            .require_git(false)
            .follow_links(false)
            .filter_entry(move |entry| {
                let is_hidden = entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
                if is_hidden {
                    noted.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(entry.path().to_path_buf());
                }
                !is_hidden
            })
            .build();
        for (count, entry) in walk.enumerate() {
            if count % 256 == 255 {
                watch.tell(IndexProgress::Scanning { files: self.walked.found.len() })?;
            }
            match entry {
                Ok(entry) => self.entry(corpus, root, &entry),
                Err(error) => self.broken(corpus, root, &error),
            }
        }
        let hidden = std::mem::take(&mut *hidden.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for path in hidden {
            self.leave(corpus, relative(root, &path), Skip::because("hidden"));
        }
        Ok(())
    }

    fn entry(&mut self, corpus: usize, root: &Root, entry: &DirEntry) {
        if let Some(error) = entry.error() {
            tracing::warn!(%error, "a line of a .gitignore file was not understood and is not applied");
        }
        let file = relative(root, entry.path());
        let Some(kind) = entry.file_type().filter(|kind| !kind.is_dir()) else { return };
        if kind.is_symlink() {
            let reason = self.link(entry.path());
            return self.leave(corpus, file, reason);
        }
        if !kind.is_file() {
            return self.leave(corpus, file, Skip::because("not a regular file"));
        }
        match entry.metadata() {
            Ok(metadata) => self.file(corpus, file, entry.path().to_path_buf(), &metadata),
            Err(error) => {
                let reason = error.io_error().map_or_else(|| Skip::with(error.to_string()), failure);
                self.leave(corpus, file, reason);
            }
        }
    }

    /// A file that the user named is read whatever it is called, hidden or not, and whichever path it is found by.
    fn file(&mut self, corpus: usize, file: String, path: PathBuf, metadata: &Metadata) {
        if !self.seen.insert(path.clone()) {
            return self.leave(corpus, file, shared());
        }
        let is_named = self.roots.iter().any(|root| root.is_file && root.path == path);
        let format = match format(&path) {
            Err(skip) if is_named && skip.reason() != "PDF" => Ok(Format::Plain),
            known => known,
        };
        match format {
            Err(reason) => self.leave(corpus, file, reason),
            Ok(_) if metadata.len() > self.options.max_file_bytes => {
                self.leave(corpus, file, too_large(self.options.max_file_bytes));
            }
            Ok(format) => {
                let stamp = Stamp::of(metadata);
                self.walked.found.push(Found { corpus, file, path, format, stamp, is_named });
            }
        }
    }

    /// Why a link is not followed. What it leads to is read at its own place, if it belongs to the corpus.
    fn link(&self, path: &Path) -> Skip {
        match fs::canonicalize(path) {
            Ok(target) if self.roots.iter().any(|root| target.starts_with(&root.path)) => {
                Skip::because("link to another place in the corpus")
            }
            Ok(_) => Skip::because("link out of the corpus"),
            Err(_) => Skip::because("broken link"),
        }
    }

    /// A folder that could not be listed, or a file that vanished meanwhile.
    fn broken(&mut self, corpus: usize, root: &Root, error: &ignore::Error) {
        let file = path_of(error).map_or_else(|| ".".to_owned(), |path| relative(root, path));
        let reason = error.io_error().map_or_else(|| Skip::with(error.to_string()), failure);
        self.leave(corpus, file, reason);
    }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

fn relative(root: &Root, path: &Path) -> String {
    let inner = path.strip_prefix(&root.path).unwrap_or(path);
    inner.components().map(|part| shown(part.as_os_str())).collect::<Vec<_>>().join("/")
}

/// The name as text. A byte that is not UTF-8 stands there as `\xFF`, and a backslash that would look like the beginning
/// of such a byte as `\x5C`: two names are never shown alike.
fn shown(name: &OsStr) -> String {
    let mut out = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        for (at, c) in chunk.valid().char_indices() {
            let is_byte =
                |rest: &[u8]| matches!(rest, [b'x', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
            if c == '\\' && is_byte(&chunk.valid().as_bytes()[at + 1..]) {
                out.push_str("\\x5C");
            } else {
                out.push(c);
            }
        }
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\x{byte:02X}")));
    }
    out
}

/// The reason for a file that an earlier corpus path has too.
pub(super) fn shared() -> Skip {
    Skip::because("already read as part of another corpus path")
}

/// The reason for a file over the limit.
pub(super) fn too_large(limit: u64) -> Skip {
    Skip::with(format!("larger than {}", amount(limit)))
}

/// The reason for a document that would make the corpus larger than the limit.
pub(super) fn over(limit: u64) -> Skip {
    Skip::with(format!("the text of the corpus would be larger than {}", amount(limit)))
}

fn amount(limit: u64) -> String {
    let (amount, unit) = match limit {
        _ if limit >= 1 << 30 && limit.is_multiple_of(1 << 30) => (limit >> 30, "GiB"),
        _ if limit >= 1 << 20 => (limit >> 20, "MiB"),
        _ if limit >= 1 << 10 => (limit >> 10, "KiB"),
        _ => (limit, "bytes"),
    };
    format!("{amount} {unit}")
}

/// The reason for a file that the system does not give.
pub(super) fn failure(error: &io::Error) -> Skip {
    match error.kind() {
        io::ErrorKind::NotFound => Skip::because("vanished while it was read"),
        io::ErrorKind::PermissionDenied => Skip::because("permission denied"),
        _ => Skip::with(format!("cannot be read: {error}")),
    }
}
