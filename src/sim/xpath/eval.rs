//! Evaluation of XPath 1.0 expressions over a document.

use roxmltree::{Document, Node};

use super::parser::{Axis, Expression, Step, Test};

/// A node of a path: an element (or text), or an attribute of one.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Item<'a> {
    Node(Node<'a, 'a>),
    Attribute(Node<'a, 'a>, &'a str, &'a str),
}

#[derive(Debug, Clone)]
enum Value<'a> {
    Nodes(Vec<Item<'a>>),
    Text(String),
    Number(f64),
    Truth(bool),
}

#[derive(Clone, Copy)]
struct Context<'a> {
    item: Item<'a>,
    position: usize,
    size: usize,
    root: Node<'a, 'a>,
}

/// Whether an expression is true of a document.
pub(super) fn truth(e: &Expression, document: &Document<'_>) -> bool {
    let root = document.root();
    to_truth(&eval(e, Context { item: Item::Node(root), position: 1, size: 1, root }))
}

fn text_of(item: Item<'_>) -> String {
    match item {
        Item::Attribute(_, _, v) => v.to_owned(),
        Item::Node(n) if n.is_text() => n.text().unwrap_or_default().to_owned(),
        Item::Node(n) => n.descendants().filter(Node::is_text).filter_map(|t| t.text()).collect(),
    }
}

fn to_text(v: &Value<'_>) -> String {
    match v {
        Value::Nodes(n) => n.first().map_or_else(String::new, |i| text_of(*i)),
        Value::Text(t) => t.clone(),
        Value::Number(n) => n.to_string(),
        Value::Truth(b) => b.to_string(),
    }
}

fn to_number(v: &Value<'_>) -> f64 {
    match v {
        Value::Number(n) => *n,
        Value::Truth(b) => f64::from(u8::from(*b)),
        other => to_text(other).trim().parse().unwrap_or(f64::NAN),
    }
}

fn to_truth(v: &Value<'_>) -> bool {
    match v {
        Value::Nodes(n) => !n.is_empty(),
        Value::Text(t) => !t.is_empty(),
        Value::Number(n) => *n != 0.0 && !n.is_nan(),
        Value::Truth(b) => *b,
    }
}

fn eval<'a>(expression: &Expression, c: Context<'a>) -> Value<'a> {
    match expression {
        Expression::Text(t) => Value::Text(t.clone()),
        Expression::Number(n) => Value::Number(*n),
        Expression::Negative(e) => Value::Number(-to_number(&eval(e, c))),
        Expression::Call(name, arguments) => call(name, arguments, c),
        Expression::Binary(operator, left, right) => binary(operator, left, right, c),
        Expression::Path { start, filters, absolute, steps } => {
            let mut items = match start {
                Some(s) => match eval(s, c) {
                    Value::Nodes(n) => n,
                    _ => Vec::new(),
                },
                None if *absolute => vec![Item::Node(c.root)],
                None => vec![c.item],
            };
            for f in filters {
                items = filter(items, f, c);
            }
            for s in steps {
                items = step(&items, s, c);
            }
            Value::Nodes(items)
        }
    }
}

fn filter<'a>(items: Vec<Item<'a>>, predicate: &Expression, c: Context<'a>) -> Vec<Item<'a>> {
    let size = items.len();
    items
        .into_iter()
        .enumerate()
        .filter(|(i, item)| match eval(predicate, Context { item: *item, position: i + 1, size, root: c.root }) {
            Value::Number(n) => (n - (i + 1) as f64).abs() < f64::EPSILON,
            v => to_truth(&v),
        })
        .map(|(_, item)| item)
        .collect()
}

fn step<'a>(items: &[Item<'a>], s: &Step, c: Context<'a>) -> Vec<Item<'a>> {
    let mut out: Vec<Item<'a>> = Vec::new();
    for item in items {
        let mut found = axis(*item, s.axis);
        found.retain(|i| fits(*i, s));
        for p in &s.predicates {
            found = filter(found, p, c);
        }
        for i in found {
            if !out.contains(&i) {
                out.push(i);
            }
        }
    }
    out
}

