//! Many names in few words: `n01..n98`.

use std::cmp::Ordering;

/// Names that count up in one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run<'a> {
    /// The first.
    pub(super) first: &'a str,
    /// The last; the first again if there is one only.
    pub(super) last: &'a str,
    /// How many.
    pub(super) count: usize,
}

/// The names in natural order (`n2` before `n10`), each once, as runs.
pub(super) fn runs<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Run<'a>> {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_by(|a, b| natural(a, b));
    names.dedup();
    let mut runs: Vec<(Run, Option<usize>)> = Vec::new();
    for name in names {
        if let Some((run, position)) = runs.last_mut()
            && let Some(at) = successor(run.last, name)
            && position.is_none_or(|p| p == at)
        {
            run.last = name;
            run.count += 1;
            *position = Some(at);
        } else {
            runs.push((Run { first: name, last: name, count: 1 }, None));
        }
    }
    runs.into_iter().map(|(run, _)| run).collect()
}

/// The runs as text pieces: `n01..n98`; two neighbours are two pieces. At most `limit` pieces, then `97 more`.
pub(super) fn pieces<'a>(names: impl IntoIterator<Item = &'a str>, between: &str, limit: usize) -> Vec<String> {
    let runs = runs(names);
    let mut out = Vec::new();
    let mut left: usize = runs.iter().map(|r| r.count).sum();
    for run in &runs {
        if out.len() >= limit {
            out.push(format!("{left} more"));
            break;
        }
        left -= run.count;
        match run.count {
            1 => out.push(run.first.to_owned()),
            2 => out.extend([run.first.to_owned(), run.last.to_owned()]),
            _ => out.push(format!("{}{between}{}", run.first, run.last)),
        }
    }
    out
}

/// The part of a text that is a number, or is not.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let digit = rest.chars().next()?.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digit).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        rest = after;
        Some(token)
    })
}

fn number(token: &str) -> Option<u64> {
    (token.len() <= 18 && token.starts_with(|c: char| c.is_ascii_digit())).then(|| token.parse().ok()).flatten()
}

/// Numbers inside by value, the rest by character.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (tokens(a), tokens(b));
    loop {
        let order = match (x.next(), y.next()) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(s), Some(t)) => match (number(s), number(t)) {
                (Some(n), Some(m)) => n.cmp(&m),
                _ => s.cmp(t),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Which part of `b` is one more than that part of `a`, all else being equal and written alike.
fn successor(a: &str, b: &str) -> Option<usize> {
    let (mut x, mut y) = (tokens(a), tokens(b));
    let mut found = None;
    for index in 0.. {
        match (x.next(), y.next()) {
            (None, None) => return found,
            (Some(s), Some(t)) if s == t => {}
            (Some(s), Some(t)) if found.is_none() => {
                let (n, m) = (number(s)?, number(t)?);
                let padded = s.starts_with('0') && s.len() > 1;
                if m != n + 1 || t.starts_with('0') && t.len() != s.len() || padded && t.len() != s.len() {
                    return None;
                }
                found = Some(index);
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::pieces;

    fn all(names: &[&str]) -> String {
        pieces(names.iter().copied(), "..", 100).join(", ")
    }

    #[test]
    fn neighbours_become_ranges() {
        assert_eq!(all(&["n03", "n01", "n02", "n05", "x"]), "n01..n03, n05, x");
        assert_eq!(all(&["n9", "n10", "n11", "n2"]), "n2, n9..n11");
        assert_eq!(all(&["n1", "n2"]), "n1, n2");
        assert_eq!(all(&["n1", "n1"]), "n1");
        assert_eq!(all(&[]), "");
    }

    #[test]
    fn only_one_number_counts_up_in_a_range() {
        assert_eq!(all(&["r1n1", "r1n2", "r1n3", "r2n3", "r3n3", "r4n3"]), "r1n1..r1n3, r2n3..r4n3");
        assert_eq!(all(&["10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1", "10.0.1.2"]), "10.0.0.254, 10.0.0.255, 10.0.1.0..10.0.1.2");
    }

    #[test]
    fn what_is_written_differently_is_no_range() {
        assert_eq!(all(&["n08", "n09", "n010"]), "n08, n09, n010");
        assert_eq!(all(&["n99", "n100", "n101"]), "n99..n101");
        assert_eq!(all(&["n1x", "n2y", "n3"]), "n1x, n2y, n3");
        let long = ["99999999999999999999998", "99999999999999999999999"];
        assert_eq!(all(&long), long.join(", "));
    }

    #[test]
    fn the_rest_is_counted() {
        assert_eq!(pieces(["a", "b", "c1", "c2", "c3"], "..", 2), ["a", "b", "3 more"]);
    }
}
