//! A mail server that keeps what it is sent, and answers as it is told: RFC 5321 as far as senders
//! go.

use crate::ports::Ports;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// A message that was taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// The sender of the envelope.
    pub from: String,
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// Head and body, without the dots of the transfer.
    pub data: String,
    /// Whether it came encrypted.
    pub is_secured: bool,
    /// Who logged in, with which password.
    pub login: Option<(String, String)>,
}

impl Letter {
    /// A header; empty when there is none. Lines that go on are joined.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        let head = self.data.split("\r\n\r\n").next().unwrap_or_default();
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    }
}

/// A mail server on a port of its own.
#[derive(Debug)]
pub struct MailServer {
    ports: Ports,
    shared: Arc<Shared>,
    tls: Tls,
    tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Tls(Option<(TlsAcceptor, bool)>);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

#[derive(Debug)]
struct Shared {
    letters: Mutex<Vec<Letter>>,
    /// What recipients are answered, instead of being taken.
    refusal: Mutex<Option<String>>,
    /// Whether messages are taken in, and their senders not told.
    held: watch::Sender<bool>,
}

impl Shared {
    fn letters(&self) -> MutexGuard<'_, Vec<Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusal(&self) -> MutexGuard<'_, Option<String>> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MailServer {
    /// A server without encryption.
    pub async fn start() -> MailServer {
        MailServer::with(Tls(None)).await
    }

    /// A server that can encrypt: from the beginning, or after STARTTLS.
    pub async fn secured(acceptor: TlsAcceptor, from_the_beginning: bool) -> MailServer {
        MailServer::with(Tls(Some((acceptor, from_the_beginning)))).await
    }

    async fn with(tls: Tls) -> MailServer {
        let mut server = MailServer {
            ports: Ports::claim(1),
            shared: Arc::new(Shared {
                letters: Mutex::default(),
                refusal: Mutex::default(),
                held: watch::Sender::new(false),
            }),
            tls,
            tasks: JoinSet::new(),
        };
        server.open().await;
        server
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> String {
        self.ports.address(0)
    }

    /// All that was taken in.
    #[must_use]
    pub fn letters(&self) -> Vec<Letter> {
        self.shared.letters().clone()
    }

    /// Answers recipients so, for example `550 no such user`; with nothing it takes them again.
    pub fn refuse(&self, answer: Option<&str>) {
        *self.shared.refusal() = answer.map(str::to_owned);
    }

    /// Takes messages in and does not say so, until it is told otherwise.
    pub fn hold(&self, is_held: bool) {
        self.shared.held.send_replace(is_held);
    }

    /// Goes away: connections break, and new ones are refused.
    pub async fn close(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Comes back, with all it had.
    ///
    /// # Panics
    /// When its port cannot be listened on.
    #[expect(
        clippy::disallowed_methods,
        reason = "stands before real programs; never simulated"
    )]
    pub async fn open(&mut self) {
        let address = self.address();
        let listener = match TcpListener::bind(&address).await {
            Ok(listener) => listener,
            Err(error) => panic!("{address} cannot be listened on: {error}"),
        };
        let (shared, tls) = (Arc::clone(&self.shared), self.tls.clone());
        self.tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                connections.spawn(async move {
                    // Whoever breaks off knows.
                    drop(serve(stream, &shared, &tls).await);
                });
            }
        });
    }
}

async fn serve(stream: TcpStream, shared: &Shared, Tls(tls): &Tls) -> io::Result<()> {
    match tls {
        Some((acceptor, true)) => {
            let stream = acceptor.accept(stream).await?;
            talk(BufReader::new(stream), shared, (true, false), true).await?;
        }
        Some((acceptor, false)) => {
            let plain = BufReader::new(stream);
            if let Some(stream) = talk(plain, shared, (false, true), true).await? {
                let stream = acceptor.accept(stream.into_inner()).await?;
                talk(BufReader::new(stream), shared, (true, false), false).await?;
            }
        }
        None => drop(talk(BufReader::new(stream), shared, (false, false), true).await?),
    }
    Ok(())
}

/// One conversation; gives the connection back when it is to be encrypted.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: BufReader<S>,
    shared: &Shared,
    (is_secured, can_secure): (bool, bool),
    greets: bool,
) -> io::Result<Option<BufReader<S>>> {
    if greets {
        say(&mut stream, "220 mail.test ready").await?;
    }
    let (mut letter, mut login) = (Letter::default(), None);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        let (word, rest) = line.split_once([' ', ':']).unwrap_or((line, ""));
        match word.to_ascii_uppercase().as_str() {
            "EHLO" => {
                let more = if can_secure { "250-STARTTLS\r\n" } else { "" };
                let answer = format!("250-mail.test\r\n{more}250-AUTH PLAIN\r\n250 8BITMIME");
                say(&mut stream, &answer).await?;
            }
            "STARTTLS" if can_secure => {
                say(&mut stream, "220 go on").await?;
                return Ok(Some(stream));
            }
            "AUTH" => {
                let text = rest.split(' ').nth(1).unwrap_or_default();
                let bytes = STANDARD.decode(text).unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let mut parts = text.split('\0').skip(1).map(str::to_owned);
                login = parts.next().zip(parts.next());
                let known = login.as_ref().is_some_and(|(_, word)| word != "wrong");
                let answer = ["535 who are you", "235 welcome"][usize::from(known)];
                say(&mut stream, answer).await?;
            }
            "MAIL" => {
                letter = Letter {
                    from: address(rest),
                    is_secured,
                    login: login.clone(),
                    ..Letter::default()
                };
                say(&mut stream, "250 ok").await?;
            }
            "RCPT" => {
                let refusal = shared.refusal().clone();
                if refusal.is_none() {
                    letter.to.push(address(rest));
                }
                say(&mut stream, refusal.as_deref().unwrap_or("250 ok")).await?;
            }
            "DATA" => {
                say(&mut stream, "354 go on").await?;
                letter.data = data(&mut stream).await?;
                shared.letters().push(std::mem::take(&mut letter));
                let mut held = shared.held.subscribe();
                // The sender lives as long as this conversation.
                drop(held.wait_for(|is_held| !is_held).await);
                say(&mut stream, "250 taken").await?;
            }
            "QUIT" => {
                say(&mut stream, "221 bye").await?;
                return Ok(None);
            }
            "RSET" | "NOOP" => say(&mut stream, "250 ok").await?,
            _ => say(&mut stream, "502 not here").await?,
        }
    }
}

async fn data(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), line: &str) -> io::Result<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    stream.flush().await
}

/// What stands in the brackets.
fn address(text: &str) -> String {
    let inner = text
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inner.map(|(inner, _)| inner.to_owned()).unwrap_or_default()
}
