//! The way to a server, one step at a time: what the client does at once when it connects, each part by itself and told.
//! By the same means: the proxies that the options and the environment name, rustls, the same authorities.

use super::failure::Attempt;
use super::proxy::Routes;
use super::{HttpOptions, certificate, tls};
use crate::error::{Error, ErrorKind, Result, fact};
use crate::lock::lock;
use crate::secret::Secret;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url, form_urlencoded};

/// A part of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The name of the first host, the proxy's or the server's, becomes addresses.
    Name,
    /// A connection to the server, through the proxy's tunnel where there is one.
    Tcp,
    /// The TLS handshake with the server.
    Tls,
    /// A server that speaks HTTP, and what a road wants of it.
    Http,
}

/// What became of a part.
#[derive(Debug)]
pub enum Passage {
    /// It is done, and how.
    Passed(String),
    /// There is nothing to do, and why.
    Skipped(String),
    /// It cannot be done.
    Failed(Error),
}

/// A reply of a proxy to CONNECT is a few lines.
const MOST_ANSWER: usize = 16 * 1024;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Goes the way to the server of `url`, telling each part and how long it took; each may take `limit`. HTTP is the
/// road's own part: nothing of it is sent here. Whether the way led there.
pub async fn walk(options: &HttpOptions, url: &Url, limit: Duration, tell: &mut (impl FnMut(Part, Passage, Duration) + Send)) -> bool {
    let begun = Instant::now();
    let shown = tls::Shown::default();
    let ready = Routes::new(options, |name| std::env::var(name).ok())
        .and_then(|routes| Ok((routes, Arc::new(tls::watching(options, Some(Arc::clone(&shown)))?))));
    let (routes, tls) = match ready {
        Ok(ready) => ready,
        Err(error) => {
            tell(Part::Name, Passage::Failed(error), begun.elapsed());
            return false;
        }
    };
    let way = Way { attempt: Attempt { url, proxy: routes.proxy_for(url), sent: false, answered: false }, tls, shown, limit };
    let addresses = match told(Part::Name, tell, way.resolve()).await {
        Some(addresses) => addresses,
        None => return false,
    };
    let Some(stream) = told(Part::Tcp, tell, way.connect(&addresses)).await else { return false };
    if url.scheme() != "https" {
        tell(Part::Tls, Passage::Skipped("the address is http: nothing is encrypted".into()), Duration::ZERO);
        return true;
    }
    told(Part::Tls, tell, way.secure(stream, options)).await.is_some()
}

/// A part that was gone, with what is to be told of it: passed, or with nothing to do.
type Gone<T> = Result<(T, Passage)>;

async fn told<T>(
    part: Part,
    tell: &mut (impl FnMut(Part, Passage, Duration) + Send),
    going: impl Future<Output = Gone<T>> + Send,
) -> Option<T> {
    let begun = Instant::now();
    match going.await {
        Ok((value, passage)) => {
            tell(part, passage, begun.elapsed());
            Some(value)
        }
        Err(error) => {
            tell(part, Passage::Failed(error), begun.elapsed());
            None
        }
    }
}

struct Way<'a> {
    attempt: Attempt<'a>,
    tls: Arc<ClientConfig>,
    shown: tls::Shown,
    limit: Duration,
}

