//! Connections that a fault can cut: a listener whose streams know a switch that the handler of a request can throw.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const CUT: u8 = 1;
const DO_WHEN_SENT: u8 = 2;
const HALF: u8 = 3;

/// What is done once an answer is sent.
type Done = Box<dyn Fn() + Send + Sync>;

/// What becomes of a connection.
#[derive(Clone, Default)]
pub(crate) struct Switch(Arc<(AtomicU8, OnceLock<Done>)>);

impl std::fmt::Debug for Switch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Switch").field(&self.state()).finish_non_exhaustive()
    }
}

impl Switch {
    /// Resets the connection at the next byte.
    pub(crate) fn cut(&self) {
        self.0.0.store(CUT, Ordering::SeqCst);
    }

    /// Closes the connection in the middle of the present answer's body.
    pub(crate) fn send_half(&self) {
        self.0.0.store(HALF, Ordering::SeqCst);
    }

    /// Does something when the present answer is sent.
    pub(crate) fn when_sent(&self, done: impl Fn() + Send + Sync + 'static) {
        let _ = self.0.1.set(Box::new(done));
        self.0.0.store(DO_WHEN_SENT, Ordering::SeqCst);
    }

    fn state(&self) -> u8 {
        self.0.0.load(Ordering::SeqCst)
    }
}

impl Connected<IncomingStream<'_, Loopback>> for Switch {
    fn connect_info(stream: IncomingStream<'_, Loopback>) -> Self {
        stream.io().switch.clone()
    }
}

/// A loopback listener.
#[derive(Debug)]
pub(crate) struct Loopback(Source);

#[derive(Debug)]
enum Source {
    Plain(TcpListener),
    /// Connections whose handshake is done: a slow one must not hold up the others.
    Tls(mpsc::Receiver<(Wire, std::net::SocketAddr)>, std::net::SocketAddr),
}

impl Loopback {
    /// Connections as they come.
    pub(crate) fn plain(listener: TcpListener) -> Self {
        Self(Source::Plain(listener))
    }

    /// Connections that speak TLS.
    pub(crate) fn tls(listener: TcpListener, acceptor: TlsAcceptor) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (done, ready) = mpsc::channel(16);
        tokio::spawn(async move {
            while !done.is_closed() {
                let accepted = tokio::select! {
                    accepted = TcpListener::accept(&listener) => accepted,
                    () = done.closed() => break,
                };
                let Ok((tcp, from)) = accepted else {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    continue;
                };
                let _ = tcp.set_nodelay(true);
                let (acceptor, done) = (acceptor.clone(), done.clone());
                tokio::spawn(async move {
                    if let Ok(tls) = acceptor.accept(tcp).await {
                        let _ = done.send((Wire::Tls(Box::new(tls)), from)).await;
                    }
                });
            }
        });
        Ok(Self(Source::Tls(ready, address)))
    }
}

impl Listener for Loopback {
    type Io = Stream;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let accepted = match &mut self.0 {
                Source::Plain(listener) => TcpListener::accept(listener).await.map(|(tcp, address)| {
                    let _ = tcp.set_nodelay(true);
                    (Wire::Plain(tcp), address)
                }),
                Source::Tls(ready, _) => match ready.recv().await {
                    Some(connection) => Ok(connection),
                    None => std::future::pending().await,
                },
            };
            match accepted {
                Ok((wire, address)) => return (Stream { wire, switch: Switch::default(), ended: false }, address),
                // Out of file descriptors: wait for some to be closed.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        match &self.0 {
            Source::Plain(listener) => listener.local_addr(),
            Source::Tls(_, address) => Ok(*address),
        }
    }
}

/// What carries the bytes.
#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Stream {
    wire: Wire,
    switch: Switch,
    /// Half of an answer was sent.
    ended: bool,
}

impl Stream {
    fn check(&self) -> io::Result<()> {
        if self.switch.state() == CUT {
            // Linger zero makes the close a reset, as a crashed server's kernel sends it.
            let tcp = match &self.wire {
                Wire::Plain(tcp) => tcp,
                Wire::Tls(tls) => tls.get_ref().0,
            };
            let _ = tcp.set_zero_linger();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

/// How much of an answer is sent where its body is to end in the middle.
fn half(answer: &[u8]) -> usize {
    let body = answer.windows(4).position(|w| w == b"\r\n\r\n").map_or(0, |at| at + 4);
    body + (answer.len() - body) / 2
}

impl Stream {
    fn write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Wire::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, buf),
        }
    }

    fn write_half(&mut self, cx: &mut Context<'_>, answer: &[u8]) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = self.write(cx, &answer[..half(answer)]);
        self.ended = matches!(written, Poll::Ready(Ok(_)));
        written
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Err(e) = self.check() {
            return Poll::Ready(Err(e));
        }
        match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Wire::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if let Err(e) = self.check() {
            return Poll::Ready(Err(e));
        }
        if self.switch.state() == HALF { self.write_half(cx, buf) } else { self.write(cx, buf) }
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if let Err(e) = self.check() {
            return Poll::Ready(Err(e));
        }
        if self.switch.state() == HALF {
            let whole: Vec<u8> = bufs.iter().flat_map(|b| b.iter().copied()).collect();
            return self.write_half(cx, &whole);
        }
        match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Wire::Tls(tls) => Pin::new(tls.as_mut()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.wire {
            Wire::Plain(tcp) => tcp.is_write_vectored(),
            Wire::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Err(e) = self.check() {
            return Poll::Ready(Err(e));
        }
        let flushed = match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Wire::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        };
        if flushed.is_ready()
            && self.switch.0.0.compare_exchange(DO_WHEN_SENT, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok()
            && let Some(done) = self.switch.0.1.get()
        {
            done();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Wire::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}
