//! Where is kept what can be made again: indexes of documents, replies of models?

/// The variable that moves the cache away from the user's cache directory.
pub(crate) const VARIABLE: &str = "CALLBOARD_CACHE_DIR";

/// The folder of every cache file of this program. It need not be there yet. `None` when neither the variable nor the system
/// names one.
#[cfg(any(feature = "research", feature = "store"))]
pub(crate) fn path() -> Option<std::path::PathBuf> {
    let named = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    named.map(Into::into).or_else(|| Some(dirs::cache_dir()?.join("callboard")))
}
