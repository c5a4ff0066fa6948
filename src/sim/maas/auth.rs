//! OAuth 1 with PLAINTEXT signatures, and the answers to requests without a valid one.

use std::collections::BTreeMap;

use percent::decode;

use crate::sim::core::Core;
use crate::sim::db::Token;
use crate::sim::http::{Form, Reply, Request};

mod percent {
    /// Decodes `%26`.
    pub(super) fn decode(text: &str) -> String {
        let mut out = Vec::with_capacity(text.len());
        let bytes = text.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            let hex = (bytes[i] == b'%').then(|| text.get(i + 1..i + 3)).flatten().and_then(|h| u8::from_str_radix(h, 16).ok());
            if let Some(b) = hex {
                out.push(b);
                i += 3;
            } else {
                out.push(bytes[i]);
                i += 1;
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

fn parameters(header: &str) -> Option<BTreeMap<String, String>> {
    let rest = header.strip_prefix("OAuth ").or_else(|| header.strip_prefix("oauth "))?;
    Some(
        rest.split(',')
            .filter_map(|p| p.trim().split_once('='))
            .map(|(k, v)| (k.trim().to_owned(), decode(v.trim().trim_matches('"'))))
            .collect(),
    )
}

/// The account of a request, or the answer to one without.
pub(super) fn authenticate(core: &Core, request: &Request<'_>) -> Result<Token, Reply> {
    let forbidden = || Reply::bare_text(401, "Forbidden");
    let denied = |text: String| Reply::new(401, "text/html; charset=utf-8", text).with_header("www-authenticate", "OAuth realm=\"OAuth\"");
    let header = request.headers.get("authorization").and_then(|h| h.to_str().ok()).unwrap_or_default();
    let p = parameters(header).ok_or_else(forbidden)?;
    let get = |k: &str| p.get(k).map(String::as_str).unwrap_or_default();
    let complete =
        ["oauth_consumer_key", "oauth_token", "oauth_signature", "oauth_timestamp", "oauth_nonce"].iter().all(|k| p.contains_key(*k));
    if !complete || get("oauth_signature_method") != "PLAINTEXT" {
        return Err(forbidden());
    }
    let tokens = &core.world.site.tokens;
    if !tokens.iter().any(|t| t.consumer == get("oauth_consumer_key")) {
        return Err(denied("Authorization Error: Invalid API key.".into()));
    }
    let Some(token) = tokens.iter().find(|t| t.token == get("oauth_token") && t.consumer == get("oauth_consumer_key")) else {
        return Err(denied(format!("Authorization Error: 'Invalid access token: {}'", get("oauth_token"))));
    };
    let expected = format!("&{}", token.secret);
    if get("oauth_signature") != expected {
        // The real server does tell the secret here.
        return Err(denied(format!("Authorization Error: 'Invalid signature. Expected signature base string: {expected}'")));
    }
    Ok(token.clone())
}

/// The machine that a request is about, as its name or host name; empty if none.
pub(crate) fn subject(core: &Core, request: &Request<'_>) -> String {
    let mut parts = request.path.trim_start_matches("/MAAS/api/2.0/").split('/');
    let (Some("machines" | "nodes"), Some(id)) = (parts.next(), parts.next()) else { return String::new() };
    // `op=allocate` names the machine in its form.
    let form = if id.is_empty() { Form::from_body(request.headers, request.body) } else { Form::default() };
    let id = form.get("system_id").unwrap_or(id);
    core.world.nodes.get(id).map_or_else(String::new, |n| n.machine.clone().unwrap_or_else(|| n.hostname.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_parameters_are_decoded() {
        let p = parameters("OAuth oauth_version=\"1.0\", oauth_signature=\"%26secret\", oauth_consumer_key=\"c\"").unwrap();
        assert_eq!(p["oauth_signature"], "&secret");
        assert!(parameters("Basic abc").is_none());
    }
}
