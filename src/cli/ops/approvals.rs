//! Approvals of plan files: reading signatures, holding them against the policies, refusing what nobody approved.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::design::{self, Design};
use super::{plan as plans, state};
use crate::cli::args::PlanOptions;
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::config::Settings;
use crate::plan::{self, Goal, NeededApproval, Plan, PolicyReport, Rejected, Signature, Standing, policy, statement};
use crate::report;
use crate::sign::{self, Signers};

/// Signatures that lie beside a plan file at most; more are no approvals but rubbish.
const MAX_SIGNATURES: usize = 64;

/// Where the signature with a key of this short name is written.
pub fn file_of(plan: &Path, short: &str) -> PathBuf {
    let name = plan.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    plan.with_file_name(format!("{name}.{short}.sig"))
}

/// The signatures beside a plan file: `PLAN.sig` and `PLAN.*.sig`, in order of name.
fn beside(plan: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let folder = plan.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = plan.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let cannot = |e: std::io::Error| Problem::new(format!("cannot look for signatures in {}: {e}", folder.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let file = entry.map_err(cannot)?.file_name().to_string_lossy().into_owned();
        let rest = file.strip_prefix(&name).and_then(|rest| rest.strip_suffix(".sig"));
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
            found.push(file);
        }
    }
    found.sort();
    if found.len() > MAX_SIGNATURES {
        let message = format!("{} signatures lie beside {}, and at most {MAX_SIGNATURES} are looked at", found.len(), plan.display());
        return Err(Problem::refused(message).help("remove those that are of other plans").into());
    }
    let mut out = Vec::new();
    for file in found {
        let bytes = read_small(&folder.join(&file)).map_err(|e| Problem::new(format!("cannot read {file}: {e}")))?;
        out.push((file, bytes));
    }
    Ok(out)
}

