//! Secrets in excerpts of the user's files, masked.

use crate::redact::url_credentials;

/// Parts of keys whose values are secrets. `credential` is how host profiles call the BMC's password.
const SECRET_KEYS: [&str; 8] = ["password", "passwd", "passphrase", "secret", "token", "credential", "private_key", "api_key"];

/// Whether the value of a key is a secret.
pub(super) fn is_secret_key(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    SECRET_KEYS.iter().any(|word| lower.contains(word))
}

/// The text with `*` for every byte of a secret, at unchanged byte offsets.
///
/// Secret are: the value of a key that sounds like one, with all lines indented below it, and the data of documents that Deckhand stores encrypted, which stand at
/// `secrets` (byte ranges in order). Without that, as of a text that is not YAML, they are guessed.
pub(super) fn masked(text: &str, secrets: Option<&[(u32, u32)]>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut masking = Masking::of(text, secrets.is_none());
    for line in text.split_inclusive('\n') {
        if line.starts_with("---") {
            masking = Masking::of(&text[out.len()..], secrets.is_none());
        }
        let start = out.len();
        let hidden = secrets.iter().copied().flatten().any(|(from, to)| (*from as usize) < start + line.len() && start < *to as usize);
        let shown = if hidden { in_ranges(line, start, secrets.unwrap_or_default()) } else { masking.line(line) };
        out.push_str(&shown);
    }
    out
}

/// The line with `*` for what stands in the ranges.
fn in_ranges(line: &str, start: usize, ranges: &[(u32, u32)]) -> String {
    let hidden = |at: usize| ranges.iter().any(|(from, to)| (*from as usize..*to as usize).contains(&at));
    let mut out = String::with_capacity(line.len());
    for (at, c) in line.char_indices() {
        if c.is_whitespace() || !hidden(start + at) {
            out.push(c);
        } else {
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
        }
    }
    out
}

fn is_encrypted(document: &str) -> bool {
    document.lines().any(|line| {
        // An indented `schema` is that of a substitution's source.
        (line.trim_start().starts_with("storagePolicy:") && line.contains("encrypted"))
            || (line.starts_with("schema:") && (line.contains("/Passphrase/") || line.contains("Key/")))
    })
}

struct Masking {
    encrypted: bool,
    in_data: bool,
    /// Lines indented deeper than this belong to a secret.
    below: Option<usize>,
}

impl Masking {
    /// For the document that starts here.
    fn of(text: &str, guess: bool) -> Self {
        let end = text.get(3..).and_then(|rest| rest.find("\n---")).map_or(text.len(), |at| at + 3);
        Self { encrypted: guess && is_encrypted(&text[..end]), in_data: false, below: None }
    }

    fn line(&mut self, line: &str) -> String {
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        let blank = line.trim().is_empty();
        if self.encrypted && line.starts_with("data") {
            self.in_data = true;
            return stars(line, line.find(':').map_or(0, |at| at + 1));
        }
        if self.in_data && !blank && line.starts_with(|c: char| !c.is_whitespace() && c != '-') {
            self.in_data = false;
        }
        if self.in_data {
            return stars(line, 0);
        }
        if let Some(below) = self.below {
            if blank || indent > below {
                return stars(line, 0);
            }
            self.below = None;
        }
        match secret_at(line) {
            Some(from) => {
                self.below = Some(indent);
                stars(line, from)
            }
            None => url_credentials(line).into_iter().rev().fold(line.to_owned(), |line, range| {
                let hidden = "*".repeat(range.len());
                format!("{}{hidden}{}", &line[..range.start], &line[range.end..])
            }),
        }
    }
}

/// Where the first secret value of a line starts: behind the colon of its key.
fn secret_at(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let mut found: Option<usize> = None;
    for word in SECRET_KEYS {
        let mut at = 0;
        while let Some(next) = lower[at..].find(word) {
            let rest = &lower[at + next + word.len()..];
            let key_rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '"' | '\'' | ' '));
            // What follows the word is looked at once, however often the word stands in it.
            at = lower.len() - key_rest.len();
            if key_rest.starts_with([':', '=']) {
                found = Some(found.map_or(at + 1, |f| f.min(at + 1)));
                break;
            }
        }
    }
    found
}

fn stars(line: &str, from: usize) -> String {
    let mut out = String::with_capacity(line.len());
    out.push_str(&line[..from]);
    for c in line[from..].chars() {
        if c.is_whitespace() {
            out.push(c);
        } else {
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn values_of_secret_keys_are_masked_and_others_are_not() {
        let text = "oob:\n  account: admin\n  credential: 'hunter2'\n  network: oob\nuser: {name: a, password: b c}\nkey_password: |\n  line1\n  line2\nend: 1\n";
        assert_eq!(
            masked(text, None),
            "oob:\n  account: admin\n  credential: *********\n  network: oob\nuser: {name: a, password: * **\nkey_password: *\n  *****\n  *****\nend: 1\n"
        );
    }

    #[test]
    fn data_of_encrypted_documents_is_masked() {
        let text = "---\nschema: deckhand/Passphrase/v1\nmetadata:\n  name: p\ndata: hunter2\n---\nschema: drydock/Rack/v1\ndata:\n  a: b\n---\nmetadata:\n  storagePolicy: encrypted\ndata:\n- x\n  y: z\n";
        assert_eq!(
            masked(text, None),
            "---\nschema: deckhand/Passphrase/v1\nmetadata:\n  name: p\ndata: *******\n---\nschema: drydock/Rack/v1\ndata:\n  a: b\n---\nmetadata:\n  storagePolicy: encrypted\ndata:\n* *\n  ** *\n"
        );
    }

    #[test]
    fn where_secrets_are_known_nothing_else_is_hidden() {
        let text = "---\nschema: drydock/HostProfile/v1\nmetadata:\n  substitutions:\n  - src:\n      schema: deckhand/Passphrase/v1\ndata:\n  interfaces: x\n  oob: {credential: y}\n";
        assert_eq!(masked(text, None), text.replace("credential: y}", "credential: **"));
        let text = "schema: deckhand/Passphrase/v1\nmetadata: {name: p}\ndata: hunter2 # why\n";
        let at = u32::try_from(text.find("hunter2").unwrap()).unwrap();
        assert_eq!(masked(text, Some(&[(at, at + 7)])), text.replace("hunter2", "*******"));
    }

    #[test]
    fn offsets_do_not_change() {
        let text = "password: pässwörd # x\nb: é\n";
        let out = masked(text, None);
        assert_eq!(out.len(), text.len());
        assert_eq!(out, "password: ********** * *\nb: é\n");
    }
}
