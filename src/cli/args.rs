//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::action::{ActionKind, Effect};
use crate::plan::{Allowance, Goal};

/// Plan and apply bare-metal sites.
#[derive(Debug, Parser)]
#[command(
    name = "drydock",
    version,
    about = "Plan and apply bare-metal sites",
    long_about = "drydock reads the design of a bare-metal site, asks the site what is really there, shows the difference as a plan, and carries out exactly that plan.",
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 error, 2 changes present (--detailed-exitcode), 3 design invalid, 4 run ended with failed or blocked nodes, or verification failed,\n5 interrupted, 6 plan refused, 7 nothing planned but nodes need attention, 64 usage."
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Work in this folder, the one with drydock.yaml; other paths are relative to it
    #[arg(short = 'C', long = "directory", value_name = "DIR", default_value = ".", global = true, hide_default_value = true)]
    pub directory: PathBuf,
    /// Where the design is read from.
    #[command(flatten)]
    pub sources: Sources,
    /// Format of the result; all commands have `text`, most have `json`; `validate`, `plan`, `show` and `graph` have more
    #[arg(long, value_parser = super::formats::parser(), default_value = "text", global = true, hide_default_value = true)]
    pub format: String,
    /// Write the result to this file (`plan`: the plan file; `discover`: the build file)
    #[arg(short = 'o', long, value_name = "FILE", global = true)]
    pub out: Option<PathBuf>,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, global = true, hide_default_value = true, value_name = "WHEN")]
    pub color: ColorChoice,
    /// Say only results and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more about what is done
    #[arg(short, long, action = ArgAction::Count, global = true, conflicts_with = "quiet")]
    pub verbose: u8,
}

/// Where the design is read from.
#[derive(Debug, Clone, Default, Args)]
pub struct Sources {
    /// The site, where the design is a tree with several (`site/NAME/site-definition.yaml`)
    #[arg(long, value_name = "NAME", global = true)]
    pub site: Option<String>,
    /// Read the design as it is at this commit, branch or tag of the folder's git repository
    #[arg(long = "ref", value_name = "GITREF", global = true)]
    pub reference: Option<String>,
    /// Read `guards`, `protect`, `approval`, `rules` and the files of signers as they are at this commit, branch or tag, not on disk
    #[arg(long, value_name = "GITREF", global = true, env = "DRYDOCK_POLICY_REF")]
    pub policy_ref: Option<String>,
    /// Let commands that need no site fetch parts of the design that are elsewhere
    #[arg(long, global = true)]
    pub fetch: bool,
}

/// Formats that most commands have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On terminals, unless NO_COLOR is set; elsewhere only with CLICOLOR_FORCE.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the design; needs no site
    Validate(Validate),
    /// Print the documents of the design as layering and substitution make them; needs no site
    Render(Render),
    /// Say where values of the design come from; needs no site
    Explain(Explain),
    /// Print JSON Schemas for editors
    Schema(Schema),
    /// Ask the site what is there (reads only)
    Discover(Discover),
    /// Check what is there against what the design needs of it; changes nothing
    Verify(Verify),
    /// Show what would be done, and write it to a plan file
    Plan(Plan),
    /// Show a plan file
    Show(Show),
    /// Approve a plan file: sign what it wants with an SSH key
    Approve(Approve),
    /// Compare two plan files: what the second does otherwise than the first, and beyond it
    Diff(Diff),
    /// Carry out a plan in virtual time: how long it takes, what limits cost, what a failure would stop; touches nothing
    Rehearse(Rehearse),
    /// Draw the actions of a plan: what waits for what
    Graph(Graph),
    /// Carry out a plan
    Apply(Apply),
    /// Go on with a run that was interrupted or failed
    Resume(Resume),
    /// Release nodes: their operating systems are given up
    Destroy(Destroy),
    /// What was done before
    Runs(Runs),
    /// Show what the state remembers
    State(State),
    /// Take over machines that were deployed before drydock came; touches no machine
    Adopt(Adopt),
    /// Bind a node to the machine that its BMC and the provisioner show now, after hardware was exchanged
    Rebind(Rebind),
    /// Remove the lock of a run that will never end by itself
    Unlock(Unlock),
    /// Run the simulated site until Ctrl-C
    Sim(Sim),
}

