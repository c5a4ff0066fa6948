//! Steps as calls.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::client::{Api, ApiCall};
use super::super::wire::WireMachine;
use super::plan::{Device, StorageStep, plan};
use crate::action::params::ApplyNodeStorage;
use crate::build::{FilesystemFacts, Machine};
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

/// What a machine shows of a step, if it was carried out.
fn shown(step: &StorageStep, ids: &Ids, machine: &Machine) -> Option<Created> {
    let known = |id: u64| Some(Created { id, size: 0 });
    let filesystem = |device: &Device| -> Option<&FilesystemFacts> {
        let id = ids.devices.get(device)?;
        match device {
            Device::Partition(disk, _) => {
                let disk = machine.disks.iter().find(|d| d.id == *disk)?;
                disk.partitions.iter().find(|p| p.id == *id)?.filesystem.as_ref()
            }
            Device::Volume(..) => {
                let mut volumes = machine.volume_groups.iter().flat_map(|g| &g.logical_volumes);
                volumes.find(|v| v.id == *id)?.filesystem.as_ref()
            }
        }
    };
    match step {
        StorageStep::BootDisk { disk } => {
            let disk = machine.disks.iter().find(|d| d.id == *disk)?;
            (machine.boot_disk.as_ref() == Some(&disk.name)).then(|| known(disk.id))?
        }
        StorageStep::CreatePartition { disk, .. } => {
            // The disks were blank, and those made before it have answered with their ids.
            let disk = machine.disks.iter().find(|d| d.id == *disk)?;
            let other =
                disk.partitions.iter().find(|p| !ids.devices.iter().any(|(device, id)| is_partition_of(device, disk.id) && *id == p.id));
            known(other?.id)
        }
        StorageStep::Format { device, fstype, label, .. } => {
            let made = filesystem(device)?;
            (made.fstype == *fstype && made.label.as_deref().filter(|l| !l.is_empty()) == label.as_deref()).then(|| known(0))?
        }
        StorageStep::Mount { device, mount_point, .. } => {
            let point = filesystem(device)?.mount_point.as_deref()?;
            (mount_point.as_deref().is_none_or(|wanted| wanted == point)).then(|| known(0))?
        }
        StorageStep::CreateGroup { name, .. } => {
            let group = machine.volume_groups.iter().find(|g| g.name == *name)?;
            Some(Created { id: group.id, size: group.size })
        }
        StorageStep::CreateVolume { group, name, .. } => {
            let group = machine.volume_groups.iter().find(|g| g.name == *group)?;
            known(group.logical_volumes.iter().find(|v| v.name == *name)?.id)
        }
    }
}

fn is_partition_of(device: &Device, disk: u64) -> bool {
    matches!(device, Device::Partition(of, _) if *of == disk)
}

impl Api {
    /// Clears the disks and builds the layout. A stop half-way is picked up by doing so again.
    ///
    /// A call that fails in a way that may pass is not a reason to clear everything once more: where the machine does not show what it was to do, it is made
    /// again, a few times. What went wrong unseen is seen when the layout is read back.
    pub(in super::super) async fn run_storage(&self, machine: &Machine, wanted: &ApplyNodeStorage) -> Result<(), DriverError> {
        let clear = ApiCall::post(format!("machines/{}/", machine.id), "set_storage_layout").with("storage_layout", "blank");
        let mut attempt = 1;
        let answer = loop {
            match self.send(&clear).await {
                Ok(answer) => break answer,
                Err(error) => tokio::time::sleep(self.pause_after(&error, attempt).ok_or(error)?).await,
            }
            attempt += 1;
        };
        // MAAS knows best what partition tables and firmware leave of a disk.
        let blank = answer.json::<WireMachine>()?.found().machine;
        let mut ids = Ids::default();
        for step in plan(&blank, wanted)? {
            let Created { id, size } = self.storage_step(&machine.id, &step, &ids).await?;
            match step {
                StorageStep::CreatePartition { disk, index, .. } => drop(ids.devices.insert(Device::Partition(disk, index), id)),
                StorageStep::CreateVolume { group, name, .. } => drop(ids.devices.insert(Device::Volume(group, name), id)),
                StorageStep::CreateGroup { name, .. } => drop(ids.groups.insert(name, (id, size))),
                _ => {}
            }
        }
        Ok(())
    }

    /// Carries a step out; what it created, if it creates something.
    async fn storage_step(&self, machine: &str, step: &StorageStep, ids: &Ids) -> Result<Created, DriverError> {
        let call = call(machine, step, ids)?;
        let creates =
            matches!(step, StorageStep::CreatePartition { .. } | StorageStep::CreateVolume { .. } | StorageStep::CreateGroup { .. });
        let mut attempt = 1;
        loop {
            match self.send(&call).await {
                Ok(answer) if creates => return answer.json(),
                Ok(_) => return Ok(Created { id: 0, size: 0 }),
                Err(error) => tokio::time::sleep(self.pause_after(&error, attempt).ok_or(error)?).await,
            }
            let found = self.fetch::<WireMachine>(&ApiCall::get(format!("machines/{machine}/"))).await?.found();
            if let Some(made) = shown(step, ids, &self.complete_storage(&found).await?) {
                return Ok(made);
            }
            attempt += 1;
        }
    }
}
