//! The selector grammar of `--target`, `--allow`, `protect` and limits.
//!
//! `node=NAME`, `rack=NAME`, `tag=NAME`, `stage=NAME`, `label.KEY=VALUE`, with `*` as wildcard in the value, combined with `!`, `&&`, `||` and
//! parentheses; `&&` binds tighter than `||`. `*` alone selects every node. `==` is the same as `=`, and `!=` is its opposite; values may stand in double quotes.
//!
//! Queries of a plan (`show --query`) select changes: they know `node`, `rack`, `stage`, and also `profile` (host profile), `effect` (ordered: `effect>=reboot`),
//! `resource` and `attribute`.

use std::collections::BTreeMap;
use std::fmt;

use super::Effect;

/// A parsed selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    text: String,
    root: Expr,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Expr {
    Any,
    Term { key: Key, pattern: String },
    Effect(Compare, Effect),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Node,
    Rack,
    Tag,
    Stage,
    Label(String),
    Profile,
    Resource,
    Attribute,
}

/// How effects are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Equal,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

/// Why a text is not a selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("selector `{text}`, column {column}: {problem}")]
pub struct SelectorError {
    /// The text.
    pub text: String,
    /// 1-based column of the problem.
    pub column: usize,
    /// What is wrong and what was expected.
    pub problem: String,
}

/// What a selector looks at.
#[derive(Debug, Clone, Copy)]
pub struct Selectable<'a> {
    /// Node name.
    pub node: &'a str,
    /// Rack.
    pub rack: Option<&'a str>,
    /// Static tags.
    pub tags: &'a [String],
    /// Labels (owner data).
    pub labels: &'a BTreeMap<String, String>,
    /// Stage name.
    pub stage: &'a str,
}

/// What is known of a node that no document describes any more; `None` is not known.
#[derive(Debug, Clone, Copy)]
pub struct Remembered<'a> {
    /// Node name.
    pub node: &'a str,
    /// Static tags.
    pub tags: Option<&'a [String]>,
    /// Labels (owner data).
    pub labels: Option<&'a BTreeMap<String, String>>,
}

/// What a query looks at: a change of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Queried<'a> {
    /// Address of what changes (`node.n01/storage`).
    pub resource: &'a str,
    /// The node it belongs to.
    pub node: Option<&'a str>,
    /// The node's rack.
    pub rack: Option<&'a str>,
    /// The node's stage now.
    pub stage: Option<&'a str>,
    /// The node's host profile.
    pub profile: Option<&'a str>,
    /// Effect of the change.
    pub effect: Effect,
    /// Paths of its attributes.
    pub attributes: &'a [&'a str],
}

const MAX_DEPTH: usize = 64;

