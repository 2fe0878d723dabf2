//! Which store a service gets.

use backlot_core::{BoxFuture, Env};
use backlot_service::config::{Problems, Validate};
use backlot_storage::{Migrations, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where a service keeps its data.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `sqlite:` with a file, inside the data folder unless absolute; `sqlite:` alone is the
    /// service's own file there; `sqlite::memory:` forgets all at the end.
    pub url: String,
    /// Threads that read, 1 to 64; 0 takes one per core up to four.
    pub readers: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig {
            url: "sqlite:".into(),
            readers: 0,
        }
    }
}

impl Validate for StoreConfig {
    fn validate(&self, at: &str, problems: &mut Problems) {
        if !self.url.starts_with("sqlite:") {
            let cure = "write sqlite: for the service's own file in the data folder";
            problems.push(
                at,
                "url",
                format!("{:?} names no database known here", self.url),
                cure,
            );
        }
        if self.readers > 64 {
            problems.push(
                at,
                "readers",
                "is above 64",
                "set 0 for one per core up to four",
            );
        }
    }
}

/// Opens stores: a seam, because a simulated service has its database on a simulated host.
pub trait Stores: Send + Sync + std::fmt::Debug {
    /// The store of a service, with its schema brought up to date.
    fn open<'a>(
        &'a self,
        service: &'static str,
        config: &'a StoreConfig,
        migrations: Migrations,
        env: &'a Env,
    ) -> BoxFuture<'a, Result<Store, StoreError>>;
}

/// Stores in files of one folder.
#[derive(Clone, Debug)]
pub struct Files {
    /// The folder.
    pub folder: PathBuf,
}

impl Stores for Files {
    fn open<'a>(
        &'a self,
        service: &'static str,
        config: &'a StoreConfig,
        migrations: Migrations,
        env: &'a Env,
    ) -> BoxFuture<'a, Result<Store, StoreError>> {
        Box::pin(async move {
            let mut options = backlot_storage::sqlite::Options::default();
            if config.readers > 0 {
                options.readers = config.readers;
            }
            let clock = env.clock.clone();
            match config.url.strip_prefix("sqlite:").unwrap_or_default() {
                ":memory:" => backlot_storage::sqlite::memory(migrations, clock),
                "" => {
                    let path = self.folder.join(format!("{service}.db"));
                    backlot_storage::sqlite::open(&path, options, migrations, clock)
                }
                path => backlot_storage::sqlite::open(
                    self.folder.join(path),
                    options,
                    migrations,
                    clock,
                ),
            }
        })
    }
}
