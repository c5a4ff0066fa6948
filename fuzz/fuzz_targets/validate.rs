//! Any bytes as a design, all the way to what is printed about it: nothing panics.

#![no_main]

use drydock::yaml::SourceMap;
use drydock::{check, document, model, report};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut map = SourceMap::default();
    let file = map.add("design.yaml", String::from_utf8_lossy(data).into_owned());
    let document::Read { documents, sensitive, mut diagnostics, .. } = document::read_all(&map, &[file]);
    let (site, found) = model::resolve(&documents, &sensitive);
    diagnostics.extend(found);
    if let Some(site) = site {
        diagnostics.extend(check::run(&site));
        // Every disk of the design is known, and small.
        let disks = site.nodes.iter().map(|(name, node)| {
            (name.as_str(), node.storage.physical_devices.keys().map(|disk| (disk.as_str(), 40_000_000_000)).collect())
        });
        let known = check::Known { images: Ok(&[]), disks: disks.collect() };
        diagnostics.extend(check::run_knowing(&site, &known));
        let _ = (check::unverified(&site, None), check::unverified(&site, Some(&known)));
    }
    diagnostics.extend(check::secrets(&documents, &sensitive));
    sensitive.mask(&mut diagnostics);
    let _ = report::diagnostics::render(&map, &diagnostics, report::diagnostics::Style::default());
});