/// `drydock validate`.
#[derive(Debug, Args)]
pub struct Validate {
    /// Let warnings count as errors
    #[arg(long)]
    pub strict: bool,
    /// Check against these facts too, from `drydock discover --out FILE`: images, kernels, sizes of disks
    #[arg(long, value_name = "FILE")]
    pub build: Option<PathBuf>,
    /// Print the page of a rule instead: `DD2107`, `2107`, or a code of Airship Drydock
    #[arg(long, value_name = "CODE", conflicts_with_all = ["strict", "paths", "build"])]
    pub explain: Option<String>,
    /// Files, directories and URLs to check instead of the design in drydock.yaml; `-` is standard input
    pub paths: Vec<String>,
}

/// `drydock render`.
#[derive(Debug, Args)]
pub struct Render {
    /// Print all documents, not only those of drydock
    #[arg(long)]
    pub all: bool,
    /// Print secrets as they are: passwords, and URLs that are signed or have a password
    #[arg(long)]
    pub show_secrets: bool,
    /// Print what this node would get from its boot actions instead; secrets are never shown
    #[arg(long, value_name = "NODE", conflicts_with_all = ["all", "show_secrets"])]
    pub bootactions: Option<String>,
    /// Files, directories and URLs to render instead of the design in drydock.yaml; `-` is standard input
    pub paths: Vec<String>,
}

/// `drydock explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// What to explain: `node.compute01`, `node.compute01/storage/sda`, `network.pxe/cidr`
    #[arg(value_name = "RESOURCE[/PATH]")]
    pub question: String,
}

/// `drydock schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// A kind of document (`BaremetalNode`), `settings` for drydock.yaml, `plan` for plan files, or `events` for the lines of --json; documents of all kinds if not given
    #[arg(value_name = "KIND")]
    pub kind: Option<String>,
}

/// `drydock discover`.
#[derive(Debug, Args)]
pub struct Discover {}

/// `drydock verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// What to verify
    #[command(subcommand)]
    pub command: VerifyCommand,
}

/// `drydock verify …`.
#[derive(Debug, Subcommand)]
pub enum VerifyCommand {
    /// The machines: BMC, identity, alarms, firmware, hardware, links and neighbours
    Nodes {
        /// Verify only the nodes that this selects (`node=compute01`, `rack=r1 && stage=ready`)
        #[arg(long, value_name = "SELECTOR")]
        target: Option<String>,
        /// Let warnings count as failures
        #[arg(long)]
        strict: bool,
    },
    /// The site: drivers, rack controllers, images, clocks, services of the next step, state and free space
    Site {
        /// Let warnings count as failures
        #[arg(long)]
        strict: bool,
    },
}

/// What a plan is made of and how, wherever one is made.
#[derive(Debug, Clone, Default, Args)]
pub struct PlanOptions {
    /// Plan only for the nodes that this selects (`node=compute01`, `rack=r1 && !tag=gpu`)
    #[arg(long, value_name = "SELECTOR")]
    pub target: Option<String>,
    /// Permit an effect on the selected nodes (`reboot=node=compute01`, `redeploy=rack=r1`)
    #[arg(long, value_name = "CLASS=SELECTOR", value_parser = allowance)]
    pub allow: Vec<Allowance>,
    /// Release the selected nodes and bootstrap them from scratch; what runs on them is given up
    #[arg(long, value_name = "SELECTOR")]
    pub replace: Option<String>,
    /// Erase the disks of nodes that are released to be replaced
    #[arg(long, requires = "replace")]
    pub erase: bool,
    /// How far to go
    #[arg(long, value_name = "GOAL", value_parser = goal)]
    pub goal: Option<Goal>,
}

/// What a comment on a pull request says beside the plan (`--format markdown`).
#[derive(Debug, Clone, Default, Args)]
pub struct Review {
    /// URL of a line of the design, with {commit}, {path} and {line}; GitHub Actions and GitLab CI tell it by themselves
    #[arg(long, value_name = "URL", env = "DRYDOCK_LINKS", hide_env_values = true, value_parser = links)]
    pub links: Option<String>,
    /// The commit that the plan is made of
    #[arg(long, value_name = "COMMIT", env = "DRYDOCK_COMMIT")]
    pub commit: Option<String>,
}

