//! Boot orders in domain XML, and what `virsh` says.

use super::domain::{read, with_boot};
use super::machine::{classify, power};
use crate::action::params::BootTarget;
use crate::driver::ErrorClass;
use crate::driver::level::Shown;
use crate::driver::power::Power;

const MAC: &str = "52:54:00:00:00:02";

const XML: &str = "<domain type='kvm'>
  <name>n1</name>
  <uuid>6695EB01-f6a4-8304-79aa-97f2502e1930</uuid>
  <os><type arch='x86_64'>hvm</type><boot dev='hd'/><boot dev='network'/></os>
  <devices>
    <disk type='file' device='cdrom'><target dev='sda'/></disk>
    <disk type='file' device='disk'><source file='/a &amp; b'/><target dev='vda'/></disk>
    <interface type='network'><mac address='52:54:00:00:00:01'/></interface>
    <interface type='network'>
      <mac address='52:54:00:00:00:02'/>
    </interface>
    <graphics type='vnc' passwd='canary'/>
  </devices>
</domain>";

#[test]
fn boot_orders_are_read_and_written() {
    let before = read(XML, MAC).unwrap();
    assert_eq!((before.name.as_str(), before.uuid.as_str()), ("n1", "6695eb01-f6a4-8304-79aa-97f2502e1930"));
    assert_eq!(before.macs, ["52:54:00:00:00:01", "52:54:00:00:00:02"]);
    assert_eq!((before.boot.pxe, before.boot.disk), (Shown::No, Shown::Yes));
    let pxe = with_boot(XML, MAC, BootTarget::Pxe).unwrap();
    let seen = read(&pxe, MAC).unwrap();
    assert_eq!((seen.boot.pxe, seen.boot.disk), (Shown::Yes, Shown::No), "{pxe}");
    assert!(!pxe.contains("<boot dev") && pxe.contains("passwd='canary'") && pxe.contains("/a &amp; b"), "nothing else changes: {pxe}");
    // Another NIC first is not this one.
    assert_eq!(read(&pxe, "52:54:00:00:00:01").unwrap().boot.pxe, Shown::No);
    let disk = with_boot(&pxe, MAC, BootTarget::Disk).unwrap();
    let seen = read(&disk, MAC).unwrap();
    assert_eq!((seen.boot.pxe, seen.boot.disk), (Shown::No, Shown::Yes), "{disk}");
    assert_eq!(disk.matches("<boot ").count(), 2, "{disk}");
    assert_eq!(with_boot(&disk, MAC, BootTarget::Pxe).unwrap(), pxe, "there and back");
}

#[test]
fn what_is_no_domain_is_refused() {
    for xml in ["", "<a/>", "<domain/>", "<domain><uuid>x</uuid></domain>", "not xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><domain>&b;</domain>"]
    {
        assert!(read(xml, MAC).is_err(), "{xml}");
        assert!(with_boot(xml, MAC, BootTarget::Pxe).is_err(), "{xml}");
    }
    assert!(with_boot(XML, "52:54:00:00:00:09", BootTarget::Pxe).unwrap_err().contains("no NIC with MAC"));
    assert!(read(&" ".repeat(2 << 20), MAC).is_err());
}

#[test]
fn what_virsh_says_has_a_class() {
    for (text, class) in [
        (
            "error: failed to connect to the hypervisor\nerror: Cannot recv data: Host key verification failed.: Connection reset by peer",
            ErrorClass::Settings,
        ),
        (
            "error: failed to connect to the hypervisor\nerror: Cannot recv data: root@kvm1: Permission denied (publickey).",
            ErrorClass::Credentials,
        ),
        (
            "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/var/run/libvirt/libvirt-sock'",
            ErrorClass::Transient,
        ),
        ("error: Timed out during operation: cannot acquire state change lock", ErrorClass::Busy),
        ("error: Domain is already active", ErrorClass::NotReady),
        ("error: failed to get domain 'nope'", ErrorClass::Rejected),
        ("", ErrorClass::Transient),
    ] {
        assert_eq!(classify(text).0, class, "{text}");
    }
    let states = [("running\n", Power::On), ("shut off", Power::Off), ("in shutdown", Power::PoweringOff), ("?", Power::Unknown)];
    for (text, state) in states {
        assert_eq!(power(text), state, "{text}");
    }
}
