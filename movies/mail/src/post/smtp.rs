//! A mail server.

use crate::config::SmtpConfig;
use backlot::core::net::Stream;
use backlot::messaging::consume::Failure;
use backlot::{Code, Env, Error, StartError};
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters,
};
use lettre::transport::smtp::extension::ClientId;
use movies_api::events::MailDue;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// How long nobody asks a server that is away.
const AWAY: Duration = Duration::from_secs(10);
/// When a message is tried again that was not tried.
const SOON: Duration = Duration::from_secs(1);
/// How long a server may take over a message: it may look into it before it says that it has it.
pub(crate) const SENDING: Duration = Duration::from_secs(300);
/// How long it may take to say good-bye.
const QUIT: Duration = Duration::from_secs(2);
/// When a message is tried again that the server does not take now: many servers put off senders
/// whom they do not know for some minutes.
const PUT_OFF: Duration = Duration::from_secs(120);

/// How the way to the server is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Not at all.
    Plain,
    /// From the second line on; a server that cannot is refused.
    Starttls,
    /// From the beginning.
    Tls,
}

/// A mail server, with a connection for each message.
pub(crate) struct Smtp {
    config: SmtpConfig,
    from: Mailbox,
    /// What ids of messages end with.
    domain: String,
    env: Env,
    tls: TlsConnector,
    authorities: Vec<Certificate>,
    /// Until when nobody asks it, because it was away.
    away: tokio::sync::Mutex<Instant>,
}

impl Smtp {
    pub(crate) fn new(config: SmtpConfig, from: &str, env: &Env) -> Result<Self, StartError> {
        let from: Mailbox = from.parse().map_err(|error| {
            Error::invalid_argument(format!("mail.from: {from:?} is no sender: {error}"))
        })?;
        let (mut roots, mut authorities) = (
            RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Vec::new(),
        );
        if let Some(path) = &config.authorities {
            let wrong = |problem: String| {
                let path = path.display();
                Error::invalid_argument(format!(
                    "mail.smtp.authorities: {path} cannot be used: {problem}; name a file of certificates in PEM"
                ))
            };
            let read = CertificateDer::pem_file_iter(path);
            for certificate in read.map_err(|error| wrong(error.to_string()))? {
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                let known = Certificate::from_der(certificate.to_vec());
                authorities.push(known.map_err(|error| wrong(error.to_string()))?);
                let added = roots.add(certificate);
                added.map_err(|error| wrong(error.to_string()))?;
            }
            if authorities.is_empty() {
                return Err(wrong("it has no certificate".to_owned()).into());
            }
        }
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("no TLS").with_source(error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Smtp {
            domain: from.email.domain().to_owned(),
            config,
            from,
            env: env.clone(),
            tls: TlsConnector::from(Arc::new(client)),
            authorities,
            away: tokio::sync::Mutex::new(Instant::now()),
        })
    }

    /// Sends a message. When it is not known whether the server has it, it is sent again, under the
    /// same id, and that is an attempt.
    pub(crate) async fn send(&self, mail: &MailDue, attempt: u32) -> Result<(), Failure> {
        let message = self.message(mail)?;
        let (envelope, bytes) = (message.envelope().clone(), message.formatted());
        // While the server is away whoever has a message waits with it, and one connection is tried
        // each time: thousands of messages do not knock one after the other.
        let until = *self.away.lock().await;
        tokio::time::sleep_until(until).await;
        let connecting = tokio::time::timeout(self.config.timeout, self.connect());
        let connected = connecting.await.unwrap_or_else(|_elapsed| {
            let said = format!(
                "the mail server did not answer within {:?}",
                self.config.timeout
            );
            Err(Failure::new(Code::DeadlineExceeded, said))
        });
        let mut server = match connected {
            Ok(server) => server,
            Err(failure) => {
                *self.away.lock().await = Instant::now() + AWAY;
                // None of it is the message's fault.
                return Err(failure.later(SOON));
            }
        };
        let sent = match tokio::time::timeout(SENDING, server.send(&envelope, &bytes)).await {
            Ok(sent) => sent.map(drop).map_err(|error| of_server(&error, attempt)),
            Err(_elapsed) => {
                let said = format!(
                    "the mail server did not say within {SENDING:?} that it has the message"
                );
                Err(Failure::new(Code::DeadlineExceeded, said).after(put_off(attempt)))
            }
        };
        if sent.is_ok() {
            // It has been answered: what becomes of the connection is all the same.
            drop(tokio::time::timeout(QUIT, server.quit()).await);
        }
        sent
    }

