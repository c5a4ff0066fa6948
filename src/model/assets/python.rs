//! What templates use of Python and of Jinja2, where the engine has it not or has no limit on it.

use std::fmt::Write as _;

use minijinja::value::{Kwargs, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters, tests};

/// How deep filters that compare members look into them.
const MAX_COMPARED_DEPTH: usize = 32;

/// Puts filters and tests that read whole texts without counting it behind ones that count it.
pub(super) fn count_comparisons(environment: &mut Environment<'_>) {
    environment.add_filter("sort", |state: &State, value: Value, options: Kwargs| {
        spend_on_order(state, &value)?;
        filters::sort(state, value, options)
    });
    environment.add_filter("unique", |state: &State, value: Value, options: Kwargs| {
        spend_on_order(state, &value)?;
        filters::unique(state, value, options)
    });
    environment.add_filter("min", |state: &State, value: Value, options: Kwargs| {
        spend_on_order(state, &value)?;
        filters::min(state, value, options)
    });
    environment.add_filter("max", |state: &State, value: Value, options: Kwargs| {
        spend_on_order(state, &value)?;
        filters::max(state, value, options)
    });
    environment.add_filter("dictsort", |state: &State, value: &Value, options: Kwargs| {
        if value.kind() == ValueKind::Map {
            spend_on_order(state, value)?;
        }
        filters::dictsort(value, options)
    });
    environment.add_filter("groupby", |state: &State, value: Value, attribute: Option<&str>, options: Kwargs| {
        spend_on_order(state, &value)?;
        filters::groupby(value, attribute, options)
    });
    environment.add_test("lower", |state: &State, value: &Value| {
        spend_on_reading(state, value)?;
        Ok::<bool, Error>(tests::is_lower(value))
    });
    environment.add_test("upper", |state: &State, value: &Value| {
        spend_on_reading(state, value)?;
        Ok::<bool, Error>(tests::is_upper(value))
    });
}

/// Case is looked up character by character, which is slower than copying.
fn spend_on_reading(state: &State, value: &Value) -> Result<(), Error> {
    spend(state, value.as_str().map_or(0, str::len).saturating_mul(4))
}

/// Pays for putting members in order: every text in them is read, and written in lower case, as often as a member is compared.
fn spend_on_order(state: &State, value: &Value) -> Result<(), Error> {
    let Ok(members) = value.try_iter() else { return Ok(()) };
    let (mut count, mut bytes) = (0usize, 0usize);
    for member in members {
        count += 1;
        bytes = bytes.saturating_add(64 + weight(state, &member, MAX_COMPARED_DEPTH)?);
        if value.kind() == ValueKind::Map {
            bytes = bytes.saturating_add(weight(state, &value.get_item(&member)?, MAX_COMPARED_DEPTH)?);
        }
    }
    spend(state, bytes.saturating_mul(2 + count.checked_ilog2().unwrap_or(0) as usize))
}

/// The texts in a value, in bytes.
fn weight(state: &State, value: &Value, depth: usize) -> Result<usize, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.len());
    }
    if !matches!(value.kind(), ValueKind::Map | ValueKind::Seq | ValueKind::Iterable) {
        return Ok(0);
    }
    if depth == 0 {
        return Err(Error::new(ErrorKind::InvalidOperation, "members nested too deep to be compared"));
    }
    let mut bytes = 0usize;
    for member in value.try_iter()? {
        spend(state, 64)?;
        bytes = bytes.saturating_add(weight(state, &member, depth - 1)?);
        if value.kind() == ValueKind::Map {
            bytes = bytes.saturating_add(weight(state, &value.get_item(&member)?, depth - 1)?);
        }
    }
    Ok(bytes)
}

/// Methods of Python's types. Those that can make much of little are paid for before they run.
pub(super) fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        // Everything below reads the whole text, and some keep a value per character of it.
        spend(state, text.len())?;
        match name {
            "replace" => {
                let (old, new, _): (&str, &str, Option<i32>) = from_args(args)?;
                spend(state, text.matches(old).count().saturating_mul(new.len()))?;
            }
            "join" => {
                let (values,): (&Value,) = from_args(args)?;
                return join(state, text, values);
            }
            "format" => spend_on_format(state, text, args)?,
            "split" | "splitlines" => spend(state, text.len().saturating_mul(32))?,
            _ => {}
        }
    } else if name == "count" && value.kind() == ValueKind::Seq {
        spend(state, value.len().unwrap_or(0).saturating_mul(32))?;
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args)
}

