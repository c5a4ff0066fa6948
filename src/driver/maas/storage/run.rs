//! Steps as calls.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::client::{Api, ApiCall};
use super::super::wire::WireMachine;
use super::plan::{Device, StorageStep, plan};
use crate::action::params::ApplyNodeStorage;
use crate::build::Machine;
use crate::driver::{DriverError, ErrorClass};

/// Ids that earlier steps gave.
#[derive(Debug, Default)]
pub(in super::super) struct Ids {
    pub(in super::super) devices: BTreeMap<Device, u64>,
    /// With their sizes.
    pub(in super::super) groups: BTreeMap<String, (u64, u64)>,
}

/// The part of an answer that later steps need.
#[derive(Debug, Deserialize)]
struct Created {
    id: u64,
    #[serde(default)]
    size: u64,
}

/// The call of a step.
pub(in super::super) fn call(machine: &str, step: &StorageStep, ids: &Ids) -> Result<ApiCall, DriverError> {
    let lost = || DriverError::new(ErrorClass::Inconclusive, "a storage step refers to a device that was not created");
    let id = |device: &Device| ids.devices.get(device).copied().ok_or_else(lost);
    let path = |device: &Device| {
        let id = id(device)?;
        Ok::<_, DriverError>(match device {
            Device::Partition(disk, _) => format!("nodes/{machine}/blockdevices/{disk}/partition/{id}"),
            Device::Volume(..) => format!("nodes/{machine}/blockdevices/{id}/"),
        })
    };
    Ok(match step {
        StorageStep::BootDisk { disk } => ApiCall::post(format!("nodes/{machine}/blockdevices/{disk}/"), "set_boot_disk"),
        StorageStep::CreatePartition { disk, size, bootable, uuid, .. } => {
            ApiCall::create(format!("nodes/{machine}/blockdevices/{disk}/partitions/"))
                .with_some("size", *size)
                .with_some("bootable", bootable.then_some(true))
                .with_some("uuid", uuid.as_ref())
        }
        StorageStep::Format { device, fstype, label, uuid } => ApiCall::post(path(device)?, "format")
            .with("fstype", fstype)
            .with_some("label", label.as_ref())
            .with_some("uuid", uuid.as_ref()),
        StorageStep::Mount { device, mount_point, options } => ApiCall::post(path(device)?, "mount")
            .with_some("mount_point", mount_point.as_ref())
            .with_some("mount_options", options.as_ref()),
        StorageStep::CreateGroup { name, disks, partitions, uuid } => {
            let partitions = partitions.iter().map(id).collect::<Result<Vec<_>, _>>()?;
            ApiCall::create(format!("nodes/{machine}/volume-groups/"))
                .with("name", name)
                .with_each("block_devices", disks)
                .with_each("partitions", partitions)
                .with_some("uuid", uuid.as_ref())
        }
        StorageStep::CreateVolume { group, name, size, uuid } => {
            let (group, capacity) = ids.groups.get(group).copied().ok_or_else(lost)?;
            ApiCall::post(format!("nodes/{machine}/volume-group/{group}/"), "create_logical_volume")
                .with("name", name)
                .with_some("size", size.bytes(capacity)?)
                .with_some("uuid", uuid.as_ref())
        }
    })
}

impl Api {
    /// Clears the disks and builds the layout. A stop half-way is picked up by doing so again.
    pub(in super::super) async fn run_storage(&self, machine: &Machine, wanted: &ApplyNodeStorage) -> Result<(), DriverError> {
        let path = format!("machines/{}/", machine.id);
        let answer = self.send(&ApiCall::post(path, "set_storage_layout").with("storage_layout", "blank")).await?;
        // MAAS knows best what partition tables and firmware leave of a disk.
        let blank = answer.json::<WireMachine>()?.found().machine;
        let mut ids = Ids::default();
        for step in plan(&blank, wanted)? {
            let answer = self.send(&call(&machine.id, &step, &ids)?).await?;
            let device = match step {
                StorageStep::CreatePartition { disk, index, .. } => Device::Partition(disk, index),
                StorageStep::CreateVolume { group, name, .. } => Device::Volume(group, name),
                StorageStep::CreateGroup { name, .. } => {
                    let group: Created = answer.json()?;
                    ids.groups.insert(name, (group.id, group.size));
                    continue;
                }
                _ => continue,
            };
            ids.devices.insert(device, answer.json::<Created>()?.id);
        }
        Ok(())
    }
}
