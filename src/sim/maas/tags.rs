//! Tags.

use serde_json::{Value, json};

use super::call::{Answer, Call, FormErrors, REQUIRED, deleted, form_error, list, missing};
use crate::sim::db::Tag;
use crate::sim::http::Reply;
use crate::sim::{render, xpath};

pub(super) fn tags(call: &mut Call<'_>) -> Answer {
    match call.signature() {
        ("GET", None) => Ok(list(call.core.world.site.tags.iter().map(render::tag).collect())),
        ("POST", None) => {
            let name = call.form.filled("name").ok_or_else(|| form_error("name", REQUIRED))?.to_owned();
            if call.core.world.site.tags.iter().any(|t| t.name == name) {
                return Err(form_error("name", "Tag with this Name already exists."));
            }
            let mut t = Tag { name: name.clone(), definition: String::new(), comment: String::new(), kernel_opts: String::new() };
            fill(call, &mut t)?;
            call.core.tags_mut().push(t.clone());
            call.core.effect(format!("create tag {name}"));
            populate(call, &t)?;
            Ok(Reply::json(&render::tag(&t)))
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

fn fill(call: &Call<'_>, t: &mut Tag) -> Result<(), Reply> {
    let f = &call.form;
    let mut errors = FormErrors::default();
    for (name, target) in [("name", &mut t.name), ("comment", &mut t.comment), ("kernel_opts", &mut t.kernel_opts)] {
        if let Some(v) = f.get(name) {
            v.clone_into(target);
        }
    }
    if t.name.is_empty() || !t.name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
        errors.add("name", "Enter a valid value.");
    }
    if let Some(d) = f.get("definition") {
        d.clone_into(&mut t.definition);
        if !d.is_empty() && xpath::Expression::parse(d).is_err() {
            errors.add("definition", "Invalid xpath expression: Invalid expression");
        }
    }
    errors.check()
}

/// Gives a tag with a definition to the machines whose hardware fits, and takes it from the others.
fn populate(call: &mut Call<'_>, t: &Tag) -> Result<(), Reply> {
    if t.definition.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = call.core.world.nodes.keys().cloned().collect();
    for id in ids {
        let fits = xpath::node_fits(&call.core.world, call.node(&id)?, &t.definition);
        set(call, &id, &t.name, fits)?;
    }
    Ok(())
}

/// Gives or takes a tag; says whether that changed anything.
fn set(call: &mut Call<'_>, id: &str, tag: &str, on: bool) -> Result<bool, Reply> {
    let has = call.node(id)?.tags.iter().any(|t| t == tag);
    if has == on {
        return Ok(false);
    }
    let n = call.node_mut(id)?;
    if on {
        n.tags.push(tag.to_owned());
    } else {
        n.tags.retain(|t| t != tag);
    }
    Ok(true)
}

pub(super) fn tag(call: &mut Call<'_>, name: &str) -> Answer {
    let index = call.core.world.site.tags.iter().position(|t| t.name == name).ok_or_else(|| missing("Tag"))?;
    let mut t = call.core.world.site.tags[index].clone();
    match call.signature() {
        ("GET", None) => Ok(Reply::json(&render::tag(&t))),
        ("GET", Some("machines" | "nodes")) => {
            let ids: Vec<String> =
                call.core.world.nodes.values().filter(|n| n.tags.iter().any(|x| x == name)).map(|n| n.system_id.clone()).collect();
            Ok(super::machines::machine_list(call, ids))
        }
        ("GET", Some("devices" | "rack_controllers" | "region_controllers")) => Ok(list(Vec::new())),
        ("PUT", None) => {
            fill(call, &mut t)?;
            call.core.tags_mut()[index] = t.clone();
            if t.name != name {
                let ids: Vec<String> = call.core.world.nodes.keys().cloned().collect();
                for id in ids {
                    if set(call, &id, name, false)? {
                        set(call, &id, &t.name, true)?;
                    }
                }
            }
            call.core.effect(format!("update tag {}", t.name));
            populate(call, &t)?;
            Ok(Reply::json(&render::tag(&t)))
        }
        ("POST", Some("update_nodes")) => {
            let known =
                |call: &Call<'_>, ids: Vec<String>| ids.into_iter().filter(|i| call.core.world.nodes.contains_key(i)).collect::<Vec<_>>();
            let (add, remove) = (known(call, call.form.list("add")), known(call, call.form.list("remove")));
            let (mut added, mut removed) = (0, 0);
            for id in &add {
                set(call, id, name, true)?;
                added += 1;
            }
            for id in &remove {
                set(call, id, name, false)?;
                removed += 1;
            }
            call.core.effect(format!("tag {name}: {added} added, {removed} removed"));
            Ok(Reply::json(&json!({ "added": added, "removed": removed })))
        }
        ("POST", Some("rebuild")) => {
            populate(call, &t)?;
            Ok(Reply::json(&json!({ "rebuilding": name })))
        }
        ("DELETE", None) => {
            let ids: Vec<String> = call.core.world.nodes.keys().cloned().collect();
            for id in ids {
                set(call, &id, name, false)?;
            }
            call.core.tags_mut().remove(index);
            call.core.effect(format!("delete tag {name}"));
            Ok(deleted())
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "POST", "DELETE"])),
    }
}

/// Tags that a request names and that do not exist.
pub(super) fn unknown(call: &Call<'_>, names: &[String]) -> Vec<Value> {
    names.iter().filter(|n| !call.core.world.site.tags.iter().any(|t| t.name == **n)).map(|n| json!(n)).collect()
}
