//! Query options (DSP0266, section on query parameters): `$expand`, `$top`, `$skip`, `only`, and pages of collections.

use serde_json::{Map, Value};

use super::{ROOT, View, error};
use crate::sim::http::{Form, Reply, Request};

/// Deepest expansion that the service root offers.
pub(super) const MAX_LEVELS: u64 = 2;

fn bad(what: &str, option: &str) -> Reply {
    error(
        400,
        "QueryParameterValueFormatError",
        &format!("The value {what} for the parameter {option} is of a different format than the parameter can accept."),
        "Correct the value for the query parameter in the request and resubmit the request.",
    )
}

/// A resource as the query options of its request want it.
pub(super) fn apply(view: &View<'_>, mut value: Value, request: &Request<'_>) -> Result<Value, Reply> {
    let form = Form::from_query(request.query);
    let mut links = None;
    let (mut top, mut skip) = (None, 0);
    for (name, given) in form.iter() {
        match name {
            "$expand" => links = Some(expansion(given)?),
            "$top" => top = Some(given.parse::<usize>().map_err(|_| bad(given, name))?),
            "$skip" => skip = given.parse::<usize>().map_err(|_| bad(given, name))?,
            "only" if !given.is_empty() => return Err(bad(given, name)),
            "only" => {
                let Some(members) = value.get("Members").and_then(Value::as_array) else {
                    return Err(bad("only", "only"));
                };
                if let [only] = members.as_slice()
                    && let Some(whole) = linked(view, only)
                {
                    value = whole;
                }
            }
            other if other.starts_with('$') => {
                return Err(error(501, "NotImplemented", &format!("The query parameter {other} is not supported."), "Do not use it."));
            }
            _ => {}
        }
    }
    paged(view, &mut value, request.path, top, skip);
    if let Some((kind, levels)) = links {
        expand(view, &mut value, kind, levels, false);
    }
    Ok(value)
}

/// Which links: all (`*`), those that are no `Links` (`.`), only those (`~`).
fn expansion(given: &str) -> Result<(char, u64), Reply> {
    let (kind, rest) = match given.chars().next() {
        Some(kind @ ('*' | '.' | '~')) => (kind, &given[1..]),
        _ => return Err(bad(given, "$expand")),
    };
    let levels = match rest {
        "" => 1,
        rest => rest
            .strip_prefix("($levels=")
            .and_then(|r| r.strip_suffix(')'))
            .and_then(|n| n.parse().ok())
            .filter(|n| (1..=MAX_LEVELS).contains(n))
            .ok_or_else(|| bad(given, "$expand"))?,
    };
    Ok((kind, levels))
}

fn linked(view: &View<'_>, reference: &Value) -> Option<Value> {
    let path = reference.get("@odata.id")?.as_str()?.strip_prefix(ROOT)?;
    view.read(&path.split('/').filter(|p| !p.is_empty()).collect::<Vec<_>>())
}

fn is_reference(map: &Map<String, Value>) -> bool {
    map.len() == 1 && map.contains_key("@odata.id")
}

fn expand(view: &View<'_>, value: &mut Value, kind: char, levels: u64, in_links: bool) {
    match value {
        Value::Object(map) if is_reference(map) => {
            let wanted = kind == '*' || in_links == (kind == '~');
            if levels > 0
                && wanted
                && let Some(mut whole) = linked(view, &Value::Object(map.clone()))
            {
                expand_parts(view, &mut whole, kind, levels - 1);
                *value = whole;
            }
        }
        Value::Object(map) => {
            for (key, part) in map.iter_mut() {
                expand(view, part, kind, levels, in_links || key == "Links");
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|part| expand(view, part, kind, levels, in_links)),
        _ => {}
    }
}

fn expand_parts(view: &View<'_>, value: &mut Value, kind: char, levels: u64) {
    if levels == 0 {
        return;
    }
    if let Value::Object(map) = value {
        for (key, part) in map.iter_mut() {
            expand(view, part, kind, levels, key == "Links");
        }
    }
}

/// Cuts members away, and says where the rest is.
fn paged(view: &View<'_>, value: &mut Value, path: &str, top: Option<usize>, skip: usize) {
    let Some(members) = value.get_mut("Members").and_then(Value::as_array_mut) else { return };
    let all = members.len();
    let page = if view.page == 0 { all } else { view.page as usize };
    let take = top.unwrap_or(page).min(page);
    *members = std::mem::take(members).into_iter().skip(skip).take(take).collect();
    let next = skip + take;
    if top.is_none() && next < all {
        value["Members@odata.nextLink"] = format!("{}?$skip={next}", path.trim_end_matches('/')).into();
    }
}
