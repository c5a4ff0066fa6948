//! What we sign, `ssh-keygen` verifies; what it signs, we verify; what it refuses, we refuse, and say why.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{NAMESPACE, Signers, parse, sign, verify};

const STATEMENT: &str = "{\"what\":\"a statement\"}\n";

struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn keygen(&self, arguments: &[&str]) {
        let output = Command::new("ssh-keygen").args(arguments).current_dir(self.0.path()).output().expect("ssh-keygen is there");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn make(&self, name: &str, kind: &[&str]) -> String {
        self.keygen(&[&["-q", "-N", "", "-C", name, "-f", name, "-t"], kind].concat());
        std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap()
    }

    fn ours(&self, key: &str) -> Vec<u8> {
        sign(&self.path(key), STATEMENT).unwrap().into_bytes()
    }

    /// A signature that `ssh-keygen` makes without us.
    fn theirs(&self, key: &str, namespace: &str) -> Vec<u8> {
        std::fs::write(self.path("statement"), STATEMENT).unwrap();
        let _ = std::fs::remove_file(self.path("statement.sig"));
        self.keygen(&["-Y", "sign", "-f", key, "-n", namespace, "statement"]);
        std::fs::read(self.path("statement.sig")).unwrap()
    }

    /// Whether `ssh-keygen -Y verify` takes a signature, without us.
    fn they_take(&self, signature: &[u8], signers: &str, who: &str) -> bool {
        std::fs::write(self.path("their.sig"), signature).unwrap();
        std::fs::write(self.path("their.signers"), signers).unwrap();
        std::fs::write(self.path("statement"), STATEMENT).unwrap();
        let statement = std::fs::File::open(self.path("statement")).unwrap();
        let arguments = ["-Y", "verify", "-f", "their.signers", "-I", who, "-n", NAMESPACE, "-s", "their.sig"];
        let output = Command::new("ssh-keygen").args(arguments).current_dir(self.0.path()).stdin(statement).output().unwrap();
        output.status.success()
    }
}

fn whose(signature: &[u8], signers: &str) -> Result<Vec<String>, String> {
    whose_unless(signature, signers, None)
}

fn whose_unless(signature: &[u8], signers: &str, revoked: Option<&str>) -> Result<Vec<String>, String> {
    let revoked = revoked.map(|text| text.as_bytes().to_vec());
    let signers = Signers { shown: "ops/signers".into(), text: signers.as_bytes().to_vec(), revoked };
    verify(STATEMENT, signature, &signers).unwrap().map(|(principals, key)| {
        assert!(key.starts_with("SHA256:"), "{key}");
        principals
    })
}

#[test]
fn both_sides_take_each_others_signatures_of_every_kind_of_key() {
    let keys = Keys::new();
    for (name, kind) in [("ed", &["ed25519"][..]), ("rsa", &["rsa", "-b", "2048"]), ("ec", &["ecdsa", "-b", "384"])] {
        let public = keys.make(name, kind);
        let signers = format!("# comment\nalice@example.net {public}");
        let ours = keys.ours(name);
        assert!(keys.they_take(&ours, &signers, "alice@example.net"), "{name}");
        assert_eq!(whose(&ours, &signers), Ok(vec!["alice@example.net".to_owned()]), "{name}");
        assert_eq!(whose(&keys.theirs(name, NAMESPACE), &signers), Ok(vec!["alice@example.net".to_owned()]), "{name}");
    }
}

#[test]
fn certificates_name_their_holder_and_expire() {
    let keys = Keys::new();
    let ca = keys.make("ca", &["ed25519"]);
    keys.make("carol", &["ed25519"]);
    let signers = format!("carol@example.net cert-authority,namespaces=\"{NAMESPACE}\" {ca}");
    keys.keygen(&["-q", "-s", "ca", "-I", "id", "-n", "carol@example.net", "-V", "-1d:+1d", "carol.pub"]);
    let valid = keys.ours("carol-cert.pub");
    assert!(keys.they_take(&valid, &signers, "carol@example.net"));
    assert_eq!(whose(&valid, &signers), Ok(vec!["carol@example.net".to_owned()]));
    assert_eq!(whose(&valid, &format!("* cert-authority {ca}")), Ok(vec!["carol@example.net".to_owned()]), "the certificate names her");
    keys.keygen(&["-q", "-s", "ca", "-I", "id", "-n", "carol@example.net", "-V", "-3d:-1d", "carol.pub"]);
    let expired = keys.ours("carol-cert.pub");
    assert!(!keys.they_take(&expired, &signers, "carol@example.net"));
    let why = whose(&expired, &signers).unwrap_err();
    assert!(why.contains("Certificate invalid: expired") && why.contains("ops/signers:1"), "{why}");
    keys.keygen(&["-q", "-s", "ca", "-I", "id", "-n", "mallory@example.net", "-V", "-1d:+1d", "carol.pub"]);
    assert!(whose(&keys.ours("carol-cert.pub"), &signers).is_err(), "the line is about another name");
}

