//! The client dies at every place where it hurts; `drydock resume` goes on, and dies at the next one; nothing has happened twice.
//!
//! The list of places is not written down: it comes from the request log and the journal of an undisturbed run, so that none is forgotten. Each call of
//! that run which changes something is hit before its effect, after its effect but before its answer, and after its answer but before anything about it is
//! recorded. Then the journal: the process dies before and after each event is recorded, after each `begin` of a driver, with nothing but the lock, and with
//! everything but the lock. All but the first process of a chain are resumes, so resumes die at all of these places, too. What is listed and is not hit
//! fails the test.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use drydock::run::EventKind;
use drydock::sim::Moment;

use crate::crash_site::{Calm, End, FIRST, Life, Site, Story, calm};
use crate::mutations::Draw;
use crate::peers::usable;
use crate::postgres_server::Server;

/// Most of the time is spent waiting for polls.
const WORKERS: usize = 5;

/// Failpoints that one process is given: what the environment holds has an end.
const AT_ONCE: usize = 400;

/// A machine that runs something unknown is switched off and on; two power commands that must not be repeated.
pub(crate) const UNKNOWN: Story = Story {
    name: "taking over a running machine",
    simulate: "machines: {compute01: on_unknown}",
    command: &["apply", "--auto-approve", "--allow", "redeploy=node=compute01"],
    ..FIRST
};

/// A deployed machine gets another kernel: released and deployed again.
const REDEPLOYED: Story = Story {
    name: "redeploying",
    before: &[&["apply", "--auto-approve"]],
    edit: Some(("profiles.yaml", "kernel: hwe-22.04", "kernel: ga-22.04")),
    command: &["apply", "--auto-approve", "--allow", "redeploy=node=compute01"],
    ..FIRST
};

/// A machine is released.
pub(crate) const DESTROYED: Story = Story {
    name: "releasing",
    before: &[&["apply", "--auto-approve"]],
    command: &["destroy", "--target", "node=compute01", "--auto-approve"],
    then: 2,
    ..FIRST
};

/// The state is in a database.
const SHARED: Story = Story { name: "an installation with its state in PostgreSQL", database: true, ..FIRST };

/// Sixty machines.
const SIXTY: Story = Story { name: "an installation of sixty", nodes: 60, ..FIRST };

/// What a chain of processes is to die of.
#[derive(Debug, Clone)]
enum Deaths {
    /// At failpoints.
    Points(Vec<String>),
    /// In calls.
    Calls(BTreeMap<String, VecDeque<Moment>>),
    /// Anywhere, so often.
    Anywhere { seed: u64, deaths: usize },
}

/// What a chain has died of, and of what it has not.
#[derive(Default)]
struct Hits {
    hit: Vec<String>,
    missed: Option<Deaths>,
}

fn over(life: &Life) -> Result<bool, String> {
    match (&life.hit, life.code) {
        (Some(_), _) => Ok(false),
        (None, Some(0)) => Ok(true),
        _ => Err(format!("a process ended with {:?}\n{}", life.code, life.said)),
    }
}

/// One site, from the first process to the one that comes to the end.
fn suffer(story: Story, calm: &Calm, deaths: &Deaths, one_by_one: bool) -> Result<Hits, String> {
    let mut site = Site::new(story);
    site.one_by_one = one_by_one;
    let mut hits = Hits::default();
    let limit = |hits: &Hits, most: usize| if hits.hit.len() > most { Err("it dies and dies".to_owned()) } else { Ok(()) };
    match deaths {
        Deaths::Points(points) => {
            let mut left: VecDeque<&String> = points.iter().collect();
            loop {
                // Only what died before is resumed.
                let first = hits.hit.is_empty() && left.iter().any(|point| point.contains("run_resumed"));
                let first = first.then_some("after_event:run_started:");
                let failpoints = first.into_iter().chain(left.iter().take(AT_ONCE).map(|p| p.as_str())).collect::<Vec<_>>().join(",");
                let life = site.go_on(&End { failpoints, ..End::default() });
                if over(&life)? {
                    break;
                }
                let hit = life.hit.unwrap_or_default();
                left.retain(|point| **point != hit);
                hits.hit.push(hit);
                limit(&hits, points.len() + 1)?;
            }
            hits.missed = (!left.is_empty()).then(|| Deaths::Points(left.into_iter().cloned().collect()));
        }
        Deaths::Calls(calls) => {
            site.want(calls.clone());
            loop {
                let life = site.go_on(&End::default());
                if over(&life)? {
                    break;
                }
                hits.hit.extend(life.hit);
                limit(&hits, calls.values().map(VecDeque::len).sum())?;
            }
            let left = site.unhit();
            hits.missed = (!left.is_empty()).then_some(Deaths::Calls(left));
        }
        Deaths::Anywhere { seed, deaths } => {
            let mut draw = Draw(*seed);
            while hits.hit.len() < *deaths {
                let life = site.go_on(&anywhere(&mut draw, story.nodes));
                if over(&life)? {
                    break;
                }
                hits.hit.extend(life.hit);
            }
            let life = site.go_on(&End::default());
            over(&life)?;
        }
    }
    let wrong = site.wrong(calm);
    if wrong.is_empty() { Ok(hits) } else { Err(format!("{wrong}\ndeaths:\n  {}", hits.hit.join("\n  "))) }
}

