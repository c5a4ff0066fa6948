//! Documents to the applied model.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::decode::{self, Host, Layouts, RawNetwork, Reader};
use super::profiles::Profiles;
use super::sink::Sink;
use super::{Asset, AssetSource, BootAction, Located, Network, Node, Region, Route, Site, codes, filter};
use crate::design;
use crate::diag::Diagnostic;
use crate::document::{Document, Kind, Sensitive};

/// Resolves a design: inheritance, references, route domains, filters and names.
///
/// `sensitive` tells where the documents hold secrets. A problem never stops the others from being found: what cannot be read is left out and reported. `None` only if there is no document of ours at all.
/// Rules over the result are [`crate::check`]'s.
pub fn resolve(documents: &[Document], sensitive: &Sensitive) -> (Option<Site>, Vec<Diagnostic>) {
    let mut by_kind: BTreeMap<Kind, Vec<&Document>> = BTreeMap::new();
    let mut sink = Sink::default();
    let mut found = Vec::new();
    for document in documents {
        let Some(kind) = document.kind() else { continue };
        by_kind.entry(kind).or_default().push(document);
        design::inspect(design::shape_of(kind), &document.data, &resource(kind, &document.name), &mut found);
    }
    for diagnostic in found {
        sink.push(diagnostic);
    }
    if by_kind.is_empty() {
        return (None, sink.finish());
    }
    let of = |kind: Kind| by_kind.get(&kind).map(Vec::as_slice).unwrap_or_default();

    let (name, region) = region(of(Kind::Region), of(Kind::BaremetalNode), &mut sink);
    let racks = decoded(of(Kind::Rack), Kind::Rack, &mut sink, |document, _| decode::rack(document));
    let links = decoded(of(Kind::NetworkLink), Kind::NetworkLink, &mut sink, decode::network_link);
    let hardware_profiles = decoded(of(Kind::HardwareProfile), Kind::HardwareProfile, &mut sink, decode::hardware_profile);
    let raw_networks = decoded(of(Kind::Network), Kind::Network, &mut sink, decode::network);
    let mut networks = with_routes(raw_networks, &mut sink);

    let mut profiles = Profiles::new(of(Kind::HostProfile).iter().copied());
    profiles.resolve_all(&mut sink);
    let mut nodes = BTreeMap::new();
    let mut layouts = Layouts::default();
    for document in of(Kind::BaremetalNode) {
        let resource = resource(Kind::BaremetalNode, &document.name);
        let inherited = profiles.apply(document, &resource, &mut sink);
        let host = Host { document, inherited, hardware_profiles: &hardware_profiles, layouts: &mut layouts };
        let mut node = decode::host(host, &mut Reader::new(&resource, &mut sink));
        name_in_networks(&mut node, &networks);
        nodes.insert(document.name.clone(), node);
    }
    link_networks(&mut networks, &links, &nodes);

    let raw_actions = decoded(of(Kind::BootAction), Kind::BootAction, &mut sink, decode::boot_action);
    let mut boot_actions = BTreeMap::new();
    for (name, raw) in raw_actions {
        let resource = resource(Kind::BootAction, &name);
        let mut reader = Reader::new(&resource, &mut sink);
        let selected = filter::select(raw.filter.as_ref(), &nodes, &racks, &mut reader);
        let incomplete = reader.has_reported();
        let mut assets = raw.assets;
        for asset in &mut assets {
            mark_sensitive(asset, sensitive);
        }
        boot_actions.insert(name, BootAction { name: raw.name, signaling: raw.signaling, nodes: selected, incomplete, assets });
    }

    let host_profiles = profiles.spans();
    let deployment = super::deployment::decode(documents, &nodes, &mut sink);
    let sensitive = sensitive.clone();
    let site = Site { name, region, racks, links, networks, hardware_profiles, host_profiles, nodes, boot_actions, deployment, sensitive };
    (Some(site), sink.finish())
}

fn mark_sensitive(asset: &mut Asset, sensitive: &Sensitive) {
    if let AssetSource::Inline(content) | AssetSource::Location { url: content, .. } = &mut asset.source {
        content.sensitive = content.origins.iter().any(|span| sensitive.covers(*span));
    }
}

/// The address of the resource that a document describes.
fn resource(kind: Kind, name: &str) -> String {
    let kind = match kind {
        Kind::Region => "region",
        Kind::Rack => "rack",
        Kind::NetworkLink => "link",
        Kind::Network => "network",
        Kind::HardwareProfile => "hardware_profile",
        Kind::HostProfile => "host_profile",
        Kind::BaremetalNode => "node",
        Kind::BootAction => "boot_action",
    };
    format!("{kind}.{name}")
}

