//! XPath 1.0 expressions (W3C XPath 1.0, sections 2 and 3).

use super::lexer::{Token, tokens};

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    /// `a or b`, `a = b`, `a + b`, `a | b`, …
    Binary(&'static str, Box<Expression>, Box<Expression>),
    /// `-a`
    Negative(Box<Expression>),
    /// A literal.
    Text(String),
    /// A number.
    Number(f64),
    /// A function call.
    Call(String, Vec<Expression>),
    /// A location path, from the root (`absolute`), the context node, or the nodes of an expression.
    Path {
        /// Where it starts, if not at a node.
        start: Option<Box<Expression>>,
        /// Predicates on the start.
        filters: Vec<Expression>,
        /// Whether it starts at the root.
        absolute: bool,
        /// Its steps.
        steps: Vec<Step>,
    },
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(super) axis: Axis,
    pub(super) test: Test,
    pub(super) predicates: Vec<Expression>,
}

/// The axes that are evaluated; all others parse, and select nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Child,
    Attribute,
    DescendantOrSelf,
    Descendant,
    OnSelf,
    Parent,
    Ancestor,
    AncestorOrSelf,
    FollowingSibling,
    PrecedingSibling,
    Other,
}

/// What a step selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    Name(String),
    Any,
    Node,
    Text,
    Nothing,
}

/// How deep an expression may nest.
const DEPTH: usize = 64;

const FUNCTIONS: [&str; 27] = [
    "last",
    "position",
    "count",
    "id",
    "local-name",
    "namespace-uri",
    "name",
    "string",
    "concat",
    "starts-with",
    "contains",
    "substring-before",
    "substring-after",
    "substring",
    "string-length",
    "normalize-space",
    "translate",
    "boolean",
    "not",
    "true",
    "false",
    "lang",
    "number",
    "sum",
    "floor",
    "ceiling",
    "round",
];

