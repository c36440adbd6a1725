//! How does a report become a folder? `report.md`, `report.html`, `report.json`, `events.jsonl` and `sources/`.
//!
//! All files are written beside their places first, under other names, and moved only when every one of them is
//! complete on the disk: a full disk or a crash leaves what was there before. `report.json` is moved last, so that its
//! presence means that the rest is there. A folder that stands in the way is found before the first move. This
//! module is the only one of the renderers that does I/O, and it blocks.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use callboard_actors::event::RunEvent;
use callboard_actors::research::Report;
use tempfile::NamedTempFile;

use super::json::{self, ErrorEntry, Layout};
use super::{Sources, html, markdown};
use crate::write_error::WriteError;

/// The files beside `sources/`, in the order in which they are put in place.
const FILES: [&str; 4] = ["events.jsonl", "report.md", "report.html", "report.json"];

/// Makes the folder, and proves that files can be written there, before any work is done for it.
///
/// # Errors
/// [`WriteError`] when the path is not a folder or cannot be written, or a folder has the name of a file of the report.
pub fn prepare(folder: &Path) -> Result<(), WriteError> {
    let texts = folder.join("sources");
    for path in [folder, &texts] {
        if fs::metadata(path).is_ok_and(|found| !found.is_dir()) {
            return Err(WriteError::NotAFolder { path: path.to_owned() });
        }
    }
    fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
    FILES.iter().try_for_each(|name| free(&folder.join(name)))?;
    temporary(folder).map(drop)
}

/// Whether a file can be moved to `path`: a folder there cannot be replaced.
fn free(path: &Path) -> Result<(), WriteError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Err(io(path, ErrorKind::IsADirectory.into())),
        _ => Ok(()),
    }
}

/// Writes the report's files into `folder`, which is made when it is not there. Files of an earlier report are replaced,
/// other files stay. `error` is what `report.json` says of a run that did not end as it should.
///
/// # Errors
/// [`WriteError`] when a file cannot be written; then no file of `folder` has changed, unless the fault came while the
/// complete files were moved to their places.
pub fn write(
    folder: &Path,
    report: &Report,
    error: Option<ErrorEntry>,
    events: &[RunEvent],
    sources: &Sources,
) -> Result<(), WriteError> {
    prepare(folder)?;
    let texts = folder.join("sources");
    fs::create_dir_all(&texts).map_err(|source| io(&texts, source))?;
    let mut written = Vec::new();
    for (source, text) in sources.iter() {
        written.push(file(&texts, &format!("{source}.txt"), text)?);
    }
    let events: String = events.iter().map(json::event).collect();
    let (text, page) = (markdown(report, sources), html(report, sources));
    let contents = [events, text, page, json::report(report, error, Layout::Indented)];
    for (name, content) in FILES.iter().zip(&contents) {
        written.push(file(folder, name, content)?);
    }
    for (_, path) in &written {
        free(path)?;
    }
    for (temporary, path) in written {
        temporary.persist(&path).map_err(|fault| io(&path, fault.error))?;
    }
    sync(&texts)?;
    sync(folder)
}

fn file(folder: &Path, name: &str, content: &str) -> Result<(NamedTempFile, PathBuf), WriteError> {
    let path = folder.join(name);
    let mut file = temporary(folder)?;
    let open = file.as_file_mut();
    let written = open.write_all(content.as_bytes()).and_then(|()| open.sync_all());
    written.map_err(|source| io(&path, source))?;
    Ok((file, path))
}

fn temporary(folder: &Path) -> Result<NamedTempFile, WriteError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".callboard-").suffix(".tmp");
    // A report is an ordinary file: the user's umask decides who reads it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(|source| io(folder, source))
}

/// The moves are on the disk once the folder is. Not every platform can open a folder; then there is nothing to do.
fn sync(folder: &Path) -> Result<(), WriteError> {
    match fs::File::open(folder) {
        Ok(opened) if cfg!(unix) => opened.sync_all().map_err(|source| io(folder, source)),
        _ => Ok(()),
    }
}

fn io(path: &Path, source: std::io::Error) -> WriteError {
    WriteError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_folder_holds_the_whole_report() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a/b");
        let (report, sources) = sample::report();
        write(&out, &report, None, &[], &sources).unwrap();
        write(&out, &report, None, &[], &sources).unwrap();
        assert_eq!(names(&out), ["events.jsonl", "report.html", "report.json", "report.md", "sources"]);
        assert_eq!(names(&out.join("sources")), ["ab.txt", "cd.txt"]);
        let json = fs::read_to_string(out.join("report.json")).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
        assert_eq!(fs::read_to_string(out.join("sources/ab.txt")).unwrap(), sources.get("ab").unwrap());
    }

    #[test]
    fn whatever_is_in_the_way_leaves_the_earlier_report() {
        for name in ["report.json", "report.md", "events.jsonl", "sources/cd.txt"] {
            let folder = tempfile::tempdir().unwrap();
            let (report, sources) = sample::report();
            fs::write(folder.path().join("report.html"), "earlier").unwrap();
            fs::create_dir_all(folder.path().join(name)).unwrap();
            let before = names(folder.path());
            let error = write(folder.path(), &report, None, &[], &sources).unwrap_err();
            assert_eq!(error.code(), "out_not_writable", "{name}");
            let mut after = names(folder.path());
            after.retain(|found| before.contains(found) || found != "sources");
            assert_eq!(after, before, "{name}");
            assert_eq!(fs::read_to_string(folder.path().join("report.html")).unwrap(), "earlier", "{name}");
            assert!(!folder.path().join("sources/ab.txt").exists(), "{name}");
        }
    }

    #[test]
    fn a_folder_with_the_name_of_a_file_is_refused_before_any_work() {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path()).unwrap();
        fs::create_dir(folder.path().join("report.html")).unwrap();
        assert_eq!(prepare(folder.path()).unwrap_err().code(), "out_not_writable");
        fs::remove_dir(folder.path().join("report.html")).unwrap();
        fs::write(folder.path().join("sources"), "in the way").unwrap();
        assert_eq!(prepare(folder.path()).unwrap_err().code(), "out_not_a_folder");
    }

    #[test]
    fn a_file_is_not_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        fs::write(&path, "").unwrap();
        assert_eq!(prepare(&path).unwrap_err().code(), "out_not_a_folder");
    }
}