/// A place where a process may die, drawn.
fn anywhere(draw: &mut Draw, nodes: u32) -> End {
    const MOMENTS: [Moment; 3] = [Moment::BeforeEffect, Moment::AfterEffect, Moment::AfterAnswer];
    const PLACES: [&str; 4] = ["before_event", "after_event", "before_outcome", "after_begin"];
    let scale = 1 + nodes as usize / 8;
    match draw.below(8) {
        0 => End { after: Some(Duration::from_millis(20 + draw.below(400) as u64)), ..End::default() },
        1 => {
            End { failpoints: ["after_lock:1", "before_unlock:1", "after_event:run_resumed:"][draw.below(3)].to_owned(), ..End::default() }
        }
        2..=4 => End { change: Some((1 + draw.below(6 * scale) as u64, MOMENTS[draw.below(3)])), ..End::default() },
        _ => End { failpoints: format!("{}:{}", PLACES[draw.below(4)], 1 + draw.below(10 * scale)), ..End::default() },
    }
}

/// All failpoints of a story.
fn points(calm: &Calm) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut points = Vec::new();
    let fixed = ["after_lock::", "before_event:run_resumed:", "after_event:run_resumed:", "before_unlock::"].map(str::to_owned);
    // What a poll happens to see of something that goes on is not the same in every run.
    let certain = |kind: &EventKind| !matches!(kind, EventKind::AttemptProgress { .. } | EventKind::Message { .. });
    for event in calm.events.iter().map(|e| &e.event).filter(|e| certain(e)) {
        let action = event.action().unwrap_or_default();
        points.push(format!("before_event:{}:{action}", event.name()));
        points.push(format!("after_event:{}:{action}", event.name()));
        if matches!(event, EventKind::AttemptIntent { .. }) {
            points.push(format!("after_begin::{action}"));
        }
    }
    points.splice(2..2, fixed);
    points.retain(|point| seen.insert(point.clone()));
    points
}

/// All calls of a story, each to be hit at these moments one after the other.
fn calls(calm: &Calm, moments: &[Moment]) -> BTreeMap<String, VecDeque<Moment>> {
    calm.calls.iter().map(|(call, times)| (call.clone(), moments.repeat(*times).into())).collect()
}

/// Every n-th of a list, beginning with each of the first n.
fn dealt<T: Clone>(list: &[T], hands: usize) -> Vec<Vec<T>> {
    (0..hands.min(list.len())).map(|first| list.iter().skip(first).step_by(hands).cloned().collect()).collect()
}

/// What is to be tried: on how many sites the failpoints of a story are dealt out.
struct Trial {
    story: Story,
    calm: Calm,
    chains: Vec<Deaths>,
}

impl Trial {
    /// Every place of a story.
    fn every(story: Story, sites: usize) -> Self {
        let calm = calm(story);
        // A call that is hit before its effect is made again, and is hit again then.
        let mut chains = vec![
            Deaths::Calls(calls(&calm, &[Moment::BeforeEffect, Moment::AfterEffect])),
            Deaths::Calls(calls(&calm, &[Moment::AfterAnswer])),
        ];
        chains.extend(dealt(&points(&calm), sites).into_iter().map(Deaths::Points));
        Self { story, calm, chains }
    }

