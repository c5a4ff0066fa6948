//! Places in the design, as plans give them: `file:line:column`.

/// File and line; none for what is no place.
pub(super) fn place(source: &str) -> Option<(&str, u32)> {
    let mut parts = source.rsplitn(3, ':');
    parts.next()?.parse::<u32>().ok()?;
    let line = parts.next()?.parse().ok()?;
    parts.next().filter(|file| !file.is_empty()).map(|file| (file, line))
}
