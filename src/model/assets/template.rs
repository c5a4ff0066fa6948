//! Templates in Jinja2's syntax, with limits.

use minijinja::machinery::{CompiledTemplate, Instruction, TemplateConfig, Token, eval, make_string_output, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Rest;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::data::Why;
use super::python;

/// Work that one rendering may do, beside what the length of its template allows: an instruction, or 64 bytes made or read. Bounds memory too.
pub const FUEL: u64 = 20_000;

/// The longest template, in bytes. Each 32 bytes of it allow for one more unit of work.
pub const MAX_TEMPLATE: usize = 512 << 10;

/// The longest text that a tag may have, in bytes: longer ones have to be made, which is paid for.
const MAX_CONSTANT: usize = 64 << 10;

/// How deep macros may call each other.
pub const MAX_RECURSION: usize = 32;

/// Operators in one tag, and `elif`s in a row: the parser and the compiler go one level deeper for each.
const MAX_CHAIN: usize = 200;

/// Compiles and runs templates. They see no file, no other template, no clock and no random number.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

/// A compiled template.
pub(super) struct Template<'a> {
    source: &'a str,
    compiled: CompiledTemplate<'a>,
    environment: Environment<'a>,
    quoted: bool,
}

/// What a template made, and the work it took.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) text: String,
    pub(super) fuel: u64,
}

impl Default for Templates {
    fn default() -> Self {
        let mut environment = Environment::new();
        environment.set_recursion_limit(MAX_RECURSION);
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        // Errors then know which part of the template they are about.
        environment.set_debug(true);
        environment.remove_global("debug");
        environment.set_unknown_method_callback(python::method);
        python::count_comparisons(&mut environment);
        environment.add_filter("urlencode", python::urlencode);
        environment.add_filter("center", python::center);
        environment.add_function("cycler", |items: Rest<Value>| minijinja_contrib::globals::cycler(items.0));
        environment.add_function("joiner", minijinja_contrib::globals::joiner);
        environment.add_function(MULTIPLY, python::multiply);
        environment.add_function(ADD, python::add);
        environment.add_filter("tojson", python::tojson);
        environment.add_function(SLICE, python::slice);
        Self { environment }
    }
}

/// Names that no template can write: what stands for instructions whose work the engine does not count.
const MULTIPLY: &str = "*";
const ADD: &str = "+";
const SLICE: &str = "[:]";

impl Templates {
    /// Compiles a template. `quoted` tells whether messages may quote it.
    pub(super) fn compile<'a>(&self, source: &'a str, quoted: bool) -> Result<Template<'a>, Why> {
        if source.len() > MAX_TEMPLATE {
            return Err(Why::Compile { line: None, message: format!("the template is longer than {} KiB", MAX_TEMPLATE >> 10) });
        }
        inspect(source)?;
        let config =
            TemplateConfig { syntax_config: SyntaxConfig::default(), default_auto_escape: std::sync::Arc::new(|_: &str| AutoEscape::None) };
        let mut compiled = CompiledTemplate::new("template", source, &config)
            .map_err(|error| Why::Compile { line: error.line(), message: message(&error, quoted.then_some(source)) })?;
        let mut at = 0;
        while let Some(instruction) = compiled.instructions.get_mut(at) {
            match instruction {
                Instruction::Mul => *instruction = Instruction::CallFunction(MULTIPLY, Some(2)),
                Instruction::Add => *instruction = Instruction::CallFunction(ADD, Some(2)),
                Instruction::Slice => *instruction = Instruction::CallFunction(SLICE, Some(4)),
                _ => {}
            }
            at += 1;
        }
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(FUEL + source.len() as u64 / 32));
        Ok(Template { source, compiled, environment, quoted })
    }

    /// Compiles and renders a template that is not kept.
    pub(super) fn render_once(&self, source: &str, context: &Value, quoted: bool) -> Result<Made, Why> {
        self.compile(source, quoted)?.render(context)
    }

    /// Names that a template uses and does not set, with their attributes: `node.hostname`, `foo`. None, if it cannot be compiled.
    pub fn names(&self, source: &str) -> Vec<String> {
        if self.compile(source, false).is_err() {
            return Vec::new();
        }
        let Ok(template) = self.environment.template_from_named_str("template", source) else { return Vec::new() };
        let globals: Vec<&str> = self.environment.globals().map(|(name, _)| name).collect();
        let found = template.undeclared_variables(true);
        let mut names: Vec<String> = found.into_iter().filter(|name| !globals.contains(&name.as_str())).collect();
        names.sort_unstable();
        names
    }
}

