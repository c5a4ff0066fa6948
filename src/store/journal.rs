//! The writer of a run's events: many records, few transactions.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::run::{Event, EventKind};

use super::failpoint::die;
use super::{Failpoint, Failpoints, Record, Store, StoreError};

/// Called once a record is durable, or cannot be made so.
pub type Ack = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Called with every event after it is durable, in order.
pub type Listener = Box<dyn FnMut(&Event) + Send>;

/// Records in one transaction at most.
const BATCH: usize = 2048;

/// How long a transaction waits for more records.
const GATHER: Duration = Duration::from_micros(500);

/// Appends to one run from a thread of its own. All records that arrive while a transaction is being made durable go into the next one.
///
/// After the first error nothing more is written: every later record gets the same error, so that the journal never has a gap.
#[derive(Debug)]
pub struct Journal {
    queue: Option<Sender<(Record, Option<Ack>)>>,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    /// Starts the writer.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(
        store: Arc<dyn Store>,
        run: String,
        lock: String,
        failpoints: Arc<Failpoints>,
        listener: Listener,
    ) -> Result<Self, std::io::Error> {
        let (queue, records) = channel();
        let writer = Writer { store, run, lock, failpoints, listener, error: None };
        let thread = std::thread::Builder::new().name("drydock-journal".to_owned()).spawn(move || writer.work(&records))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands a record over; `ack` is called from the writer's thread.
    pub fn append(&self, record: Record, ack: Option<Ack>) {
        let Some(queue) = &self.queue else { return };
        if let Err(lost) = queue.send((record, ack))
            && let Some(ack) = lost.0.1
        {
            ack(Err(StoreError::LockLost));
        }
    }

    /// Waits until everything handed over is durable or was answered with an error.
    pub fn close(mut self) {
        self.join();
    }

    fn join(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has answered nobody; the engine sees that as a lost acknowledgement.
            let _ = thread.join();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.join();
    }
}

struct Writer {
    store: Arc<dyn Store>,
    run: String,
    lock: String,
    failpoints: Arc<Failpoints>,
    listener: Listener,
    error: Option<StoreError>,
}

impl Writer {
    fn work(mut self, records: &Receiver<(Record, Option<Ack>)>) {
        while let Ok(first) = records.recv() {
            // Records come in bursts; one commit costs far more than this.
            std::thread::sleep(GATHER);
            let (mut batch, mut acks) = (vec![first.0], vec![first.1]);
            while batch.len() < BATCH
                && let Ok((record, ack)) = records.try_recv()
            {
                batch.push(record);
                acks.push(ack);
            }
            let result = self.write(&batch);
            if result.is_ok() {
                for record in &batch {
                    (self.listener)(&record.event);
                }
            }
            for ack in acks.into_iter().flatten() {
                ack(result.clone());
            }
        }
    }

    fn write(&mut self, batch: &[Record]) -> Result<(), StoreError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        // A due failpoint splits the batch so that what it promises to be durable is.
        for (i, record) in batch.iter().enumerate() {
            let event = &record.event.event;
            let before: &[Failpoint] = match event {
                EventKind::AttemptOutcome { .. } => &[Failpoint::BeforeEvent, Failpoint::BeforeOutcome],
                _ => &[Failpoint::BeforeEvent],
            };
            let after: &[Failpoint] = match event {
                EventKind::AttemptOutcome { .. } => &[Failpoint::AfterEvent, Failpoint::AfterOutcome],
                EventKind::AttemptIntent { .. } => &[Failpoint::AfterEvent, Failpoint::AfterIntent],
                _ => &[Failpoint::AfterEvent],
            };
            for (durable, places) in [(i, before), (i + 1, after)] {
                if let Some(point) = places.iter().find_map(|at| self.failpoints.due_at(*at, event)) {
                    // Whether this succeeds changes only where the crash happens.
                    let _ = self.store.append(&self.run, &self.lock, &batch[..durable]);
                    die(point);
                }
            }
        }
        self.store.append(&self.run, &self.lock, batch).inspect_err(|error| self.error = Some(error.clone()))?;
        self.failpoints.stop();
        Ok(())
    }
}
