//! Pipelines: what is done to the content, and to the location, of an asset.

use minijinja::Value;

use super::base64;
use super::data::{Data, Failure, Form, Why};
use super::template::{FUEL, Template, Templates};
use crate::model::{Asset, AssetKind, AssetSource, Content, Located, Segment};
use crate::yaml::Span;

/// The largest content that a step may make.
pub const MAX_BYTES: usize = 8 << 20;

/// Steps that a pipeline may have.
pub const MAX_STEPS: usize = 16;

/// An asset of which everything is done that needs no node, and whose template is compiled.
#[derive(Debug)]
pub struct Prepared {
    /// The URL that its content is fetched from, if it is.
    pub url: Option<Line>,
    /// Its content, if the document holds it.
    pub content: Option<Line>,
}

impl Prepared {
    /// Whether it differs from node to node, or may.
    pub fn has_template(&self) -> bool {
        self.lines().any(|line| line.template().is_some())
    }

    /// The texts of its templates, with where each is written if it is written as such.
    pub fn templates(&self) -> impl Iterator<Item = (&str, Span)> {
        self.lines().filter_map(|line| Some((line.template()?, line.span)))
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.url.iter().chain(&self.content)
    }
}

/// A pipeline up to and with its first template.
#[derive(Debug)]
pub struct Line {
    /// What comes out before the first template.
    made: Data,
    /// The first template and what follows it, with the place of each step.
    rest: Vec<(usize, Located<Segment>)>,
    /// Where the content is written.
    span: Span,
    /// Whether messages may quote it.
    quoted: bool,
    is_location: bool,
}

/// Prepares an asset. One that says nothing usable, and a list of packages, has neither URL nor content.
///
/// # Errors
/// The first step that cannot work whatever the node.
pub fn prepare(asset: &Asset, templates: &Templates) -> Result<Prepared, Failure> {
    let mut prepared = Prepared { url: None, content: None };
    match &asset.source {
        AssetSource::Location { url, pipeline } => {
            let ends = forms(Form::Text, pipeline, url.span)?;
            if ends != Form::Text {
                let span = pipeline.last().map_or(url.span, |step| step.span);
                return Err(Failure { step: None, span, why: Why::LocationNotText });
            }
            let line = line(Data::Text(url.text.to_string()), url, pipeline, true, templates)?;
            if let (None, Data::Text(text)) = (line.template(), &line.made) {
                line.inspect(text)?;
            }
            prepared.url = Some(line);
            if asset.kind != AssetKind::PackageList {
                forms(Form::Bytes, &asset.pipeline, url.span)?;
            }
        }
        AssetSource::Inline(content) => {
            forms(Form::Bytes, &asset.pipeline, content.span)?;
            let start = Data::Bytes(content.text.as_bytes().to_vec());
            prepared.content = Some(line(start, content, &asset.pipeline, false, templates)?);
        }
        AssetSource::Packages(_) | AssetSource::Nowhere { .. } => {}
    }
    Ok(prepared)
}

/// Holds each step against what the one before it makes. Returns what the last one makes.
fn forms(start: Form, pipeline: &[Located<Segment>], span: Span) -> Result<Form, Failure> {
    if pipeline.len() > MAX_STEPS {
        return Err(Failure { step: None, span: pipeline.first().map_or(span, |step| step.span), why: Why::TooLong });
    }
    let mut form = start;
    for (at, step) in pipeline.iter().enumerate() {
        form = match (step.value, form) {
            (Segment::Base64Decode, _) | (Segment::Base64Encode, Form::Bytes) | (Segment::Utf8Encode, Form::Text) => Form::Bytes,
            (Segment::Utf8Decode, Form::Bytes) | (Segment::Template, Form::Text) => Form::Text,
            (_, has) => return Err(failure(at, *step, Why::WrongForm { has })),
        };
    }
    Ok(form)
}

fn line(start: Data, content: &Content, pipeline: &[Located<Segment>], is_location: bool, templates: &Templates) -> Result<Line, Failure> {
    let quoted = content.origins.len() <= 1 && !content.sensitive;
    let mut line = Line { made: start, rest: Vec::new(), span: content.span, quoted, is_location };
    if line.made.len() > MAX_BYTES {
        return Err(Failure { step: None, span: line.span, why: Why::TooLarge });
    }
    for (at, step) in pipeline.iter().enumerate() {
        if !line.rest.is_empty() || step.value == Segment::Template {
            line.rest.push((at, *step));
        } else {
            let data = std::mem::replace(&mut line.made, Data::Bytes(Vec::new()));
            line.made = apply(step.value, data).map_err(|why| failure(at, *step, why))?;
        }
    }
    line.runner(templates)?;
    Ok(line)
}

