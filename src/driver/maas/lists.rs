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
    WireRoute, WireSelection, WireSshKey, WireSubnet, WireTag, images,
};
use crate::build::{
    AddressRange, BootSelection, DomainFacts, Fabric, Image, Machine, PackageRepository, RackController, SshKey, StaticRoute, Subnet,
    TagFacts, Vlan,
};
use crate::driver::{DriverError, ErrorClass};

/// A list: not asked for, read, or failed. Whoever asked at the same time has the same one.
pub(super) type Slot<T> = Option<Answer<T>>;

/// Lists that are being read.
#[derive(Debug)]
pub(super) struct SharedLists {
    fabrics: Arc<Together<(), Vec<Fabric>>>,
    subnets: Arc<Together<(), Vec<Subnet>>>,
    ranges: Arc<Together<(), Vec<AddressRange>>>,
    routes: Arc<Together<(), Vec<StaticRoute>>>,
    domains: Arc<Together<(), Vec<DomainFacts>>>,
    tags: Arc<Together<(), Vec<TagFacts>>>,
    ssh_keys: Arc<Together<(), Vec<SshKey>>>,
    repositories: Arc<Together<(), Vec<PackageRepository>>>,
    images: Arc<Together<(), ImageState>>,
    selections: Arc<Together<(), Selections>>,
    racks: Arc<Together<(), Vec<RackController>>>,
    user: Arc<Together<(), User>>,
    machines: Arc<Together<(), Vec<Machine>>>,
    spaces: Arc<Together<(), Vec<WireName>>>,
    pools: Arc<Together<(), Vec<WireName>>>,
    zones: Arc<Together<(), Vec<WireName>>>,
}

impl SharedLists {
    pub(super) fn new() -> Self {
        fn one<T>() -> Arc<Together<(), T>> {
            Together::new(1, usize::MAX)
        }
        Self {
            fabrics: one(),
            subnets: one(),
            ranges: one(),
            routes: one(),
            domains: one(),
            tags: one(),
            ssh_keys: one(),
            repositories: one(),
            images: one(),
            selections: one(),
            racks: one(),
            user: one(),
            machines: one(),
            spaces: one(),
            pools: one(),
            zones: one(),
        }
    }
}

/// Which lists a batch needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) fabrics: bool,
    pub(super) subnets: bool,
    pub(super) ranges: bool,
    pub(super) routes: bool,
    pub(super) domains: bool,
    pub(super) tags: bool,
    pub(super) ssh_keys: bool,
    pub(super) repositories: bool,
    pub(super) images: bool,
    pub(super) selections: bool,
    pub(super) racks: bool,
    pub(super) rack_images: bool,
    pub(super) user: bool,
    pub(super) machines: bool,
    pub(super) spaces: bool,
    pub(super) pools: bool,
    pub(super) zones: bool,
}

impl Needs {
    /// What either needs.
    pub(super) fn or(self, o: Self) -> Self {
        Self {
            fabrics: self.fabrics | o.fabrics,
            subnets: self.subnets | o.subnets,
            ranges: self.ranges | o.ranges,
            routes: self.routes | o.routes,
            domains: self.domains | o.domains,
            tags: self.tags | o.tags,
            ssh_keys: self.ssh_keys | o.ssh_keys,
            repositories: self.repositories | o.repositories,
            images: self.images | o.images,
            selections: self.selections | o.selections,
            racks: self.racks | o.racks,
            rack_images: self.rack_images | o.rack_images,
            user: self.user | o.user,
            machines: self.machines | o.machines,
            spaces: self.spaces | o.spaces,
            pools: self.pools | o.pools,
            zones: self.zones | o.zones,
        }
    }
}

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

/// The lists of one batch.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists {
    pub(super) fabrics: Slot<Vec<Fabric>>,
    pub(super) subnets: Slot<Vec<Subnet>>,
    pub(super) ranges: Slot<Vec<AddressRange>>,
    pub(super) routes: Slot<Vec<StaticRoute>>,
    pub(super) domains: Slot<Vec<DomainFacts>>,
    pub(super) tags: Slot<Vec<TagFacts>>,
    pub(super) ssh_keys: Slot<Vec<SshKey>>,
    pub(super) repositories: Slot<Vec<PackageRepository>>,
    pub(super) images: Slot<ImageState>,
    pub(super) selections: Slot<Selections>,
    pub(super) racks: Slot<Vec<RackController>>,
    pub(super) rack_images: Slot<Vec<RackImages>>,
    pub(super) user: Slot<User>,
    pub(super) machines: Slot<Vec<Machine>>,
    pub(super) spaces: Slot<Vec<WireName>>,
    pub(super) pools: Slot<Vec<WireName>>,
    pub(super) zones: Slot<Vec<WireName>>,
}

