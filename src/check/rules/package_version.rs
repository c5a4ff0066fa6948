//! Package names and versions are those of Debian.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::AssetSource;
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD4208"),
    original: Some("DD4002 (Bootaction pkg_list)"),
    title: "a package is not named or versioned as Debian does",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for action in site.boot_actions.values() {
        for asset in &action.assets {
            let AssetSource::Packages(packages) = &asset.source else { continue };
            for package in packages.values() {
                let resource = format!("boot_action.{}", action.name);
                if !is_name(&package.name) {
                    let found = findings.finding(format!("`{}` is not the name of a package", package.name)).at(package.name.span);
                    findings.push(found.help("names have lower-case letters, digits and `+-.`").resource(resource.clone()));
                }
                let Some(version) = &package.version else { continue };
                if let Err(problem) = version_of(version) {
                    let message = format!("`{version}` is not a version of package `{}`: {problem}", package.name);
                    let help = "write [epoch:]version[-revision], such as `3.2.1-1`, or `null` for any";
                    findings.push(findings.finding(message).at(version.span).help(help).resource(resource));
                }
            }
        }
    }
}

/// Debian policy, section 5.6.7; an architecture may follow.
fn is_name(name: &str) -> bool {
    let (name, arch) = name.split_once(':').unwrap_or((name, "any"));
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b))
    };
    word(name) && word(arch)
}

/// Debian policy, section 5.6.12. Drydock's own check wants a revision, so that it refuses `1.2.3`; none is needed.
fn version_of(version: &str) -> Result<(), &'static str> {
    let (epoch, rest) = version.split_once(':').map_or((None, version), |(epoch, rest)| (Some(epoch), rest));
    if epoch.is_some_and(|epoch| epoch.is_empty() || !epoch.bytes().all(|b| b.is_ascii_digit())) {
        return Err("the epoch, before `:`, is a number");
    }
    let (upstream, revision) = rest.rsplit_once('-').map_or((rest, None), |(upstream, revision)| (upstream, Some(revision)));
    let valid = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.~".contains(&b) || more.contains(&b))
    };
    if !valid(upstream, b"-:") {
        return Err("it has letters, digits and `.+-~`");
    }
    if revision.is_some_and(|revision| !valid(revision, b"")) {
        return Err("the revision, after the last `-`, has letters, digits and `.+~`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{is_name, version_of};

    #[test]
    fn versions_are_those_of_debian() {
        for version in ["1.2.3", "3.2.1-1", "1:2.3-4ubuntu1~18.04", "2.0~rc1", "1.0-2-3", "5:19.03.8~3-0~ubuntu-bionic", "2020-01-01", "a1"]
        {
            assert_eq!(version_of(version), Ok(()), "{version}");
        }
        for version in [":)", "1 2", ":1", "x:1", "1-", "1.2*", "-1", ">=1"] {
            assert!(version_of(version).is_err(), "{version}");
        }
    }

    #[test]
    fn names_are_those_of_debian() {
        for name in ["2ping", "0xffff", "g++", "libc6:i386", "linux-image-5.4.0-1"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a b", "-x", "a;b", "a=1", "a:"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
