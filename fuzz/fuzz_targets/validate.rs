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
    }
    diagnostics.extend(check::secrets(&documents, &sensitive));
    sensitive.mask(&mut diagnostics);
    let _ = report::diagnostics::render(&map, &diagnostics, report::diagnostics::Style::default());
});