/// Widths and precisions ask for any amount of text, so long ones, and those that are computed, are refused.
fn spend_on_format(state: &State, text: &str, args: &[Value]) -> Result<(), Error> {
    const LONGEST: usize = 9999;
    let fields = text.matches('{').count();
    // A brace within a field is a width that is computed; doubled braces are braces.
    let single = text.replace("{{", "").replace("}}", "");
    if single.split('{').skip(1).any(|field| !field.contains('}')) {
        return Err(Error::new(ErrorKind::InvalidOperation, "a computed width"));
    }
    if text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 4) {
        return Err(Error::new(ErrorKind::InvalidOperation, "a width of more than 9999"));
    }
    let mut longest = LONGEST;
    for arg in args {
        match arg.as_str() {
            Some(text) => longest = longest.max(text.len()),
            None if matches!(arg.kind(), ValueKind::Number | ValueKind::Bool | ValueKind::None | ValueKind::Undefined) => {}
            None => return Err(Error::new(ErrorKind::InvalidOperation, "format takes texts and numbers")),
        }
    }
    spend(state, fields.saturating_mul(longest))
}

/// Pays for the reading or making of some bytes.
fn spend(state: &State, bytes: usize) -> Result<(), Error> {
    state.consume_fuel(bytes as u64 / 64)
}

fn join(state: &State, separator: &str, values: &Value) -> Result<Value, Error> {
    let mut out = String::new();
    for (at, value) in values.try_iter()?.enumerate() {
        spend(state, 64 + separator.len())?;
        if at > 0 {
            out.push_str(separator);
        }
        match value.as_str() {
            Some(text) => {
                spend(state, text.len())?;
                out.push_str(text);
            }
            None if matches!(value.kind(), ValueKind::Number | ValueKind::Bool | ValueKind::None) => {
                let _ = write!(out, "{value}");
            }
            None => return Err(Error::new(ErrorKind::InvalidOperation, "join takes texts")),
        }
    }
    Ok(Value::from(out))
}

/// Jinja2's `urlencode`: of a text, everything but letters, digits, `_.-~` and `/`; of a mapping or of pairs, a query.
pub(super) fn urlencode(state: &State, value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    match value.kind() {
        ValueKind::Map => {
            for key in value.try_iter()? {
                spend(state, 64)?;
                pair(state, &mut out, &key, &value.get_item(&key)?)?;
            }
        }
        ValueKind::Seq | ValueKind::Iterable => {
            for entry in value.try_iter()? {
                spend(state, 64)?;
                pair(state, &mut out, &entry.get_item_by_index(0)?, &entry.get_item_by_index(1)?)?;
            }
        }
        _ => quote(state, &mut out, value, false)?,
    }
    Ok(out)
}

fn pair(state: &State, out: &mut String, key: &Value, value: &Value) -> Result<(), Error> {
    if !out.is_empty() {
        out.push('&');
    }
    quote(state, out, key, true)?;
    out.push('=');
    quote(state, out, value, true)
}

fn quote(state: &State, out: &mut String, value: &Value, in_query: bool) -> Result<(), Error> {
    let shown;
    let text = if let Some(text) = value.as_str() {
        text
    } else {
        if matches!(value.kind(), ValueKind::Map | ValueKind::Seq | ValueKind::Iterable | ValueKind::Plain) {
            return Err(Error::new(ErrorKind::InvalidOperation, "urlencode takes texts and pairs of texts"));
        }
        shown = value.to_string();
        &shown
    };
    spend(state, text.len().saturating_mul(3))?;
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(byte as char),
            b'/' if !in_query => out.push('/'),
            b' ' if in_query => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    Ok(())
}

/// Jinja2's `center`.
pub(super) fn center(state: &State, text: &str, width: Option<usize>) -> Result<String, Error> {
    let width = width.unwrap_or(80);
    spend(state, width.saturating_add(text.len()))?;
    let missing = width.saturating_sub(text.chars().count());
    // Python puts the odd space on the left where the width is odd.
    let left = missing / 2 + (missing & width & 1);
    Ok(format!("{}{text}{}", " ".repeat(left), " ".repeat(missing - left)))
}

