//! The simulated world: hosts, network, database and faults, from one seed, on one thread.
//!
//! The same seed gives the same trace, byte for byte on the simulated network; from the second run
//! in a process on only where tokio is built with `--cfg tokio_unstable` (in `rustflags` of
//! `.cargo/config.toml`, as here), since without it tokio draws from a count of its runtimes.
//!
//! **This crate replaces the clock and the random source of the whole executable** (outside
//! a simulation the clock stands at 0): link it into programs and tests that do nothing but simulate.
//!
//! ```
//! use backlot_sim::{Options, simulate};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let run = |seed| {
//!     simulate(seed, Options::default(), |world| {
//!         world.process("echo", |host| async move {
//!             let mut listener = host.env().net.bind("0.0.0.0:7").await?;
//!             loop {
//!                 let (mut stream, _peer) = listener.accept().await?;
//!                 let byte = stream.read_u8().await?;
//!                 stream.write_u8(byte).await?;
//!             }
//!         });
//!         world.client("caller", |host| async move {
//!             let dice = host.dice("byte");
//!             let mut stream = host.env().net.connect("echo:7").await.expect("echo listens");
//!             let byte = dice.below(256) as u8;
//!             stream.write_u8(byte).await.expect("echo reads");
//!             if stream.read_u8().await.ok() != Some(byte) {
//!                 host.trace().violation("caller", "the echo differs");
//!             }
//!         });
//!     })
//! };
//! assert!(run(7).holds());
//! assert_eq!(run(7).hash, run(7).hash);
//! assert_ne!(run(7).hash, run(8).hash);
//! ```
//!
//! Not simulated: threads, disks and what they lose, the kernel's sockets, single lost segments (a
//! partition swallows everything and nothing is sent again), processes that pause, clocks that
//! differ, and any database but SQLite. Tests on real processes are for those.
//!
//! | module | what it holds |
//! |---|---|
//! | [`world`] | hosts, the registry, services, clients; faults as they come and go |
//! | [`run`](mod@run) | one run of a seed, and what it came to |
//! | [`host`] | what software on a host is handed |
//! | [`service`] | Backlot services as processes of hosts |
//! | [`network`], [`clock`] | the seams |
//! | [`database`] | the database host, and the stores on it |
//! | [`faults`] | what goes wrong, drawn from the seed |
//! | [`trace`] | what happened, in order, and its hash |

pub mod clock;
pub mod database;
mod entropy;
pub mod faults;
pub mod host;
mod logs;
pub mod network;
pub mod power;
pub mod run;
pub mod service;
pub mod trace;
pub mod world;

pub use database::{Database, Weakness};
pub use faults::{Fault, Terrain, What};
pub use host::Host;
pub use power::Power;
pub use run::{Options, Outcome, simulate};
pub use service::Program;
pub use trace::{Event, Kind, Trace};
pub use world::World;
