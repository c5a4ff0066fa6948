//! Releases of MAAS from 2.9 on: a site is brought up, changed and given up on each of them; and what they do differently, one by one.

use drydock::sim::{Release, Status};

use crate::perturbed_support::{Site, node, node_mut, of};

/// The example with one node, on a release; nothing is there yet.
fn on(release: Release) -> Site {
    let site = Site::new(&format!("  release: '{}'", release.name()));
    let nodes = site.folder().read("design/nodes.yaml");
    let one: Vec<&str> = nodes.split("---\n").filter(|d| !d.contains("name: control01") && !d.contains("name: compute02")).collect();
    site.folder().write("design/nodes.yaml", &one.join("---\n"));
    site
}

fn posted(site: &Site, op: &str) -> Vec<u16> {
    site.requests().iter().filter(|r| r.op.as_deref() == Some(op)).map(|r| r.status).collect()
}

#[test]
fn a_site_is_brought_up_changed_and_given_up_on_every_release() {
    std::thread::scope(|scope| {
        for release in Release::ALL {
            scope.spawn(move || {
                let site = on(release);
                site.run(&["apply", "--auto-approve"]).expect(0);
                site.expect_as_designed();
                site.folder().edit("design/profiles.yaml", "team: platform", "team: research");
                site.run(&["apply", "--auto-approve"]).expect(0);
                site.expect_as_designed();
                // Only what a release does not know is refused: the newer name of an operation.
                let refused: Vec<_> = site.requests().into_iter().filter(|r| r.status >= 400).collect();
                let expected = |op: Option<&str>| release < Release::V3_0 && op == Some("set_workload_annotations");
                assert!(refused.iter().all(|r| expected(r.op.as_deref())), "{}: {refused:#?}", release.name());
                site.run(&["destroy", "--target", "node=compute01", "--auto-approve"]).expect(0);
                assert_eq!(node(&site.world(), "compute01").unwrap().status, Status::Ready, "{}", release.name());
            });
        }
    });
}

#[test]
fn owner_data_have_another_name_before_3_0() {
    for (release, old) in [(Release::V2_9, true), (Release::V3_0, false)] {
        let site = on(release);
        site.run(&["apply", "--auto-approve"]).expect(0);
        let (new, before) = (posted(&site, "set_workload_annotations"), posted(&site, "set_owner_data"));
        assert!(new.iter().all(|status| *status == if old { 400 } else { 200 }), "{new:?}");
        assert_eq!(before, if old { vec![200; new.len()] } else { Vec::new() });
        assert_eq!(node(&site.world(), "compute01").unwrap().owner_data["role"], "compute");
    }
}

#[test]
fn a_tag_of_others_with_kernel_options_wins_before_3_0_and_is_added_since() {
    for (release, wins) in [(Release::V2_9, true), (Release::V3_0, false)] {
        let site = on(release);
        site.run(&["apply", "--auto-approve", "--goal", "prepare_site"]).expect(0);
        site.run(&["apply", "--auto-approve", "--goal", "prepare_nodes"]).expect(0);
        // The machine loses drydock's tag, and has somebody else's.
        site.change(|w| {
            w.site.tags.push(drydock::sim::Tag {
                name: "a-console".into(),
                definition: String::new(),
                comment: String::new(),
                kernel_opts: "console=tty7".into(),
            });
            node_mut(w, "compute01").tags = vec!["a-console".into()];
        });
        let ended = site.run(&["apply", "--auto-approve"]).expect(if wins { 4 } else { 0 });
        let said = format!("{}{}", ended.stdout, ended.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
        let reason = "kernel options of one tag only, the first by name: a-console of machine compute01 would win over compute01_kp";
        assert_eq!(said.contains(reason), wins, "{said}");
        let installed = site.world().machines["compute01"].installed.clone();
        assert_eq!(installed.is_some(), !wins, "nothing is installed without its kernel parameters");
        if let Some(installed) = installed {
            assert!(installed.kernel_opts.contains("console=tty7") && installed.kernel_opts.contains("hugepages"), "{installed:?}");
        }
    }
}

#[test]
fn why_a_deployment_failed_is_told_before_3_5_as_well() {
    for release in [Release::V3_4, Release::V3_5] {
        let site = on(release);
        site.run(&["apply", "--auto-approve"]).expect(0);
        site.change(|w| {
            let n = node_mut(w, "compute01");
            n.status = Status::Broken;
            n.error_description = "the fan is gone".into();
            n.status_message = Some("Marking node broken: the fan is gone".into());
        });
        let (plan, _) = site.plan(&[]);
        let blocked = of(&plan, "blocked", "node.compute01");
        assert!(blocked[0].to_string().contains("the fan is gone"), "{}: {blocked:?}", release.name());
    }
}

#[test]
fn an_object_that_is_gone_is_told_from_one_that_is_refused_on_every_release() {
    for release in [Release::V3_2, Release::V3_3] {
        let site = on(release);
        site.run(&["apply", "--auto-approve", "--goal", "prepare_site"]).expect(0);
        // MAAS answers as it does to an id that is gone.
        let words = if release < Release::V3_3 { "Not Found" } else { "No Machine matches the given query." };
        let faults = format!("  release: '{}'\n  faults: [{{server: maas, op: commission, status: 404, body: '{words}'}}]", release.name());
        site.simulate(&faults);
        let ended = site.run(&["apply", "--auto-approve"]).expect(4);
        let said = format!("{}{}", ended.stdout, ended.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("it is no longer in MAAS, or has another id: make a new plan"), "{}: {said}", release.name());
        // Nothing was refused for good: the next plan goes on.
        site.run(&["apply", "--auto-approve"]).expect(0);
        site.expect_as_designed();
    }
}
