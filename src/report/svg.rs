//! Pieces of SVG (version 1.1): text made safe, colours of effects, and one style sheet for light and dark.

use super::escape::clean;
use crate::action::Effect;

/// Text inside an element or an attribute.
pub(super) fn text(text: &str) -> String {
    clean(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The text cut to so many characters.
pub(super) fn short(text: &str, limit: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= limit {
        text.into_owned()
    } else {
        format!("{}…", text.chars().take(limit.saturating_sub(1)).collect::<String>())
    }
}

/// The class of what has this effect.
pub(super) fn class(effect: Effect) -> &'static str {
    effect.name()
}

/// Colours can be told apart by lightness alone, too; whatever has one also says its effect in its title.
pub(super) const STYLE: &str = "<style>\n\
    text{font:11px ui-monospace,monospace;fill:#1b1f24}.dim{fill:#57606a}.grid{stroke:#d0d7de}.lane{fill:#f6f8fa}\n\
    .none{fill:#d8dee4}.online{fill:#9ecbff}.install{fill:#8ddb8c}.reboot{fill:#f2cc60}.redeploy{fill:#f0883e}.destroy{fill:#da3633}\n\
    .critical{stroke:#1b1f24;stroke-width:2}.failed{stroke:#b62324;stroke-width:3}.edge{stroke:#8c959f;fill:none}.edge.critical{stroke:#1b1f24;stroke-width:2}\n\
    @media (prefers-color-scheme:dark){svg{background:#0d1117}text{fill:#e6edf3}.dim{fill:#9198a1}.grid{stroke:#30363d}.lane{fill:#161b22}\
    .none{fill:#484f58}.box text,.box .dim{fill:#1b1f24}.critical,.edge.critical{stroke:#e6edf3}}\n\
    </style>\n";

/// The start of a picture with a title that is read aloud.
pub(super) fn open(width: usize, height: usize, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{0}\">\n\
         <title>{0}</title>\n{STYLE}",
        text(title)
    )
}