/// Binary operators, loosest first.
const LEVELS: [&[&str]; 7] = [&["or"], &["and"], &["=", "!="], &["<", "<=", ">", ">="], &["+", "-"], &["*", "div", "mod"], &["|"]];

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Expression {
    /// Parses an expression.
    ///
    /// # Errors
    /// When the text is no XPath 1.0 expression.
    pub(crate) fn parse(text: &str) -> Result<Self, ()> {
        let mut p = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
        let e = p.level(0)?;
        if p.at == p.tokens.len() { Ok(e) } else { Err(()) }
    }
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.peek(), Some(Token::Symbol(s)) if *s == symbol)
    }

    fn ahead(&self, offset: usize, symbol: &str) -> bool {
        matches!(self.tokens.get(self.at + offset), Some(Token::Symbol(s)) if *s == symbol)
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, symbol: &str) -> Result<(), ()> {
        if self.take(symbol) { Ok(()) } else { Err(()) }
    }

    fn level(&mut self, level: usize) -> Result<Expression, ()> {
        self.depth += 1;
        if self.depth > DEPTH * LEVELS.len() {
            return Err(());
        }
        let result = self.level_inner(level);
        self.depth -= 1;
        result
    }

    fn level_inner(&mut self, level: usize) -> Result<Expression, ()> {
        let Some(operators) = LEVELS.get(level) else { return self.path() };
        // Unary minus binds tighter than multiplication, looser than union.
        if level == LEVELS.len() - 1 && matches!(self.peek(), Some(Token::Operator("-"))) {
            self.at += 1;
            return Ok(Expression::Negative(Box::new(self.level(level)?)));
        }
        let mut left = self.level(level + 1)?;
        while let Some(Token::Operator(o)) = self.peek() {
            let o = *o;
            if !operators.contains(&o) {
                break;
            }
            self.at += 1;
            let right = self.level(level + 1)?;
            left = Expression::Binary(o, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn path(&mut self) -> Result<Expression, ()> {
        let is_call = matches!(self.peek(), Some(Token::Name(n)) if !is_node_type(n)) && self.ahead(1, "(");
        let is_primary = is_call || self.is("(") || self.is("$") || matches!(self.peek(), Some(Token::Literal(_) | Token::Number(_)));
        if !is_primary {
            return self.location();
        }
        let primary = self.primary()?;
        let filters = self.predicates()?;
        let mut steps = Vec::new();
        if self.is("/") || self.is("//") {
            self.slash(&mut steps)?;
            self.relative(&mut steps)?;
        }
        if filters.is_empty() && steps.is_empty() {
            return Ok(primary);
        }
        if matches!(primary, Expression::Text(_) | Expression::Number(_)) {
            return Err(());
        }
        Ok(Expression::Path { start: Some(Box::new(primary)), filters, absolute: false, steps })
    }

    fn primary(&mut self) -> Result<Expression, ()> {
        let token = self.peek().cloned().ok_or(())?;
        self.at += 1;
        match token {
            Token::Literal(t) => Ok(Expression::Text(t)),
            Token::Number(n) => Ok(Expression::Number(n)),
            Token::Symbol("(") => {
                let e = self.level(0)?;
                self.need(")")?;
                Ok(e)
            }
            Token::Name(name) => {
                // The evaluator that MAAS uses knows no other functions.
                if !FUNCTIONS.contains(&name.as_str()) {
                    return Err(());
                }
                self.need("(")?;
                let mut arguments = Vec::new();
                if !self.take(")") {
                    loop {
                        arguments.push(self.level(0)?);
                        if self.take(")") {
                            break;
                        }
                        self.need(",")?;
                    }
                }
                Ok(Expression::Call(name, arguments))
            }
            _ => Err(()),
        }
    }

    fn location(&mut self) -> Result<Expression, ()> {
        let mut steps = Vec::new();
        let absolute = self.is("/") || self.is("//");
        if absolute {
            let only_root = self.is("/") && !self.starts_step(1);
            if only_root {
                self.at += 1;
                return Ok(Expression::Path { start: None, filters: Vec::new(), absolute, steps });
            }
            self.slash(&mut steps)?;
        }
        self.relative(&mut steps)?;
        Ok(Expression::Path { start: None, filters: Vec::new(), absolute, steps })
    }

    fn starts_step(&self, offset: usize) -> bool {
        match self.tokens.get(self.at + offset) {
            Some(Token::Name(_) | Token::Star) => true,
            Some(Token::Symbol(s)) => matches!(*s, "." | ".." | "@"),
            _ => false,
        }
    }

    fn slash(&mut self, steps: &mut Vec<Step>) -> Result<(), ()> {
        if self.take("//") {
            steps.push(Step { axis: Axis::DescendantOrSelf, test: Test::Node, predicates: Vec::new() });
            return Ok(());
        }
        self.need("/")
    }

    fn relative(&mut self, steps: &mut Vec<Step>) -> Result<(), ()> {
        loop {
            steps.push(self.step()?);
            if !self.is("/") && !self.is("//") {
                return Ok(());
            }
            self.slash(steps)?;
        }
    }

    fn step(&mut self) -> Result<Step, ()> {
        if self.take(".") {
            return Ok(Step { axis: Axis::OnSelf, test: Test::Node, predicates: Vec::new() });
        }
        if self.take("..") {
            return Ok(Step { axis: Axis::Parent, test: Test::Node, predicates: Vec::new() });
        }
        let axis = if self.take("@") {
            Axis::Attribute
        } else if let (Some(Token::Name(n)), true) = (self.peek(), self.ahead(1, "::")) {
            let axis = axis(n)?;
            self.at += 2;
            axis
        } else {
            Axis::Child
        };
        let test = match self.peek().cloned().ok_or(())? {
            Token::Star => {
                self.at += 1;
                Test::Any
            }
            Token::Name(n) if self.ahead(1, "(") && is_node_type(&n) => {
                self.at += 2;
                if n == "processing-instruction" && matches!(self.peek(), Some(Token::Literal(_))) {
                    self.at += 1;
                }
                self.need(")")?;
                match n.as_str() {
                    "node" => Test::Node,
                    "text" => Test::Text,
                    _ => Test::Nothing,
                }
            }
            Token::Name(n) => {
                self.at += 1;
                Test::Name(n)
            }
            _ => return Err(()),
        };
        Ok(Step { axis, test, predicates: self.predicates()? })
    }

    fn predicates(&mut self) -> Result<Vec<Expression>, ()> {
        let mut out = Vec::new();
        while self.take("[") {
            out.push(self.level(0)?);
            self.need("]")?;
        }
        Ok(out)
    }
}

fn is_node_type(name: &str) -> bool {
    matches!(name, "node" | "text" | "comment" | "processing-instruction")
}

fn axis(name: &str) -> Result<Axis, ()> {
    Ok(match name {
        "child" => Axis::Child,
        "attribute" => Axis::Attribute,
        "descendant" => Axis::Descendant,
        "descendant-or-self" => Axis::DescendantOrSelf,
        "self" => Axis::OnSelf,
        "parent" => Axis::Parent,
        "ancestor" => Axis::Ancestor,
        "ancestor-or-self" => Axis::AncestorOrSelf,
        "following-sibling" => Axis::FollowingSibling,
        "preceding-sibling" => Axis::PrecedingSibling,
        "following" | "preceding" | "namespace" => Axis::Other,
        _ => return Err(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_expressions_parse() {
        for text in [
            "//node",
            "//node[@id=\"display\"]/clock[@units=\"Hz\"] > 1000000000",
            "/list/node/@id",
            "count(//node[@class='network']) >= 2 and not(contains(//product, 'X'))",
            "(//node)[1]/vendor",
            "//node[position()=last()]",
            "-1 < 2 * 3",
            "//node/child::*/text()",
            "/",
            ". | ..",
        ] {
            assert!(Expression::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn invalid_expressions_do_not() {
        for text in [
            "//[",
            "//node[@id=\"display\"]/'clock units=\"Hz\"' > 1000000000",
            "",
            "a b",
            "//node[",
            "foo(1)",
            "'open",
            "1 +",
            "//node]",
            "#",
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_is_limited() {
        assert!(Expression::parse(&"(".repeat(100_000)).is_err());
    }
}