fn fits(item: Item<'_>, s: &Step) -> bool {
    match (&s.test, item) {
        (Test::Node, _) | (Test::Any, Item::Attribute(..)) => true,
        (Test::Any, Item::Node(n)) => n.is_element(),
        (Test::Name(name), Item::Node(n)) => n.is_element() && n.tag_name().name() == name,
        (Test::Name(name), Item::Attribute(_, a, _)) => a == name,
        (Test::Text, Item::Node(n)) => n.is_text(),
        (Test::Text, Item::Attribute(..)) | (Test::Nothing, _) => false,
    }
}

fn axis(item: Item<'_>, axis: Axis) -> Vec<Item<'_>> {
    let n = match item {
        Item::Node(n) => n,
        Item::Attribute(owner, ..) => {
            return match axis {
                Axis::OnSelf | Axis::DescendantOrSelf => vec![item],
                Axis::Parent => vec![Item::Node(owner)],
                Axis::Ancestor => owner.ancestors().map(Item::Node).collect(),
                _ => Vec::new(),
            };
        }
    };
    match axis {
        Axis::Child => n.children().map(Item::Node).collect(),
        Axis::Attribute => n.attributes().map(|a| Item::Attribute(n, a.name(), a.value())).collect(),
        Axis::DescendantOrSelf => n.descendants().map(Item::Node).collect(),
        Axis::Descendant => n.descendants().skip(1).map(Item::Node).collect(),
        Axis::OnSelf => vec![item],
        Axis::Parent => n.parent().map(Item::Node).into_iter().collect(),
        Axis::Ancestor => n.ancestors().skip(1).map(Item::Node).collect(),
        Axis::AncestorOrSelf => n.ancestors().map(Item::Node).collect(),
        Axis::FollowingSibling => n.next_siblings().skip(1).map(Item::Node).collect(),
        Axis::PrecedingSibling => n.prev_siblings().skip(1).map(Item::Node).collect(),
        Axis::Other => Vec::new(),
    }
}

fn compare(o: &str, a: f64, b: f64) -> bool {
    match o {
        "<" => a < b,
        "<=" => a <= b,
        ">" => a > b,
        ">=" => a >= b,
        "=" => (a - b).abs() < f64::EPSILON,
        _ => (a - b).abs() >= f64::EPSILON,
    }
}

/// Comparison with a node set is true if it is for any of its nodes (section 3.4).
fn relation(o: &str, a: &Value<'_>, b: &Value<'_>) -> bool {
    let equality = matches!(o, "=" | "!=");
    match (a, b) {
        (Value::Nodes(n), other) | (other, Value::Nodes(n)) if equality && matches!(other, Value::Truth(_)) => {
            (to_truth(other) != n.is_empty()) == (o == "=")
        }
        (Value::Nodes(n), other) => n.iter().any(|i| relation(o, &Value::Text(text_of(*i)), other)),
        (other, Value::Nodes(n)) => n.iter().any(|i| relation(o, other, &Value::Text(text_of(*i)))),
        _ if !equality => compare(o, to_number(a), to_number(b)),
        (Value::Truth(_), _) | (_, Value::Truth(_)) => (to_truth(a) == to_truth(b)) == (o == "="),
        (Value::Number(_), _) | (_, Value::Number(_)) => compare(o, to_number(a), to_number(b)),
        _ => (to_text(a) == to_text(b)) == (o == "="),
    }
}

fn binary<'a>(operator: &str, left: &Expression, right: &Expression, c: Context<'a>) -> Value<'a> {
    match operator {
        "or" => Value::Truth(to_truth(&eval(left, c)) || to_truth(&eval(right, c))),
        "and" => Value::Truth(to_truth(&eval(left, c)) && to_truth(&eval(right, c))),
        "|" => match (eval(left, c), eval(right, c)) {
            (Value::Nodes(mut x), Value::Nodes(y)) => {
                for i in y {
                    if !x.contains(&i) {
                        x.push(i);
                    }
                }
                Value::Nodes(x)
            }
            _ => Value::Nodes(Vec::new()),
        },
        "+" | "-" | "*" | "div" | "mod" => {
            let (x, y) = (to_number(&eval(left, c)), to_number(&eval(right, c)));
            Value::Number(match operator {
                "+" => x + y,
                "-" => x - y,
                "*" => x * y,
                "div" => x / y,
                _ => x % y,
            })
        }
        _ => Value::Truth(relation(operator, &eval(left, c), &eval(right, c))),
    }
}

