//! SQL behind one seam: Store and Tx with migrations, group commit and writes done once.
//!
//! ```
//! use backlot_core::{Clock, Context};
//! use backlot_storage::{Migration, Migrations, Sql, StoreError, params, sql, sqlite};
//!
//! const MIGRATIONS: Migrations =
//!     &[Migration::new(1, "films", "CREATE TABLE film (id TEXT PRIMARY KEY, year INTEGER NOT NULL) STRICT;")];
//! const PUT: Sql = sql! {
//!     default: "INSERT INTO film (id, year) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET year = excluded.year",
//!     mysql: "INSERT INTO film (id, year) VALUES (?, ?) ON DUPLICATE KEY UPDATE year = VALUES(year)",
//! };
//! const YEAR: Sql = sql!("SELECT year FROM film WHERE id = ?");
//!
//! # fn main() -> Result<(), StoreError> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
//! # runtime.block_on(async {
//! let store = sqlite::memory(MIGRATIONS, Clock::real())?;
//! let cx = Context::background();
//! store
//!     .write(&cx, |tx| Box::pin(async move { tx.execute(PUT, params!["tt0133093", 1999]).await }))
//!     .await?;
//! let year = store
//!     .read(&cx, |tx| {
//!         Box::pin(async move { tx.query_one(YEAR, params!["tt0133093"]).await?.get::<i32>(0) })
//!     })
//!     .await?;
//! assert_eq!(year, 1999);
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`Store`] | reads, writes, writes done once: each one transaction |
//! | [`Tx`] | what runs inside one, whatever the database |
//! | [`sql!`], [`params!`], [`Row`] | statements, parameters, results |
//! | [`Rows`], [`In`] | statements over many rows |
//! | [`migrate`] | the versions of a schema |
//! | [`outbox`] | messages that leave with a commit, and the relay that hands them on |
//! | [`inbox`], [`position`] | messages whose effect is made once |
//! | [`sqlite`] | the embedded database: one process, a writer thread, reader threads |
//! | `postgres` | (feature `postgres`) PostgreSQL: any number of processes |
//! | `mysql` | (feature `mysql`) MySQL and MariaDB: any number of processes |
//! | [`backend`], [`remote`] | the seam under a store: for databases on the other side of a wire |
//! | `conformance` | (feature `testing`) the suite every backend passes |

pub mod backend;
mod carried;
#[cfg(feature = "testing")]
pub mod conformance;
pub mod error;
pub mod inbox;
mod job;
pub mod migrate;
#[cfg(feature = "mysql")]
pub mod mysql;
mod names;
mod once;
mod origin;
pub mod outbox;
pub mod position;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod remote;
pub mod row;
mod rows;
mod scan;
pub mod sql;
pub mod sqlite;
mod store;
mod tx;
pub mod value;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod wire;

pub use error::{Refusal, StoreError};
pub use migrate::{Migration, Migrations};
pub use origin::Origin;
pub use row::Row;
pub use rows::{In, Rows};
pub use sql::{Dialect, Sql};
pub use store::Store;
pub use tx::Tx;
pub use value::{Param, Value};