/// `a * b`: numbers, and repetitions that are paid for.
pub(super) fn multiply(state: &State, a: &Value, b: &Value) -> Result<Value, Error> {
    let refused = || Error::new(ErrorKind::InvalidOperation, "tried to multiply what cannot be multiplied");
    let (thing, count) = if matches!(a.kind(), ValueKind::Number | ValueKind::Bool) { (b, a) } else { (a, b) };
    let times = || usize::try_from(i64::try_from(count.clone()).map_err(|_| refused())?.max(0)).map_err(|_| refused());
    match thing.kind() {
        ValueKind::String => {
            let text = thing.as_str().unwrap_or_default();
            let times = times()?;
            spend(state, text.len().saturating_mul(times))?;
            Ok(Value::from(text.repeat(times)))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let times = times()?;
            let members = list(state, thing)?;
            spend(state, members.len().saturating_mul(times).saturating_mul(64))?;
            let all: Vec<Value> = (0..times).flat_map(|_| members.iter().cloned()).collect();
            Ok(Value::from(all))
        }
        ValueKind::Number | ValueKind::Bool => {
            if let (true, true) = (a.is_integer() || a.kind() == ValueKind::Bool, b.is_integer() || b.kind() == ValueKind::Bool) {
                let (a, b) = (i128::try_from(a.clone())?, i128::try_from(b.clone())?);
                return a.checked_mul(b).map(Value::from).ok_or_else(refused);
            }
            let (a, b) = (f64::try_from(a.clone())?, f64::try_from(b.clone())?);
            Ok(Value::from(a * b))
        }
        _ => Err(refused()),
    }
}

/// `a + b`: numbers, texts and lists. Lists are made at once.
pub(super) fn add(state: &State, a: &Value, b: &Value) -> Result<Value, Error> {
    let refused = || Error::new(ErrorKind::InvalidOperation, "tried to add what cannot be added");
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        spend(state, a.len().saturating_add(b.len()))?;
        return Ok(Value::from([a, b].concat()));
    }
    let is_list = |value: &Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable);
    if is_list(a) && is_list(b) {
        let mut members = list(state, a)?;
        members.extend(list(state, b)?);
        return Ok(Value::from(members));
    }
    let is_number = |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    let is_whole = |value: &Value| value.is_integer() || value.kind() == ValueKind::Bool;
    if !is_number(a) || !is_number(b) {
        return Err(refused());
    }
    if is_whole(a) && is_whole(b) {
        let (a, b) = (i128::try_from(a.clone())?, i128::try_from(b.clone())?);
        return a.checked_add(b).map(Value::from).ok_or_else(refused);
    }
    Ok(Value::from(f64::try_from(a.clone())? + f64::try_from(b.clone())?))
}

/// `tojson`, with an indentation that a person could want.
pub(super) fn tojson(value: &Value, indent: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let indent = match indent {
        Some(indent) => Some(indent),
        None => options.get("indent")?,
    };
    if indent.as_ref().and_then(Value::as_i64).is_some_and(|indent| indent > 16) {
        return Err(Error::new(ErrorKind::InvalidOperation, "an indentation of more than 16"));
    }
    minijinja::filters::tojson(value, indent, options)
}

/// `value[start:stop:step]`, made at once: what is made when it is used is made over and over where slices are sliced.
pub(super) fn slice(state: &State, value: &Value, start: &Value, stop: &Value, step: &Value) -> Result<Value, Error> {
    let number = |value: &Value| match value.kind() {
        ValueKind::None | ValueKind::Undefined => Ok(None),
        _ => i64::try_from(value.clone()).map(Some),
    };
    let (start, stop, step) = (number(start)?, number(stop)?, number(step)?.unwrap_or(1));
    if step == 0 {
        return Err(Error::new(ErrorKind::InvalidOperation, "cannot slice by step size of 0"));
    }
    match value.kind() {
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            spend(state, text.len().saturating_mul(4))?;
            let members: Vec<char> = text.chars().collect();
            Ok(Value::from(sliced(members.len(), start, stop, step).map(|at| members[at]).collect::<String>()))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let members = list(state, value)?;
            Ok(sliced(members.len(), start, stop, step).map(|at| members[at].clone()).collect())
        }
        ValueKind::None | ValueKind::Undefined => Ok(Value::from(Vec::<Value>::new())),
        _ => Err(Error::new(ErrorKind::InvalidOperation, "only texts and lists can be sliced")),
    }
}

/// The places that Python's slice of so many members takes.
fn sliced(length: usize, start: Option<i64>, stop: Option<i64>, step: i64) -> impl Iterator<Item = usize> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let (lowest, highest) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let bound = |at: Option<i64>, otherwise: i64| match at {
        None => otherwise,
        Some(at) if at < 0 => at.saturating_add(length).max(lowest),
        Some(at) => at.min(highest),
    };
    let (start, stop) = if step > 0 { (bound(start, 0), bound(stop, length)) } else { (bound(start, length - 1), bound(stop, -1)) };
    let mut at = start;
    std::iter::from_fn(move || {
        let inside = if step > 0 { at < stop } else { at > stop };
        let current = usize::try_from(at).ok().filter(|_| inside)?;
        at = at.saturating_add(step);
        Some(current)
    })
}

fn list(state: &State, value: &Value) -> Result<Vec<Value>, Error> {
    let mut members = Vec::new();
    for member in value.try_iter()? {
        spend(state, 64)?;
        members.push(member);
    }
    Ok(members)
}
