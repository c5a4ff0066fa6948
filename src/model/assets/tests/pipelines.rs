//! Pipelines do what the Python original's do.

use super::super::data::{Data, Form, Why};
use super::super::pipeline::{execute, prepare};
use super::super::template::Templates;
use super::{action, n1, read};
use crate::model::{AssetSource, Mode, Segment};

fn run(start: Data, pipeline: &[Segment]) -> Result<Data, Why> {
    execute(start, pipeline, &n1())
}

fn bytes(text: &str) -> Data {
    Data::Bytes(text.as_bytes().to_vec())
}

fn text(text: &str) -> Data {
    Data::Text(text.to_owned())
}

#[test]
fn steps_take_bytes_or_text_as_pythons_do() {
    use Segment::{Base64Decode, Base64Encode, Template, Utf8Decode, Utf8Encode};
    assert_eq!(run(bytes("Test 1 2 3!"), &[Base64Encode]), Ok(bytes("VGVzdCAxIDIgMyE=")));
    assert_eq!(run(bytes("VGVzdCAx\nIDIgMyE=\n"), &[Base64Decode]), Ok(bytes("Test 1 2 3!")));
    assert_eq!(run(bytes("grün"), &[Utf8Decode]), Ok(text("grün")));
    assert_eq!(run(bytes("e3sgbm9kZS5ob3N0bmFtZSB9fQo="), &[Base64Decode, Utf8Decode, Template]), Ok(text("n1")));
    assert_eq!(run(bytes("{{ node.hostname }}"), &[Utf8Decode, Template, Utf8Encode, Base64Encode]), Ok(bytes("bjE=")));
    // `b64decode` takes text of ASCII characters as well.
    assert_eq!(run(bytes("bjE="), &[Utf8Decode, Base64Decode]), Ok(bytes("n1")));
    // A template may make a template.
    let twice = "{% raw %}{{ node.hostname }}{% endraw %}";
    assert_eq!(run(bytes(twice), &[Utf8Decode, Template, Template]), Ok(text("n1")));

    let wrong = |has| Err(Why::WrongForm { has });
    assert_eq!(run(text("a"), &[Utf8Decode]), wrong(Form::Text));
    assert_eq!(run(text("a"), &[Base64Encode]), wrong(Form::Text));
    assert_eq!(run(bytes("a"), &[Utf8Encode]), wrong(Form::Bytes));
    assert_eq!(run(bytes("a"), &[Template]), wrong(Form::Bytes));
    assert_eq!(run(Data::Bytes(vec![b'a', 0xff]), &[Utf8Decode]), Err(Why::NotUtf8 { at: 1 }));
}

/// Values of Python 3.12's `base64.b64decode`.
#[test]
fn base64_is_read_as_python_reads_it() {
    let decoded = |text: &str| super::super::base64::decode(text.as_bytes());
    for (text, expected) in [
        ("", ""),
        ("YQ==", "a"),
        ("YWI=", "ab"),
        ("YWJj", "abc"),
        ("Y W\tJ\nj", "abc"),
        ("Y!W$Jj", "abc"),
        ("YQ==YQ==", "a"),
        ("YWJj====", "abc"),
    ] {
        assert_eq!(decoded(text), Ok(expected.as_bytes().to_vec()), "{text}");
    }
    for text in ["Y", "YWJjZ", "YQ", "YQ=", "YWI", "YWJjYQ="] {
        assert!(decoded(text).is_err(), "{text}");
    }
    let all: Vec<u8> = (0..=255).collect();
    for length in 0..all.len() {
        let encoded = super::super::base64::encode(&all[..length]);
        assert_eq!(super::super::base64::decode(&encoded).as_deref(), Ok(&all[..length]));
    }
}

fn first_failure(asset: &str) -> String {
    let (site, found) = read(&action("a", asset));
    assert!(found.is_empty(), "{found:#?}");
    let asset = &site.boot_actions["a"].assets[0];
    prepare(asset, &Templates::default()).map_or_else(|failure| format!("{failure} @{}", failure.span.line), |_| "none".to_owned())
}

#[test]
fn what_cannot_work_for_any_node_is_found_without_one() {
    let data =
        |pipeline: &str, data: &str| first_failure(&format!("- {{type: file, path: /a, data_pipeline: [{pipeline}], data: {data}}}"));
    assert_eq!(data("template", "x"), "step 1 (`template`) takes text, and gets bytes @39");
    assert_eq!(data("utf8_decode, template, utf8_decode", "x"), "step 3 (`utf8_decode`) takes bytes, and gets text @39");
    assert_eq!(
        data("base64_decode", "YQ"),
        "step 1 (`base64_decode`) gets what is not base64: the padding (`=`) at its end is missing @39"
    );
    assert_eq!(data("base64_decode, utf8_decode", "/w=="), "step 2 (`utf8_decode`) gets bytes that are not UTF-8, at byte 0 @39");
    assert_eq!(
        data("utf8_decode, template", "'{% if %}'"),
        "step 2 (`template`) line 1: syntax error: unexpected end of block in `%}` @39"
    );
    assert_eq!(data(&vec!["base64_encode"; 17].join(", "), "x"), "a pipeline of more than 16 steps @39");
    let location = |pipeline: &str, url: &str| {
        first_failure(&format!(
            "- {{type: file, path: /a, location_pipeline: [{pipeline}], location: '{url}', data_pipeline: [utf8_decode]}}"
        ))
    };
    assert_eq!(location("template", "http://h/{{ node.hostname }}"), "none");
    assert_eq!(location("template, utf8_encode", "http://h/"), "the pipeline makes bytes, and a location is text @39");
    assert_eq!(location("", "ftp://h/"), "nothing is fetched from `ftp://` @39");
    assert_eq!(location("", "file:///etc/shadow"), "nothing is fetched from `file://` @39");
    assert_eq!(location("", "/etc/shadow"), "the location is not a URL @39");
}

