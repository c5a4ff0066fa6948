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
pub(super) fn natural(left: &str, right: &str) -> Ordering {
    let (mut of_left, mut of_right) = (tokens(left), tokens(right));
    loop {
        let order = match (of_left.next(), of_right.next()) {
            (None, None) => return left.cmp(right),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(one), Some(other)) => match (number(one), number(other)) {
                (Some(one), Some(other)) => one.cmp(&other),
                _ => one.cmp(other),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Which part of `next` is one more than that part of `name`, all else being equal and written alike.
fn successor(name: &str, next: &str) -> Option<usize> {
    let (mut of_name, mut of_next) = (tokens(name), tokens(next));
    let mut found = None;
    for index in 0.. {
        match (of_name.next(), of_next.next()) {
            (None, None) => return found,
            (Some(one), Some(other)) if one == other => {}
            (Some(one), Some(other)) if found.is_none() => {
                let padded = one.len() > 1 && one.starts_with('0') || other.starts_with('0');
                if number(other)? != number(one)? + 1 || padded && other.len() != one.len() {
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

    proptest::proptest! {
        #[test]
        fn no_name_is_lost(names in proptest::collection::btree_set("[a-b]{0,2}[0-9]{0,3}[.-]?[0-9]{0,2}", 0..40)) {
            let runs = super::runs(names.iter().map(String::as_str));
            proptest::prop_assert_eq!(runs.iter().map(|r| r.count).sum::<usize>(), names.len());
            proptest::prop_assert!(runs.iter().all(|r| names.contains(r.first) && names.contains(r.last)));
        }
    }

    #[test]
    fn the_rest_is_counted() {
        assert_eq!(pieces(["a", "b", "c1", "c2", "c3"], "..", 2), ["a", "b", "3 more"]);
    }
}
