//! How are files of the cache written? Readable by their owner only, and replaced as a whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Makes a folder and its parents. Those that it makes are closed to others.
pub(in crate::corpus) fn private_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a folder of the cache, in place of whatever else has its name.
pub(in crate::corpus) fn claim_dir(path: &Path) -> io::Result<()> {
    if fs::metadata(path).map_or_else(|_| path.is_symlink(), |metadata| !metadata.is_dir()) {
        // It never removes a folder: one that another process just made stays.
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound && !path.is_dir() => return Err(error),
            _ => {}
        }
    }
    private_dir(path)
}

/// Makes room for a file of the cache where a folder has its name.
pub(in crate::corpus) fn clear_file(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        return Ok(());
    }
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound && path.is_dir() => Err(error),
        _ => Ok(()),
    }
}

/// A new or emptied file, closed to others.
pub(in crate::corpus) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Closes a folder and all in it to others. For what another library wrote.
pub(in crate::corpus) fn make_private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let is_dir = path.is_dir();
        fs::set_permissions(path, fs::Permissions::from_mode(if is_dir { 0o700 } else { 0o600 }))?;
        if is_dir {
            for entry in fs::read_dir(path)? {
                make_private(&entry?.path())?;
            }
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Writes a value so that a reader sees the old file or the new one, and can tell whether it is whole.
pub(in crate::corpus) fn write_checked(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let body = serde_json::to_vec(value).map_err(io::Error::other)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let staged = path.with_file_name(name);
    let written = (|| {
        let mut file = private_file(&staged)?;
        writeln!(file, "{:08x}", crc32fast::hash(&body))?;
        file.write_all(&body)?;
        file.sync_all()?;
        fs::rename(&staged, path)
    })();
    if written.is_err() {
        // The first error is the one to report; a leftover is removed with the next clean-up.
        let _ = fs::remove_file(&staged);
    }
    written
}

/// Reads what [`write_checked`] wrote. A damaged file is an error of kind `InvalidData`.
pub(in crate::corpus) fn read_checked<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    let bytes = fs::read(path)?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "damaged");
    let (head, body) = bytes.split_at_checked(9).ok_or_else(damaged)?;
    let sum = std::str::from_utf8(&head[..8]).ok().and_then(|hex| u32::from_str_radix(hex, 16).ok());
    if sum != Some(crc32fast::hash(body)) {
        return Err(damaged());
    }
    serde_json::from_slice(body).map_err(|_| damaged())
}
