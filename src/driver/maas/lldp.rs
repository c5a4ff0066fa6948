//! Neighbours from the XML that `lldpctl -f xml` prints and commissioning collects.

use roxmltree::{Document, Node};

use crate::build::Neighbour;

/// Reads what NICs heard; empty when nothing was heard, or the text is not XML.
pub(super) fn read(text: &str) -> Vec<Neighbour> {
    let Ok(document) = Document::parse(text) else { return Vec::new() };
    document.descendants().filter(|n| n.has_tag_name("interface")).filter_map(neighbour).collect()
}

fn neighbour(node: Node<'_, '_>) -> Option<Neighbour> {
    let part = |name| children(node, name).next();
    let (chassis, port) = (part("chassis"), part("port"));
    let text = |within: Option<Node<'_, '_>>, name| within.and_then(|n| children(n, name).find_map(content));
    Some(Neighbour {
        interface: node.attribute("name")?.trim().to_owned(),
        chassis: text(chassis, "id"),
        name: text(chassis, "name"),
        addresses: chassis.into_iter().flat_map(|c| children(c, "mgmt-ip")).filter_map(content).collect(),
        port: text(port, "id"),
    })
}

fn children<'a, 'b: 'a>(node: Node<'a, 'b>, name: &'static str) -> impl Iterator<Item = Node<'a, 'b>> {
    node.children().filter(move |c| c.has_tag_name(name))
}

fn content(node: Node<'_, '_>) -> Option<String> {
    node.text().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `lldpctl` 1.0 writes it.
    const TEXT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<lldp label="LLDP neighbors">
 <interface label="Interface" name="enp3s0f0" via="LLDP" rid="1" age="0 day, 00:01:11">
  <chassis label="Chassis">
   <id label="ChassisID" type="mac">00:1c:73:aa:00:01</id>
   <name label="SysName">tor01.example.net</name>
   <descr label="SysDescr">A switch &amp; more</descr>
   <mgmt-ip label="MgmtIP">10.0.0.1</mgmt-ip>
   <mgmt-ip label="MgmtIP">fd00::1</mgmt-ip>
   <capability label="Capability" type="Bridge" enabled="on"/>
  </chassis>
  <port label="Port"><id label="PortID" type="ifname">Ethernet7</id><descr label="PortDescr">to rack 1</descr></port>
 </interface>
 <interface label="Interface" name="enp3s0f1" via="LLDP"><chassis label="Chassis"><name label="SysName"> </name></chassis></interface>
 <interface label="Interface"><chassis/></interface>
</lldp>"#;

    #[test]
    fn neighbours_are_read() {
        let all = read(TEXT);
        assert_eq!(all.len(), 2, "one without a NIC is of no use: {all:?}");
        let first = Neighbour {
            interface: "enp3s0f0".into(),
            chassis: Some("00:1c:73:aa:00:01".into()),
            name: Some("tor01.example.net".into()),
            addresses: vec!["10.0.0.1".into(), "fd00::1".into()],
            port: Some("Ethernet7".into()),
        };
        assert_eq!(all[0], first);
        assert_eq!(all[1], Neighbour { interface: "enp3s0f1".into(), ..Neighbour::default() });
        for text in ["", "<lldp>", "<lldp/>", "no neighbours"] {
            assert_eq!(read(text), [], "{text}");
        }
    }
}