/// How much of a plan is shown.
#[derive(Debug, Clone, Default, Args)]
pub struct View {
    /// Show only what is done to machines, and how much of everything else there is
    #[arg(long, conflicts_with = "full")]
    pub summary: bool,
    /// Show every value of every node (as --verbose)
    #[arg(long)]
    pub full: bool,
    /// Show only what is about this node
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,
}

/// `drydock plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// Options of the plan.
    #[command(flatten)]
    pub options: PlanOptions,
    /// How much of it is shown.
    #[command(flatten)]
    pub view: View,
    /// What a comment says beside the plan.
    #[command(flatten)]
    pub review: Review,
    /// Take what is there from this file (written by `discover -o`) instead of asking the site
    #[arg(long, value_name = "FILE")]
    pub build: Option<PathBuf>,
    /// Show a preview instead: what the working tree, or `--ref`, changes against this commit, branch or tag as if that were fully applied; asks no site, and cannot be applied
    #[arg(long, value_name = "GITREF[:FOLDER]", conflicts_with = "build")]
    pub base: Option<String>,
    /// Exit with 2 when the plan has changes
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// `drydock show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The plan file
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// Show only the changes that this selects (`effect>=reboot && rack=="r12"`), as a table; --format name gives their addresses
    #[arg(long, value_name = "QUERY")]
    pub query: Option<String>,
    /// How much of it is shown.
    #[command(flatten)]
    pub view: View,
    /// What a comment says beside the plan.
    #[command(flatten)]
    pub review: Review,
}

/// `drydock approve`.
#[derive(Debug, Args)]
pub struct Approve {
    /// The plan file; the signature is written beside it, as PLAN.KEY.sig
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// The SSH key to sign with; of a public key the agent has to have the other half
    #[arg(long, value_name = "FILE", required_unless_present = "statement")]
    pub key: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Sign nothing; print what is to be signed, for `ssh-keygen -Y sign -n drydock-plan` elsewhere
    #[arg(long, conflicts_with_all = ["key", "yes"])]
    pub statement: bool,
}

/// `drydock diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// The plan that was reviewed
    #[arg(value_name = "PLAN_A")]
    pub first: PathBuf,
    /// The other one
    #[arg(value_name = "PLAN_B")]
    pub second: PathBuf,
    /// Exit with 2 when they differ
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// `drydock rehearse`.
#[derive(Debug, Args)]
pub struct Rehearse {
    /// The plan file
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// Let an action fail: `node.n01:deploy_node`, `node.n01` (its first action), or the id of an action
    #[arg(long, value_name = "RESOURCE[:ACTION]")]
    pub fail: Vec<String>,
    /// How long a kind of action takes: `deploy_node=20m`; former runs tell it otherwise
    #[arg(long, value_name = "KIND=TIME", value_parser = duration)]
    pub duration: Vec<(ActionKind, u64)>,
}

/// `drydock graph`.
#[derive(Debug, Args)]
pub struct Graph {
    /// The plan file
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// What has a lane: every node, or the like branches of a rack; racks where there are many nodes
    #[arg(long, value_enum, value_name = "WHAT")]
    pub by: Option<GraphBy>,
}

/// What has a lane in a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphBy {
    /// Every node.
    Node,
    /// The like branches of each rack.
    Rack,
}

/// How a run is carried out.
#[derive(Debug, Clone, Default, Args)]
pub struct RunOptions {
    /// Do not ask before the plan is carried out; permits no effect that --allow has to
    #[arg(long)]
    pub auto_approve: bool,
    /// Run only if what is planned now is a part of this plan file, which whoever has to has approved; asks nothing
    #[arg(long, value_name = "PLAN")]
    pub approved: Option<PathBuf>,
    /// Driver calls in flight at once, at most what the plan says
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub parallelism: Option<u32>,
    /// Report each event as a line of JSON on stdout
    #[arg(long)]
    pub json: bool,
    /// Write a report of the run to a file when it has ended: `junit=FILE`, `json=FILE`, `html=FILE`; may be given several times
    #[arg(long, value_name = "FORMAT=FILE", value_parser = report)]
    pub report: Vec<Report>,
}