impl Api {
    async fn list<W, T>(&self, want: bool, path: &'static str, together: &Arc<Together<(), Vec<T>>>) -> Slot<Vec<T>>
    where
        W: DeserializeOwned + Send + 'static,
        T: From<W> + Send + Sync + 'static,
    {
        self.shared(want, together, move |api| async move {
            Ok(api.fetch::<Vec<W>>(&ApiCall::get(path)).await?.into_iter().map(T::from).collect())
        })
        .await
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

    /// Reads the lists that are needed, at the same time.
    pub(super) async fn lists(&self, needs: Needs) -> Lists {
        let shared = Arc::clone(&self.lists);
        let (
            fabrics,
            subnets,
            ranges,
            routes,
            domains,
            tags,
            ssh_keys,
            repositories,
            images,
            selections,
            racks,
            rack_images,
            user,
            machines,
            spaces,
            pools,
            zones,
        ) = tokio::join!(
            self.list::<WireFabric, _>(needs.fabrics, "fabrics/", &shared.fabrics),
            self.list::<WireSubnet, _>(needs.subnets, "subnets/", &shared.subnets),
            self.list::<WireRange, _>(needs.ranges, "ipranges/", &shared.ranges),
            self.list::<WireRoute, _>(needs.routes, "static-routes/", &shared.routes),
            self.list::<WireDomain, _>(needs.domains, "domains/", &shared.domains),
            self.list::<WireTag, _>(needs.tags, "tags/", &shared.tags),
            self.list::<WireSshKey, _>(needs.ssh_keys, "account/prefs/sshkeys/", &shared.ssh_keys),
            self.list::<WireRepository, _>(needs.repositories, "package-repositories/", &shared.repositories),
            self.shared(needs.images, &shared.images, |api| async move { api.images().await }),
            self.shared(needs.selections, &shared.selections, |api| async move { api.selections().await }),
            self.list::<WireController, _>(needs.racks, "rackcontrollers/", &shared.racks),
            async { if needs.rack_images { Some(self.rack_images().await.map(Arc::new)) } else { None } },
            self.shared(needs.user, &shared.user, |api| async move { api.user().await }),
            self.shared(needs.machines, &shared.machines, |api| async move { Ok(api.all_machines().await?.into_machines()) }),
            self.list::<WireName, _>(needs.spaces, "spaces/", &shared.spaces),
            self.list::<WireName, _>(needs.pools, "resourcepools/", &shared.pools),
            self.list::<WireName, _>(needs.zones, "zones/", &shared.zones),
        );
        Lists {
            fabrics,
            subnets,
            ranges,
            routes,
            domains,
            tags,
            ssh_keys,
            repositories,
            images,
            selections,
            racks,
            rack_images,
            user,
            machines,
            spaces,
            pools,
            zones,
        }
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

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident: $type:ty, $what:literal;)*) => {
        impl Lists {
            $($(#[$doc])* pub(super) fn $name(&self) -> Result<&$type, DriverError> {
                of(self.$name.as_ref(), $what)
            })*
        }
    };
}

getters! {
    fabrics: Vec<Fabric>, "fabrics";
    subnets: Vec<Subnet>, "subnets";
    ranges: Vec<AddressRange>, "address ranges";
    routes: Vec<StaticRoute>, "static routes";
    domains: Vec<DomainFacts>, "domains";
    tags: Vec<TagFacts>, "tags";
    ssh_keys: Vec<SshKey>, "SSH keys";
    repositories: Vec<PackageRepository>, "package repositories";
    images: ImageState, "boot images";
    selections: Selections, "boot source selections";
    racks: Vec<RackController>, "rack controllers";
    rack_images: Vec<RackImages>, "boot images of rack controllers";
    user: User, "users";
    spaces: Vec<WireName>, "spaces";
    pools: Vec<WireName>, "resource pools";
    zones: Vec<WireName>, "zones";
    /// All machines, without what only each of them answers.
    machines: Vec<Machine>, "machines";
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
}
