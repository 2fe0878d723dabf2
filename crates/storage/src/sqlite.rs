//! The embedded database: SQLite, one process's own.
//!
//! [`open`] gives a file a writer thread, which commits what waits together (one sync for many
//! writes), and reader threads, which never wait for it. [`memory`] runs the same transactions on
//! the caller's own thread: for tests, and wherever time is simulated.
//!
//! The writer answers when the commit is on the disk (`synchronous=FULL`). It logs, at `error`,
//! every commit that failed, after which it opens the file anew; and nothing per call.
//!
//! What a killed process left in the write-ahead log is moved into the file and synced before it is
//! served: it may never have reached the disk, and nobody shall see what a loss of power would take
//! back. A log in which commits lie behind a damaged one is refused.

mod connection;
mod failure;
mod group;
mod inline;
mod left;
mod open;
mod queue;
mod readers;
mod threads;
mod writer;

pub use connection::Connection;
pub use inline::Memory;
pub use open::{Options, check_version, memory, open};
