//! `op=details`: what lshw and lldpd reported, as BSON.

use std::fmt::Write as _;

use base64::Engine as _;
use serde_json::{Value, json};

use super::call::{Answer, Call, missing};
use crate::sim::http::Reply;
use crate::sim::world::Machine;

pub(super) fn details(call: &Call<'_>, id: &str) -> Answer {
    let n = call.node(id)?;
    let machine = n.machine.as_ref().and_then(|m| call.core.world.machines.get(m)).filter(|_| n.inventoried);
    let (lshw, lldp) = machine.map_or_else(Default::default, |m| (lshw(m), lldp(m)));
    let mut elements = Vec::new();
    for (name, text) in [("lldp", lldp), ("lshw", lshw)] {
        elements.push(5);
        elements.extend_from_slice(name.as_bytes());
        elements.push(0);
        elements.extend_from_slice(&i32::try_from(text.len()).unwrap_or(i32::MAX).to_le_bytes());
        elements.push(0);
        elements.extend_from_slice(text.as_bytes());
    }
    let total = i32::try_from(elements.len() + 5).unwrap_or(i32::MAX);
    let mut bytes = total.to_le_bytes().to_vec();
    bytes.extend(elements);
    bytes.push(0);
    Ok(Reply::new(200, "application/bson", bytes))
}

