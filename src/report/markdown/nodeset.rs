//! Names of nodes in few words that can be taken apart again: `r[12-13]-n[01-40]`.
//!
//! The notation is that of cluster tools (`pdsh`, Slurm's host lists): numbers in brackets, ranges with `-`, members with `,`, and leading zeros where the first
//! number of a range has them. A list of sets names each node exactly once.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::names::natural;

/// A part of names that are folded together: a text, or the numbers that stand there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Text(String),
    Numbers(BTreeSet<Number>),
}

/// A number as it is written, in order of value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Number {
    value: u64,
    written: String,
}

/// The names, each once, as few sets. What could be mistaken for a set stands in quotes.
pub(super) fn fold<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    let mut out = BTreeSet::new();
    let mut shapes: BTreeMap<String, Vec<Vec<Part>>> = BTreeMap::new();
    for name in names.into_iter().collect::<BTreeSet<&str>>() {
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || "._-".contains(c)) {
            out.insert(serde_json::Value::from(name).to_string());
            continue;
        }
        let parts = parts(name);
        let shape = parts.iter().map(|part| if let Part::Text(text) = part { text } else { "\0" }).collect();
        shapes.entry(shape).or_default().push(parts);
    }
    for mut patterns in shapes.into_values() {
        let dimensions: Vec<usize> =
            patterns[0].iter().enumerate().filter(|(_, p)| matches!(p, Part::Numbers(_))).map(|(at, _)| at).rev().collect();
        for at in dimensions {
            patterns = merged(patterns, at);
        }
        out.extend(patterns.iter().map(|pattern| written(pattern)));
    }
    let mut out: Vec<String> = out.into_iter().collect();
    out.sort_by(|a, b| natural(a, b));
    out
}

fn parts(name: &str) -> Vec<Part> {
    let mut out = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digit = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digit).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        out.push(match token.parse::<u64>() {
            Ok(value) if digit => Part::Numbers(BTreeSet::from([Number { value, written: token.to_owned() }])),
            _ => Part::Text(token.to_owned()),
        });
        rest = after;
    }
    out
}

/// Patterns that differ in this part only become one.
fn merged(patterns: Vec<Vec<Part>>, at: usize) -> Vec<Vec<Part>> {
    let mut groups: BTreeMap<Vec<Part>, BTreeSet<Number>> = BTreeMap::new();
    for mut pattern in patterns {
        let Part::Numbers(numbers) = std::mem::replace(&mut pattern[at], Part::Text(String::new())) else { continue };
        groups.entry(pattern).or_default().extend(numbers);
    }
    groups
        .into_iter()
        .map(|(mut pattern, numbers)| {
            pattern[at] = Part::Numbers(numbers);
            pattern
        })
        .collect()
}

fn written(pattern: &[Part]) -> String {
    pattern
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Numbers(numbers) if numbers.len() == 1 => numbers.iter().map(|n| n.written.as_str()).collect(),
            Part::Numbers(numbers) => format!("[{}]", ranges(numbers)),
        })
        .collect()
}

fn ranges(numbers: &BTreeSet<Number>) -> String {
    let mut runs: Vec<(&Number, &Number)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((first, last)) if follows(first, last, number) => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let pieces = runs.iter().map(|(first, last)| match last.value - first.value {
        0 => first.written.clone(),
        1 => format!("{},{}", first.written, last.written),
        _ => format!("{}-{}", first.written, last.written),
    });
    pieces.collect::<Vec<_>>().join(",")
}

/// Whether a range from `first` that reaches `last` is read as holding `next`, written as it is.
fn follows(first: &Number, last: &Number, next: &Number) -> bool {
    let padded = |n: &Number| n.written.len() > 1 && n.written.starts_with('0');
    let width = if padded(first) { first.written.len() } else { 0 };
    next.value == last.value.wrapping_add(1) && next.written == format!("{:0width$}", next.value)
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use super::fold;

    /// Takes a set apart as a reader of the notation would; shares nothing with what writes it.
    pub(in crate::report::markdown) fn expand(set: &str) -> Vec<String> {
        if set.starts_with('"') {
            return vec![serde_json::from_str(set).expect("a quoted name")];
        }
        let Some((head, rest)) = set.split_once('[') else { return vec![set.to_owned()] };
        let (inside, tail) = rest.split_once(']').expect("a closing bracket");
        let mut out = Vec::new();
        for piece in inside.split(',') {
            let (from, to) = piece.split_once('-').unwrap_or((piece, piece));
            let (low, high): (u64, u64) = (from.parse().expect("a number"), to.parse().expect("a number"));
            for n in low..=high {
                let digits = n.to_string();
                let zeros = if from.starts_with('0') { from.len().saturating_sub(digits.len()) } else { 0 };
                let number = if from == to { from.to_owned() } else { "0".repeat(zeros) + &digits };
                out.extend(expand(tail).into_iter().map(|rest| format!("{head}{number}{rest}")));
            }
        }
        out
    }

    #[test]
    fn sets_are_short() {
        let all = |names: &[&str]| fold(names.iter().copied()).join(" ");
        assert_eq!(all(&["n03", "n01", "n02", "n05", "x"]), "n[01-03,05] x");
        assert_eq!(all(&["n8", "n9", "n10", "n11"]), "n[8-11]");
        assert_eq!(all(&["n08", "n09", "n10", "n010"]), "n[08,09,010,10]");
        assert_eq!(all(&["r1-n1", "r1-n2", "r2-n1", "r2-n2"]), "r[1,2]-n[1,2]");
        assert_eq!(all(&["r1-n1", "r1-n2", "r2-n1"]), "r1-n[1,2] r2-n1");
        assert_eq!(all(&["a[1]", "b,c", "", "`x`"]), "\"\" \"`x`\" \"a[1]\" \"b,c\"");
        assert_eq!(all(&["n99999999999999999999998", "n99999999999999999999999"]), "n99999999999999999999998 n99999999999999999999999");
        let grid: Vec<String> = (1..=50).flat_map(|r| (1..=40).map(move |n| format!("r{r:02}-n{n:02}"))).collect();
        assert_eq!(fold(grid.iter().map(String::as_str)), ["r[01-50]-n[01-40]"]);
    }

    proptest::proptest! {
        #[test]
        fn each_name_comes_back_once(names in proptest::collection::btree_set("[a-b]{0,2}[0-9]{0,3}[.-]?[0-9]{0,2}|[a\\[\\],\"`-]{0,4}|.{0,3}", 0..60)) {
            let back: Vec<String> = fold(names.iter().map(String::as_str)).iter().flat_map(|set| expand(set)).collect();
            proptest::prop_assert_eq!(back.len(), names.len());
            proptest::prop_assert_eq!(back.into_iter().collect::<BTreeSet<_>>(), names);
        }
    }
}
