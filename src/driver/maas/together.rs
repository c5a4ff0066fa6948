//! Reads that many ask for at the same time: one request answers all who asked before it was sent, so that an answer is never older than its question.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::driver::{DriverError, ErrorClass};

/// What an answer is shared as.
pub(super) type Answer<T> = Result<Arc<T>, DriverError>;

/// Questions and who asked them.
type Asked<K, T> = (Vec<K>, Vec<oneshot::Sender<Answer<T>>>);

/// One kind of read. A question is a `K`; many of them make one request.
#[derive(Debug)]
pub(super) struct Together<K, T> {
    state: Mutex<State<K, T>>,
    /// Requests at once at most.
    requests: usize,
    /// Questions of one request at most.
    questions: usize,
}

#[derive(Debug)]
struct State<K, T> {
    asked: VecDeque<(K, oneshot::Sender<Answer<T>>)>,
    reading: usize,
}

impl<K, T> Together<K, T> {
    pub(super) fn new(requests: usize, questions: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { asked: VecDeque::new(), reading: 0 }), requests, questions })
    }

    fn state(&self) -> MutexGuard<'_, State<K, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request under way; its place is given back however it ends.
struct Place<K, T>(Option<Arc<Together<K, T>>>);

impl<K, T> Place<K, T> {
    /// The questions of the next request; without any the place is given back at once, so that whoever asks then takes it.
    fn next(&mut self) -> Option<Asked<K, T>> {
        let together = self.0.as_ref()?;
        let mut state = together.state();
        let count = state.asked.len().min(together.questions);
        if count > 0 {
            return Some(state.asked.drain(..count).unzip());
        }
        state.reading -= 1;
        drop(state);
        self.0 = None;
        None
    }
}

impl<K, T> Drop for Place<K, T> {
    fn drop(&mut self) {
        if let Some(together) = &self.0 {
            together.state().reading -= 1;
        }
    }
}

impl<K: Send + 'static, T: Send + Sync + 'static> Together<K, T> {
    /// Asks, and waits for the answer of a request that is sent from now on.
    pub(super) async fn ask<R>(self: &Arc<Self>, question: K, read: impl Fn(Vec<K>) -> R + Send + Sync + 'static) -> Answer<T>
    where
        R: Future<Output = Result<T, DriverError>> + Send,
    {
        let (sender, answer) = oneshot::channel();
        let place = {
            let mut state = self.state();
            state.asked.push_back((question, sender));
            let free = state.reading < self.requests;
            state.reading += usize::from(free);
            free.then(|| Place(Some(Arc::clone(self))))
        };
        if let Some(mut place) = place {
            tokio::spawn(async move {
                // Those who are about to ask come along.
                tokio::task::yield_now().await;
                while let Some((questions, askers)) = place.next() {
                    let answer = read(questions).await.map(Arc::new);
                    for asker in askers {
                        // Who no longer waits has been given up.
                        let _ = asker.send(answer.clone());
                    }
                }
            });
        }
        answer.await.unwrap_or_else(|_| Err(DriverError::new(ErrorClass::Transient, "MAAS: a read was interrupted")))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_questions_are_one_request_and_no_answer_is_older_than_its_question() {
        let together = Together::<usize, Vec<usize>>::new(1, 100);
        let sent = Arc::new(AtomicUsize::new(0));
        let ask = |n: usize| {
            let (together, sent) = (Arc::clone(&together), Arc::clone(&sent));
            async move {
                let asked_when = sent.load(Ordering::SeqCst);
                let read = {
                    let sent = Arc::clone(&sent);
                    move |questions: Vec<usize>| {
                        let number = sent.fetch_add(1, Ordering::SeqCst);
                        async move {
                            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                            Ok([vec![number], questions].concat())
                        }
                    }
                };
                let answer = together.ask(n, read).await.unwrap();
                assert!(answer[0] >= asked_when, "answered by a request that was sent before");
                assert!(answer[1..].contains(&n));
            }
        };
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..300 {
            tasks.spawn(ask(n));
            if n % 100 == 99 {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        assert!((3..=6).contains(&sent.load(Ordering::SeqCst)), "{sent:?} requests for 300 questions");
        ask(300).await;
    }

    #[tokio::test]
    async fn a_read_that_breaks_down_holds_nobody_up() {
        let together = Together::<(), ()>::new(1, 10);
        let broken =
            together.ask((), |questions: Vec<()>| async move { if questions.is_empty() { Ok(()) } else { unreachable!("a bug") } }).await;
        assert_eq!(broken.unwrap_err().class, ErrorClass::Transient);
        together.ask((), |_| async { Ok(()) }).await.unwrap();
        let refused = together.ask((), |_| async { Err(DriverError::new(ErrorClass::Rejected, "no")) }).await;
        assert_eq!(refused.unwrap_err().message, "no");
    }
}
