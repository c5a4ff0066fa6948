//! Fresh lists of the site's objects, read once per batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::client::{Api, ApiCall};
use super::together::{Answer, Together};
use super::wire::{
    WireBootResource, WireBootSource, WireController, WireDomain, WireFabric, WireName, WireRackImages, WireRange, WireRepository,
    WireRoute, WireSelection, WireSshKey, WireSubnet, WireTag, WireVersion, images,
};
use crate::build::{
    AddressRange, BootSelection, DomainFacts, Fabric, Image, Machine, PackageRepository, RackController, SshKey, StaticRoute, Subnet,
    TagFacts, Vlan,
};
use crate::driver::{DriverError, ErrorClass};

/// A list: not asked for, read, or failed. Whoever asked at the same time has the same one.
pub(super) type Slot<T> = Option<Answer<T>>;

/// Images and whether an import is running.
#[derive(Debug, Clone, Default)]
pub(super) struct ImageState {
    pub(super) images: Vec<Image>,
    pub(super) importing: bool,
}

/// Boot sources and what they are told to import.
#[derive(Debug, Clone, Default)]
pub(super) struct Selections {
    pub(super) sources: Vec<u64>,
    /// Id within its source, and what is selected.
    pub(super) selections: Vec<(u64, BootSelection)>,
}

/// How far a rack controller has the region's images.
#[derive(Debug, Clone, Default)]
pub(super) struct RackImages {
    pub(super) hostname: String,
    /// What MAAS says it is at (`syncing`), while it has not all of them.
    pub(super) behind: Option<String>,
}

/// The user that the API key belongs to.
#[derive(Debug, Clone, Default)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) administrator: bool,
}

macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident: $type:ty, $what:literal, $read:expr;)*) => {
        /// Lists that are being read.
        #[derive(Debug)]
        pub(super) struct SharedLists {
            $($name: Arc<Together<(), $type>>,)*
        }

        impl SharedLists {
            pub(super) fn new() -> Self {
                Self { $($name: Together::new(1, usize::MAX),)* }
            }
        }

        /// Which lists a batch needs.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[allow(clippy::struct_excessive_bools)] // One for each list.
        pub(super) struct Needs {
            $(pub(super) $name: bool,)*
        }

        impl Needs {
            /// Everything.
            pub(super) const ALL: Self = Self { $($name: true,)* };

            /// What either needs.
            pub(super) fn or(self, o: Self) -> Self {
                Self { $($name: self.$name | o.$name,)* }
            }
        }

        /// The lists of one batch.
        #[derive(Debug, Clone, Default)]
        pub(super) struct Lists {
            $(pub(super) $name: Slot<$type>,)*
        }

        impl Api {
            /// Reads the lists that are needed, at the same time.
            pub(super) async fn lists(&self, needs: Needs) -> Lists {
                let ($($name,)*) = tokio::join!($(self.shared(needs.$name, &self.lists.$name, $read),)*);
                Lists { $($name,)* }
            }
        }

        impl Lists {
            $($(#[$doc])* pub(super) fn $name(&self) -> Result<&$type, DriverError> {
                of(self.$name.as_ref(), $what)
            })*
        }
    };
}

lists! {
    fabrics: Vec<Fabric>, "fabrics", |api| async move { api.list::<WireFabric, _>("fabrics/").await };
    subnets: Vec<Subnet>, "subnets", |api| async move { api.list::<WireSubnet, _>("subnets/").await };
    ranges: Vec<AddressRange>, "address ranges", |api| async move { api.list::<WireRange, _>("ipranges/").await };
    routes: Vec<StaticRoute>, "static routes", |api| async move { api.list::<WireRoute, _>("static-routes/").await };
    domains: Vec<DomainFacts>, "domains", |api| async move { api.list::<WireDomain, _>("domains/").await };
    tags: Vec<TagFacts>, "tags", |api| async move { api.list::<WireTag, _>("tags/").await };
    ssh_keys: Vec<SshKey>, "SSH keys", |api| async move { api.list::<WireSshKey, _>("account/prefs/sshkeys/").await };
    repositories: Vec<PackageRepository>, "package repositories", |api| async move { api.list::<WireRepository, _>("package-repositories/").await };
    images: ImageState, "boot images", |api| async move { api.images().await };
    selections: Selections, "boot source selections", |api| async move { api.selections().await };
    racks: Vec<RackController>, "rack controllers", |api| async move { api.list::<WireController, _>("rackcontrollers/").await };
    rack_images: Vec<RackImages>, "boot images of rack controllers", |api| async move { api.rack_images().await };
    user: User, "users", |api| async move { api.user().await };
    /// The release, as MAAS writes it (`3.7.3`).
    version: String, "the version", |api| async move { api.version().await };
    spaces: Vec<WireName>, "spaces", |api| async move { api.list::<WireName, _>("spaces/").await };
    pools: Vec<WireName>, "resource pools", |api| async move { api.list::<WireName, _>("resourcepools/").await };
    zones: Vec<WireName>, "zones", |api| async move { api.list::<WireName, _>("zones/").await };
    /// All machines, without what only each of them answers.
    machines: Vec<Machine>, "machines", |api| async move { Ok(api.all_machines().await?.into_machines()) };
}

impl Api {
    async fn list<W: DeserializeOwned, T: From<W>>(&self, path: &'static str) -> Result<Vec<T>, DriverError> {
        Ok(self.fetch::<Vec<W>>(&ApiCall::get(path)).await?.into_iter().map(T::from).collect())
    }

