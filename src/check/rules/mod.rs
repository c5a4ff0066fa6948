//! The rules, one per file, and their table.

use super::known::Knowing;
use super::registry::Rule;

mod address_on_unknown_network;
mod address_outside_network;
mod address_without_interface;
mod asset_for_node;
mod asset_path;
mod asset_path_twice;
mod asset_pipeline;
mod asset_template;
mod asset_without_content;
mod assumed_mtu;
mod authorized_key;
mod bad_range;
mod bond_delays;
mod bond_with_one_member;
mod cpu_set;
mod default_routes;
mod device_unused;
mod device_used_twice;
mod dhcp_without_server;
mod disk_too_small;
mod dns_domain;
mod duplicate_address;
mod duplicate_alias;
mod duplicate_boot_mac;
mod duplicate_mountpoint;
mod duplicate_name;
mod duplicate_partition;
mod duplicate_tag_definition;
mod duplicate_uuid;
mod duplicate_vlan;
mod duplicate_volume;
mod empty_volume_group;
mod gateway_is_node;
mod gateway_outside_network;
mod host_bits;
mod hostname;
mod hugepage_size;
mod hugepages_pair;
mod idle_bond_options;
mod interface_without_link;
mod interface_without_nic;
mod libvirt_uri;
mod libvirt_without_mac;
mod malformed_uuid;
mod missing_image;
mod missing_root;
mod mount_point;
mod mtu_above_link;
mod mtu_range;
mod native_network_not_allowed;
mod network_of_other_link;
mod network_on_no_link;
mod network_on_several_links;
mod network_without_link;
mod no_boot_action;
mod no_dhcp_for_pxe;
mod no_image;
mod no_primary_network;
mod nothing_left;
mod oob_incomplete;
mod outside_static_ranges;
mod overlapping_networks;
mod overlapping_ranges;
mod package_version;
mod partition_used_twice;
mod percent_sum;
mod primary_network_unused;
mod ranges;
mod repeated_nic;
mod repository;
mod router_in_dhcp_range;
mod several_boot_disks;
mod several_nics_without_bond;
mod several_rests;
mod shared_nic;
mod small_root;
mod static_in_dhcp_range;
mod storage;
mod tag_definition;
mod tagged_native_network;
mod tagged_network_untrunked;
mod template_name;
mod two_addresses;
mod unbootable_boot;
mod unknown_bond_option;
mod unknown_device;
mod unknown_filesystem;
mod unknown_hardware_profile;
mod unknown_link;
mod unknown_network;
mod unknown_network_of_rack;
mod unknown_network_on_link;
mod unknown_oob_network;
mod unknown_pxe_interface;
mod unknown_rack;
mod unknown_relay_target;
mod unknown_volume_group;
mod untried_template;
mod untrunked_networks;
mod untrunked_without_native;
mod unusable_address;
mod unused_data;
mod unused_volume_group;
mod volumes_too_large;

/// All rules over a model, and over a model with facts, in the order of codes.
pub(super) static RULES: &[&Rule] = &[
    &unknown_hardware_profile::RULE,
    &unknown_oob_network::RULE,
    &unknown_network_on_link::RULE,
    &address_on_unknown_network::RULE,
    &unknown_link::RULE,
    &unknown_rack::RULE,
    &unknown_device::RULE,
    &unknown_network::RULE,
    &unknown_network_of_rack::RULE,
    &duplicate_address::RULE,
    &address_outside_network::RULE,
    &unusable_address::RULE,
    &gateway_outside_network::RULE,
    &gateway_is_node::RULE,
    &host_bits::RULE,
    &bad_range::RULE,
    &overlapping_ranges::RULE,
    &static_in_dhcp_range::RULE,
    &two_addresses::RULE,
    &overlapping_networks::RULE,
    &default_routes::RULE,
    &address_without_interface::RULE,
    &outside_static_ranges::RULE,
    &no_dhcp_for_pxe::RULE,
    &unknown_relay_target::RULE,
    &dns_domain::RULE,
    &router_in_dhcp_range::RULE,
    &dhcp_without_server::RULE,
    &network_of_other_link::RULE,
    &network_on_no_link::RULE,
    &network_on_several_links::RULE,
    &untrunked_networks::RULE,
    &tagged_network_untrunked::RULE,
    &untrunked_without_native::RULE,
    &duplicate_vlan::RULE,
    &mtu_above_link::RULE,
    &mtu_range::RULE,
    &bond_with_one_member::RULE,
    &several_nics_without_bond::RULE,
    &shared_nic::RULE,
    &interface_without_nic::RULE,
    &bond_delays::RULE,
    &interface_without_link::RULE,
    &idle_bond_options::RULE,
    &assumed_mtu::RULE,
    &network_without_link::RULE,
    &repeated_nic::RULE,
    &native_network_not_allowed::RULE,
    &tagged_native_network::RULE,
    &unknown_bond_option::RULE,
    &missing_root::RULE,
    &device_used_twice::RULE,
    &device_unused::RULE,
    &partition_used_twice::RULE,
    &unknown_volume_group::RULE,
    &empty_volume_group::RULE,
    &duplicate_mountpoint::RULE,
    &percent_sum::RULE,
    &several_rests::RULE,
    &small_root::RULE,
    &duplicate_volume::RULE,
    &unused_volume_group::RULE,
    &nothing_left::RULE,
    &duplicate_partition::RULE,
    &duplicate_uuid::RULE,
    &mount_point::RULE,
    &unknown_filesystem::RULE,
    &unbootable_boot::RULE,
    &volumes_too_large::RULE,
    &malformed_uuid::RULE,
    &several_boot_disks::RULE,
    &disk_too_small::RULE,
    &oob_incomplete::RULE,
    &libvirt_uri::RULE,
    &libvirt_without_mac::RULE,
    &asset_pipeline::RULE,
    &asset_template::RULE,
    &asset_for_node::RULE,
    &template_name::RULE,
    &asset_path::RULE,
    &asset_path_twice::RULE,
    &asset_without_content::RULE,
    &package_version::RULE,
    &unused_data::RULE,
    &untried_template::RULE,
    &no_primary_network::RULE,
    &primary_network_unused::RULE,
    &no_image::RULE,
    &hostname::RULE,
    &hugepages_pair::RULE,
    &no_boot_action::RULE,
    &duplicate_boot_mac::RULE,
    &duplicate_alias::RULE,
    &duplicate_name::RULE,
    &cpu_set::RULE,
    &hugepage_size::RULE,
    &unknown_pxe_interface::RULE,
    &missing_image::RULE,
    &authorized_key::RULE,
    &tag_definition::RULE,
    &repository::RULE,
    &duplicate_tag_definition::RULE,
];

/// Those of them that need facts.
pub(super) static KNOWING: &[Knowing] = &[
    Knowing { rule: &small_root::RULE, check: small_root::check_on_disks, subject: |_, _| None },
    Knowing { rule: &disk_too_small::RULE, check: disk_too_small::check, subject: disk_too_small::subject },
    Knowing { rule: &missing_image::RULE, check: missing_image::check, subject: missing_image::subject },
];