impl Selector {
    /// Parses a selector.
    ///
    /// # Errors
    /// With the column and what was expected there.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        Self::parsed(text, false)
    }

    /// Parses a query of a plan.
    ///
    /// # Errors
    /// With the column and what was expected there.
    pub fn parse_query(text: &str) -> Result<Self, SelectorError> {
        Self::parsed(text, true)
    }

    fn parsed(text: &str, query: bool) -> Result<Self, SelectorError> {
        let mut p = Parser { text, pos: 0, depth: 0, query };
        let root = p.or()?;
        p.space();
        if p.pos < text.len() {
            return Err(p.error("expected `&&`, `||` or the end"));
        }
        Ok(Self { text: text.to_owned(), root })
    }

    /// Whether it selects this node.
    pub fn matches(&self, item: &Selectable<'_>) -> bool {
        let term = |key: &Key, pattern: &str| match key {
            Key::Node => glob(pattern, item.node),
            Key::Rack => item.rack.is_some_and(|r| glob(pattern, r)),
            Key::Tag => item.tags.iter().any(|t| glob(pattern, t)),
            Key::Stage => glob(pattern, item.stage),
            Key::Label(name) => item.labels.get(name).is_some_and(|v| glob(pattern, v)),
            // Only queries have these.
            Key::Profile | Key::Resource | Key::Attribute => false,
        };
        eval(&self.root, &term, None)
    }

    /// Whether it selects a node of which not everything is known; `None` if that depends on what is not.
    pub fn matches_remembered(&self, item: &Remembered<'_>) -> Option<bool> {
        remembered(&self.root, item)
    }

    /// Whether a query selects this change.
    pub fn matches_change(&self, item: &Queried<'_>) -> bool {
        let term = |key: &Key, pattern: &str| match key {
            Key::Node => item.node.is_some_and(|node| glob(pattern, node)),
            Key::Rack => item.rack.is_some_and(|rack| glob(pattern, rack)),
            Key::Stage => item.stage.is_some_and(|stage| glob(pattern, stage)),
            Key::Profile => item.profile.is_some_and(|profile| glob(pattern, profile)),
            Key::Resource => glob(pattern, item.resource),
            Key::Attribute => item.attributes.iter().any(|a| glob(pattern, a)),
            // A plan does not have these; the grammar of queries does not either.
            Key::Tag | Key::Label(_) => false,
        };
        eval(&self.root, &term, Some(item.effect))
    }

    /// Whether it selects this node, and says its very name or stage: `*`, `!tag=x` and the like do not.
    pub fn names(&self, item: &Selectable<'_>) -> bool {
        self.matches(item) && says(&self.root, item)
    }

    /// Whether what it selects depends on stages.
    pub fn asks_stage(&self) -> bool {
        asks_stage(&self.root)
    }

    /// Node names that stand in it without wildcard, so that a name that no node has can be reported.
    pub fn node_names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        collect(&self.root, &mut names);
        names
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn says(expr: &Expr, item: &Selectable<'_>) -> bool {
    match expr {
        Expr::Term { key: Key::Node, pattern } => pattern == item.node,
        Expr::Term { key: Key::Stage, pattern } => pattern == item.stage,
        Expr::Any | Expr::Term { .. } | Expr::Effect(..) | Expr::Not(_) => false,
        Expr::And(a, b) | Expr::Or(a, b) => says(a, item) || says(b, item),
    }
}

/// Three-valued: what is not known makes a result unknown only where it decides it.
fn remembered(expr: &Expr, item: &Remembered<'_>) -> Option<bool> {
    match expr {
        Expr::Any => Some(true),
        Expr::Term { key: Key::Node, pattern } => Some(glob(pattern, item.node)),
        Expr::Term { key: Key::Tag, pattern } => item.tags.map(|tags| tags.iter().any(|t| glob(pattern, t))),
        Expr::Term { key: Key::Label(name), pattern } => item.labels.map(|labels| labels.get(name).is_some_and(|v| glob(pattern, v))),
        Expr::Term { .. } | Expr::Effect(..) => None,
        Expr::Not(e) => remembered(e, item).map(|found| !found),
        Expr::And(a, b) => match (remembered(a, item), remembered(b, item)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), other) | (other, Some(true)) => other,
            (None, None) => None,
        },
        Expr::Or(a, b) => match (remembered(a, item), remembered(b, item)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), other) | (other, Some(false)) => other,
            (None, None) => None,
        },
    }
}

fn asks_stage(expr: &Expr) -> bool {
    match expr {
        Expr::Term { key, .. } => *key == Key::Stage,
        Expr::Any | Expr::Effect(..) => false,
        Expr::Not(e) => asks_stage(e),
        Expr::And(a, b) | Expr::Or(a, b) => asks_stage(a) || asks_stage(b),
    }
}

fn collect<'a>(expr: &'a Expr, names: &mut Vec<&'a str>) {
    match expr {
        Expr::Term { key: Key::Node, pattern } if !pattern.contains('*') => names.push(pattern),
        Expr::Any | Expr::Term { .. } | Expr::Effect(..) => {}
        Expr::Not(e) => collect(e, names),
        Expr::And(a, b) | Expr::Or(a, b) => {
            collect(a, names);
            collect(b, names);
        }
    }
}

