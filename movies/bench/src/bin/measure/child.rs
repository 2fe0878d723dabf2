//! A process that is measured.

use anyhow::{Context as _, Result, bail};
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::time::Instant;

/// How long a process may take to drain.
const DRAIN: Duration = Duration::from_secs(35);

/// A running process; it ends with this.
pub(crate) struct Child {
    name: String,
    process: Process,
    log: PathBuf,
}

impl Child {
    /// Starts a program that ends with its standard input. What it prints goes into a log.
    pub(crate) fn start(name: &str, folder: &Path, command: &mut Command) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("{command:?} does not start"))?;
        Ok(Child {
            name: name.to_owned(),
            process,
            log,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Fails with its last words if it has ended.
    pub(crate) fn expect_alive(&mut self) -> Result<()> {
        if let Some(status) = self.process.try_wait()? {
            bail!("{} ended: {status}\n{}", self.name, self.log());
        }
        Ok(())
    }

    /// Ends it in order.
    pub(crate) async fn stop(mut self) -> Result<ExitStatus> {
        drop(self.process.stdin.take());
        let until = Instant::now() + DRAIN;
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > until {
                bail!("{} does not end", self.name);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Addresses on loopback that nobody listens on now.
pub(crate) fn free_addresses<const COUNT: usize>() -> Result<[String; COUNT]> {
    // All are held at once, so that none comes twice.
    let held: Vec<TcpListener> = (0..COUNT)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect::<Result<_, _>>()?;
    let mut addresses = [const { String::new() }; COUNT];
    for (address, listener) in addresses.iter_mut().zip(&held) {
        *address = listener.local_addr()?.to_string();
    }
    Ok(addresses)
}