/// The results of the latest scripts of a kind. Real ones have some twenty scripts; two show how they look.
pub(super) fn results(call: &mut Call<'_>, id: &str, which: &str) -> Answer {
    let ("GET", None) = call.signature() else { return Err(call.unrecognised(&["GET", "DELETE"])) };
    let n = call.node(id)?;
    let (kind, name, (set, status), scripts): (_, _, _, &[&str]) = match which {
        "current-commissioning" => (0, "Commissioning", n.commissioning, &["20-maas-01-install-lldpd", "maas-support-info"]),
        "current-testing" => (2, "Testing", n.testing, &["smartctl-validate"]),
        _ => return Err(missing("ScriptSet")),
    };
    let Some(set) = set else { return Err(missing("ScriptSet")) };
    let shown = |what: &str| base64::engine::general_purpose::STANDARD.encode(format!("{what} on {}\n", n.hostname));
    let with_output = call.form.flag("include_output") == Some(true);
    let results: Vec<Value> = scripts
        .iter()
        .enumerate()
        .map(|(i, script)| {
            let mut result = json!({ "id": i + 1, "name": script, "status": status, "status_name": if status == 2 { "Passed" } else { "Pending" }, "exit_status": if status == 2 { json!(0) } else { Value::Null } });
            if with_output {
                result["output"] = json!(if status == 2 { shown(script) } else { String::new() });
            }
            result
        })
        .collect();
    Ok(Reply::json(&json!({ "id": set, "system_id": id, "type": kind, "type_name": name, "status": status, "results": results })))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What `lshw -xml` prints for a machine.
pub(crate) fn lshw(m: &Machine) -> String {
    let mut x = String::from("<?xml version=\"1.0\" standalone=\"yes\" ?>\n<list>\n");
    let (name, vendor, model) = (escape(&m.name), escape(&m.vendor), escape(&m.model));
    // Writing to a String cannot fail.
    let _ = writeln!(
        x,
        "<node id=\"{name}\" claimed=\"true\" class=\"system\" handle=\"DMI:0100\">\n <description>Computer</description>\n <product>{model}</product>\n <vendor>{vendor}</vendor>\n <serial>{}</serial>\n <width units=\"bits\">64</width>\n <configuration>\n  <setting id=\"uuid\" value=\"{}\" />\n </configuration>\n <node id=\"core\" claimed=\"true\" class=\"bus\" handle=\"DMI:0200\">\n  <description>Motherboard</description>\n  <physid>0</physid>",
        m.serial, m.uuid
    );
    let _ = writeln!(
        x,
        "  <node id=\"firmware\" claimed=\"true\" class=\"memory\">\n   <description>BIOS</description>\n   <vendor>{vendor}</vendor>\n   <physid>0</physid>\n   <version>{}</version>\n   <date>01/01/2026</date>\n  </node>",
        escape(&m.bios_version)
    );
    let _ = writeln!(
        x,
        "  <node id=\"memory\" claimed=\"true\" class=\"memory\" handle=\"DMI:1000\">\n   <description>System Memory</description>\n   <physid>1000</physid>\n   <size units=\"bytes\">{}</size>\n  </node>",
        m.memory_mib << 20
    );
    let _ = writeln!(
        x,
        "  <node id=\"cpu\" claimed=\"true\" class=\"processor\" handle=\"DMI:0400\">\n   <description>CPU</description>\n   <product>Simulated CPU @ 2.40GHz</product>\n   <physid>400</physid>\n   <businfo>cpu@0</businfo>\n   <size units=\"Hz\">2400000000</size>\n   <clock units=\"Hz\">100000000</clock>\n   <configuration>\n    <setting id=\"cores\" value=\"{}\" />\n    <setting id=\"threads\" value=\"{}\" />\n   </configuration>\n  </node>",
        m.cpus, m.cpus
    );
    let _ = writeln!(
        x,
        "  <node id=\"pci\" claimed=\"true\" class=\"bridge\" handle=\"PCIBUS:0000:00\">\n   <description>Host bridge</description>\n   <physid>100</physid>\n   <businfo>pci@0000:00:00.0</businfo>"
    );
    for (i, n) in m.nics.iter().enumerate() {
        let _ = writeln!(
            x,
            "   <node id=\"network:{i}\" claimed=\"true\" class=\"network\" handle=\"PCI:{}\">\n    <description>Ethernet interface</description>\n    <product>{}</product>\n    <vendor>{}</vendor>\n    <physid>{i}</physid>\n    <businfo>pci@{}</businfo>\n    <logicalname>{}</logicalname>\n    <serial>{}</serial>\n    <size units=\"bit/s\">{}</size>\n    <capacity>{}</capacity>\n    <configuration>\n     <setting id=\"driver\" value=\"simulated\" />\n     <setting id=\"link\" value=\"{}\" />\n    </configuration>\n   </node>",
            n.pci,
            escape(&n.product),
            escape(&n.vendor),
            n.pci,
            n.name,
            n.mac,
            u64::from(n.speed) * 1_000_000,
            u64::from(n.speed) * 1_000_000,
            if n.wire.is_some() { "yes" } else { "no" }
        );
    }
    for (i, d) in m.disks.iter().enumerate() {
        let host = d.scsi.split(':').next().unwrap_or("0");
        let _ = writeln!(
            x,
            "   <node id=\"scsi:{i}\" claimed=\"true\" class=\"storage\">\n    <physid>{i}</physid>\n    <businfo>scsi@{host}</businfo>\n    <logicalname>scsi{host}</logicalname>\n    <node id=\"disk\" claimed=\"true\" class=\"disk\">\n     <description>SCSI Disk</description>\n     <product>{}</product>\n     <physid>0.0.0</physid>\n     <businfo>scsi@{}</businfo>\n     <logicalname>/dev/{}</logicalname>\n     <serial>{}</serial>\n     <size units=\"bytes\">{}</size>\n     <configuration>\n      <setting id=\"logicalsectorsize\" value=\"512\" />\n      <setting id=\"sectorsize\" value=\"512\" />\n     </configuration>\n    </node>\n   </node>",
            escape(&d.model),
            d.scsi,
            d.name,
            d.serial,
            d.size
        );
    }
    x.push_str("  </node>\n </node>\n</node>\n</list>\n");
    x
}

fn lldp(m: &Machine) -> String {
    let mut x = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<lldp label=\"LLDP neighbors\">\n");
    for (i, n) in m.nics.iter().enumerate() {
        if let Some(w) = &n.wire {
            let switch = escape(&n.switch.clone().unwrap_or_else(|| format!("switch-{w}")));
            let _ = writeln!(
                x,
                " <interface label=\"Interface\" name=\"{}\" via=\"LLDP\" rid=\"1\" age=\"0 day, 00:00:30\">\n  <chassis label=\"Chassis\">\n   <id label=\"ChassisID\" type=\"local\">{switch}</id>\n   <name label=\"SysName\">{switch}</name>\n  </chassis>\n  <port label=\"Port\">\n   <id label=\"PortID\" type=\"ifname\">port-{}-{i}</id>\n  </port>\n </interface>",
                n.name,
                escape(&m.name)
            );
        }
    }
    x.push_str("</lldp>\n");
    x
}