fn call<'a>(name: &str, arguments: &[Expression], c: Context<'a>) -> Value<'a> {
    let value = |i: usize| arguments.get(i).map_or(Value::Nodes(vec![c.item]), |e| eval(e, c));
    let text = |i: usize| to_text(&value(i));
    match name {
        "last" => Value::Number(c.size as f64),
        "position" => Value::Number(c.position as f64),
        "count" => Value::Number(if let Value::Nodes(n) = value(0) { n.len() as f64 } else { f64::NAN }),
        "sum" => Value::Number(if let Value::Nodes(n) = value(0) {
            n.iter().map(|i| to_number(&Value::Text(text_of(*i)))).sum()
        } else {
            f64::NAN
        }),
        "local-name" | "name" => Value::Text(match value(0) {
            Value::Nodes(n) => match n.first() {
                Some(Item::Node(n)) => n.tag_name().name().to_owned(),
                Some(Item::Attribute(_, a, _)) => (*a).to_owned(),
                None => String::new(),
            },
            _ => String::new(),
        }),
        "string" => Value::Text(text(0)),
        "concat" => Value::Text((0..arguments.len()).map(text).collect()),
        "starts-with" => Value::Truth(text(0).starts_with(&text(1))),
        "contains" => Value::Truth(text(0).contains(&text(1))),
        "substring-before" => Value::Text(text(0).split_once(&text(1)).map_or_else(String::new, |p| p.0.to_owned())),
        "substring-after" => Value::Text(text(0).split_once(&text(1)).map_or_else(String::new, |p| p.1.to_owned())),
        "substring" => {
            let first = to_number(&value(1)).round() - 1.0;
            let length = arguments.get(2).map_or(f64::INFINITY, |e| to_number(&eval(e, c)).round());
            let keep = |i: usize| (i as f64) >= first && (i as f64) < first + length;
            Value::Text(text(0).chars().enumerate().filter(|(i, _)| keep(*i)).map(|(_, ch)| ch).collect())
        }
        "string-length" => Value::Number(text(0).chars().count() as f64),
        "normalize-space" => Value::Text(text(0).split_whitespace().collect::<Vec<_>>().join(" ")),
        "translate" => {
            let (from, to): (Vec<char>, Vec<char>) = (text(1).chars().collect(), text(2).chars().collect());
            let map = |ch: char| from.iter().position(|f| *f == ch).map_or(Some(ch), |i| to.get(i).copied());
            Value::Text(text(0).chars().filter_map(map).collect())
        }
        "boolean" => Value::Truth(to_truth(&value(0))),
        "not" => Value::Truth(!to_truth(&value(0))),
        "true" => Value::Truth(true),
        "number" => Value::Number(to_number(&value(0))),
        "floor" => Value::Number(to_number(&value(0)).floor()),
        "ceiling" => Value::Number(to_number(&value(0)).ceil()),
        "round" => Value::Number(to_number(&value(0)).round()),
        "id" => Value::Nodes(Vec::new()),
        "namespace-uri" => Value::Text(String::new()),
        _ => Value::Truth(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_over_hardware() {
        let text = "<list><node id='a' class='network'><product>X540</product><size units='bit/s'>10</size></node><node id='b' class='disk'/></list>";
        let d = Document::parse(text).unwrap();
        let is = |e: &str| truth(&Expression::parse(e).unwrap(), &d);
        assert!(is("//node[@class='network']"));
        assert!(!is("//node[@class='display']"));
        assert!(is("count(//node) = 2"));
        assert!(is("//size[@units='bit/s'] >= 10"));
        assert!(!is("//size > 10"));
        assert!(is("contains(//node[1]/product, 'X5') and not(//node[3])"));
        assert!(is("//node[last()]/@id = 'b'"));
        assert!(is("//product/../@class = 'network'"));
        assert!(is("substring-after(//product, 'X') = 540"));
    }
}
