//! Whether a tag definition is an XPath 1.0 expression (W3C XPath 1.0, 1999), which is what the provisioner evaluates over lshw's XML.

/// Why a text is not an XPath 1.0 expression; `None` if it is one.
pub(super) fn syntax_error(text: &str) -> Option<String> {
    match sxd_xpath::Factory::new().build(text) {
        Ok(Some(_)) => None,
        Ok(None) => Some("it is empty".to_owned()),
        // The parser names this case in one word.
        Err(e) if e.to_string() == "TrailingSlash" => Some("what follows a `/` is not a step of a path".to_owned()),
        Err(e) => Some(e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::syntax_error;

    #[test]
    fn accepts_what_lxml_accepts() {
        for good in
            ["//node", "//node[@id=\"display\"]", "//node[@class='system']/vendor[contains(.,'Dell')]", "count(//node[@id='gpu']) > 1"]
        {
            assert_eq!(syntax_error(good), None, "{good}");
        }
        for bad in ["//[", "//node[@id=\"display\"]/'clock units=\"Hz\"' > 1000000000", ""] {
            assert!(syntax_error(bad).is_some(), "{bad}");
        }
    }
}
