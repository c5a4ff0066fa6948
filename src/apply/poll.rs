//! Who waits at the site, by driver: one batch of observations polls for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use crate::driver::{Call, Driver, DriverError, NodeDriver, Observation};

use super::dispatcher::Message;

/// What a poll saw of one waiter.
pub(super) struct Seen {
    pub index: u32,
    /// The attempt that was asked about.
    pub attempt: u32,
    pub observation: Result<Observation, DriverError>,
}

/// What is asked about one waiter.
pub(super) struct Question {
    pub call: Call,
    pub attempt: u32,
    /// The provisioner, if its having the node's machine shows that the action has served its purpose.
    pub enlisted_at: Option<Arc<dyn NodeDriver>>,
}

struct Poller {
    driver: Arc<dyn Driver>,
    waiters: BTreeSet<u32>,
    /// When to poll next, in engine time.
    next: Option<u64>,
    polling: bool,
}

/// The pollers of a run.
#[derive(Default)]
pub(super) struct Pollers {
    by_driver: BTreeMap<String, Poller>,
}

impl Pollers {
    /// An action waits from now on.
    pub(super) fn add(&mut self, name: &str, driver: Arc<dyn Driver>, index: u32, now: u64) {
        let poller = self.by_driver.entry(name.to_owned()).or_insert_with(|| Poller {
            driver,
            waiters: BTreeSet::new(),
            next: None,
            polling: false,
        });
        poller.waiters.insert(index);
        if poller.next.is_none() && !poller.polling {
            poller.next = Some(now + interval(poller.driver.as_ref()));
        }
    }

    /// An action no longer waits.
    pub(super) fn remove(&mut self, name: &str, index: u32) {
        if let Some(poller) = self.by_driver.get_mut(name) {
            poller.waiters.remove(&index);
        }
    }

    /// When to call [`Self::due`].
    pub(super) fn next(&self) -> Option<u64> {
        self.by_driver.values().filter_map(|p| p.next).min()
    }

    /// Starts every poll whose time has come; `question` says what to ask about a waiter.
    pub(super) fn due(&mut self, now: u64, question: impl Fn(u32) -> Option<Question>, messages: &UnboundedSender<Message>) {
        for (name, poller) in &mut self.by_driver {
            if poller.next.is_none_or(|next| next > now) {
                continue;
            }
            poller.next = None;
            let mut asked = Vec::with_capacity(poller.waiters.len());
            let mut calls = Vec::with_capacity(poller.waiters.len());
            for &index in &poller.waiters {
                if let Some(Question { call, attempt, enlisted_at }) = question(index) {
                    asked.push((index, attempt, enlisted_at));
                    calls.push(call);
                }
            }
            if calls.is_empty() {
                continue;
            }
            poller.polling = true;
            let (driver, name, messages) = (Arc::clone(&poller.driver), name.clone(), messages.clone());
            tokio::spawn(async move {
                let mut answers: Vec<Seen> = Vec::with_capacity(calls.len());
                // A machine that was switched on, has enlisted and is off again shows nothing of it at its BMC. All are looked for at once.
                let mut looks = JoinSet::new();
                for (((index, attempt, enlisted_at), call), observation) in
                    asked.into_iter().zip(calls.iter()).zip(driver.observe(&calls).await)
                {
                    if let (Ok(Observation::InProgress { .. } | Observation::NotStarted), Some(provisioner)) = (&observation, enlisted_at) {
                        let (place, binding) = (answers.len(), call.binding.clone());
                        looks.spawn(async move { (place, matches!(provisioner.record(&binding).await, Ok(Some(_)))) });
                    }
                    answers.push(Seen { index, attempt, observation });
                }
                while let Some(looked) = looks.join_next().await {
                    if let Ok((place, true)) = looked {
                        answers[place].observation = Ok(Observation::done());
                    }
                }
                let seen = answers;
                // Nobody listens when the run was stopped at once.
                let _ = messages.send(Message::Polled { driver: name, seen });
            });
        }
    }

    /// A poll has been answered.
    pub(super) fn answered(&mut self, name: &str, now: u64) {
        if let Some(poller) = self.by_driver.get_mut(name) {
            poller.polling = false;
            poller.next = (!poller.waiters.is_empty()).then(|| now + interval(poller.driver.as_ref()));
        }
    }
}

fn interval(driver: &dyn Driver) -> u64 {
    (driver.poll_interval().as_millis() as u64).max(1)
}
