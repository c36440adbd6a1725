//! How does a report become a folder? `report.md`, `report.html`, `report.json`, `events.jsonl` and `sources/`.
//!
//! All files are written beside their places first, under other names, and moved only when every one of them is
//! complete on the disk: a full disk or a crash leaves what was there before. `report.json` is moved last, so that its
//! presence means that the rest is there. This module is the only one of the renderers that does I/O, and it blocks.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use callboard_actors::event::RunEvent;
use callboard_actors::research::Report;
use tempfile::NamedTempFile;

use super::json::{self, Layout};
use super::{Sources, html, markdown};
use crate::error::WriteError;

/// Makes the folder, and proves that files can be written there, before any work is done for it.
///
/// # Errors
/// [`WriteError`] when the path is not a folder or cannot be written.
pub fn prepare(folder: &Path) -> Result<(), WriteError> {
    if fs::metadata(folder).is_ok_and(|found| !found.is_dir()) {
        return Err(WriteError::NotAFolder { path: folder.to_owned() });
    }
    fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
    temporary(folder).map(drop)
}

/// Writes the report's files into `folder`, which is made when it is not there. Files of an earlier report are replaced,
/// other files stay.
///
/// # Errors
/// [`WriteError`] when a file cannot be written; then no file of `folder` has changed, unless the fault came while the
/// complete files were moved to their places.
pub fn write(folder: &Path, report: &Report, events: &[RunEvent], sources: &Sources) -> Result<(), WriteError> {
    prepare(folder)?;
    let texts = folder.join("sources");
    fs::create_dir_all(&texts).map_err(|source| io(&texts, source))?;
    let mut written = Vec::new();
    for (source, text) in sources.iter() {
        written.push(file(&texts, &format!("{source}.txt"), text)?);
    }
    let events: String = events.iter().map(json::event).collect();
    written.push(file(folder, "events.jsonl", &events)?);
    written.push(file(folder, "report.md", &markdown(report, sources))?);
    written.push(file(folder, "report.html", &html(report, sources))?);
    written.push(file(folder, "report.json", &json::report(report, None, Layout::Indented))?);
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
        write(&out, &report, &[], &sources).unwrap();
        write(&out, &report, &[], &sources).unwrap();
        assert_eq!(names(&out), ["events.jsonl", "report.html", "report.json", "report.md", "sources"]);
        assert_eq!(names(&out.join("sources")), ["ab.txt", "cd.txt"]);
        let json = fs::read_to_string(out.join("report.json")).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
        assert_eq!(fs::read_to_string(out.join("sources/ab.txt")).unwrap(), sources.get("ab").unwrap());
    }

    #[test]
    fn a_fault_leaves_the_earlier_report() {
        let folder = tempfile::tempdir().unwrap();
        let (report, sources) = sample::report();
        fs::write(folder.path().join("report.json"), "earlier").unwrap();
        fs::write(folder.path().join("sources"), "in the way").unwrap();
        let error = write(folder.path(), &report, &[], &sources).unwrap_err();
        assert_eq!(error.code(), "out_not_writable");
        assert_eq!(names(folder.path()), ["report.json", "sources"]);
        assert_eq!(fs::read_to_string(folder.path().join("report.json")).unwrap(), "earlier");
    }

    #[test]
    fn a_file_is_not_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        fs::write(&path, "").unwrap();
        assert_eq!(prepare(&path).unwrap_err().code(), "out_not_a_folder");
    }
}
