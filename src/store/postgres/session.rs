//! Connections, and what is done when one is lost: it is made again, and what it was in the middle of is found out and done, never guessed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::config::{SslMode as Ssl, TargetSessionAttrs};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::{StoreError, holder};
use super::failure::Trouble;
use super::schema;
use crate::config::{PostgresUrl, SslMode};
use crate::redact::Secret;

/// How long the server may work on one statement, wait for another transaction, or wait for us within a transaction. The last is what a process costs others
/// that is stopped in the middle of one.
const SERVER_LIMITS: &str = "SET statement_timeout = '30s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '10s'; \
     SET search_path TO drydock, pg_temp; SET client_min_messages = 'error'";

/// How long an answer may take until the connection is taken for dead.
const ANSWER: Duration = Duration::from_secs(40);

/// How long opening a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Pauses between attempts to connect.
const PAUSES_MS: (u64, u64) = (50, 2_000);

/// Where the server is and how to speak to it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub config: Config,
    pub tls: Option<Arc<ClientConfig>>,
    /// The place as people know it.
    pub place: PathBuf,
}

impl Target {
    pub(super) fn new(url: &PostgresUrl, password: Option<&Secret>, tls: Option<Arc<ClientConfig>>) -> Self {
        let mut config = Config::new();
        for host in &url.hosts {
            config.host(host.trim_matches(['[', ']']));
            config.port(url.port);
        }
        // As `psql` does without a user.
        config.user(url.user.clone().unwrap_or_else(|| holder::Holder::current().user));
        config.dbname(&url.database).application_name(concat!("drydock/", env!("CARGO_PKG_VERSION")));
        if let Some(password) = password {
            config.password(password.expose());
        }
        config
            .connect_timeout(CONNECT)
            .tcp_user_timeout(ANSWER)
            .keepalives_idle(Duration::from_secs(30))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            .ssl_mode(if url.ssl_mode == SslMode::Disable { Ssl::Disable } else { Ssl::Require });
        if url.hosts.len() > 1 {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        Self { config, tls, place: PathBuf::from(url.shown()) }
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> Result<Client, Trouble> {
        let open = async {
            match &self.tls {
                None => {
                    let (client, connection) = self.config.connect(NoTls).await?;
                    tokio::spawn(connection);
                    Ok::<_, Trouble>(client)
                }
                Some(tls) => {
                    let (client, connection) = self.config.connect(MakeRustlsConnect::new(ClientConfig::clone(tls))).await?;
                    tokio::spawn(connection);
                    Ok(client)
                }
            }
        };
        let client = in_time(Instant::now() + CONNECT, open).await?;
        let set_up = async {
            client.batch_execute(SERVER_LIMITS).await?;
            // A commit is on disk before it is reported, whatever the server, the database or the role is set to; more than that is kept.
            client
                .batch_execute(
                    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')",
                )
                .await?;
            Ok(())
        };
        in_time(Instant::now() + ANSWER, set_up).await?;
        Ok(client)
    }
}

/// Awaits an answer no longer than until then.
pub(super) async fn in_time<T>(until: Instant, answer: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    timeout_at(until, answer).await.unwrap_or_else(|_| Err(Trouble::Lost("it does not answer in time".to_owned())))
}

/// A connection with its prepared statements.
pub(super) struct Session {
    pub client: Client,
    statements: HashMap<&'static str, Statement>,
    /// Whether the row of [`Lane::writer`] is there.
    is_known: bool,
}

/// Parameters of a statement.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Session {
    async fn prepared(&mut self, sql: &'static str) -> Result<Statement, Trouble> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    pub(super) async fn execute(&mut self, sql: &'static str, parameters: Parameters<'_>) -> Result<u64, Trouble> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.execute(&statement, parameters).await?)
    }

    pub(super) async fn query(&mut self, sql: &'static str, parameters: Parameters<'_>) -> Result<Vec<Row>, Trouble> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.query(&statement, parameters).await?)
    }

    pub(super) async fn query_opt(&mut self, sql: &'static str, parameters: Parameters<'_>) -> Result<Option<Row>, Trouble> {
        Ok(self.query(sql, parameters).await?.into_iter().next())
    }
}

/// One connection at a time, made again when it is lost.
pub(super) struct Lane {
    target: Arc<Target>,
    session: Option<Session>,
    /// Name of this process among those that write, and how many transactions it has tried: both are written by each transaction, so that it can be found
    /// out whether one was committed whose answer was lost.
    writer: String,
    transactions: i64,
    /// How long a server that was there may be away.
    patience: Duration,
}

/// How a transaction ends that was given work.
enum Ended<T> {
    Done(T),
    /// The connection was lost before the commit was asked for: nothing of it is there.
    Undone(Trouble),
    /// It was lost after that.
    Unknown(T, String),
}

impl Lane {
    pub(super) fn new(target: Arc<Target>, patience: Duration) -> Self {
        let writer = format!("w-{:016x}", holder::random());
        Self { target, session: None, writer, transactions: 0, patience }
    }

    fn place(&self) -> &Path {
        &self.target.place
    }

    /// Takes over a connection.
    pub(super) fn begin_with(&mut self, client: Client) {
        self.session = Some(Session { client, statements: HashMap::new(), is_known: false });
    }

    async fn session(&mut self) -> Result<&mut Session, Trouble> {
        if self.session.as_ref().is_none_or(|s| s.client.is_closed()) {
            let client = self.target.connect().await?;
            // It may have been restored from a backup, or be another one.
            match schema::version(&client, self.place()).await? {
                Some(schema::VERSION) => self.begin_with(client),
                found => {
                    let detail = format!("its schema has changed (now {found:?}) while this process ran");
                    return Err(StoreError::Other { path: self.place().to_owned(), detail }.into());
                }
            }
        }
        self.session.as_mut().ok_or_else(|| Trouble::Lost("no connection".to_owned()))
    }

