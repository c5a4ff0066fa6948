//! The boot source, and entity tags.

use super::*;

#[tokio::test]
async fn pxe_is_set_once_and_read_back() {
    let site = site(plain).await;
    assert_eq!(site.observe(&boot(BootTarget::Pxe)).await, Ok(Observation::NotStarted));
    assert_eq!(site.driver.begin(&boot(BootTarget::Pxe)).await, Ok(Begun::Complete));
    let set = site.driver.interrogate("n1").await.unwrap().boot.unwrap();
    assert_eq!((set.target.as_str(), set.enabled), ("Pxe", BootEnabled::Once));
    assert_eq!(site.observe(&boot(BootTarget::Pxe)).await, Ok(Observation::done()));
    assert_eq!(site.driver.begin(&boot(BootTarget::Pxe)).await, Ok(Begun::Complete));
    assert_eq!(site.effects().len(), 1);
}

#[tokio::test]
async fn a_bmc_without_pxe_says_what_it_has() {
    let site = site(plain).await;
    site.set(
        "Boot",
        json!({ "BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget@Redfish.AllowableValues": ["Usb", "Hdd"] }),
    );
    let error = site.driver.begin(&boot(BootTarget::Pxe)).await.unwrap_err();
    assert!(error.message.ends_with("does not offer Pxe as boot source; it offers Hdd, Usb"), "{error}");
    assert_eq!(site.effects(), [""; 0]);
}

#[tokio::test]
async fn the_disk_is_set_in_whatever_way_the_bmc_takes() {
    // Refuses `Disabled` alone with a bare string, and takes a target only.
    let mut tried = Vec::new();
    let site = site(move |seen, system| {
        if !seen.line.starts_with("PATCH") {
            return None;
        }
        tried.push(seen.body["Boot"].clone());
        match seen.body["Boot"].get("BootSourceOverrideTarget") {
            None => Some(bare(400, "Missing the BootSourceOverrideTarget element")),
            Some(target) if target == "None" => Some(bare(204, "")),
            Some(target) => {
                assert_eq!(tried.len(), 3);
                system["Boot"]["BootSourceOverrideTarget"] = target.clone();
                Some(bare(204, ""))
            }
        }
    })
    .await;
    let pxe = json!({ "BootSourceOverrideEnabled": "Continuous", "BootSourceOverrideTarget": "Pxe",
                      "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Pxe", "Hdd"] });
    site.set("Boot", pxe);
    assert_eq!(
        site.observe(&boot(BootTarget::Disk)).await,
        Ok(Observation::NotStarted),
        "a lasting override to the network is not the disk"
    );
    assert_eq!(site.driver.begin(&boot(BootTarget::Disk)).await, Ok(Begun::Complete));
    assert_eq!(site.driver.interrogate("n1").await.unwrap().boot.unwrap().target, "Hdd");
}

#[tokio::test]
async fn a_refused_boot_source_is_reported_in_the_bmcs_words() {
    let site = site(|seen, _| seen.line.starts_with("PATCH").then(|| bare(400, "\"no\\n  way\""))).await;
    let error = site.driver.begin(&boot(BootTarget::Pxe)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Rejected);
    assert!(error.message.starts_with("node n1, BMC 10.0.0.1: PATCH http://127.0.0.1:"), "{error}");
    assert!(error.message.ends_with("/redfish/v1/Systems/Self answered 400 Bad Request: no way"), "{error}");
}

#[tokio::test]
async fn a_boot_source_that_shows_late_is_waited_for() {
    let site = site(|seen, _| seen.line.starts_with("PATCH").then(|| bare(202, ""))).await;
    assert!(matches!(site.driver.begin(&boot(BootTarget::Pxe)).await, Ok(Begun::Wait { .. })));
    assert!(is_in_progress(&site.observe(&boot(BootTarget::Pxe)).await));
    site.set("Boot", json!({ "BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe" }));
    assert_eq!(site.observe(&boot(BootTarget::Pxe)).await, Ok(Observation::done()));
}

#[tokio::test]
async fn entity_tags_are_sent_and_renewed() {
    // The tag changes between the read and the first change, and is never given again.
    let mut reads = 0;
    let site = site(move |seen, system| match seen.line.as_str() {
        "GET /redfish/v1/Systems/Self" => {
            reads += 1;
            Some(reply(200, system).header("ETag", &format!("\"{}\"", reads.min(2))))
        }
        "PATCH /redfish/v1/Systems/Self" => match seen.if_match.as_deref() {
            Some("\"2\"") => None,
            Some(_) => Some(bare(412, "")),
            None => Some(bare(428, "")),
        },
        _ => None,
    })
    .await;
    assert_eq!(site.driver.begin(&boot(BootTarget::Pxe)).await, Ok(Begun::Complete));
    assert_eq!(site.effects().len(), 2);
}

#[tokio::test]
async fn a_bmc_that_wants_a_tag_and_gives_none_gets_any() {
    let site = site(|seen, _| {
        let refused = seen.line.starts_with("PATCH") && seen.if_match.as_deref() != Some("*");
        refused.then(|| bare(428, ""))
    })
    .await;
    assert_eq!(site.driver.begin(&boot(BootTarget::Pxe)).await, Ok(Begun::Complete));
}

#[tokio::test]
async fn a_bmc_that_refuses_its_own_tags_gets_none() {
    let site = site(|seen, system| {
        system["@odata.etag"] = json!("W/\"1\"");
        (seen.line.starts_with("PATCH") && seen.if_match.is_some()).then(|| bare(412, ""))
    })
    .await;
    assert_eq!(site.driver.begin(&boot(BootTarget::Pxe)).await, Ok(Begun::Complete));
    assert_eq!(site.effects().len(), 4, "as it is, read anew, as a strong one, without");
}

#[tokio::test]
async fn a_boot_source_that_no_way_sets_is_tried_again_only_where_that_may_help() {
    let cases = [
        ([400, 405, 400], ErrorClass::Rejected),
        ([501, 404, 422], ErrorClass::Rejected),
        ([500, 500, 500], ErrorClass::Transient),
        // Firmware answers 500 to what it does not know, and to what it cannot do just now.
        ([500, 400, 400], ErrorClass::Transient),
        ([400, 400, 500], ErrorClass::Transient),
    ];
    for (codes, class) in cases {
        let mut given = codes.into_iter();
        let site = site(move |seen, _| seen.line.starts_with("PATCH").then(|| bare(given.next().unwrap(), "Traceback"))).await;
        let pxe = json!({ "BootSourceOverrideEnabled": "Continuous", "BootSourceOverrideTarget": "Pxe",
                          "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Pxe", "Hdd"] });
        site.set("Boot", pxe);
        let error = site.driver.begin(&boot(BootTarget::Disk)).await.unwrap_err();
        assert_eq!(error.class, class, "{codes:?}: {error}");
        assert_eq!(site.effects().len(), 3, "each way is tried");
    }
}
