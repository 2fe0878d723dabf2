//! A data folder and ports of its own for each test, and what people ask of the services.

use backlot_testkit::http::{Answer, ask, get};
use backlot_testkit::token::Forge;
use backlot_testkit::{Ports, Process, Program};
use http::Method;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// The services of Movies, in the order they start.
pub(crate) const SERVICES: [&str; 10] = [
    "broker", "auth", "metadata", "rating", "movie", "web", "poster", "mail", "webhooks", "console",
];

/// Where one installation lives.
pub(crate) struct Site {
    folder: TempDir,
    /// Two of each service, then the registry's.
    ports: Ports,
}

impl Site {
    pub(crate) fn new() -> Site {
        Site {
            folder: backlot_testkit::folder(),
            ports: Ports::claim(2 * SERVICES.len() + 1),
        }
    }

    pub(crate) fn data(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where a service takes calls.
    pub(crate) fn address(&self, service: &str) -> String {
        self.ports
            .address(2 * SERVICES.iter().position(|known| *known == service).unwrap())
    }

    /// Where it answers the operator.
    pub(crate) fn admin(&self, service: &str) -> String {
        self.ports
            .address(2 * SERVICES.iter().position(|known| *known == service).unwrap() + 1)
    }

    /// Where the registry is.
    pub(crate) fn registry(&self) -> String {
        self.ports.address(2 * SERVICES.len())
    }

    /// `movies` with the ports and the data folder of this site.
    pub(crate) fn movies(&self, arguments: &[&str]) -> Program {
        let mut program = movies().args(arguments).arg("--data").arg(self.data());
        for service in SERVICES {
            program = program
                .arg("--set")
                .arg(format!("{service}.server.listen={}", self.address(service)));
            program = program
                .arg("--set")
                .arg(format!("{service}.server.admin={}", self.admin(service)));
        }
        program
            .arg("--set")
            .arg(format!("registry.address={}", self.registry()))
    }

    /// Everything in one process, with an empty catalogue, and up.
    pub(crate) async fn embedded(&self) -> Process {
        let mut process = self.movies(&["--no-sample"]).start();
        process
            .wait_for_line("it is up", |line| line == "Ctrl-C stops.")
            .await;
        process
    }

    /// `authorization` for a user, signed with the key of this site, which is there once auth has
    /// started.
    pub(crate) fn bearer(&self, user: &str, roles: &[&str]) -> String {
        let seed: [u8; 32] = std::fs::read(self.file("auth.key"))
            .unwrap()
            .try_into()
            .unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "the processes under test live in real time"
        )]
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let forge = Forge::new(&seed);
        let mut claims = Forge::claims("movies", user, &SERVICES, i64::try_from(now).unwrap());
        claims["roles"] = json!(roles);
        format!("Bearer {}", forge.token(&forge.header(), &claims))
    }

    /// Puts a film.
    pub(crate) async fn film(&self, id: &str) {
        let body = json!({ "title": format!("The film {id}") }).to_string();
        let editor = self.bearer("eve", &["editor"]);
        let headers = [
            ("authorization", &*editor),
            ("content-type", "application/json"),
        ];
        let put = ask(
            &self.address("metadata"),
            Method::PUT,
            &format!("/v1/metadata/{id}"),
            &headers,
            body,
        )
        .await;
        assert_eq!(
            put.as_ref().unwrap().status.as_u16(),
            200,
            "{}",
            put.unwrap().text()
        );
    }

    /// Rates a film; what became of that.
    pub(crate) async fn rate(&self, user: &str, film: &str, stars: f64) -> io::Result<Answer> {
        let body = json!({ "value": stars }).to_string();
        let bearer = self.bearer(user, &[]);
        let headers = [
            ("authorization", &*bearer),
            ("content-type", "application/json"),
        ];
        let path = format!("/v1/ratings/movie/{film}/users/{user}");
        ask(&self.address("rating"), Method::PUT, &path, &headers, body).await
    }

    /// A film with its rating; or why not, in a word.
    pub(crate) async fn details(&self, film: &str) -> Result<Value, String> {
        match get(&self.address("movie"), &format!("/v1/movies/{film}")).await {
            Ok(answer) if answer.status.as_u16() == 200 => Ok(answer.json()),
            Ok(answer) => Err(format!("{}: {}", answer.status, answer.text())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// A film whose rating is there; or what is missing.
    pub(crate) async fn rated(&self, film: &str) -> Result<Value, String> {
        let details = self.details(film).await?;
        match details["degraded"].as_array().map(Vec::len) {
            Some(0) => Ok(details),
            _ => Err(format!("degraded: {details}")),
        }
    }

    /// Whether each service answers its operator that it is ready.
    pub(crate) async fn all_ready(&self) -> Result<(), String> {
        for service in SERVICES {
            match get(&self.admin(service), "/ready").await {
                Ok(answer) if answer.status.as_u16() == 200 => {}
                Ok(answer) => return Err(format!("{service}: {}", answer.text())),
                Err(error) => return Err(format!("{service}: {error}")),
            }
        }
        Ok(())
    }
}

/// `movies` as it is.
pub(crate) fn movies() -> Program {
    Program::new(env!("CARGO_BIN_EXE_movies"))
}

/// Fails when somebody panicked.
pub(crate) fn nobody_panicked(said: &str) {
    assert!(
        !said.contains("panicked at") && !said.contains("RUST_BACKTRACE"),
        "{said}"
    );
}

/// A connection over which a rating is half sent: the head of the request is there, and the call
/// under way until the rest comes or its deadline passes.
pub(crate) struct HalfSent {
    stream: backlot::core::net::Stream,
}

impl HalfSent {
    const BODY: &[u8] = br#"{"value": 4}"#;

    pub(crate) async fn rating(site: &Site, user: &str, film: &str) -> HalfSent {
        use backlot::core::net::{Network, Tcp};
        use tokio::io::AsyncWriteExt;
        let mut stream = Tcp.connect(&site.address("rating")).await.unwrap();
        let head = format!(
            "PUT /v1/ratings/movie/{film}/users/{user} HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\n\
             content-type: application/json\r\nx-request-timeout-ms: 50000\r\ncontent-length: {}\r\n\r\n",
            site.bearer(user, &[]),
            Self::BODY.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&Self::BODY[..5]).await.unwrap();
        HalfSent { stream }
    }

    /// Sends the rest; all that is answered.
    pub(crate) async fn finish(mut self) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut answer = Vec::new();
        drop(self.stream.write_all(&Self::BODY[5..]).await);
        drop(self.stream.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Whether a service has begun to drain: it is not ready any more, or its operator's port closed.
pub(crate) async fn drains(site: &Site, service: &str) -> Result<(), String> {
    match get(&site.admin(service), "/ready").await {
        Ok(answer) if answer.status.as_u16() == 200 => Err("still ready".to_owned()),
        Ok(_) | Err(_) => Ok(()),
    }
}