impl Way<'_> {
    /// Where the first connection goes.
    fn first(&self) -> &Url {
        self.attempt.proxy.unwrap_or(self.attempt.url)
    }

    /// What is behind the proxy, as a note; nothing without one.
    fn note(&self) -> String {
        self.attempt.proxy.map_or_else(String::new, |_| ", the proxy, which looks the server's name up itself".into())
    }

    async fn resolve(&self) -> Gone<Vec<SocketAddr>> {
        let first = self.first();
        let port = first.port_or_known_default().unwrap_or_default();
        let name = match first.host() {
            Some(Host::Domain(name)) => name,
            Some(Host::Ipv4(ip)) => return Ok((vec![(ip, port).into()], Passage::Skipped(format!("{ip} is an address{}", self.note())))),
            Some(Host::Ipv6(ip)) => return Ok((vec![(ip, port).into()], Passage::Skipped(format!("{ip} is an address{}", self.note())))),
            None => return Err(self.attempt.error(ErrorKind::InvalidArgument, "the url is not one of http or https")),
        };
        match timeout(self.limit, lookup_host((name, port))).await {
            Ok(Ok(found)) => {
                let found: Vec<SocketAddr> = found.collect();
                if found.is_empty() {
                    return Err(self.attempt.unknown_name());
                }
                let shown: Vec<String> = found.iter().take(4).map(|a| a.ip().to_string()).collect();
                Ok((found, Passage::Passed(format!("{name} is {}{}", shown.join(", "), self.note()))))
            }
            Ok(Err(error)) => Err(self.attempt.unknown_name().with_source(error)),
            Err(_) => Err(self.attempt.unknown_name()),
        }
    }

    /// The first address that answers, as the client does it; and the server through the proxy's tunnel, if it needs one.
    async fn connect(&self, addresses: &[SocketAddr]) -> Gone<Box<dyn Stream>> {
        let connecting = async {
            let mut last = None;
            for address in addresses {
                match TcpStream::connect(address).await {
                    Ok(stream) => return Ok((stream, *address)),
                    Err(error) => last = Some(error),
                }
            }
            Err(last.map_or_else(|| self.attempt.unknown_name(), |e| self.attempt.unreachable(Some(e.kind())).with_source(e)))
        };
        let (stream, address) = timeout(self.limit, connecting).await.unwrap_or_else(|_| Err(self.attempt.silent()))?;
        let Some(proxy) = self.attempt.proxy else {
            return Ok((Box::new(stream), Passage::Passed(format!("connected to {address}"))));
        };
        let mut stream: Box<dyn Stream> = Box::new(stream);
        if proxy.scheme() == "https" {
            let name = server_name(proxy)?;
            let secured = timeout(self.limit, TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream)).await;
            stream = match secured {
                Ok(Ok(secured)) => Box::new(secured),
                Ok(Err(error)) => return Err(Attempt { url: proxy, proxy: None, sent: false, answered: false }.insecure(error)),
                Err(_) => return Err(self.attempt.silent()),
            };
        }
        if self.attempt.url.scheme() == "https" {
            timeout(self.limit, self.tunnel(&mut stream, proxy)).await.unwrap_or_else(|_| Err(self.attempt.silent()))?;
            return Ok((stream, Passage::Passed(format!("connected through the proxy at {address}"))));
        }
        Ok((stream, Passage::Passed(format!("connected to the proxy at {address}"))))
    }

    /// CONNECT (RFC 9110, 9.3.6).
    async fn tunnel(&self, stream: &mut Box<dyn Stream>, proxy: &Url) -> Result<()> {
        let (host, port) = (self.attempt.url.host_str().unwrap_or_default(), self.attempt.url.port_or_known_default().unwrap_or_default());
        let sign_in = match proxy.username() {
            "" => Secret::default(),
            user => {
                let plain = Secret::new(format!("{}:{}", decoded(user), decoded(proxy.password().unwrap_or_default())));
                Secret::new(format!("Proxy-Authorization: Basic {}\r\n", BASE64_STANDARD.encode(plain.reveal())))
            }
        };
        let request = Secret::new(format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{}\r\n", sign_in.reveal()));
        let broken = |_| self.attempt.no_tunnel();
        stream.write_all(request.reveal().as_bytes()).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            // One byte at a time: what follows the answer is the server's.
            if answer.len() >= MOST_ANSWER {
                return Err(self.attempt.no_tunnel());
            }
            answer.push(stream.read_u8().await.map_err(broken)?);
        }
        let status = answer.strip_prefix(b"HTTP/1.").and_then(|a| a.get(2..5)).unwrap_or_default();
        match status {
            [b'2', ..] => Ok(()),
            b"407" => Err(self.attempt.proxy_sign_in()),
            _ => Err(self.attempt.refused_tunnel(std::str::from_utf8(status).ok())),
        }
    }

    async fn secure(&self, stream: Box<dyn Stream>, options: &HttpOptions) -> Gone<()> {
        let name = server_name(self.attempt.url)?;
        // The proxy's own is another.
        *lock(&self.shown) = None;
        let connected = timeout(self.limit, TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream)).await;
        let shown = lock(&self.shown).take();
        let certificate = shown.and_then(|shown| certificate::described(&shown));
        let stream = match connected {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                let error = self.attempt.insecure(error);
                return Err(match certificate {
                    Some(certificate) => error.with_fact(fact::CERTIFICATE, certificate),
                    None => error,
                });
            }
            Err(_) => return Err(self.attempt.unanswered()),
        };
        let (_, state) = stream.get_ref();
        let version = match state.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "TLS",
        };
        let unchecked = match (options.skip_ca_check, options.skip_cn_check) {
            (false, false) => "the certificate is trusted",
            (true, false) => "the certificate's issuer was not checked",
            (false, true) => "the certificate's name was not checked",
            (true, true) => "neither issuer nor name of the certificate were checked",
        };
        let certificate = certificate.map(|c| format!(": {c}")).unwrap_or_default();
        Ok(((), Passage::Passed(format!("{version}; {unchecked}{certificate}"))))
    }
}

/// What a URL's user part says. The decoder is the one for forms, to which `+` and `&` are more than themselves.
fn decoded(part: &str) -> String {
    let field = format!("v={}", part.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(field.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn server_name(url: &Url) -> Result<ServerName<'static>> {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(host)
        .map_err(|e| Error::new(ErrorKind::InvalidArgument, "send request", "the host's name is not one for tls").with_source(e))
}