/// What is larger than a signature can be is cut off, and is none then.
fn read_small(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(sign::MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// How the approvals that a plan needs stand, by the signatures beside its file.
pub fn standing(plan: &Plan, needed: &[NeededApproval], file: Option<&Path>, settings: &Settings) -> anyhow::Result<Vec<Standing>> {
    let signatures = match file {
        Some(file) if !needed.is_empty() => beside(file)?,
        _ => Vec::new(),
    };
    let statement = statement(plan);
    let forged = plan::intent_digest(plan) != plan.digests.intent;
    let mut of_signers: BTreeMap<&str, Looked> = BTreeMap::new();
    let mut out = Vec::new();
    for needed in needed {
        if !of_signers.contains_key(needed.signers.as_str()) {
            let problem = |problem: String| Looked { problem: Some(problem), ..Looked::default() };
            let looked = if forged {
                problem("the digest of what the plan wants is not that of its content".to_owned())
            } else {
                match signers(&needed.signers, settings) {
                    Ok(signers) => look(&statement, &signatures, &signers)?,
                    Err(error) => problem(format!("{error:#}")),
                }
            };
            of_signers.insert(&needed.signers, looked);
        }
        let Looked { signatures, rejected, problem } = of_signers.get(needed.signers.as_str()).cloned().unwrap_or_default();
        let by = plan::people(&signatures);
        out.push(Standing { needed: needed.clone(), by, signatures, rejected, problem });
    }
    Ok(out)
}

fn signers(name: &str, settings: &Settings) -> anyhow::Result<Signers> {
    let revoked = settings.revoked.as_deref().map(|path| design::policy_file(settings, path)).transpose()?;
    Ok(Signers { shown: name.to_owned(), text: design::policy_file(settings, Path::new(name))?, revoked })
}

/// What signatures come to by one file of signers.
#[derive(Clone, Default)]
struct Looked {
    signatures: Vec<Signature>,
    rejected: Vec<Rejected>,
    /// Why nothing could be looked at.
    problem: Option<String>,
}

fn look(statement: &str, signatures: &[(String, Vec<u8>)], signers: &Signers) -> anyhow::Result<Looked> {
    let mut out = Looked::default();
    for (file, bytes) in signatures {
        let file = file.clone();
        match sign::verify(statement, bytes, signers)? {
            Ok((principals, key)) => out.signatures.push(Signature { file, key, principals }),
            Err(reason) => out.rejected.push(Rejected { file, reason }),
        }
    }
    Ok(out)
}

/// What the policies that are in force now ask of a plan, beside those that it was made under.
pub async fn asked(plan: &Plan, design: &Design) -> anyhow::Result<PolicyReport> {
    let memory = state::memory(&design.settings, &design.site.name.value).await?;
    Ok(plan.policy.clone().and(policy::evaluate(plan, &design.site, &memory, &design.settings.policies)))
}

/// Refuses a plan that the policies deny, or that needs approvals which it does not have. `file` is the plan file that signatures lie beside and are over;
/// `signed` is what stands in it. Who approved it, in order of name.
pub async fn enforce(plan: &Plan, signed: &Plan, file: Option<&Path>, design: &Design, printer: &Printer) -> anyhow::Result<Vec<String>> {
    let asked = asked(plan, design).await?;
    if !asked.denied.is_empty() {
        return Err(Problem::refused(format!("the policies of this site refuse the plan\n{}", report::denials(&asked.denied).join("\n")))
            .at(source(&design.settings))
            .help("no approval lifts this: change the design or the selection, or have the policy changed first")
            .into());
    }
    let standing = standing(signed, &asked.approvals, file, &design.settings)?;
    if standing.iter().any(|s| s.missing() > 0) {
        return Err(missing(&standing, plan, file, &design.settings).into());
    }
    for given in &standing {
        printer.note(&format!("approved by {}: {}", given.by.join(", "), given.needed.reason));
    }
    let people: BTreeSet<String> = standing.into_iter().flat_map(|given| given.by).collect();
    Ok(people.into_iter().collect())
}

/// Where the policies stand.
fn source(settings: &Settings) -> String {
    match &settings.policy_ref {
        Some(reference) => format!("{} at `{reference}`", settings.shown),
        None => settings.shown.clone(),
    }
}

/// The refusal for want of approvals: which, who gave one, what does not count and why, and what to do.
fn missing(standing: &[Standing], plan: &Plan, file: Option<&Path>, settings: &Settings) -> Problem {
    let mut message = "the plan is not approved".to_owned();
    for line in report::standing_lines(standing) {
        message.push('\n');
        message.push_str(&line);
    }
    let (plan, again) = if plan.goal == Goal::DestroyNodes {
        ("drydock plan --goal destroy_nodes --target SELECTOR --allow destroy=SELECTOR --out plan.json", "destroy --target SELECTOR")
    } else {
        ("drydock plan --out plan.json", "apply")
    };
    let help = file.map_or_else(
        || {
            format!(
                "`{plan}`, `drydock approve plan.json --key ~/.ssh/id_ed25519` by whoever is missing, then `drydock apply plan.json`; \
                 or `drydock {again} --approved plan.json`, which plans anew and runs only what is a part of that plan"
            )
        },
        |file| format!("`drydock approve {} --key ~/.ssh/id_ed25519`, by whoever is missing; then this command again", file.display()),
    );
    Problem::refused(message).at(source(settings)).help(help)
}

/// The plan that was approved, which what is planned now has to be a part of.
pub fn approved(file: &Path) -> anyhow::Result<Plan> {
    let plan = plans::read(file)?;
    no_preview(&plan, file)?;
    Ok(plan)
}

/// Refuses a preview: it knows neither machines nor endpoints, so nobody could say what is approved.
pub fn no_preview(plan: &Plan, file: &Path) -> anyhow::Result<()> {
    if plan.preview.is_none() {
        return Ok(());
    }
    Err(Problem::refused("a preview was made without the site, and approves nothing")
        .at(file.display().to_string())
        .help("approve a plan of the site: `drydock plan --out FILE`")
        .into())
}

/// How to plan anew under an approved plan: as it was made, where nothing else is asked for.
pub fn as_approved(options: &PlanOptions, approved: &Plan) -> PlanOptions {
    let mut options = options.clone();
    options.goal = options.goal.or(Some(approved.goal));
    if options.target.is_none() {
        options.target.clone_from(&approved.selection);
    }
    if options.allow.is_empty() {
        options.allow.clone_from(&approved.allow);
    }
    options
}

/// Refuses a plan that does anything beyond the approved one.
pub fn within(approved: &Plan, live: &Plan, file: &Path) -> anyhow::Result<()> {
    const SHOWN: usize = 40;
    let beyond = plan::excess(approved, live);
    if beyond.is_empty() {
        return Ok(());
    }
    let mut message = format!("what is planned now goes beyond {}", file.display());
    for excess in beyond.iter().take(SHOWN) {
        let _ = write!(message, "\n{} {}", excess.resource, excess.what);
    }
    if beyond.len() > SHOWN {
        let _ = write!(message, "\n… {} more", beyond.len() - SHOWN);
    }
    let help = "have a new plan approved: `drydock plan --out new.json`, `drydock diff` with the approved one shows both; then `drydock approve new.json --key FILE`";
    Err(Problem::refused(message).help(help).into())
}