    /// Without the calls that are those of any installation.
    fn of_machines(mut self) -> Self {
        let whole =
            |call: &str| !call.starts_with("maas ") || ["commission", "allocate", "deploy", "release"].iter().any(|op| call.ends_with(op));
        for chain in &mut self.chains {
            if let Deaths::Calls(calls) = chain {
                calls.retain(|call, _| whole(call));
            }
        }
        self
    }

    /// Places that are drawn.
    fn random(story: Story, seeds: std::ops::Range<u64>, deaths: usize) -> Self {
        Self { story, calm: calm(story), chains: seeds.map(|seed| Deaths::Anywhere { seed, deaths }).collect() }
    }
}

/// Tells all stories with all their deaths; how many there were.
fn survive(trials: &[Trial]) -> usize {
    let started = Instant::now();
    let (failures, hits) = (Mutex::new(Vec::new()), Mutex::new(Vec::<(usize, String)>::new()));
    let mut chains: Vec<(usize, Deaths)> =
        trials.iter().enumerate().flat_map(|(at, trial)| trial.chains.iter().map(move |c| (at, c.clone()))).collect();
    // What a chain went past, as other calls were under way when its process died, is hit by the next one.
    for round in 0..12 {
        let (next, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    while let Some((at, deaths)) = chains.get(next.fetch_add(1, Ordering::Relaxed)) {
                        match suffer(trials[*at].story, &trials[*at].calm, deaths, round > 0) {
                            Ok(chain) => {
                                missed.lock().unwrap().extend(chain.missed.map(|m| (*at, m)));
                                hits.lock().unwrap().extend(chain.hit.into_iter().map(|h| (*at, h)));
                            }
                            Err(wrong) => failures.lock().unwrap().push(format!("== {}\n{wrong}", trials[*at].story.name)),
                        }
                    }
                });
            }
        });
        chains = missed.into_inner().unwrap();
        if chains.is_empty() || !failures.lock().unwrap().is_empty() {
            break;
        }
    }
    let failures = failures.into_inner().unwrap();
    let hits = hits.into_inner().unwrap();
    for (at, trial) in trials.iter().enumerate() {
        let of = |hit: &&(usize, String)| hit.0 == at;
        let wire = |hit: &&(usize, String)| ["BeforeEffect", "AfterEffect", "AfterAnswer"].iter().any(|m| hit.1.starts_with(m));
        eprintln!(
            "{}: {} deaths, {} of them in calls, in {} chains",
            trial.story.name,
            hits.iter().filter(of).count(),
            hits.iter().filter(of).filter(wire).count(),
            trial.chains.len()
        );
    }
    eprintln!("{} deaths in {:.1} s", hits.len(), started.elapsed().as_secs_f32());
    assert!(failures.is_empty(), "{} chains do harm:\n{}", failures.len(), failures.join("\n"));
    assert!(chains.is_empty(), "places that nothing died at: {chains:#?}");
    hits.len()
}

#[test]
fn a_client_that_dies_anywhere_does_everything_once() {
    let mut trials =
        vec![Trial::every(FIRST, 4), Trial::every(UNKNOWN, 2).of_machines(), Trial::every(REDEPLOYED, 2), Trial::every(DESTROYED, 1)];
    assert!(trials[0].calm.calls.len() > 30, "{:?}", trials[0].calm.calls);
    trials.push(Trial::random(SIXTY, 1..3, 20));
    if usable(Server::shared).is_some() {
        let mut shared = Trial::every(SHARED, 6);
        // Its calls, before and after their effects, and every sixth place of the journal.
        shared.chains.truncate(3);
        shared.chains.remove(1);
        trials.push(shared);
    }
    let deaths = survive(&trials);
    assert!(deaths >= 500, "{deaths} deaths");
}

#[test]
#[ignore = "takes a quarter of an hour; run alone: cargo test --release --test it -- --ignored --nocapture ten_thousand"]
fn a_client_that_dies_ten_thousand_times_does_everything_once() {
    let mut deaths = 0;
    for round in 1..=15 {
        // Dealt out otherwise each time: other places lie between two deaths.
        let mut trials: Vec<Trial> = [FIRST, UNKNOWN, REDEPLOYED, DESTROYED].map(|story| Trial::every(story, round)).into();
        let seeds = round as u64 * 100;
        trials.push(Trial::random(SIXTY, seeds..seeds + 2, 20));
        deaths += survive(&trials);
        eprintln!("{deaths} deaths in {round} rounds");
    }
    assert!(deaths >= 10_000, "{deaths} deaths");
}
