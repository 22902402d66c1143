//! What became of a request that got no reply: one error out of the chains that reqwest, hyper, rustls and the system give.

use crate::error::{Error, ErrorKind, fact};
use rustls::{AlertDescription, CertificateError};
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;
use url::Url;

pub(super) const CONTEXT: &str = "send request";

const ITS_PLACE: &str =
    "It comes from the options (Proxy) or from HTTPS_PROXY, HTTP_PROXY or ALL_PROXY in the environment; NoProxy goes without.";

/// What is known about a request beside the error of it.
pub(super) struct Attempt<'a> {
    pub url: &'a Url,
    pub proxy: Option<&'a Url>,
    /// Whether any byte of the request may have left.
    pub sent: bool,
    /// Whether the reply has begun.
    pub answered: bool,
}

impl Attempt<'_> {
    /// An error with the facts of this attempt.
    pub(super) fn error(&self, kind: ErrorKind, detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(kind, CONTEXT, detail)
            .with_fact(fact::HOST, self.url.host_str().unwrap_or_default())
            .with_fact(fact::REQUEST_SENT, if self.sent || self.answered { "maybe" } else { "no" })
    }

    /// The time for the whole exchange ran out.
    pub(super) fn timed_out(&self, after: Duration) -> Error {
        if !self.sent {
            return self.no_connection(format!("no connection within {}", seconds(after)));
        }
        let what = if self.answered { "the reply was not complete" } else { "no reply came" };
        native(self.error(ErrorKind::Timeout, format!("{what} within {}", seconds(after))), "WinRMOperationTimeout", -2_144_108_250)
    }

    /// The proxy answered in the server's place.
    pub(super) fn proxy_sign_in(&self) -> Error {
        let error = self.no_connection("the proxy asks for a sign-in".to_owned());
        error.with_fact(fact::REMEDY, "Give the user name and password that the proxy expects (ProxyCredential).")
    }

    /// The error of reqwest. Its URL is taken off, because a URL can hold a sign-in.
    pub(super) fn failed(&self, error: reqwest::Error) -> Error {
        let error = error.without_url();
        self.classify(&error).with_source(error)
    }

    fn classify(&self, error: &reqwest::Error) -> Error {
        let causes = Causes::of(error);
        // After a CONNECT the handshake is with the server; the one before it is with the proxy.
        if let Some(tls) = causes.tls {
            return self.untrusted(tls);
        }
        if error.is_connect() {
            return self.unconnected(error, &causes);
        }
        if let Some(hyper) = causes.hyper {
            // hyper's own question for this belongs to its server half.
            if hyper.is_parse() && hyper.to_string().contains("too large") {
                return self.error(ErrorKind::Protocol, "the headers of the reply are too large");
            }
            if hyper.is_parse() {
                return self.error(ErrorKind::Protocol, "the reply is not http/1.1");
            }
        } else if error.is_decode() {
            return self.error(ErrorKind::Protocol, "the compression of the reply is damaged");
        }
        if error.is_builder() {
            return self.error(ErrorKind::InvalidArgument, "the request cannot be put together");
        }
        if !self.sent {
            return self.no_connection("the connection closed before the request was sent".to_owned());
        }
        let when = if self.answered { "in the middle of the reply" } else { "before the reply" };
        self.error(ErrorKind::Disconnected, format!("the connection broke {when}"))
    }

    fn unconnected(&self, error: &reqwest::Error, causes: &Causes<'_>) -> Error {
        if let Some(tunnel) = causes.tunnel.as_deref() {
            return match tunnel {
                "tunnel error: proxy authorization required" => self.proxy_sign_in(),
                "tunnel error: failed to create underlying connection" => self.unreachable(None),
                "tunnel error: unsuccessful" => self.refused_tunnel(None),
                _ => self.no_tunnel(),
            };
        }
        if error.is_dns() || causes.dns {
            return self.unknown_name();
        }
        if error.is_timeout() {
            return self.silent();
        }
        self.unreachable(causes.io.map(io::Error::kind))
    }

    /// The name of the first host, the proxy's or the server's, leads to no address.
    pub(super) fn unknown_name(&self) -> Error {
        if let Some(proxy) = self.proxy {
            let error = self.no_connection("the name of the proxy is not known".to_owned());
            return error.with_fact(fact::REMEDY, format!("Check the proxy's name, {}. {ITS_PLACE}", proxy.host_str().unwrap_or_default()));
        }
        let error = self.error(ErrorKind::Connect, format!("the name {} is not known", self.url.host_str().unwrap_or_default()));
        native(error, "ComputerNotFound", -2_144_108_103)
    }

    /// The first host does not take the connection.
    pub(super) fn unreachable(&self, kind: Option<io::ErrorKind>) -> Error {
        if self.proxy.is_some() {
            let error = self.no_connection("the proxy cannot be reached".to_owned());
            return error.with_fact(fact::REMEDY, format!("Check that the proxy runs and that its port is right. {ITS_PLACE}"));
        }
        let (detail, remedy) = match kind {
            Some(io::ErrorKind::ConnectionRefused) => (
                "the connection was refused",
                "Nothing listens at that port, or a firewall turns connections away: check host and port in the connection URI.",
            ),
            Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => {
                ("there is no route to the host", "Check this computer's network, and whether a proxy or VPN is needed to get out.")
            }
            Some(kind) if is_broken(kind) => (
                "the connection closed while it was being made",
                "Something between may break connections off: check the firewall, and whether a proxy is needed.",
            ),
            _ => (
                "no connection could be made",
                "Check the host and port in the connection URI, the firewall for that TCP port, and whether a proxy is needed.",
            ),
        };
        self.no_connection(detail.to_owned()).with_fact(fact::REMEDY, remedy)
    }

    /// The first host says nothing at all.
    pub(super) fn silent(&self) -> Error {
        let error = self.no_connection("no answer to the attempt to connect".to_owned());
        error.with_fact(
            fact::REMEDY,
            match self.proxy {
                Some(_) => "Check the proxy's address, and that it lets connections to the server out.",
                None => "A firewall may drop the connection: open that TCP port to the host, or name the proxy that is needed.",
            },
        )
    }

    /// The proxy does not connect to the server; `status` is its HTTP status.
    pub(super) fn refused_tunnel(&self, status: Option<&str>) -> Error {
        let status = status.map_or_else(String::new, |s| format!(" (HTTP status {s})"));
        let error = self.no_connection(format!("the proxy refuses to connect to the server{status}"));
        let host = self.url.host_str().unwrap_or_default();
        error.with_fact(fact::REMEDY, format!("Ask for {host} to be allowed on the proxy, or connect without it (NoProxy)."))
    }

    /// What answers at the proxy's place does not behave as one.
    pub(super) fn no_tunnel(&self) -> Error {
        let error = self.no_connection("the proxy hung up".to_owned());
        error.with_fact(fact::REMEDY, format!("Check that what listens there is an HTTP proxy. {ITS_PLACE}"))
    }

    /// The server has taken the connection, and says nothing to the handshake.
    pub(super) fn unanswered(&self) -> Error {
        let error = self.no_connection("the tls handshake was not answered".to_owned());
        error.with_fact(fact::REMEDY, "Check that the port is one for https, and whether something between inspects the traffic.")
    }

    /// A handshake that failed outside of reqwest.
    pub(super) fn insecure(&self, error: io::Error) -> Error {
        match Causes::of(&error).tls {
            Some(tls) => self.untrusted(tls),
            None => native(self.error(ErrorKind::Tls, format!("{} broke the tls handshake off", place(self.url))), "12175", 12175)
                .with_fact(fact::REMEDY, "Check the host and the port, and whether something between inspects the traffic."),
        }
        .with_source(error)
    }

    fn no_connection(&self, detail: String) -> Error {
        let way = match self.proxy {
            Some(proxy) => format!("{detail}, by way of the proxy {}", place(proxy)),
            None => format!("{detail} ({})", place(self.url)),
        };
        native(self.error(ErrorKind::Connect, way), "CannotConnect", -2_144_108_526)
    }

    fn untrusted(&self, tls: &rustls::Error) -> Error {
        let host = self.url.host_str().unwrap_or_default();
        let (detail, remedy) = match tls {
            rustls::Error::InvalidCertificate(certificate) => match certificate {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
                    format!("the certificate of {host} has expired"),
                    "Check this computer's clock; otherwise the server needs a new certificate.",
                ),
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    (format!("the certificate of {host} is not valid yet"), "Check this computer's clock.")
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
                    format!("the certificate is made out to another name than {host}"),
                    "Connect by a name that stands in the certificate, or skip the check of the name (SkipCNCheck).",
                ),
                CertificateError::UnknownIssuer | CertificateError::BadSignature => (
                    format!("the certificate of {host} is by an unknown issuer"),
                    "Add the issuer's certificate to those that this computer trusts, or skip the check of the issuer (SkipCACheck).",
                ),
                _ => (format!("the certificate of {host} cannot be accepted"), "The server needs another certificate."),
            },
            rustls::Error::InvalidMessage(_) => {
                (format!("{} does not speak tls", place(self.url)), "Check the port: it may be the one for http.")
            }
            rustls::Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure)
            | rustls::Error::PeerIncompatible(_) => {
                (format!("{host} offers no version or cipher of tls that is still safe"), "The server needs TLS 1.2 or later.")
            }
            rustls::Error::AlertReceived(_) => (format!("{host} broke the tls handshake off"), "Check the host name."),
            _ => (format!("the tls handshake with {host} failed"), "Check the host and the port."),
        };
        // 12175 is ERROR_WINHTTP_SECURE_FAILURE, which the native cmdlets give whichever check failed.
        native(self.error(ErrorKind::Tls, detail), "12175", 12175).with_fact(fact::REMEDY, remedy)
    }
}

