//! Metadata, rating and movie as three processes that know each other's addresses.

use crate::Bench;
use crate::child::{Child, free_addresses};
use anyhow::Result;
use movies_bench::machine;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The services that are measured, in the order they start.
const SERVICES: [&str; 3] = ["metadata", "rating", "movie"];

/// Whose processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Movies.
    Movies,
    /// Movies with metadata and rating that answer constants.
    Constant,
    /// Stock tonic over the same data.
    Bare,
    /// Stock tonic that answers constants.
    BareConstant,
}

/// Three processes, and for Movies the token issuer beside them.
pub(crate) struct Fleet {
    addresses: [String; 3],
    children: Vec<Child>,
    _issuer: Option<Child>,
}

impl Fleet {
    /// Starts them over the data in a folder. They may need a moment until they answer.
    pub(crate) fn start(kind: Kind, bench: &Bench, data: &Path) -> Result<Self> {
        let [metadata, rating, movie, auth] = free_addresses()?;
        let addresses = [metadata, rating, movie];
        match kind {
            Kind::Bare | Kind::BareConstant => {
                let children = SERVICES
                    .iter()
                    .zip(&addresses)
                    .map(|(service, listen)| {
                        let mut command = Command::new(bench.program("bare"));
                        command.args([service, "--listen", listen]);
                        if *service == "movie" {
                            command.args(["--metadata", &addresses[0], "--rating", &addresses[1]]);
                        } else if kind == Kind::Bare {
                            command.arg("--data").arg(data);
                        }
                        Child::start(&format!("bare-{service}"), data, &mut command)
                    })
                    .collect::<Result<_>>()?;
                Ok(Fleet {
                    addresses,
                    children,
                    _issuer: None,
                })
            }
            Kind::Movies | Kind::Constant => {
                let config = data.join("movies.toml");
                fs::write(&config, configuration(&addresses, &auth)?)?;
                let start = |program: &str, service: &str, listen: Option<&str>| {
                    let mut command = Command::new(bench.program(program));
                    command
                        .arg(service)
                        .arg("--config")
                        .arg(&config)
                        .arg("--data")
                        .arg(data);
                    if let Some(listen) = listen {
                        command.args(["--set", &format!("{service}.server.listen={listen}")]);
                        command.args(["--set", &format!("{service}.server.admin=127.0.0.1:0")]);
                    }
                    Child::start(service, data, command.arg("--exit-with-parent"))
                };
                let program = if kind == Kind::Constant {
                    "constant"
                } else {
                    "movies"
                };
                let children = SERVICES
                    .iter()
                    .map(|service| start(program, service, None))
                    .collect::<Result<_>>()?;
                let issuer = match kind {
                    Kind::Movies => Some(start("movies", "auth", Some(&auth))?),
                    _ => None,
                };
                Ok(Fleet {
                    addresses,
                    children,
                    _issuer: issuer,
                })
            }
        }
    }

    /// Where a service takes calls.
    pub(crate) fn address(&self, service: &str) -> String {
        place(service)
            .and_then(|at| self.addresses.get(at))
            .cloned()
            .unwrap_or_default()
    }

    /// All three processes.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::pid).collect()
    }

    /// The process of one service.
    pub(crate) fn pid(&self, service: &str) -> Vec<u32> {
        place(service)
            .and_then(|at| self.children.get(at))
            .map(Child::pid)
            .into_iter()
            .collect()
    }

    /// Resident memory of each in MiB.
    pub(crate) fn resident(&self) -> Result<Vec<(&'static str, f64)>> {
        let resident =
            |child: &Child| anyhow::Ok(machine::resident(child.pid())? as f64 / 1024.0 / 1024.0);
        SERVICES
            .iter()
            .zip(&self.children)
            .map(|(service, child)| Ok((*service, resident(child)?)))
            .collect()
    }

    /// Fails with the last words of a process that has ended.
    pub(crate) fn expect_alive(&mut self) -> Result<()> {
        self.children.iter_mut().try_for_each(Child::expect_alive)
    }
}

fn place(service: &str) -> Option<usize> {
    SERVICES.iter().position(|known| *known == service)
}

fn configuration(addresses: &[String; 3], auth: &str) -> Result<String> {
    let mut text = String::from("[log]\nfilter = \"warn\"\n\n[registry.services]\n");
    let all = SERVICES
        .into_iter()
        .zip(addresses.iter().map(String::as_str))
        .chain([("auth", auth)]);
    for (service, address) in all.clone() {
        writeln!(text, "{service} = [\"{address}\"]")?;
    }
    // The issuer is told where it listens when it is started: not every product has one.
    for (service, address) in all.take(SERVICES.len()) {
        writeln!(
            text,
            "\n[{service}.server]\nlisten = \"{address}\"\nadmin = \"127.0.0.1:0\""
        )?;
    }
    Ok(text)
}