#[test]
fn options_of_signers_are_honoured_or_refused_by_name() {
    let keys = Keys::new();
    let public = keys.make("ed", &["ed25519"]);
    let signature = keys.ours("ed");
    for (options, why) in [
        ("valid-before=\"20200101\"", "key has expired"),
        ("valid-after=\"20990101\"", "key is not yet valid"),
        ("namespaces=\"git,file\"", "not permitted for use in signature namespace \"drydock-plan\""),
        ("frobnicate", "unknown key option"),
    ] {
        let signers = format!("alice {options} {public}");
        assert!(!keys.they_take(&signature, &signers, "alice"), "{options}");
        let said = whose(&signature, &signers).unwrap_err();
        assert!(said.contains(why) && said.contains("ops/signers:1"), "{options}: {said}");
    }
    let signers = format!("alice valid-after=\"20200101\",valid-before=\"20990101\",namespaces=\"git,{NAMESPACE}\" {public}");
    assert!(keys.they_take(&signature, &signers, "alice"));
    assert_eq!(whose(&signature, &signers), Ok(vec!["alice".to_owned()]));
    let said = whose(&signature, &format!("*@example.net {public}")).unwrap_err();
    assert!(said.contains("`*@example.net`") && said.contains("names nobody"), "{said}");
    assert_eq!(whose(&signature, &format!("b,a,*@x {public}")), Ok(vec!["a".to_owned(), "b".to_owned()]));
    let said = whose_unless(&signature, &format!("alice {public}"), Some(&public)).unwrap_err();
    assert!(said.contains("revoked"), "{said}");
    let other = keys.make("other", &["ed25519"]);
    assert_eq!(whose_unless(&signature, &format!("alice {public}"), Some(&other)), Ok(vec!["alice".to_owned()]));
}

#[test]
fn what_does_not_hold_says_why() {
    let keys = Keys::new();
    let (public, other) = (keys.make("ed", &["ed25519"]), keys.make("other", &["ed25519"]));
    let signers = format!("alice {public}");
    let good = keys.ours("ed");
    let says = |signature: &[u8], why: &str| {
        let said = whose(signature, &signers).unwrap_err();
        assert!(said.contains(why), "{said}");
    };
    says(&keys.theirs("ed", "file"), "made for `file` and not for `drydock-plan`");
    says(&keys.ours("other"), "is nobody's of ops/signers");
    says(&good[..good.len() / 2], "cut off");
    says(b"", "not an SSH signature");
    says(&vec![b'x'; 100_000], "larger than 64 KiB");
    // Any byte of it.
    let text = String::from_utf8(good.clone()).unwrap();
    let at = text.len() / 2;
    let flipped = if text.as_bytes()[at] == b'A' { b'B' } else { b'A' };
    let mut tampered = good.clone();
    tampered[at] = flipped;
    assert!(whose(&tampered, &signers).is_err());
    // Another statement.
    let of = Signers { shown: "s".into(), text: signers.clone().into_bytes(), revoked: None };
    let why = verify("{\"what\":\"another\"}\n", &good, &of).unwrap().unwrap_err();
    assert!(why.contains("incorrect signature"), "{why}");
    // The signature knows its key.
    let armor = parse(&good).unwrap();
    assert_eq!((armor.key_type().as_str(), armor.namespace.as_str(), armor.short().len()), ("ssh-ed25519", NAMESPACE, 12));
    assert_ne!(armor.short(), parse(&keys.ours("other")).unwrap().short());
    assert!(whose(&good, &format!("bob {other}")).is_err());
    assert!(sign(Path::new("/no/such/key"), STATEMENT).unwrap_err().to_string().contains("no signature with /no/such/key"));
}
