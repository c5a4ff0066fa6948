//! Interfaces of a machine.

use super::call::{Answer, Call, conflict, deleted, form_error, id_of, list, missing};
use super::{interface_forms, links};
use crate::sim::db::{Node, Status};
use crate::sim::http::Reply;
use crate::sim::render;

pub(super) fn interfaces(call: &mut Call<'_>, id: &str) -> Answer {
    let n = call.node(id)?;
    match call.signature() {
        ("GET", None) => {
            let w = &call.core.world;
            Ok(list(n.interfaces.values().map(|i| render::interface(w, id, &n.interfaces, i)).collect()))
        }
        ("POST", Some("create_bond")) => {
            changeable(n, "create bond")?;
            interface_forms::create_bond(call, id)
        }
        ("POST", Some("create_vlan")) => {
            changeable(n, "create VLAN")?;
            interface_forms::create_vlan(call, id)
        }
        ("POST", Some("create_bridge")) => {
            changeable(n, "create bridge")?;
            interface_forms::create_bridge(call, id)
        }
        ("POST", Some("create_physical")) => {
            changeable(n, "create physical")?;
            interface_forms::create_physical(call, id)
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

/// Networking may be changed only in some states.
pub(super) fn changeable(n: &Node, what: &str) -> Result<(), Reply> {
    if matches!(n.status, Status::New | Status::Ready | Status::Allocated | Status::Broken | Status::FailedTesting) {
        return Ok(());
    }
    Err(conflict(format!("Cannot {what} interface because the machine is not New, Ready, Allocated, or Broken.")))
}

/// An interface by id or name.
fn find(n: &Node, which: &str) -> Result<i64, Reply> {
    id_of(which)
        .filter(|i| n.interfaces.contains_key(i))
        .or_else(|| n.interfaces.values().find(|i| i.name == which).map(|i| i.id))
        .ok_or_else(|| missing("Interface"))
}

pub(super) fn interface(call: &mut Call<'_>, id: &str, which: &str) -> Answer {
    let n = call.node(id)?;
    let interface = find(n, which)?;
    match call.signature() {
        ("GET", None) => call.interface_reply(id, interface),
        ("PUT", None) => {
            if n.status != Status::Deployed {
                changeable(n, "update")?;
            }
            interface_forms::update(call, id, interface)
        }
        ("DELETE", None) => {
            changeable(n, "delete")?;
            delete(call, id, interface)
        }
        ("POST", Some("link_subnet")) => {
            changeable(n, "link subnet")?;
            links::link(call, id, interface)
        }
        ("POST", Some("unlink_subnet")) => {
            changeable(n, "unlink subnet")?;
            links::unlink(call, id, interface)
        }
        ("POST", Some("set_default_gateway")) => {
            changeable(n, "set default gateway")?;
            links::default_gateway(call, id, interface)
        }
        ("POST", Some("disconnect")) => {
            changeable(n, "disconnect")?;
            if let Some(i) = call.node_mut(id)?.interfaces.get_mut(&interface) {
                i.links.clear();
                i.vlan = None;
            }
            note(call, id, interface, "disconnect");
            call.interface_reply(id, interface)
        }
        ("POST", Some(op @ ("add_tag" | "remove_tag"))) => {
            let add = op == "add_tag";
            let tag = call.form.filled("tag").ok_or_else(|| form_error("tag", super::call::REQUIRED))?.to_owned();
            if let Some(i) = call.node_mut(id)?.interfaces.get_mut(&interface) {
                i.tags.retain(|t| *t != tag);
                if add {
                    i.tags.push(tag);
                }
            }
            call.interface_reply(id, interface)
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "POST", "DELETE"])),
    }
}

/// Notes an effect on an interface.
pub(super) fn note(call: &mut Call<'_>, id: &str, interface: i64, what: &str) {
    let name = call.core.world.nodes.get(id).and_then(|n| n.interfaces.get(&interface)).map_or_else(String::new, |i| i.name.clone());
    let label = call.label(id);
    call.core.effect(format!("{what} {label} {name}"));
}

fn delete(call: &mut Call<'_>, id: &str, interface: i64) -> Answer {
    note(call, id, interface, "delete_interface");
    let n = call.node_mut(id)?;
    n.interfaces.remove(&interface);
    // What stood on it loses a parent, and goes if it was the only one.
    let mut gone = vec![interface];
    while let Some(parent) = gone.pop() {
        for i in n.interfaces.values_mut() {
            if i.parents.contains(&parent) {
                i.parents.retain(|p| *p != parent);
                if i.parents.is_empty() {
                    gone.push(i.id);
                }
            }
        }
        n.interfaces.remove(&parent);
    }
    if n.boot_interface == Some(interface) {
        n.boot_interface = None;
    }
    call.core.reindex_macs(id);
    // NICs that are free again are up.
    links::ensure_up(call, id)?;
    Ok(deleted())
}
