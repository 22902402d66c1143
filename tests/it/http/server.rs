//! A server that reads requests and answers with whatever bytes a test gives.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Clone)]
pub struct Seen {
    pub line: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// What to do with a request.
pub enum Answer {
    Keep(Vec<u8>),
    Close(Vec<u8>),
    Hang(Vec<u8>),
}

/// A reply with its length; `head` is further header lines.
pub fn reply(status: u16, head: &str, body: &[u8]) -> Answer {
    let mut bytes = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{head}\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    Answer::Keep(bytes)
}

#[derive(Default)]
pub struct Log {
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
}

/// Ends with the test.
pub struct Server {
    pub url: String,
    pub port: u16,
    log: Arc<Log>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// `answer` gets the number of the request, from 0, and the request.
    pub async fn start(answer: impl Fn(usize, &Seen) -> Answer + Send + Sync + 'static) -> Self {
        let answer = Arc::new(answer);
        Self::start_with("http", move |stream, log| {
            let answer = answer.clone();
            async move { talk(stream, &log, &*answer).await }
        })
        .await
    }

    /// `connection` does all of a connection.
    pub async fn start_with<F: Future<Output = ()> + Send + 'static>(
        scheme: &str,
        connection: impl Fn(TcpStream, Arc<Log>) -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::<Log>::default();
        let connections = log.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(connection(stream, connections.clone()));
            }
        });
        Self { url: format!("{scheme}://127.0.0.1:{port}/powershell-liveid"), port, log, task }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.log.seen.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.log.connections.load(Ordering::SeqCst)
    }
}

/// Answers the requests of one connection until one side has had enough.
pub async fn talk<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, log: &Log, answer: &(impl Fn(usize, &Seen) -> Answer + ?Sized)) {
    while let Some(request) = read_request(&mut stream).await {
        let number = {
            let mut seen = log.seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        match answer(number, &request) {
            Answer::Keep(bytes) => {
                if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
            Answer::Close(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Answer::Hang(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.flush().await;
                // Held until the client has gone.
                let _ = stream.read(&mut [0]).await;
                return;
            }
        }
    }
}

/// None once the client has gone.
pub async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<_> = lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned())).collect();
    let length = headers.iter().find(|(n, _)| n == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Seen { line, headers, body })
}