#[test]
fn a_pipeline_makes_no_more_than_an_asset_may_have() {
    let big = bytes(&"x".repeat(super::super::MAX_BYTES));
    assert_eq!(run(big.clone(), &[Segment::Utf8Decode]).map(|data| data.len()), Ok(super::super::MAX_BYTES));
    assert_eq!(run(big, &[Segment::Base64Encode]), Err(Why::TooLarge));
}

#[test]
fn permissions_are_octal_and_numbers_are_taken_for_what_makes_sense() {
    let mode = |written: &str| {
        let (site, found) = read(&action("a", &format!("- {{type: file, path: /a, data: x, permissions: {written}}}")));
        let found: Vec<String> = found.iter().map(|d| format!("{} {}", d.code.0, d.message)).collect();
        (site.boot_actions["a"].assets[0].mode.map(|mode| mode.to_string()), found.join("\n"))
    };
    let plain = |mode: &str| (Some(mode.to_owned()), String::new());
    for (written, expected) in [("'555'", "0555"), ("'0644'", "0644"), ("'0o755'", "0755"), ("'4755'", "4755"), ("'000'", "0000")] {
        assert_eq!(mode(written), plain(expected));
    }
    let taken = |number: &str, mode: &str| (Some(mode.to_owned()), format!("DD1111 permissions are the number {number}, taken for {mode}"));
    assert_eq!(mode("555"), taken("555", "0555"));
    assert_eq!(mode("0644"), taken("420", "0644"));
    assert_eq!(mode("0o644"), plain("0644"));
    assert_eq!(mode("644"), taken("644", "0644"));
    assert_eq!(mode("0755"), taken("493", "0755"));
    assert_eq!(mode("0777"), (None, "DD1103 permissions 511 can mean 0777 or 0511".to_owned()));
    assert_eq!(mode("400"), (None, "DD1103 permissions 400 can mean 0620 or 0400".to_owned()));
    assert_eq!(mode("rw-r--r--"), (None, "DD1103 `rw-r--r--` are not permissions of a file".to_owned()));
    assert_eq!(mode("'899'").1, "DD1103 `899` are not permissions of a file");
    assert_eq!(mode("'77777'").1, "DD1103 `77777` are not permissions of a file");
    assert_eq!(mode("-1").1, "DD1103 `-1` are not permissions of a file");
    let (site, _) = read(&action("a", "- {type: file, path: /a, data: x}"));
    assert_eq!(site.boot_actions["a"].assets[0].effective_mode(), Mode(0o600));
}

#[test]
fn assets_are_read_with_all_that_is_wrong_with_them() {
    let found = |asset: &str| {
        let (site, found) = read(&action("a", asset));
        let found: Vec<String> =
            found.iter().map(|d| format!("{} {} ({})", d.code.0, d.message, d.help.as_deref().unwrap_or_default())).collect();
        (site.boot_actions["a"].assets.len(), found.join("\n"))
    };
    assert_eq!(
        found("- {type: flie, path: /a, data: x}"),
        (0, "DD1103 `flie` is not a known type of asset (did you mean `file`?)".to_owned())
    );
    assert_eq!(found("- {path: /a, data: x}"), (0, "DD1104 asset without `type` (write `file`, `unit` or `pkg_list`)".to_owned()));
    assert_eq!(
        found("- {type: file, path: /a, data: x, data_pipeline: [utf8_decod, template]}"),
        (1, "DD1103 `utf8_decod` is not a known pipeline segment (did you mean `utf8_decode`?)".to_owned())
    );
    assert_eq!(
        found("- {type: file, path: /a, data: {a: b}}").1,
        "DD1103 the data of a file is a mapping, and text belongs there (write the content as text, or `type: pkg_list` if these are packages)"
    );
    assert_eq!(
        found("- {type: pkg_list, data: {a: 1.10, b: '', c: null, d: '2'}}").1,
        "DD1103 the version of package `a` is a decimal number, and text belongs there (write it in quotes)"
    );
    let (site, _) = read(&action("a", "- {type: pkg_list, data: {b: '', c: null, d: '2'}}"));
    let AssetSource::Packages(packages) = &site.boot_actions["a"].assets[0].source else { panic!("packages") };
    let versions: Vec<_> = packages.values().map(|package| (package.name.as_str(), package.version.as_ref().map(|v| v.as_str()))).collect();
    assert_eq!(versions, [("b", None), ("c", None), ("d", Some("2"))]);
}