    /// The release.
    pub(super) async fn version(&self) -> Result<String, DriverError> {
        Ok(self.fetch::<WireVersion>(&ApiCall::get("version/")).await?.version)
    }

    async fn shared<T, R>(&self, want: bool, together: &Arc<Together<(), T>>, read: impl Fn(Self) -> R + Send + Sync + 'static) -> Slot<T>
    where
        T: Send + Sync + 'static,
        R: Future<Output = Result<T, DriverError>> + Send,
    {
        if !want {
            return None;
        }
        let api = self.clone();
        Some(together.ask((), move |_| read(api.clone())).await)
    }

    /// The release, as a list.
    pub(super) async fn shared_version(&self) -> Slot<String> {
        self.shared(true, &self.lists.version, |api| async move { api.version().await }).await
    }

    /// Who the API key belongs to, as a list.
    pub(super) async fn shared_user(&self) -> Slot<User> {
        self.shared(true, &self.lists.user, |api| async move { api.user().await }).await
    }

    /// Who the API key belongs to.
    pub(super) async fn user(&self) -> Result<User, DriverError> {
        let user: super::wire::WireUser = self.fetch(&ApiCall::get_op("users/", "whoami")).await?;
        Ok(User { name: user.username, administrator: user.is_superuser })
    }

    /// Boot images. The list does not say what is complete, so each image is asked.
    async fn images(&self) -> Result<ImageState, DriverError> {
        let (list, importing) = (ApiCall::get("boot-resources/"), ApiCall::get_op("boot-resources/", "is_importing"));
        let (resources, importing) = tokio::join!(self.fetch::<Vec<WireBootResource>>(&list), self.fetch::<bool>(&importing));
        let (resources, importing) = (resources?, importing?);
        let mut tasks = JoinSet::new();
        for resource in &resources {
            let (api, id) = (self.clone(), resource.id);
            tasks.spawn(async move { (id, api.fetch::<WireBootResource>(&ApiCall::get(format!("boot-resources/{id}/"))).await) });
        }
        let mut complete = BTreeMap::new();
        while let Some(joined) = tasks.join_next().await {
            if let Ok((id, Ok(resource))) = joined
                && let Some(whole) = resource.complete()
            {
                complete.insert(id, whole);
            }
        }
        // Without an answer for the single image: what is listed while nothing is imported is there.
        Ok(ImageState { images: images(&resources, &complete, !importing), importing })
    }

    /// What each rack controller has of the region's images.
    async fn rack_images(&self) -> Result<Vec<RackImages>, DriverError> {
        let racks: Vec<WireController> = self.fetch(&ApiCall::get("rackcontrollers/")).await?;
        let mut out = Vec::new();
        for rack in racks.into_iter().map(RackController::from) {
            let call = ApiCall::get_op(format!("rackcontrollers/{}/", rack.id), "list_boot_images");
            let behind = match self.fetch::<WireRackImages>(&call).await {
                Ok(images) => images.behind(),
                // Releases that no longer have the call have no copies on rack controllers to wait for.
                Err(error) if error.class == ErrorClass::Rejected => None,
                Err(error) => return Err(error),
            };
            out.push(RackImages { hostname: rack.hostname, behind });
        }
        Ok(out)
    }

    /// Selections of all boot sources.
    async fn selections(&self) -> Result<Selections, DriverError> {
        let sources: Vec<WireBootSource> = self.fetch(&ApiCall::get("boot-sources/")).await?;
        let mut out = Selections { sources: sources.iter().map(|s| s.id).collect(), selections: Vec::new() };
        for id in &out.sources {
            let list: Vec<WireSelection> = self.fetch(&ApiCall::get(format!("boot-sources/{id}/selections/"))).await?;
            out.selections.extend(list.into_iter().map(|s| (s.id, s.of(*id))));
        }
        Ok(out)
    }
}

fn of<'a, T>(slot: Option<&'a Answer<T>>, what: &str) -> Result<&'a T, DriverError> {
    match slot {
        Some(Ok(list)) => Ok(list),
        Some(Err(error)) => Err(error.clone()),
        None => Err(DriverError::new(ErrorClass::Inconclusive, format!("the list of {what} was not read"))),
    }
}

impl Lists {
    /// A fabric by name.
    pub(super) fn fabric(&self, name: &str) -> Result<&Fabric, DriverError> {
        self.fabrics()?.iter().find(|f| f.name == name).ok_or_else(|| missing(&format!("fabric {name}")))
    }

    /// A VLAN by fabric and tag.
    pub(super) fn vlan(&self, fabric: &str, vid: u16) -> Result<&Vlan, DriverError> {
        self.fabric(fabric)?.vlans.iter().find(|v| v.vid == vid).ok_or_else(|| missing(&format!("VLAN {vid} of fabric {fabric}")))
    }

    /// The fabric and the VLAN with an id.
    pub(super) fn vlan_by_id(&self, id: u64) -> Option<(&Fabric, &Vlan)> {
        let fabrics = self.fabrics().ok()?;
        fabrics.iter().find_map(|f| f.vlans.iter().find(|v| v.id == id).map(|v| (f, v)))
    }

    /// A subnet by address block.
    pub(super) fn subnet(&self, cidr: IpNet) -> Result<&Subnet, DriverError> {
        self.subnets()?.iter().find(|s| s.cidr == cidr.trunc()).ok_or_else(|| missing(&format!("subnet {}", cidr.trunc())))
    }
}

/// Something that an action before this one should have created.
fn missing(what: &str) -> DriverError {
    DriverError::new(ErrorClass::NotReady, format!("{what} does not exist in MAAS"))
        .hint("what creates it was not planned, or has failed: make a new plan when that is repaired")
}
