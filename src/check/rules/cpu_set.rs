//! CPU sets are lists as the kernel reads them (Documentation/admin-guide/kernel-parameters.rst, "cpu lists").

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule =
    Rule { code: Code("DD5111"), original: None, title: "a CPU set is malformed", severity: Severity::Warning, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    for profile in site.hardware_profiles.values() {
        for (name, set) in &profile.cpu_sets {
            // A mask, as DPDK takes them.
            let mask =
                set.trim().strip_prefix("0x").is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit()));
            if mask {
                continue;
            }
            if let Some(bad) = set.split(',').find(|part| !is_range(part.trim())) {
                let message = format!("CPU set `{name}` is `{set}`, and `{}` is no CPU and no range of them", bad.trim());
                let found = findings
                    .finding(message)
                    .at(set.span)
                    .help("write CPU numbers and ranges, as in `2,4-7,12-30:2/4`, or a mask, as in `0xf0`");
                findings.push(found.resource(format!("hardware_profile.{}", profile.name)));
            }
        }
    }
}

/// `3`, `4-7`, `12-30:2/4`: the first two of each four.
fn is_range(part: &str) -> bool {
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
    let (range, steps) = part.split_once(':').map_or((part, None), |(range, steps)| (range, Some(steps)));
    let stepped = steps.is_none_or(|steps| {
        steps.split_once('/').is_some_and(|(used, of)| matches!((number(used), number(of)), (Some(used), Some(of)) if used <= of && of > 0))
    });
    stepped
        && match range.split_once('-') {
            Some((first, last)) => matches!((number(first), number(last)), (Some(first), Some(last)) if first <= last),
            None => steps.is_none() && number(range).is_some(),
        }
}
