//! A text that has to keep a limit: its sections give up lines at their ends, those that matter least first.

/// A section: where it starts, and how many bytes of it are kept in any case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    /// First byte.
    pub(super) start: usize,
    /// Bytes that are kept whatever the others need.
    pub(super) share: usize,
    /// Order in which sections get what is left over; the lowest first.
    pub(super) rank: usize,
}

/// Bytes that the line about a cut has at most.
const NOTE: usize = 160;

/// The text within `limit` bytes. `note` says what became of so many lines; it has no line end.
pub(super) fn fit(text: String, sections: &[Section], limit: usize, note: impl Fn(usize) -> String) -> String {
    if text.len() <= limit {
        return text;
    }
    let ends = sections.iter().skip(1).map(|s| s.start).chain([text.len()]);
    let parts: Vec<&str> = sections.iter().zip(ends).map(|(section, end)| &text[section.start..end]).collect();
    let mut room: Vec<usize> = sections.iter().zip(&parts).map(|(section, part)| part.len().min(section.share)).collect();
    let mut left = limit.saturating_sub(room.iter().sum::<usize>() + sections.len() * NOTE);
    let mut order: Vec<usize> = (0..sections.len()).collect();
    order.sort_by_key(|place| sections[*place].rank);
    for place in order {
        let more = left.min(parts[place].len() - room[place]);
        room[place] += more;
        left -= more;
    }
    let mut out = String::with_capacity(limit);
    for (part, room) in parts.iter().zip(room) {
        if part.len() <= room {
            out.push_str(part);
            continue;
        }
        let mut end = room;
        while !part.is_char_boundary(end) {
            end -= 1;
        }
        let kept = part[..end].rfind('\n').map_or("", |at| &part[..=at]);
        out.push_str(kept);
        out.push_str(&note(part[kept.len()..].lines().count()));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Section, fit};

    #[test]
    fn what_matters_least_gives_up_its_lines_first() {
        let text = format!("head\n{}{}tail\n", "worst\n".repeat(300), "other\n".repeat(300));
        let section = |start, share, rank| Section { start, share, rank };
        let sections = [section(0, 100, 0), section(5, 60, 1), section(1805, 60, 2), section(3605, 100, 0)];
        let note = |n| format!("… {n} more lines");
        assert_eq!(fit(text.clone(), &sections, text.len(), note), text);
        let short = fit(text.clone(), &sections, 2_000, note);
        assert!(short.len() <= 2_000, "{}", short.len());
        assert!(short.starts_with("head\nworst\n") && short.ends_with("tail\n"));
        let count = |word: &str| short.lines().filter(|l| *l == word).count();
        assert!(count("worst") > 200 && count("other") == 10, "{short}");
        assert!(short.contains("… 290 more lines"), "{short}");
    }
}
