//! Who can read what is kept, and may it be written? Replies may hold private text: the file is for its owner.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use callboard_actors::error::StoreError;

use super::fault;

/// How a file of SQLite begins, after its [description](https://sqlite.org/fileformat2.html#the_database_header).
const HEAD: &[u8; 16] = b"SQLite format 3\0";

/// Held while a file is made. Whoever closes a file gives up all locks that its process has on it, also those of SQLite (POSIX
/// has it so): nobody may have it open through SQLite while it is made here, and one that is there is never opened here.
static MAKING: Mutex<()> = Mutex::new(());

/// Which file was opened. SQLite writes on into a file that was deleted, and says that all is well.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    number: Option<u64>,
}

impl Place {
    /// The file that is at this path now.
    pub(super) fn of(path: &Path) -> Self {
        // Also when the program goes to another folder.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let number = number_of(&path);
        Self { path, number }
    }

    /// Whether it is there still, and not another one in its place.
    pub(super) fn is_kept(&self) -> bool {
        number_of(&self.path) == self.number
    }
}

/// The number of the file at a path, if there is one: its inode, which no other file has while it is open, and by which SQLite itself looks
/// (`SQLITE_FCNTL_HAS_MOVED`). Other systems keep a file that is open where it is.
fn number_of(path: &Path) -> Option<u64> {
    let metadata = fs::metadata(path).ok()?;
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let number = u64::from(metadata.is_file());
    Some(number)
}

/// Whether a file begins as every file of SQLite does. Only for one that cannot be opened: no lock on it is of use.
pub(super) fn is_sqlite(path: &Path) -> bool {
    let mut head = [0; HEAD.len()];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    match read {
        Ok(()) => &head == HEAD,
        Err(error) => error.kind() != io::ErrorKind::UnexpectedEof,
    }
}

/// Makes the file and its folders if they are not there, closed to others; SQLite gives the files beside it the same mode. Those
/// that are there keep theirs.
pub(super) fn prepare(path: &Path) -> Result<(), StoreError> {
    // SQLite takes it for no file at all, and one of this name would be left behind.
    if path == Path::new(":memory:") {
        let message = "it is SQLite's name for memory, and no file".to_owned();
        return Err(StoreError::Unusable { store: fault::name(path), message });
    }
    let failed = |error: io::Error| fault::io(path, &error);
    // A bare file name has the parent `""`, which is the folder one is in.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(failed)?;
    }
    // A user who may do everything is told too: whoever took the permission away meant it.
    let is_read_only = |path: &Path| fs::metadata(path).is_ok_and(|metadata| metadata.permissions().readonly());
    if is_read_only(path) || cfg!(unix) && is_read_only(folder) {
        return Err(StoreError::ReadOnly(fault::name(path)));
    }
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
        _ => Ok(()),
    }
}
