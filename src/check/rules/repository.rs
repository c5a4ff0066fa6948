//! A package repository has an address that can be asked.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD5203"),
    original: None,
    title: "a package repository cannot be used as written",
    severity: Severity::Warning,
    check: Some(check),
};

/// What MAAS 2.9 to 3.7 knows.
const ARCHES: [&str; 7] = ["amd64", "arm64", "armhf", "i386", "ppc64el", "riscv64", "s390x"];

fn check(site: &Site, findings: &mut Findings<'_>) {
    for repository in site.region.repositories.values() {
        let resource = || format!("repository.{}", repository.name);
        let url = &repository.url;
        let web = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"))
            .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        if (!web && !url.starts_with("ppa:")) || url.contains(char::is_whitespace) {
            let found = findings.finding(format!("the URL of repository `{}` is no http(s) address", repository.name)).at(url.span);
            findings.push(found.help("write `http://HOST/PATH`, `https://HOST/PATH` or `ppa:NAME`").resource(resource()));
        }
        if repository.repo_type.as_str() != "apt" {
            let message = format!("repository `{}` is of type `{}`, and only `apt` is known", repository.name, repository.repo_type);
            let found = findings.finding(message).at(repository.repo_type.span);
            findings.push(found.help("write `repo_type: apt`").resource(resource()));
        }
        for arch in repository.arches.iter().filter(|arch| !ARCHES.contains(&arch.as_str())) {
            let found = findings.finding(format!("`{arch}` is no architecture that MAAS knows")).at(arch.span);
            let help = format!("the architectures are {}", ARCHES.map(|name| format!("`{name}`")).join(", "));
            findings.push(found.help(help).resource(resource()));
        }
        let armoured = |key: &str| key.contains("-----BEGIN PGP PUBLIC KEY BLOCK-----");
        if let Some(key) = repository.gpgkey.as_ref().filter(|key| !armoured(key)) {
            let found =
                findings.finding(format!("`gpgkey` of repository `{}` is no armoured PGP public key", repository.name)).at(key.span);
            findings.push(found.help("paste the key with its BEGIN and END lines").resource(resource()));
        }
    }
}
