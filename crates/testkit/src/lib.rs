//! For tests alone: what it takes to test a whole system from outside.
//!
//! Nothing here trusts the toolkit: HTTP, gRPC and tokens are put together from bytes, so that a
//! test sees what any other program would see.
//!
//! ```
//! use backlot_testkit::{Ports, wait_until};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let ports = Ports::claim(2);
//! let mut asked = 0;
//! let answer = wait_until("the third answer", async || {
//!     asked += 1;
//!     if asked < 3 { Err(format!("{asked} so far")) } else { Ok(asked) }
//! })
//! .await;
//! assert_eq!(answer, 3);
//! assert_ne!(ports.address(0), ports.address(1));
//! # });
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`wait`] | waiting for a condition, never for a time |
//! | [`ports`] | ports that are free and stay so |
//! | [`process`] | programs started, told to stop, killed, and what they said |
//! | [`engine`] | real database servers, killed, frozen and started again |
//! | [`proxy`] | a wire that can be cut |
//! | [`http`](mod@http) | requests over HTTP/1.1, and bytes that are no request |
//! | [`grpc`] | gRPC from bytes |
//! | [`smtp`] | a mail server that answers as it is told |
//! | [`token`] | tokens of any shape, signed |
//! | [`folder`](mod@folder) | folders that go with their test |
//! | [`disk`] | a disk that loses its power, fills up, fails and lies |
//! | [`history`] | what clients of messaging saw, and what of it cannot be |
//! | [`knob`] | what a person may ask of a test |

pub mod disk;
pub mod engine;
pub mod folder;
pub mod grpc;
pub mod history;
pub mod http;
pub mod knob;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod smtp;
pub mod token;
pub mod wait;

pub use engine::Engine;
pub use folder::folder;
pub use ports::Ports;
pub use process::{Process, Program};
pub use wait::wait_until;
