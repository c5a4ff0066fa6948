//! Any bytes as a file of documents: nothing panics, and every position is inside the text.

#![no_main]

use drydock::document;
use drydock::yaml::SourceMap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data).into_owned();
    let length = text.len();
    let mut map = SourceMap::default();
    let file = map.add("design.yaml", text);
    let read = document::read_all(&map, &[file]);
    for span in read.diagnostics.iter().filter_map(|found| found.span) {
        assert!(span.start <= span.end && span.end as usize <= length, "{span:?} in {length} bytes");
    }
});
