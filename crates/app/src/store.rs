//! Which store a service gets.

mod url;

pub use url::StoreUrl;

use backlot_core::{BoxFuture, Clock, Env};
use backlot_service::config::{Problems, Secret, Validate};
use backlot_storage::{Migrations, Store, StoreError, sqlite};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use url::Place;

/// Where a service keeps its data.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `sqlite:` with a file, inside the data folder unless absolute; `sqlite:` alone is the
    /// service's own file there; `sqlite::memory:` forgets all at the end.
    /// `postgres://user@host:5432/database` or `mysql://user@host:3306/database`: a database that
    /// replicas share. Each service has a database of its own.
    pub url: StoreUrl,
    /// The password for `url`, if it needs one.
    pub password: Secret,
    /// Connections to PostgreSQL or MySQL, 1 to 100.
    pub connections: u32,
    /// Threads that read SQLite, 1 to 64; 0 takes one per core up to four.
    pub readers: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig {
            url: StoreUrl::default(),
            password: Secret::default(),
            connections: 10,
            readers: 0,
        }
    }
}

impl Validate for StoreConfig {
    fn validate(&self, at: &str, problems: &mut Problems) {
        let place = self.url.place();
        if let Err((problem, cure)) = place {
            problems.push(
                at,
                "url",
                format!("{:?} {problem}", self.url.to_string()),
                cure,
            );
        }
        if !self.password.is_empty() && matches!(place, Ok(Place::Sqlite(_))) {
            problems.push(
                at,
                "password",
                "is set, and SQLite takes none",
                "leave it out, or name a PostgreSQL or MySQL database in url",
            );
        }
        if !(1..=100).contains(&self.connections) {
            problems.push(
                at,
                "connections",
                format!("is {}, not from 1 to 100", self.connections),
                "the default is 10; a server has few hundred for all its clients",
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

/// Stores where their configuration says; files are in one folder.
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
            let clock = env.clock.clone();
            match config.url.place() {
                Ok(Place::Sqlite(file)) => {
                    let own = format!("{service}.db");
                    let file = if file.is_empty() { &own } else { file };
                    file_or_memory(&self.folder, file, config, migrations, clock)
                }
                #[cfg(feature = "postgres")]
                Ok(Place::Postgres) => {
                    use backlot_storage::postgres;
                    let options = postgres::Options {
                        connections: config.connections,
                        password: password(config),
                        ..postgres::Options::default()
                    };
                    postgres::open(config.url.expose(), options, migrations, clock).await
                }
                #[cfg(feature = "mysql")]
                Ok(Place::Mysql) => {
                    use backlot_storage::mysql;
                    let options = mysql::Options {
                        connections: config.connections,
                        password: password(config),
                        ..mysql::Options::default()
                    };
                    mysql::open(config.url.expose(), options, migrations, clock).await
                }
                #[cfg(not(all(feature = "postgres", feature = "mysql")))]
                Ok(_) => Err(StoreError::Refused {
                    refusal: backlot_storage::Refusal::NoDatabase,
                    text: "this program was built without that database".to_owned(),
                }),
                Err((problem, cure)) => Err(StoreError::Refused {
                    refusal: backlot_storage::Refusal::NoDatabase,
                    text: format!("{} {problem}: {cure}", config.url),
                }),
            }
        })
    }
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
fn password(config: &StoreConfig) -> Option<String> {
    (!config.password.is_empty()).then(|| config.password.expose().to_owned())
}

fn file_or_memory(
    folder: &Path,
    file: &str,
    config: &StoreConfig,
    migrations: Migrations,
    clock: Clock,
) -> Result<Store, StoreError> {
    if file == ":memory:" {
        return sqlite::memory(migrations, clock);
    }
    let mut options = sqlite::Options::default();
    if config.readers > 0 {
        options.readers = config.readers;
    }
    sqlite::open(folder.join(file), options, migrations, clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(config: &StoreConfig) -> String {
        let mut problems = Problems::default();
        config.validate("rating.store", &mut problems);
        problems
            .into_result()
            .err()
            .map_or_else(String::new, |problems| problems.to_string())
    }

    fn at(url: &str) -> StoreConfig {
        StoreConfig {
            url: url.into(),
            ..StoreConfig::default()
        }
    }

    #[test]
    fn a_password_is_never_printed_and_the_rest_of_the_url_is() {
        let mut config = at("postgres://ann:hunter2@db:5432/movies");
        config.password = Secret::new("hunter3");
        let printed = format!(
            "{config:?} {} {}",
            config.url,
            toml::to_string(&config).unwrap_or_default()
        );
        assert!(!printed.contains("hunter"), "{printed}");
        assert!(
            printed.contains("postgres://ann:***@db:5432/movies"),
            "{printed}"
        );
        let wrong = problems(&at("oracle://ann:hunter2@db/movies"));
        assert!(
            !wrong.contains("hunter") && wrong.contains("ann"),
            "{wrong}"
        );
    }

    #[test]
    fn each_problem_names_its_key_and_its_cure() {
        assert_eq!(problems(&StoreConfig::default()), "");
        let wrong = problems(&StoreConfig {
            url: "oracle://db/movies".into(),
            connections: 0,
            readers: 65,
            ..StoreConfig::default()
        });
        for words in [
            "rating.store.url",
            "names no database known here",
            "postgres://",
            "rating.store.connections",
            "from 1 to 100",
            "rating.store.readers",
        ] {
            assert!(wrong.contains(words), "{wrong:?} does not say {words:?}");
        }
        let mut config = at("sqlite:");
        config.password = Secret::new("x");
        assert!(problems(&config).contains("SQLite takes none"));
    }

    #[test]
    fn a_database_that_is_not_in_this_build_says_how_to_build_it() {
        for (url, feature, built) in [
            ("postgres://db/a", "postgres", cfg!(feature = "postgres")),
            ("mysql://db/a", "mysql", cfg!(feature = "mysql")),
            ("mariadb://db/a", "mysql", cfg!(feature = "mysql")),
        ] {
            let said = problems(&at(url));
            assert_eq!(said.is_empty(), built, "{said}");
            assert!(
                built || said.contains(&format!("--features {feature}")),
                "{said}"
            );
            assert!(at(url).url.is_shared());
        }
        assert!(!at("sqlite:a.db").url.is_shared());
    }
}