impl Line {
    fn template(&self) -> Option<&str> {
        match &self.made {
            Data::Text(text) if !self.rest.is_empty() => Some(text),
            _ => None,
        }
    }

    /// Compiles its template, if it has one.
    pub(super) fn runner<'a>(&'a self, templates: &'a Templates) -> Result<Runner<'a>, Failure> {
        let template = match (self.template(), self.rest.first()) {
            (Some(source), Some((at, step))) => Some(templates.compile(source, self.quoted).map_err(|why| failure(*at, *step, why))?),
            _ => None,
        };
        Ok(Runner { line: self, template, templates })
    }

    pub(super) fn is_location(&self) -> bool {
        self.is_location
    }

    /// Whether what it made can be fetched from, if it is a location.
    pub(super) fn inspect(&self, made: &str) -> Result<(), Failure> {
        if !self.is_location {
            return Ok(());
        }
        super::location::inspect(made).map_err(|why| {
            let why = if self.quoted { why } else { Why::NotUrl };
            Failure { step: None, span: self.span, why }
        })
    }
}

/// A pipeline that is run for many nodes.
pub(super) struct Runner<'a> {
    line: &'a Line,
    template: Option<Template<'a>>,
    templates: &'a Templates,
}

impl Runner<'_> {
    /// What it makes for a node, and the work that took.
    pub(super) fn run(&self, context: &Value) -> Result<(Data, u64), (Failure, u64)> {
        let line = self.line;
        let (Some(template), Some(((first, step), rest))) = (&self.template, line.rest.split_first()) else {
            return Ok((line.made.clone(), 0));
        };
        let made = template.render(context).map_err(|why| (failure(*first, *step, why), FUEL))?;
        let mut fuel = made.fuel;
        let mut data = bounded(Data::Text(made.text)).map_err(|why| (failure(*first, *step, why), fuel))?;
        for (at, step) in rest {
            fuel = fuel.saturating_add(data.len() as u64 / 64);
            let next = match (step.value, data) {
                (Segment::Template, Data::Text(source)) => self.templates.render_once(&source, context, line.quoted).and_then(|made| {
                    fuel = fuel.saturating_add(made.fuel);
                    bounded(Data::Text(made.text))
                }),
                (segment, data) => apply(segment, data),
            };
            data = next.map_err(|why| (failure(*at, *step, why), FUEL))?;
        }
        Ok((data, fuel))
    }

    pub(super) fn line(&self) -> &Line {
        self.line
    }
}

fn failure(at: usize, step: Located<Segment>, why: Why) -> Failure {
    Failure { step: Some((step.value, at + 1)), span: step.span, why }
}

/// A step that is no template.
fn apply(segment: Segment, data: Data) -> Result<Data, Why> {
    let made = match (segment, data) {
        (Segment::Base64Decode, Data::Bytes(bytes)) => Data::Bytes(base64::decode(&bytes).map_err(Why::NotBase64)?),
        (Segment::Base64Decode, Data::Text(text)) if text.is_ascii() => {
            Data::Bytes(base64::decode(text.as_bytes()).map_err(Why::NotBase64)?)
        }
        (Segment::Base64Decode, Data::Text(_)) => return Err(Why::NotBase64("text with other than ASCII characters")),
        (Segment::Base64Encode, Data::Bytes(bytes)) => Data::Bytes(base64::encode(&bytes)),
        (Segment::Utf8Decode, Data::Bytes(bytes)) => {
            Data::Text(String::from_utf8(bytes).map_err(|error| Why::NotUtf8 { at: error.utf8_error().valid_up_to() })?)
        }
        (Segment::Utf8Encode, Data::Text(text)) => Data::Bytes(text.into_bytes()),
        (_, data) => return Err(Why::WrongForm { has: data.form() }),
    };
    bounded(made)
}

fn bounded(data: Data) -> Result<Data, Why> {
    if data.len() > MAX_BYTES { Err(Why::TooLarge) } else { Ok(data) }
}

/// Runs a whole pipeline.
#[cfg(test)]
pub(super) fn execute(data: Data, pipeline: &[Segment], context: &Value) -> Result<Data, Why> {
    let templates = Templates::default();
    pipeline.iter().try_fold(data, |data, segment| match (segment, data) {
        (Segment::Template, Data::Text(source)) => bounded(Data::Text(templates.render_once(&source, context, true)?.text)),
        (segment, data) => apply(*segment, data),
    })
}
