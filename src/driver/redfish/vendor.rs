//! Where vendors differ: one table, each row with its source.
//!
//! Everything that is not here is asked of the BMC itself (links, `AllowableValues`, `ProtocolFeaturesSupported`) or tried and read back.

use serde_json::Value;

use super::system::text;

/// What is special about the BMCs of a vendor.
#[derive(Debug, PartialEq, Eq)]
pub struct Vendor {
    /// Name for people.
    pub name: &'static str,
    /// Words, lower case, of which one is in `Vendor` or the keys of `Oem` in the service root, or in `Manufacturer` of the system.
    pub words: &'static [&'static str],
    /// A boot source is set with target, duration and mode together; otherwise the mode falls back to the firmware's default, or the request is refused.
    pub whole_boot: bool,
    /// What `BootSourceOverrideTarget` may show after `Pxe` was set.
    pub pxe_shows: &'static [&'static str],
    /// Reset types that are offered and not to be used.
    pub avoid: &'static [&'static str],
    /// Message ids (without registry and version) that say: not now.
    pub later: &'static [&'static str],
    /// Ids of the log service whose entries are the hardware's events, best first.
    pub logs: &'static [&'static str],
    /// Where this is from.
    pub source: &'static str,
}

/// BMCs of vendors that are not listed.
pub(super) const OTHER: Vendor = Vendor {
    name: "others",
    words: &[],
    whole_boot: false,
    pxe_shows: &[],
    avoid: &[],
    later: &[],
    logs: &["SEL", "Sel", "EventLog", "Log1", "Log"],
    source: "DMTF DSP0266, DSP2046",
};

/// The table.
pub const VENDORS: [Vendor; 4] = [
    Vendor {
        name: "Dell",
        words: &["dell"],
        whole_boot: false,
        pxe_shows: &[],
        avoid: &[],
        later: &["SYS518", "RAC0508", "RAC0679", "ActionParameterValueConflict"],
        logs: &["Sel", "SEL"],
        source: "sushy/connector.py (SYS518), sushy/oem/dell/constants.py (RAC0679), ironic drivers/modules/redfish/power.py (409 on On after off), \
                 libredfish src/dell.rs (log of the manager)",
    },
    Vendor {
        name: "HPE",
        words: &["hpe", "hewlett", "hp"],
        whole_boot: false,
        pxe_shows: &[],
        avoid: &[],
        later: &["UnableToModifyDuringSystemPOST", "InvalidOperationForSystemState", "ServerNotReady"],
        logs: &["IML", "IEL"],
        source: "ironic drivers/modules/redfish/management.py (POST), sushy/connector.py (InvalidOperationForSystemState), libredfish src/hpe.rs (IML)",
    },
    Vendor {
        name: "Lenovo",
        words: &["lenovo"],
        whole_boot: false,
        pxe_shows: &[],
        // An SR675 V3 may hang after it.
        avoid: &["ForceRestart"],
        later: &[],
        logs: &["SEL", "PlatformLog", "StandardLog"],
        source: "libredfish src/lenovo.rs (ForceRestart, SEL)",
    },
    Vendor {
        name: "Supermicro",
        words: &["supermicro", "super micro"],
        whole_boot: true,
        pxe_shows: &["UefiBootNext"],
        avoid: &[],
        later: &[],
        logs: &["Log1", "SEL"],
        source: "ironic drivers/modules/redfish/management.py (stories 2008547 and 2008712), libredfish src/supermicro.rs (mode, UefiBootNext)",
    },
];

/// The vendor that a word of a BMC names.
fn named(word: &str) -> Option<&'static Vendor> {
    let word = word.to_ascii_lowercase();
    // `hp` must not be found in other words.
    let is = |w: &str| if w.len() < 4 { word == w || word.starts_with(&format!("{w} ")) } else { word.contains(w) };
    VENDORS.iter().find(|v| v.words.iter().any(|w| is(w)))
}

/// The vendor of a service, by its root.
pub(super) fn of_root(root: &Value) -> Option<&'static Vendor> {
    let oem = root.get("Oem").and_then(Value::as_object);
    text(root, "Vendor").as_deref().and_then(named).or_else(|| oem?.keys().find_map(|k| named(k)))
}

/// The vendor of a system, by its manufacturer.
pub(super) fn of_manufacturer(manufacturer: Option<&str>) -> Option<&'static Vendor> {
    manufacturer.and_then(named)
}

/// Whether a message id says "not now" at some vendor's BMC.
pub(super) fn says_later(id: &str) -> bool {
    VENDORS.iter().any(|v| v.later.contains(&id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{of_manufacturer, of_root};

    #[test]
    fn vendors_are_known_by_what_they_write() {
        let name = |root| of_root(&root).map(|v| v.name);
        assert_eq!(name(json!({ "Vendor": "Dell" })), Some("Dell"));
        assert_eq!(name(json!({ "Oem": { "Hpe": {} } })), Some("HPE"));
        assert_eq!(name(json!({ "Oem": { "Hp": {} } })), Some("HPE"));
        assert_eq!(name(json!({ "Oem": { "Supermicro": {} } })), Some("Supermicro"));
        assert_eq!(name(json!({ "Vendor": "AMI", "Oem": { "Ami": {} } })), None);
        assert_eq!(name(json!({ "Oem": "none" })), None);
        for (written, vendor) in [
            ("Dell Inc.", Some("Dell")),
            ("HPE", Some("HPE")),
            ("HP ProLiant", Some("HPE")),
            ("Lenovo", Some("Lenovo")),
            ("Super Micro Computer, Inc.", Some("Supermicro")),
            ("Sharp", None),
            ("Graphcore", None),
        ] {
            assert_eq!(of_manufacturer(Some(written)).map(|v| v.name), vendor, "{written}");
        }
    }
}
