//! Steps as calls.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::client::{Api, ApiCall};
use super::plan::NetStep;
use crate::action::params::{BondValues, LinkKind};
use crate::build::Machine;
use crate::driver::{DriverError, ErrorClass};

/// The part of an answer that later steps need.
#[derive(Debug, Deserialize)]
struct Created {
    id: u64,
    name: String,
}

/// The call of a step. `ids` are those of the machine's interfaces by name.
pub(in super::super) fn call(machine: &str, step: &NetStep, ids: &BTreeMap<String, u64>) -> Result<ApiCall, DriverError> {
    let id = |name: &str| {
        ids.get(name).copied().ok_or_else(|| DriverError::new(ErrorClass::Precondition, format!("the machine has no interface {name}")))
    };
    let all = format!("nodes/{machine}/interfaces/");
    let one = |name: &str| Ok::<_, DriverError>(format!("nodes/{machine}/interfaces/{}/", id(name)?));
    Ok(match step {
        NetStep::Delete { interface } => ApiCall::delete(one(interface)?),
        NetStep::Unlink { interface, link } => ApiCall::post(one(interface)?, "unlink_subnet").with("id", link),
        NetStep::Update { interface, vlan, mtu } => ApiCall::put(one(interface)?).with_some("vlan", *vlan).with_some("mtu", *mtu),
        NetStep::UpdateBond { interface, values } => options(ApiCall::put(one(interface)?), values),
        NetStep::CreateBond { name, parents, values, mtu } => {
            let call = ApiCall::post(all, "create_bond").with("name", name).with_each("parents", parents);
            options(call, values).with_some("mtu", *mtu)
        }
        NetStep::CreateVlan { parent, vlan, mtu, .. } => {
            ApiCall::post(all, "create_vlan").with("parent", id(parent)?).with("vlan", vlan).with_some("mtu", *mtu)
        }
        NetStep::Link { interface, subnet, mode, default_gateway } => {
            let (mode, address) = match mode {
                LinkKind::Static(address) => ("STATIC", Some(address)),
                LinkKind::Dhcp => ("DHCP", None),
                LinkKind::LinkUp => ("LINK_UP", None),
            };
            ApiCall::post(one(interface)?, "link_subnet")
                .with("mode", mode)
                .with("subnet", subnet)
                .with_some("ip_address", address)
                .with_some("default_gateway", default_gateway.then_some(true))
        }
        NetStep::DefaultGateway { interface, link } => ApiCall::post(one(interface)?, "set_default_gateway").with_some("link_id", *link),
    })
}

fn options(call: ApiCall, values: &BondValues) -> ApiCall {
    call.with("bond_mode", &values.mode)
        .with_some("bond_miimon", values.miimon)
        .with_some("bond_updelay", values.updelay)
        .with_some("bond_downdelay", values.downdelay)
        .with_some("bond_lacp_rate", values.lacp_rate.as_ref())
        .with_some("bond_xmit_hash_policy", values.xmit_hash_policy.as_ref())
}

impl Api {
    /// Makes the steps in order. A stop half-way is picked up by planning again.
    pub(in super::super) async fn run_networking(&self, machine: &Machine, steps: &[NetStep]) -> Result<(), DriverError> {
        let mut ids: BTreeMap<String, u64> = machine.interfaces.iter().map(|i| (i.name.clone(), i.id)).collect();
        for step in steps {
            let answer = self.send(&call(&machine.id, step, &ids)?).await?;
            match step {
                NetStep::CreateBond { name, .. } | NetStep::CreateVlan { name, .. } => {
                    let created: Created = answer.json()?;
                    // MAAS names VLAN interfaces itself; later steps go by the name that was expected.
                    ids.insert(created.name, created.id);
                    ids.insert(name.clone(), created.id);
                }
                NetStep::Delete { interface } => {
                    ids.remove(interface);
                }
                _ => {}
            }
        }
        Ok(())
    }
}
