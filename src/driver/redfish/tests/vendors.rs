//! What differs between vendors, and boot modes.

use super::super::options::BootMode;
use super::*;

/// The bodies of `PATCH` requests.
fn patched(site: &Site) -> Vec<Value> {
    site.bmc.lock().unwrap().patched.clone()
}

fn of_vendor(vendor: &'static str) -> impl FnMut(&Seen, &mut Value) -> Option<Reply> + Send {
    move |seen, _| {
        let root = json!({ "Systems": { "@odata.id": "/redfish/v1/Systems/" }, "Vendor": vendor });
        (seen.line == "GET /redfish/v1/").then(|| reply(200, &root))
    }
}

#[tokio::test]
async fn supermicro_is_told_everything_at_once_and_shows_another_target() {
    let mut inner = of_vendor("Supermicro");
    let site = site(move |seen, system| {
        let answer = inner(seen, system);
        if seen.line.starts_with("PATCH") {
            system["Boot"]["BootSourceOverrideTarget"] = json!("UefiBootNext");
            system["Boot"]["BootSourceOverrideEnabled"] = json!("Once");
            return Some(bare(204, ""));
        }
        answer
    })
    .await;
    site.bmc.lock().unwrap().system["Boot"]["BootSourceOverrideMode"] = json!("UEFI");
    assert_eq!(site.driver.begin(&boot(BootTarget::Pxe)).await, Ok(Begun::Complete));
    let whole = json!({ "BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once", "BootSourceOverrideMode": "UEFI" });
    assert_eq!(patched(&site), [json!({ "Boot": whole })]);
    // Whoever did not set it cannot know which entry is next.
    let mut other = boot(BootTarget::Pxe);
    other.action = "another".to_owned();
    assert_eq!(site.observe(&other).await, Ok(Observation::NotStarted));
}

#[tokio::test]
async fn a_reset_type_that_hangs_machines_is_not_used() {
    for (vendor, kinds, expected) in [
        ("Lenovo", json!(["On", "ForceRestart"]), None),
        ("Lenovo", json!(["On", "ForceRestart", "PowerCycle"]), Some("PowerCycle")),
        ("Dell", json!(["On", "ForceRestart"]), Some("ForceRestart")),
    ] {
        let mut inner = of_vendor(vendor);
        let site = site(move |seen, system| inner(seen, system).or_else(|| deaf(seen, system))).await;
        site.set("PowerState", json!("On"));
        site.bmc.lock().unwrap().system["Actions"]["#ComputerSystem.Reset"]["ResetType@Redfish.AllowableValues"] = kinds;
        let begun = site.driver.begin(&off(0)).await;
        assert_eq!(site.effects(), expected.iter().map(|k| post(k)).collect::<Vec<_>>(), "{vendor}");
        assert_eq!(begun.is_ok(), expected.is_some());
    }
}

#[tokio::test]
async fn the_boot_mode_is_written_where_it_differs_and_the_bmc_shows_one() {
    let legacy = || RedfishOptions { boot_modes: [("n1".to_owned(), BootMode::Legacy)].into(), ..options() };
    let plain = json!({ "BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once" });
    let with = |mode: &str| {
        let mut body = plain.clone();
        body["BootSourceOverrideMode"] = json!(mode);
        body
    };
    for (options, shown, expected) in [
        (legacy(), Some("UEFI"), vec![with("Legacy")]),
        (legacy(), Some("Legacy"), vec![plain.clone()]),
        // HPE Gen9 has no such property (ironic drivers/modules/redfish/management.py).
        (legacy(), None, vec![plain.clone()]),
        (options(), Some("UEFI"), vec![plain.clone()]),
    ] {
        let site = site_with(options, super::plain).await;
        if let Some(shown) = shown {
            site.bmc.lock().unwrap().system["Boot"]["BootSourceOverrideMode"] = json!(shown);
        }
        assert_eq!(site.driver.begin(&boot(BootTarget::Pxe)).await, Ok(Begun::Complete));
        assert_eq!(patched(&site), expected.into_iter().map(|way| json!({ "Boot": way })).collect::<Vec<_>>());
    }
    // Firmware that cannot change its mode is asked without.
    let site = site_with(legacy(), |seen, _| (seen.body["Boot"]["BootSourceOverrideMode"] == "Legacy").then(|| bare(400, ""))).await;
    site.bmc.lock().unwrap().system["Boot"]["BootSourceOverrideMode"] = json!("UEFI");
    assert_eq!(site.driver.begin(&boot(BootTarget::Pxe)).await, Ok(Begun::Complete));
    assert_eq!(patched(&site).len(), 2);
}
