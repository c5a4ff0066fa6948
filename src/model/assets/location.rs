//! Where content may be fetched from.

use super::data::Why;

/// Schemes that are fetched; those with a `+` with a token of the site's Keystone.
pub const SCHEMES: [&str; 6] = ["http", "https", "deckhand+http", "deckhand+https", "promenade+http", "promenade+https"];

/// Whether something can be fetched from there. Nothing is.
pub(super) fn inspect(url: &str) -> Result<(), Why> {
    let Some((scheme, rest)) = url.split_once("://") else { return Err(Why::NotUrl) };
    if !SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) {
        return Err(Why::UnknownScheme { scheme: scheme.chars().take(40).collect() });
    }
    if rest.starts_with(['/', '?', '#']) || rest.is_empty() || url.chars().any(char::is_control) {
        return Err(Why::NotUrl);
    }
    Ok(())
}
