//! What machines get in MAAS that no design document has a field for: `drivers.maas.machines`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::action::Selector;
use crate::diff::Placement;

/// An entry of `drivers.maas.machines`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MachineRule {
    /// Which nodes; all if not given.
    pub nodes: Option<NodeSelector>,
    /// Resource pool.
    pub pool: Option<String>,
    /// Availability zone.
    pub zone: Option<String>,
    /// The oldest kernel that MAAS may start them with (`ga-22.04`).
    pub min_kernel: Option<String>,
}

impl MachineRule {
    /// As what a plan is made with.
    pub fn placement(&self) -> Placement {
        Placement {
            nodes: self.nodes.as_ref().map(|n| n.0.clone()),
            pool: self.pool.clone(),
            zone: self.zone.clone(),
            min_kernel: self.min_kernel.clone(),
        }
    }
}

/// A selector of nodes by what the design says of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSelector(pub Selector);

impl NodeSelector {
    /// Reads a selector.
    ///
    /// # Errors
    /// When it is none, or depends on what no setting can know.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let selector = Selector::parse(text).map_err(|e| e.to_string())?;
        if selector.asks_stage() {
            return Err(format!("selector `{text}`: a setting cannot depend on the stage of a node; select by node, rack, tag or label"));
        }
        Ok(Self(selector))
    }
}

impl<'de> Deserialize<'de> for NodeSelector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for NodeSelector {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NodeSelector".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "description": "A selector: `rack=r1 && !tag=control`"})
    }
}