fn decoded<T>(
    documents: &[&Document],
    kind: Kind,
    sink: &mut Sink,
    decode: impl Fn(&Document, &mut Reader<'_>) -> T,
) -> BTreeMap<String, T> {
    let mut by_name = BTreeMap::new();
    for document in documents {
        let resource = resource(kind, &document.name);
        by_name.insert(document.name.clone(), decode(document, &mut Reader::new(&resource, sink)));
    }
    by_name
}

fn region(documents: &[&Document], nodes: &[&Document], sink: &mut Sink) -> (Located<String>, Region) {
    let layer = |document: &Document| {
        document.metadata.get("layeringDefinition").and_then(|l| l.get("layer")).and_then(crate::yaml::Node::as_str).map(str::to_owned)
    };
    let of_nodes = nodes.first().and_then(|node| layer(node));
    let chosen = documents.iter().find(|region| layer(region) == of_nodes).or(documents.first());
    let Some(document) = chosen else {
        sink.push(
            Diagnostic::error(codes::NO_REGION, "the design has no Region document")
                .help("add one with `schema: drydock/Region/v1`; its name is the name of the site"),
        );
        let region = Region {
            span: crate::yaml::Span::NOWHERE,
            tag_definitions: Vec::new(),
            authorized_keys: Vec::new(),
            remove_unlisted_repositories: Located::default_value(false),
            repositories: BTreeMap::new(),
        };
        return (Located::default_value("unnamed".to_owned()), region);
    };
    for other in documents.iter().filter(|other| !std::ptr::eq(**other, *document)) {
        sink.push(
            Diagnostic::warning(codes::SEVERAL_REGIONS, format!("the design has a second Region, `{}`, which is not read", other.name))
                .at(other.name_span)
                .label(document.name_span, "this one counts")
                .help("one design describes one site; keep one Region, or make the other abstract"),
        );
    }
    let resource = resource(Kind::Region, &document.name);
    let region = decode::region(document, &mut Reader::new(&resource, sink));
    (Located::new(document.name.clone(), document.name_span), region)
}

/// Routes that route domains may give in all.
const MAX_ROUTES: usize = 1_000_000;

/// Expands route domains: a route to a domain becomes a route to each of its networks but the own one, through the same gateway.
fn with_routes(raw: BTreeMap<String, RawNetwork>, sink: &mut Sink) -> BTreeMap<String, Network> {
    let mut domains: BTreeMap<String, Vec<(String, ipnet::IpNet)>> = BTreeMap::new();
    let mut by_block: HashMap<ipnet::IpNet, String> = HashMap::new();
    for (name, RawNetwork { network, .. }) in &raw {
        if !network.cidr.span.is_somewhere() {
            continue;
        }
        let block = network.cidr.trunc();
        by_block.entry(block).or_insert_with(|| name.clone());
        if let Some(domain) = &network.routedomain {
            domains.entry(domain.value.clone()).or_default().push((name.clone(), block));
        }
    }
    let mut networks = BTreeMap::new();
    let mut left = MAX_ROUTES;
    for (name, RawNetwork { mut network, routes }) in raw {
        let own = network.cidr.trunc();
        let mut seen = BTreeSet::new();
        for route in routes {
            if let Some(subnet) = route.subnet
                && seen.insert((subnet.trunc(), route.gateway.value))
            {
                let destination = by_block.get(&subnet.trunc()).cloned();
                network.routes.push(Route {
                    subnet,
                    network: destination,
                    gateway: route.gateway,
                    metric: route.metric,
                    routedomain: None,
                });
            }
            let Some(domain) = route.routedomain else { continue };
            let Some(destinations) = domains.get(&domain.value) else {
                let message = format!("no network belongs to route domain `{domain}`");
                let found = Diagnostic::warning(codes::UNKNOWN_ROUTE_DOMAIN, message).at(domain.span);
                let help = match sink.similar(&domain, domains.keys().map(String::as_str)) {
                    Some(similar) => format!("did you mean `{similar}`?"),
                    None => "set `routedomain` of the networks that it should lead to, or remove the route".to_owned(),
                };
                sink.push(found.help(help).resource(resource(Kind::Network, &name)));
                continue;
            };
            if destinations.len() > left {
                let message = format!("route domains of this design give more than {MAX_ROUTES} routes; `{domain}` is left out here");
                let found = Diagnostic::error(codes::GROWS_TOO_LARGE, message).at(domain.span);
                sink.push(
                    found.help("give fewer networks routes to route domains of many networks").resource(resource(Kind::Network, &name)),
                );
                continue;
            }
            left -= destinations.len();
            for (destination, block) in destinations {
                if *destination == name || *block == own || !seen.insert((*block, route.gateway.value)) {
                    continue;
                }
                network.routes.push(Route {
                    subnet: Located::new(*block, domain.span),
                    network: Some(destination.clone()),
                    gateway: route.gateway,
                    metric: route.metric,
                    routedomain: Some(domain.value.clone()),
                });
            }
        }
        networks.insert(name, network);
    }
    networks
}

/// OOB address, domain and FQDN.
fn name_in_networks(node: &mut Node, networks: &BTreeMap<String, Network>) {
    node.oob.address = node.oob.network.as_ref().and_then(|network| node.address_on(network)).and_then(|address| address.address);
    node.domain = node.primary_network.as_ref().and_then(|name| networks.get(&name.value)).and_then(|network| network.dns_domain.clone());
    node.fqdn = match &node.domain {
        Some(domain) => format!("{}.{domain}", node.name),
        None => node.name.value.clone(),
    };
}

fn link_networks(networks: &mut BTreeMap<String, Network>, links: &BTreeMap<String, super::NetworkLink>, nodes: &BTreeMap<String, Node>) {
    let mut link_of: HashMap<&str, &str> = HashMap::new();
    for (name, link) in links {
        for network in &link.allowed_networks {
            link_of.entry(network).or_insert(name);
        }
    }
    for (name, link) in links {
        if let Some(native) = &link.native_network {
            link_of.entry(native).or_insert(name);
        }
    }
    let mut used: HashMap<&str, &str> = HashMap::new();
    for interface in nodes.values().flat_map(|node| node.interfaces.values()) {
        let Some((link, _)) = interface.device_link.as_ref().and_then(|link| links.get_key_value(&link.value)) else { continue };
        for network in &interface.networks {
            let first = used.entry(network).or_insert(link);
            *first = (*first).min(link);
        }
    }
    for (name, network) in networks {
        network.link = link_of.get(name.as_str()).or_else(|| used.get(name.as_str())).map(|link| (*link).to_owned());
    }
}