fn eval(expr: &Expr, term: &dyn Fn(&Key, &str) -> bool, effect: Option<Effect>) -> bool {
    match expr {
        Expr::Any => true,
        Expr::Not(e) => !eval(e, term, effect),
        Expr::And(a, b) => eval(a, term, effect) && eval(b, term, effect),
        Expr::Or(a, b) => eval(a, term, effect) || eval(b, term, effect),
        Expr::Term { key, pattern } => term(key, pattern),
        Expr::Effect(compare, wanted) => effect.is_some_and(|effect| match compare {
            Compare::Equal => effect == *wanted,
            Compare::Less => effect < *wanted,
            Compare::LessOrEqual => effect <= *wanted,
            Compare::More => effect > *wanted,
            Compare::MoreOrEqual => effect >= *wanted,
        }),
    }
}

/// `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(first) = parts.next() else { return text.is_empty() };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

struct Parser<'a> {
    text: &'a str,
    pos: usize,
    depth: usize,
    /// Whether changes of a plan are selected, not nodes.
    query: bool,
}

impl Parser<'_> {
    fn error(&self, problem: impl Into<String>) -> SelectorError {
        SelectorError { text: self.text.to_owned(), column: self.text[..self.pos].chars().count() + 1, problem: problem.into() }
    }

    fn rest(&self) -> &str {
        &self.text[self.pos..]
    }

    fn space(&mut self) {
        self.pos += self.rest().len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.space();
        let hit = self.rest().starts_with(token);
        if hit {
            self.pos += token.len();
        }
        hit
    }

    fn or(&mut self) -> Result<Expr, SelectorError> {
        let mut left = self.and()?;
        while self.eat("||") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, SelectorError> {
        let mut left = self.unary()?;
        while self.eat("&&") {
            left = Expr::And(Box::new(left), Box::new(self.unary()?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, SelectorError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("nested too deeply"));
        }
        let result = if self.eat("!") {
            Expr::Not(Box::new(self.unary()?))
        } else if self.eat("(") {
            let inner = self.or()?;
            if !self.eat(")") {
                return Err(self.error("expected `)`"));
            }
            inner
        } else {
            self.term()?
        };
        self.depth -= 1;
        Ok(result)
    }

    fn word(&mut self) -> String {
        let rest = self.rest();
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '&' | '|' | '!' | '(' | ')' | '=' | '<' | '>' | '"'))
            .unwrap_or(rest.len());
        let word = rest[..end].to_owned();
        self.pos += end;
        word
    }

    /// A value: a word, or anything but quotes between double quotes.
    fn value(&mut self) -> Result<String, SelectorError> {
        self.space();
        if !self.rest().starts_with('"') {
            let word = self.word();
            return if word.is_empty() { Err(self.error("expected a value")) } else { Ok(word) };
        }
        let Some(end) = self.rest()[1..].find('"') else { return Err(self.error("expected a closing `\"`")) };
        let text = self.rest()[1..=end].to_owned();
        self.pos += end + 2;
        Ok(text)
    }

    fn term(&mut self) -> Result<Expr, SelectorError> {
        self.space();
        let start = self.pos;
        let name = self.word();
        if name == "*" && !self.rest().starts_with('=') {
            return Ok(Expr::Any);
        }
        if name == "effect" && self.query {
            return self.effect();
        }
        let expected = if self.query {
            "node=…, rack=…, stage=…, profile=…, effect>=…, resource=… or attribute=…"
        } else {
            "node=…, rack=…, tag=…, stage=… or label.KEY=…"
        };
        let key = match (name.as_str(), self.query) {
            ("node", _) => Key::Node,
            ("rack", _) => Key::Rack,
            ("stage", _) => Key::Stage,
            ("tag", false) => Key::Tag,
            ("profile", true) => Key::Profile,
            ("resource", true) => Key::Resource,
            ("attribute", true) => Key::Attribute,
            (other, query) => match other.strip_prefix("label.") {
                Some(label) if !label.is_empty() && !query => Key::Label(label.to_owned()),
                _ => {
                    self.pos = start;
                    let known_elsewhere = match (other, query) {
                        ("tag", true) => " (a plan does not have the tags of its nodes)",
                        (label, true) if label.starts_with("label.") => " (a plan does not have the labels of its nodes)",
                        ("effect" | "profile" | "resource" | "attribute", false) => {
                            " (it is one in queries of a plan: `drydock show PLAN --query`)"
                        }
                        _ => "",
                    };
                    return Err(self.error(match name.as_str() {
                        "" => format!("expected {expected}"),
                        _ => format!("`{name}` is not a key{known_elsewhere}; expected {expected}"),
                    }));
                }
            },
        };
        let negated = self.eat("!=");
        if !negated && !self.eat("==") && !self.eat("=") {
            return Err(self.error("expected `=` and a value"));
        }
        let term = Expr::Term { key, pattern: self.value()? };
        Ok(if negated { Expr::Not(Box::new(term)) } else { term })
    }

    fn effect(&mut self) -> Result<Expr, SelectorError> {
        // Longer ones first: `>` begins `>=`, too.
        let operators = [
            (">=", Compare::MoreOrEqual),
            ("<=", Compare::LessOrEqual),
            ("==", Compare::Equal),
            ("!=", Compare::Equal),
            (">", Compare::More),
            ("<", Compare::Less),
            ("=", Compare::Equal),
        ];
        let Some((sign, compare)) = operators.into_iter().find(|(sign, _)| self.eat(sign)) else {
            return Err(self.error("expected `>=`, `>`, `=`, `!=`, `<` or `<=` and an effect"));
        };
        self.space();
        let start = self.pos;
        let name = self.value()?;
        let Some(effect) = Effect::ALL.into_iter().find(|e| e.name() == name) else {
            self.pos = start;
            let all: Vec<&str> = Effect::ALL.iter().map(|e| e.name()).collect();
            return Err(self.error(format!("`{name}` is not an effect; they are {}", all.join(", "))));
        };
        let term = Expr::Effect(compare, effect);
        Ok(if sign == "!=" { Expr::Not(Box::new(term)) } else { term })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(selector: &str) -> bool {
        let labels = BTreeMap::from([("role".to_owned(), "gpu".to_owned())]);
        let item = Selectable { node: "compute01", rack: Some("r1"), tags: &["masters".to_owned()], labels: &labels, stage: "deployed" };
        Selector::parse(selector).unwrap().matches(&item)
    }

    #[test]
    fn terms_and_operators() {
        for yes in [
            "*",
            "node=compute01",
            "node=comp*",
            "node=*01",
            "node=c*u*1",
            "rack=r1 && tag=masters",
            "rack=r9 || label.role=gpu",
            "!rack=r9",
            "!(rack=r9 || tag=x) && stage=deployed",
            "rack=r9 && tag=x || node=compute01",
            "rack == \"r1\" && node!=x",
            "node=\"compute01\"",
        ] {
            assert!(hits(yes), "{yes}");
        }
        for no in [
            "node=compute0",
            "node=*02",
            "rack=r1 && tag=x",
            "!stage=deployed",
            "label.role=cpu",
            "label.x=*",
            "rack=r9 && (tag=masters || node=*)",
        ] {
            assert!(!hits(no), "{no}");
        }
    }

    #[test]
    fn only_its_own_name_or_stage_names_a_node() {
        let labels = BTreeMap::new();
        let item = Selectable { node: "old01", rack: None, tags: &[], labels: &labels, stage: "orphaned" };
        let names = |s: &str| Selector::parse(s).unwrap().names(&item);
        for yes in ["node=old01", "stage=orphaned", "node=x || node=old01", "stage=orphaned && !node=new"] {
            assert!(names(yes), "{yes}");
        }
        for no in ["*", "node=*", "node=old*", "!tag=x", "!node=x", "rack=r1 || !tag=x", "stage=orph*", "node=old01 && rack=r1"] {
            assert!(!names(no), "{no}");
        }
    }

    #[test]
    fn what_is_not_known_of_a_node_is_not_taken_for_false() {
        let (tags, labels) = (["control".to_owned()], BTreeMap::new());
        let known = Remembered { node: "db01", tags: Some(&tags), labels: Some(&labels) };
        let name_only = Remembered { node: "db01", tags: None, labels: None };
        let of = |item: &Remembered<'_>, s: &str| Selector::parse(s).unwrap().matches_remembered(item);
        for (selector, all, name) in [
            ("node=db*", Some(true), Some(true)),
            ("node=web*", Some(false), Some(false)),
            ("tag=control", Some(true), None),
            ("!tag=control", Some(false), None),
            ("label.owner=*", Some(false), None),
            ("rack=r1", None, None),
            ("rack=r1 && node=web*", Some(false), Some(false)),
            ("rack=r1 && tag=control", None, None),
            ("rack=r1 || tag=control", Some(true), None),
            ("rack=r1 || label.owner=x", None, None),
            ("*", Some(true), Some(true)),
        ] {
            assert_eq!((of(&known, selector), of(&name_only, selector)), (all, name), "{selector}");
        }
    }

    #[test]
    fn queries_select_changes() {
        let hits = |query: &str| {
            let item = Queried {
                resource: "node.n01/storage",
                node: Some("n01"),
                rack: Some("r12"),
                stage: Some("deployed"),
                profile: Some("compute"),
                effect: Effect::Redeploy,
                attributes: &["sda.root.size"],
            };
            Selector::parse_query(query).unwrap().matches_change(&item)
        };
        for yes in [
            "effect>=reboot && rack==\"r12\"",
            "effect=redeploy",
            "effect<destroy && effect > install",
            "resource=node.*/storage",
            "attribute=*.size",
            "stage=deployed && profile=comp*",
            "effect!=reboot",
            "!(effect<=reboot)",
            "*",
        ] {
            assert!(hits(yes), "{yes}");
        }
        for no in ["effect>redeploy", "effect<redeploy", "rack=r1", "rack!=r12", "resource=node.n01", "attribute=size"] {
            assert!(!hits(no), "{no}");
        }
        let site =
            Queried { resource: "subnet.pxe", node: None, rack: None, stage: None, profile: None, effect: Effect::Online, attributes: &[] };
        assert!(!Selector::parse_query("rack=*").unwrap().matches_change(&site));
        for (text, part) in [
            ("tag=x", "does not have the tags"),
            ("label.role=x", "does not have the labels"),
            ("effect>=big", "`big` is not an effect; they are none"),
            ("effect reboot", "expected `>=`"),
            ("rack=\"r1", "closing"),
        ] {
            let error = Selector::parse_query(text).unwrap_err();
            assert!(error.problem.contains(part), "{text}: {}", error.problem);
        }
        let error = Selector::parse("effect>=reboot").unwrap_err();
        assert!(error.problem.contains("in queries of a plan"), "{}", error.problem);
    }

    #[test]
    fn errors_name_the_column() {
        for (text, column, part) in [
            ("", 1, "expected node="),
            ("nodes=x", 1, "`nodes` is not a key"),
            ("node", 5, "expected `=`"),
            ("node=", 6, "expected a value"),
            ("(node=a", 8, "expected `)`"),
            ("node=a node=b", 8, "expected `&&`"),
            ("rack=a && ", 11, "expected node="),
        ] {
            let error = Selector::parse(text).unwrap_err();
            assert_eq!(error.column, column, "{text}");
            assert!(error.problem.contains(part), "{text}: {}", error.problem);
        }
        assert!(Selector::parse(&"(".repeat(100_000)).is_err());
    }
}
