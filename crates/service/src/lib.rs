//! What every running service has: owned tasks, configuration, health, drain, logs and metrics,
//! as values without a listener.
//!
//! ```
//! use backlot_core::Env;
//! use backlot_service::tasks::Tasks;
//! use std::time::Duration;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let tasks = Tasks::new(&Env::real());
//! tasks.spawn("greeter", async { println!("hello") });
//! let leftover = tasks.shutdown(Duration::from_secs(1)).await;
//! assert!(leftover.aborted.is_empty());
//! # });
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`tasks`] | tasks somebody owns: named, counted, supervised, ended with a deadline |
//! | [`config`] | layered typed configuration that tells all its problems at once |
//! | [`health`] | started, draining, serving, degraded, live: one watchable value |
//! | [`finishing`] | work that comes to its end once begun, whoever still waits for it |
//! | [`drain`] | the steps of a shutdown, each with its own limit |
//! | [`telemetry`] | counters, gauges and histograms as typed constants; OpenMetrics text |
//! | [`logs`] | where log lines go and in which form |

pub mod config;
pub mod drain;
pub mod finishing;
pub mod health;
pub mod logs;
pub mod tasks;
pub mod telemetry;

pub use finishing::Finishing;
pub use health::Health;
pub use tasks::Tasks;
pub use telemetry::Metrics;