impl Template<'_> {
    pub(super) fn render(&self, context: &Value) -> Result<Made, Why> {
        let mut text = String::new();
        let mut output = make_string_output(&mut text);
        let outcome =
            eval(&self.environment, &self.compiled.instructions, context.clone(), &self.compiled.blocks, &mut output, AutoEscape::None)
                .map(|(_, state)| state.fuel_levels().map_or(FUEL, |(consumed, _)| consumed));
        match outcome {
            Ok(fuel) => Ok(Made { text, fuel }),
            Err(error) => Err(failed(&error, self.quoted.then_some(self.source))),
        }
    }
}

/// Refuses what would take the parser too deep, and texts that operations would read for nothing.
fn inspect(source: &str) -> Result<(), Why> {
    let (mut chain, mut alternatives, mut starts) = (0, 0, false);
    for token in tokenize(source, false, SyntaxConfig::default()) {
        // What is wrong with it is said by the compiler.
        let Ok((token, span)) = token else { return Ok(()) };
        let constant = match &token {
            Token::Str(text) => text.len(),
            Token::String(text) => text.len(),
            _ => 0,
        };
        if constant > MAX_CONSTANT {
            let message = format!("a text of more than {} KiB in a tag", MAX_CONSTANT >> 10);
            return Err(Why::Compile { line: Some(span.start_line as usize), message });
        }
        match &token {
            Token::BlockStart | Token::VariableStart => {
                chain = 0;
                starts = true;
                continue;
            }
            Token::Ident("elif") if starts => alternatives += 1,
            Token::Ident("endif") if starts => alternatives = 0,
            Token::Ident("if" | "not" | "and" | "or" | "in" | "is") => chain += 1,
            Token::Ident(_)
            | Token::TemplateData(_)
            | Token::Str(_)
            | Token::String(_)
            | Token::Int(_)
            | Token::Int128(_)
            | Token::Float(_)
            | Token::Comma
            | Token::Colon
            | Token::BracketClose
            | Token::ParenClose
            | Token::BraceClose
            | Token::VariableEnd
            | Token::BlockEnd => {}
            _ => chain += 1,
        }
        starts = false;
        if chain > MAX_CHAIN || alternatives > MAX_CHAIN {
            let message = format!("more than {MAX_CHAIN} {}", if chain > MAX_CHAIN { "operators in one tag" } else { "`elif`s in a row" });
            return Err(Why::Compile { line: Some(span.start_line as usize), message });
        }
    }
    Ok(())
}

fn failed(error: &Error, source: Option<&str>) -> Why {
    let mut cause = Some(error as &(dyn std::error::Error + 'static));
    while let Some(found) = cause {
        if found.downcast_ref::<Error>().is_some_and(|error| error.kind() == ErrorKind::OutOfFuel) {
            return Why::Exhausted;
        }
        cause = found.source();
    }
    Why::Render { line: error.line(), message: message(error, source) }
}

/// What is wrong, without any value: a value may be a secret. Names and syntax are quoted from the template, if it may be.
fn message(error: &Error, source: Option<&str>) -> String {
    let Some(source) = source else { return error.kind().to_string() };
    let names = matches!(
        error.kind(),
        ErrorKind::SyntaxError
            | ErrorKind::UnknownFilter
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownMethod
            | ErrorKind::TooManyArguments
            | ErrorKind::MissingArgument
    );
    let mut text = match error.detail() {
        Some(detail) if names => format!("{}: {detail}", error.kind()),
        _ => error.kind().to_string(),
    };
    let place = error
        .range()
        .and_then(|range| source.get(whole_name(source, range.start)..range.end))
        .map(str::trim)
        .filter(|place| !place.is_empty());
    if let Some(place) = place.filter(|place| place.len() <= 60 && !place.contains('\n')) {
        text.push_str(" in `");
        text.push_str(place);
        text.push('`');
    }
    text
}

/// Where a name begins of which the engine gives the attributes only.
fn whole_name(source: &str, start: usize) -> usize {
    let attributes = source.get(start..).is_some_and(|rest| rest.starts_with('.'));
    let before = source.get(..start).filter(|_| attributes).unwrap_or_default();
    before
        .rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')
        .map_or(if attributes { 0 } else { start }, |at| at + before[at..].chars().next().map_or(1, char::len_utf8))
}
