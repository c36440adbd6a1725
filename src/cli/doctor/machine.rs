//! Is the machine fit? The program's version, the cache of indexes, the disk, and the limits of the system.

use std::fs;
use std::path::{Path, PathBuf};

use callboard::actors::gateway::GatewayLimits;
use callboard::config::Config;
use callboard::corpus::CorpusOptions;

use super::check::Check;

/// Less than this is too little for an index of anything.
const NO_SPACE: u64 = 100 << 20;

/// Less than this is little.
const LITTLE_SPACE: u64 = 1 << 30;

/// Files that the program has open beside its connections.
const FILES: u64 = 128;

/// A cache has a few files for each corpus; more are not counted.
const MOST_FILES: usize = 100_000;

/// Which program runs on what.
pub(super) fn version() -> Check {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    Check::ok("version", format!("callboard {} on {os}, {arch}", env!("CARGO_PKG_VERSION")))
}

/// Where indexes are kept, how large they are, and whether new ones can be written.
pub(super) fn cache() -> Check {
    const NAME: &str = "cache";
    let root = match CorpusOptions::default().cache_root() {
        Ok(root) => root,
        Err(error) => return Check::fail(NAME, error.to_string(), error.hint().to_string()),
    };
    let hint = "name another folder with CALLBOARD_CACHE_DIR";
    if root.exists() && !root.is_dir() {
        return Check::fail(NAME, format!("{} is no folder", root.display()), hint);
    }
    let there = existing(&root);
    // Made and gone: nothing is left behind.
    if let Err(fault) = tempfile::tempfile_in(&there) {
        let detail = format!("{} cannot be written: {fault}", there.display());
        return Check::fail(NAME, detail, hint);
    }
    let state = match root.is_dir() {
        true => format!("{} of indexes and kept replies", size(bytes_below(&root))),
        false => "not there yet; it is made with the first index".to_owned(),
    };
    Check::ok(NAME, format!("{}: {state}", root.display()))
}

/// The space on the disk of the cache.
pub(super) fn disk() -> Check {
    const NAME: &str = "disk";
    let Ok(root) = CorpusOptions::default().cache_root() else { return Check::skipped(NAME, "there is no cache") };
    let there = existing(&root);
    let Some(free) = free_space(&there) else { return Check::skipped(NAME, "this system does not tell") };
    let detail = format!("{} free where the cache is", size(free));
    let hint = "free some space, or name a folder on another disk with CALLBOARD_CACHE_DIR";
    match free {
        ..NO_SPACE => Check::fail(NAME, detail, hint),
        NO_SPACE..LITTLE_SPACE => Check::warn(NAME, detail, hint),
        LITTLE_SPACE.. => Check::ok(NAME, detail),
    }
}

/// Open files, cores and memory.
pub(super) fn limits(config: &Config) -> Check {
    const NAME: &str = "limits";
    let in_flight = config.gateway.max_in_flight.unwrap_or(GatewayLimits::default().max_in_flight);
    let needed = in_flight as u64 + FILES;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
    let memory = memory.map_or_else(String::new, |bytes| format!(", {} of memory available", size(bytes)));
    let cores = format!("{cores} {}{memory}", if cores == 1 { "core" } else { "cores" });
    match open_files() {
        Some(files) if files < needed => Check::warn(
            NAME,
            format!("{files} open files, and gateway.max_in_flight may need {needed}; {cores}"),
            format!("allow more with `ulimit -n {needed}`, or lower gateway.max_in_flight"),
        ),
        Some(u64::MAX) => Check::ok(NAME, format!("open files without a limit; {cores}")),
        Some(files) => Check::ok(NAME, format!("{files} open files; {cores}")),
        None => Check::ok(NAME, cores),
    }
}

/// The folder itself, or the nearest above it that is there.
fn existing(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find(|above| above.is_dir());
    there.filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// The size of all files below a folder; links are not followed.
fn bytes_below(folder: &Path) -> u64 {
    let (mut bytes, mut folders, mut files) = (0, vec![folder.to_owned()], 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.metadata() else { continue };
            files += 1;
            if kind.is_dir() && files < MOST_FILES {
                folders.push(entry.path());
            } else if kind.is_file() {
                bytes += kind.len();
            }
        }
    }
    bytes
}

fn size(bytes: u64) -> String {
    let (mebi, gibi) = (1_u64 << 20, 1_u64 << 30);
    match bytes {
        0 => "nothing".to_owned(),
        _ if bytes < mebi => format!("{} KiB", bytes.div_ceil(1024)),
        _ if bytes >= gibi => format!("{}.{} GiB", bytes / gibi, bytes % gibi * 10 / gibi),
        _ => format!("{}.{} MiB", bytes / mebi, bytes % mebi * 10 / mebi),
    }
}

/// What Linux calls available, in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(unix)]
fn free_space(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(unix)]
fn open_files() -> Option<u64> {
    Some(rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX))
}

#[cfg(not(unix))]
fn free_space(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(not(unix))]
fn open_files() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_said() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"), Some(2 << 20));
        assert_eq!(available("MemTotal: 9 kB"), None);
        for (bytes, said) in
            [(0, "nothing"), (1, "1 KiB"), (1 << 19, "512 KiB"), (5 << 20, "5.0 MiB"), ((5 << 30) / 2, "2.5 GiB")]
        {
            assert_eq!(size(bytes), said);
        }
    }

    #[test]
    fn a_folder_that_is_not_there_yet_has_one_above_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(&folder.path().join("a/b")), folder.path());
        assert_eq!(existing(Path::new("not-there")), Path::new("."));
        fs::write(folder.path().join("x"), "12345").unwrap();
        assert_eq!(bytes_below(folder.path()), 5);
    }

    #[test]
    fn too_few_open_files_are_told() {
        let mut config = Config::default();
        assert!(limits(&config).hint.is_empty());
        config.gateway.max_in_flight = Some(100_000);
        if open_files().is_some_and(|files| files < 100_128) {
            assert!(limits(&config).hint.contains("ulimit -n 100128"));
        }
    }
}