fn native(error: Error, id: &str, code: i64) -> Error {
    error.with_fact(fact::NATIVE_ID, id).with_fact(fact::NATIVE_CODE, code)
}

/// Host and port: a URL may hold a sign-in.
fn place(url: &Url) -> impl fmt::Display {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn seconds(span: Duration) -> String {
    format!("{} s", (span.as_secs_f64() * 10.0).round() / 10.0)
}

fn is_broken(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as K;
    matches!(kind, K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::NotConnected | K::UnexpectedEof)
}

/// What matters in a chain of errors.
#[derive(Default)]
struct Causes<'a> {
    tls: Option<&'a rustls::Error>,
    hyper: Option<&'a hyper::Error>,
    io: Option<&'a io::Error>,
    tunnel: Option<String>,
    dns: bool,
}

impl<'a> Causes<'a> {
    fn of(error: &'a (dyn StdError + 'static)) -> Self {
        let mut causes = Self::default();
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(tls) = error.downcast_ref() {
                causes.tls.get_or_insert(tls);
            }
            if let Some(hyper) = error.downcast_ref() {
                causes.hyper.get_or_insert(hyper);
            }
            // hyper-util's types for these two are private or would cost a dependency: their words are checked by tests.
            let words = error.to_string();
            causes.dns |= words.starts_with("dns error");
            if words.starts_with("tunnel error") {
                causes.tunnel.get_or_insert(words);
            }
            next = match error.downcast_ref::<io::Error>() {
                Some(io) => {
                    causes.io = Some(io);
                    // The source of an io::Error that wraps another error is that one's source, not itself.
                    io.get_ref().map(|inner| inner as &(dyn StdError + 'static))
                }
                None => error.source(),
            };
        }
        causes
    }
}
