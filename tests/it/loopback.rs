//! An HTTP server on the loopback interface that answers as a test says, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path, still encoded.
    pub(crate) path: String,
    /// Query without `?`.
    pub(crate) query: String,
    /// Head as it was sent.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    /// Value of a header, by its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Value of a key of the query.
    pub(crate) fn key(&self, name: &str) -> Option<&str> {
        self.query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name).map(|(_, value)| value)
    }
}

/// The server; its thread ends with the process.
pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Answers with status and body; never at all where there is `None`.
    pub(crate) fn start(answer: impl Fn(&Asked) -> Option<(u16, String)> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).unwrap_or(0) > 0 {}
                let mut words = head.split_whitespace();
                let (method, target) = (words.next().unwrap_or("").to_owned(), words.next().unwrap_or("").to_owned());
                let (path, query) = target.split_once('?').unwrap_or((&target, ""));
                let (path, query) = (path.to_owned(), query.to_owned());
                let mut request = Asked { method, path, query, head, body: Vec::new() };
                let length = request.header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
                if request.header("expect").is_some() {
                    let _ = stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                request.body = vec![0; length];
                let _ = stream.read_exact(&mut request.body);
                let answered = answer(&request);
                kept.lock().unwrap().push(request);
                let Some((status, body)) = answered else {
                    silent.push(stream);
                    continue;
                };
                let head = format!(
                    "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.get_mut().write_all(head.as_bytes()).and_then(|()| stream.get_mut().write_all(body.as_bytes()));
            }
        });
        Self { url, asked }
    }

    /// What it was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}