/// A report that is written when a run has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Name of its format, one of [`REPORTS`].
    pub format: String,
    /// The file.
    pub file: PathBuf,
}

/// Formats of reports of a run.
pub const REPORTS: [&str; 3] = ["junit", "json", "html"];

/// `drydock apply`.
#[derive(Debug, Args)]
pub struct Apply {
    /// A plan file (written by `plan --out`); without one the plan is made now
    #[arg(value_name = "PLAN", conflicts_with_all = ["target", "allow", "goal", "replace", "erase", "approved"])]
    pub plan: Option<PathBuf>,
    /// Do nothing at all if anything that the plan rests on has moved since it was made; without this only what rests on it is left alone
    #[arg(long, requires = "plan")]
    pub strict: bool,
    /// Options of the plan.
    #[command(flatten)]
    pub options: PlanOptions,
    /// Options of the run.
    #[command(flatten)]
    pub run: RunOptions,
}

/// `drydock resume`.
#[derive(Debug, Args)]
pub struct Resume {
    /// The run; the latest one if not given
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Driver calls in flight at once, at most what the plan says
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub parallelism: Option<u32>,
    /// Report each event as a line of JSON on stdout
    #[arg(long)]
    pub json: bool,
    /// Write a report of the run to a file when it has ended: `junit=FILE`, `json=FILE`, `html=FILE`; may be given several times
    #[arg(long, value_name = "FORMAT=FILE", value_parser = report)]
    pub report: Vec<Report>,
}

/// `drydock destroy`.
#[derive(Debug, Args)]
pub struct Destroy {
    /// Release only the nodes that this selects; without it the site's name has to be typed
    #[arg(long, value_name = "SELECTOR")]
    pub target: Option<String>,
    /// Erase the disks
    #[arg(long)]
    pub erase: bool,
    /// Options of the run.
    #[command(flatten)]
    pub run: RunOptions,
}

/// `drydock runs`.
#[derive(Debug, Args)]
pub struct Runs {
    /// What to show; the list if not given
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
}

/// `drydock runs …`.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// All runs, the latest first
    List,
    /// One run: its tasks, attempts and messages
    Show {
        /// The run; the latest one if not given
        #[arg(value_name = "RUN")]
        run: Option<String>,
        /// Show what happens from now on until the run ends, whoever carries it out; with --format json every event as a line
        #[arg(long)]
        follow: bool,
    },
    /// Have a run end at a safe point, wherever its process runs: nothing new is started, as with its first Ctrl-C
    Stop {
        /// The run; the one under way if not given
        #[arg(value_name = "RUN")]
        run: Option<String>,
        /// End at once, as with its second Ctrl-C; `resume` looks at what was begun
        #[arg(long)]
        now: bool,
    },
    /// Have a run start nothing new until it is continued, also by a later `resume`; what runs goes on
    Pause {
        /// The run; the one under way if not given
        #[arg(value_name = "RUN")]
        run: Option<String>,
    },
    /// Have a paused run go on
    Continue {
        /// The run; the one under way if not given
        #[arg(value_name = "RUN")]
        run: Option<String>,
    },
    /// Give an unfinished run up: it ends as it is, and is not resumed
    Abandon {
        /// The run
        #[arg(value_name = "RUN")]
        run: String,
    },
    /// Say that what a run waits for at a node was done by hand
    Confirm {
        /// The run
        #[arg(value_name = "RUN")]
        run: String,
        /// The node: `node.NAME`
        #[arg(value_name = "NODE")]
        node: String,
    },
}

/// `drydock state`.
#[derive(Debug, Args)]
pub struct State {
    /// What to show
    #[command(subcommand)]
    pub command: StateCommand,
}

