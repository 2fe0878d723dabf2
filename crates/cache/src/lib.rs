//! A cache in front of a source that may be slow or away.
//!
//! What it holds is served while it is fresh; when it is older it is served once more while it is
//! fetched anew; when the source fails it is served with its age and a mark. However many callers
//! miss one key at once, the source is asked once. Changes that were announced are seen by whoever
//! asks after that, and an older version never takes a newer one's place.
//!
//! Values are shared by all callers: cache only what is the same for everyone who may ask.
//!
//! ```
//! use async_trait::async_trait;
//! use backlot_cache::{Cache, Options, Setup, Source};
//! use backlot_core::{Context, Env, Error};
//! use backlot_service::{Metrics, Tasks};
//!
//! /// Titles by the number of the film.
//! struct Titles;
//!
//! #[async_trait]
//! impl Source for Titles {
//!     const NAME: &'static str = "titles";
//!     type Key = u32;
//!     type Value = String;
//!     async fn fetch(&self, _cx: &Context, film: &u32) -> Result<String, Error> {
//!         Ok(format!("film {film}"))
//!     }
//!     fn weigh(&self, _film: &u32, title: &String) -> usize {
//!         title.len()
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let (env, metrics) = (Env::real(), Metrics::new());
//! let setup = Setup { env: env.clone(), tasks: Tasks::new(&env), metrics, service: "shop" };
//! let titles = Cache::new(&setup, Titles, Options::default());
//!
//! let found = titles.get(&Context::background(), &7).await.unwrap();
//! assert_eq!(found.value, "film 7");
//! assert!(found.old.is_none(), "the source answered just now");
//! # });
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `cache` | [`Cache`], the [`Source`] behind it, and what callers get |
//! | `table` | what is held and who fetches, as a state machine without time or tasks of its own |
//! | `kept` | [`Kept`]: what operators see of a cache, and make it forget |
//! | `options` | what can be set |
//! | `telemetry` | its metrics |

mod cache;
mod kept;
mod options;
mod table;
pub mod telemetry;

pub use cache::{Cache, Found, Setup, Source};
pub use kept::{Forgot, Kept, Report};
pub use options::Options;
pub use table::Old;
