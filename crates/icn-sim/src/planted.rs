//! What the lists of planted bugs share.

/// Finds a bug by its name.
pub(crate) fn by_name<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, text: &str) -> Result<T, String> {
    let names = || all.iter().map(|bug| name(*bug)).collect::<Vec<_>>().join(", ");
    let found = all.iter().copied().find(|bug| name(*bug) == text);
    found.ok_or_else(|| format!("choose one of {}", names()))
}