/// `drydock state …`.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Bindings, generations and what was applied last
    Show,
    /// What commissioning found out about a node, with history: hardware inventory, neighbours, outputs of scripts
    Hardware(StateHardware),
    /// Write a copy of the state as of now into a new file, also while a run goes on
    Pull {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// `drydock state hardware`.
#[derive(Debug, Args)]
pub struct StateHardware {
    /// The node: `node.NAME`
    #[arg(value_name = "NODE")]
    pub node: String,
    /// Print the newest of this name (`lshw`) instead of the list
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// `drydock adopt`.
#[derive(Debug, Args)]
pub struct Adopt {
    /// The nodes (`node=compute01`, `rack=r1 && stage=foreign`, `*`)
    #[arg(value_name = "SELECTOR")]
    pub selector: String,
}

/// `drydock rebind`.
#[derive(Debug, Args)]
pub struct Rebind {
    /// The node: `node.NAME`
    #[arg(value_name = "NODE")]
    pub node: String,
}

/// `drydock unlock`.
#[derive(Debug, Args)]
pub struct Unlock {
    /// Id of the lock, as the refusal shows it
    #[arg(value_name = "ID")]
    pub id: String,
}

/// `drydock sim`.
#[derive(Debug, Args)]
pub struct Sim {
    /// Forget the simulated world and generate it anew from the design
    #[arg(long)]
    pub reset: bool,
}

/// A template of URLs: what it becomes stands between parentheses in Markdown.
fn links(text: &str) -> Result<String, String> {
    let example = "such as https://git.example.net/dc/site/blob/{commit}/{path}#L{line}";
    if !text.starts_with("https://") && !text.starts_with("http://") {
        return Err(format!("expected a URL, {example}"));
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || "()<>\"'`".contains(c)) {
        return Err(format!("a URL has no blanks, quotes or parentheses, {example}"));
    }
    if !text.contains("{path}") {
        return Err(format!("it needs {{path}}, {example}"));
    }
    Ok(text.to_owned())
}

/// `FORMAT=FILE`.
fn report(text: &str) -> Result<Report, String> {
    let formats = REPORTS.join(", ");
    match text.split_once('=') {
        Some((format, file)) if REPORTS.contains(&format) && !file.is_empty() => {
            Ok(Report { format: format.to_owned(), file: file.into() })
        }
        Some((format, _)) if !REPORTS.contains(&format) => Err(format!("reports have the formats {formats}, not `{format}`")),
        _ => Err(format!("expected FORMAT=FILE, such as junit=run.xml; formats are {formats}")),
    }
}

/// `KIND=TIME`, in milliseconds.
fn duration(text: &str) -> Result<(ActionKind, u64), String> {
    let Some((name, time)) = text.split_once('=') else {
        return Err("expected KIND=TIME, such as deploy_node=20m".to_owned());
    };
    let Some(kind) = ActionKind::ALL.iter().find(|kind| kind.name() == name) else {
        let near = ActionKind::ALL.iter().min_by_key(|kind| strsim::osa_distance(kind.name(), name));
        return Err(format!("`{name}` is no kind of action; did you mean {}?", near.map_or("deploy_node", |kind| kind.name())));
    };
    let time = crate::config::parse_span(time).ok_or_else(|| format!("`{time}` is not a duration; write for example 30s, 20m or 1h"))?;
    Ok((*kind, u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
}

fn allowance(text: &str) -> Result<Allowance, String> {
    let classes = || Effect::ALL.iter().map(|e| e.name()).collect::<Vec<_>>().join(", ");
    let Some((class, selector)) = text.split_once('=') else {
        return Err(format!("expected CLASS=SELECTOR, such as redeploy=node=compute01; classes are {}", classes()));
    };
    let Some(effect) = Effect::ALL.into_iter().find(|e| e.name() == class) else {
        return Err(format!("`{class}` is not an effect class; classes are {}", classes()));
    };
    crate::action::Selector::parse(selector).map_err(|e| e.to_string())?;
    Ok(Allowance { effect, selector: selector.to_owned() })
}

const GOALS: [Goal; 5] = [Goal::VerifySite, Goal::PrepareSite, Goal::PrepareNodes, Goal::DeployNodes, Goal::DestroyNodes];

fn goal(text: &str) -> Result<Goal, String> {
    match GOALS.into_iter().find(|g| g.name() == text) {
        None if text == "verify_nodes" => Err("use `drydock verify nodes`; it changes nothing and needs no plan".to_owned()),
        Some(goal) => Ok(goal),
        None => Err(format!("goals are {}", GOALS.iter().map(|g| g.name()).collect::<Vec<_>>().join(", "))),
    }
}