    fn message(&self, mail: &MailDue) -> Result<lettre::Message, Failure> {
        let wrong = |what: &str, error: &dyn std::fmt::Display| {
            let said = format!("{what}: {error}");
            Failure::new(Code::InvalidArgument, said).permanent()
        };
        let to: Mailbox = mail.to.parse().map_err(|error| wrong("to", &error))?;
        let now = self.env.clock.wall().0.unsigned_abs();
        let message = lettre::Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(mail.subject.as_str())
            .message_id(Some(format!("<{}@{}>", mail.id, self.domain)))
            .date(UNIX_EPOCH + Duration::from_millis(now))
            .header(ListUnsubscribe(format!("<{}>", mail.leave)))
            .header(OneClick)
            .multipart(MultiPart::alternative_plain_html(
                mail.text.clone(),
                mail.html.clone(),
            ));
        message.map_err(|error| wrong("the message", &error))
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Failure> {
        let SmtpConfig {
            server, security, ..
        } = &self.config;
        let host = server.rsplit_once(':').map_or("", |(host, _)| host);
        let host = host.trim_matches(['[', ']']);
        let away = |error: &dyn std::fmt::Display| {
            let said = format!("the mail server {server} is away: {error}");
            Failure::new(Code::Unavailable, said)
        };
        let stream = self.env.net.connect(server).await;
        let mut stream = stream.map_err(|error| away(&error))?;
        if *security == Security::Tls {
            let name = ServerName::try_from(host.to_owned()).map_err(|error| away(&error))?;
            let secured = self.tls.connect(name, stream).await;
            stream = Stream::Other(Box::new(secured.map_err(|error| away(&error))?));
        }
        let hello = ClientId::Domain(self.domain.clone());
        let wire = Box::new(Wire(Mutex::new(stream)));
        let connected = AsyncSmtpConnection::connect_with_transport(wire, &hello).await;
        let mut connection = connected.map_err(|error| away(&error))?;
        if *security == Security::Starttls {
            let mut tls = TlsParameters::builder(host.to_owned());
            for authority in &self.authorities {
                tls = tls.add_root_certificate(authority.clone());
            }
            let tls = tls.build_rustls().map_err(|error| away(&error))?;
            let secured = connection.starttls(tls, &hello).await;
            secured.map_err(|error| away(&error))?;
        }
        if !self.config.user.is_empty() {
            let password = self.config.password.expose().to_owned();
            let who = Credentials::new(self.config.user.clone(), password);
            let ways = [Mechanism::Plain, Mechanism::Login];
            let known = connection.auth(&ways, &who).await;
            // Somebody will mend the password: nothing is wrong with the message.
            known.map_err(|error| away(&error))?;
        }
        Ok(connection)
    }
}

/// When a message is tried again that the server may have, or does not take now.
fn put_off(attempt: u32) -> Duration {
    PUT_OFF * attempt.min(8)
}

/// What a server's refusal of a message asks for.
fn of_server(error: &lettre::transport::smtp::Error, attempt: u32) -> Failure {
    let said = backlot::core::error::chain(error);
    // RFC 5321, 4.2.1: the first digit says whether another attempt may help.
    if error.is_permanent() {
        return Failure::new(Code::FailedPrecondition, said).permanent();
    }
    Failure::new(Code::Unavailable, said).after(put_off(attempt))
}

/// Where one is rid of such messages (RFC 2369).
#[derive(Clone)]
struct ListUnsubscribe(String);

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(ListUnsubscribe(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// That one click is enough (RFC 8058).
#[derive(Clone)]
struct OneClick;

impl Header for OneClick {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(OneClick)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".to_owned())
    }
}

/// A connection of ours as the client wants it: nobody else has it, so nothing ever waits for the
/// lock.
#[derive(Debug)]
struct Wire(Mutex<Stream>);

impl Wire {
    fn stream(self: Pin<&mut Self>) -> Pin<&mut Stream> {
        let stream = self.get_mut().0.get_mut();
        Pin::new(stream.unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Stream::Tcp(stream) => stream.peer_addr(),
            // Asked for by nobody but whoever prints it.
            Stream::Other(_) => Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
