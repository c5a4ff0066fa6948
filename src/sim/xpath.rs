//! XPath 1.0 over lshw's XML, as tag definitions use it.

mod eval;
mod lexer;
mod parser;

use super::core::Core;
use super::db::Node;
use super::world::World;

pub(crate) use parser::Expression;

/// Whether a machine's hardware fits a definition. A machine that has told nothing fits nothing.
pub(crate) fn node_fits(world: &World, node: &Node, definition: &str) -> bool {
    if !node.inventoried {
        return false;
    }
    let Some(machine) = node.machine.as_ref().and_then(|m| world.machines.get(m)) else { return false };
    let Ok(expression) = Expression::parse(definition) else { return false };
    let text = super::maas::lshw(machine);
    roxmltree::Document::parse(&text).is_ok_and(|d| eval::truth(&expression, &d))
}

/// Gives a machine the tags whose definitions it fits, and takes those that it does not fit.
pub(crate) fn apply_tags(core: &mut Core, id: &str) {
    let definitions: Vec<(String, String)> =
        core.world.site.tags.iter().filter(|t| !t.definition.is_empty()).map(|t| (t.name.clone(), t.definition.clone())).collect();
    for (tag, definition) in definitions {
        let fits = core.world.nodes.get(id).is_some_and(|n| node_fits(&core.world, n, &definition));
        if let Some(n) = core.node_mut(id) {
            n.tags.retain(|t| *t != tag);
            if fits {
                n.tags.push(tag);
            }
        }
    }
}