    /// Reads, as often as the connection is lost meanwhile.
    pub(super) async fn read<T>(&mut self, work: impl AsyncFn(&mut Session) -> Result<T, Trouble>) -> Result<T, StoreError> {
        let mut pauses = Pauses::new(self.patience);
        loop {
            let result = match self.session().await {
                Ok(session) => in_time(Instant::now() + ANSWER, work(session)).await,
                Err(trouble) => Err(trouble),
            };
            match result {
                Ok(value) => return Ok(value),
                Err(trouble) => {
                    // It may be in the middle of a transaction.
                    self.session = None;
                    self.again(trouble, &mut pauses).await?;
                }
            }
        }
    }

    /// Does work in one transaction, exactly once.
    pub(super) async fn transaction<T>(&mut self, work: impl AsyncFn(&mut Session) -> Result<T, Trouble>) -> Result<T, StoreError> {
        let mut pauses = Pauses::new(self.patience);
        loop {
            match self.attempt(&work).await {
                Ended::Done(value) => return Ok(value),
                Ended::Undone(trouble) => self.again(trouble, &mut pauses).await?,
                Ended::Unknown(value, why) => {
                    self.session = None;
                    if self.was_committed(&why, &mut pauses).await? {
                        return Ok(value);
                    }
                }
            }
        }
    }

    async fn attempt<T>(&mut self, work: &impl AsyncFn(&mut Session) -> Result<T, Trouble>) -> Ended<T> {
        self.transactions += 1;
        let (number, writer) = (self.transactions, self.writer.clone());
        let session = match self.session().await {
            Ok(session) => session,
            Err(trouble) => return Ended::Undone(trouble),
        };
        let done = in_time(Instant::now() + ANSWER, async {
            if !session.is_known {
                // On its own, so that a transaction whose answer was lost can be waited for by its row.
                let sql = "INSERT INTO writers (id, transactions, at_ms) VALUES ($1, 0, $2) ON CONFLICT (id) DO NOTHING";
                session.execute(sql, &[&writer, &(holder::now_ms() as i64)]).await?;
                session.is_known = true;
            }
            session.client.batch_execute("BEGIN").await?;
            let sql = "UPDATE writers SET transactions = $2, at_ms = $3 WHERE id = $1";
            if session.execute(sql, &[&writer, &number, &(holder::now_ms() as i64)]).await? == 0 {
                session.is_known = false;
                return Err(Trouble::Busy("the row of this process is gone".to_owned()));
            }
            work(&mut *session).await
        })
        .await;
        match done {
            Ok(value) => match in_time(Instant::now() + ANSWER, async { Ok(session.client.batch_execute("COMMIT").await?) }).await {
                Ok(()) => Ended::Done(value),
                Err(Trouble::Lost(why)) => Ended::Unknown(value, why),
                Err(trouble) => Ended::Undone(trouble),
            },
            Err(trouble) => {
                if matches!(trouble, Trouble::Lost(_))
                    || in_time(Instant::now() + ANSWER, async { Ok(session.client.batch_execute("ROLLBACK").await?) }).await.is_err()
                {
                    self.session = None;
                }
                Ended::Undone(trouble)
            }
        }
    }

    /// Whether the last transaction was committed, from the server itself: its row among the writers is locked until it has ended.
    async fn was_committed(&mut self, why: &str, pauses: &mut Pauses) -> Result<bool, StoreError> {
        let (number, writer) = (self.transactions, self.writer.clone());
        loop {
            let asked = match self.session().await {
                Ok(session) => {
                    let sql = "SELECT transactions FROM writers WHERE id = $1 FOR UPDATE";
                    in_time(Instant::now() + ANSWER, session.query_opt(sql, &[&writer])).await
                }
                Err(trouble) => Err(trouble),
            };
            match asked {
                Ok(row) => return Ok(row.is_some_and(|row| row.get::<_, i64>(0) == number)),
                Err(Trouble::Lost(detail) | Trouble::Busy(detail)) => {
                    self.session = None;
                    if !pauses.pause().await {
                        let detail = format!("{why}; then {detail}");
                        return Err(StoreError::Unsettled { path: self.place().to_owned(), detail });
                    }
                }
                Err(trouble) => return Err(trouble.into_error(self.place())),
            }
        }
    }

    /// Waits before another attempt, where that makes sense.
    async fn again(&mut self, trouble: Trouble, pauses: &mut Pauses) -> Result<(), StoreError> {
        match &trouble {
            Trouble::Lost(_) => self.session = None,
            Trouble::Busy(_) => {}
            Trouble::Failed(_) | Trouble::Unreadable { .. } | Trouble::Refused { .. } => return Err(trouble.into_error(self.place())),
        }
        if pauses.pause().await { Ok(()) } else { Err(trouble.into_error(self.place())) }
    }
}

/// Pauses that grow, until there was patience enough.
struct Pauses {
    until: Instant,
    next_ms: u64,
}

impl Pauses {
    fn new(patience: Duration) -> Self {
        Self { until: Instant::now() + patience, next_ms: PAUSES_MS.0 }
    }

    async fn pause(&mut self) -> bool {
        if Instant::now() >= self.until {
            return false;
        }
        // Half of it at random: all clients of a server that was restarted come back at once otherwise.
        let ms = self.next_ms / 2 + holder::random() % (self.next_ms / 2 + 1);
        sleep(Duration::from_millis(ms)).await;
        self.next_ms = (self.next_ms * 2).min(PAUSES_MS.1);
        true
    }
}
