//! The outbox: messages that leave if, and only if, the transaction that adds them is committed.
//!
//! [`Tx::outbox`](crate::Tx::outbox) adds messages to a write. A [`Relay`] hands them to whatever
//! carries them, a [`Forward`], and removes what that has taken. A crash between the two sends the
//! same messages, with the same ids, once more: at least once, and an [inbox](crate::inbox) makes
//! that once.
//!
//! ```
//! use backlot_core::{Clock, Context, Dice, Error};
//! use backlot_storage::outbox::{Batch, Forward, Message, Options, Relay};
//! use backlot_storage::{StoreError, sqlite};
//! use tokio::sync::mpsc;
//!
//! /// Stands for a broker.
//! struct Line(mpsc::UnboundedSender<String>);
//!
//! impl Forward for Line {
//!     async fn forward(&self, _cx: &Context, batch: Batch) -> Result<(), Error> {
//!         for message in batch.messages {
//!             self.0.send(message.id).map_err(|_| Error::unavailable("nobody listens"))?;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), StoreError> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
//! # runtime.block_on(async {
//! let store = sqlite::memory(&[], Clock::real())?;
//! let (line, mut arrived) = mpsc::unbounded_channel();
//! let relay = Relay::new(&store, Line(line), "rating-1", Dice::seeded(1), Options::default());
//! let cx = Context::background();
//! let work = async {
//!     store
//!         .write(&cx, |tx| {
//!             Box::pin(async move {
//!                 // tx.execute(...): the effect. And in the same commit:
//!                 tx.outbox().add(Message::new("ratings", "rating-17", b"5 stars").key("metropolis-1927"))
//!             })
//!         })
//!         .await?;
//!     assert_eq!(arrived.recv().await.as_deref(), Some("rating-17"));
//!     Ok::<(), StoreError>(())
//! };
//! // A service runs the relay in a task of its own and ends it with its drain.
//! let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! let (_end, worked) = tokio::join!(relay.run(async { drop(stopped.await) }), async {
//!     let worked = work.await;
//!     drop(stop);
//!     worked
//! });
//! worked
//! # })
//! # }
//! ```
//!
//! # What is promised
//! * A message leaves if its transaction is committed, and is not lost after that: its row stays
//!   until what carries it has said that it has it.
//! * Messages of one write leave in the order in which they were added.
//! * A message of a write that was answered leaves before those of every write that begins after.
//! * Of two writes at the same time that change the same row, the messages leave in the order in
//!   which they changed it: for this, messages are written at the end of their transaction. So the
//!   messages of one key are in order when their writes change a row of that key. Writes at the same
//!   time that share no row have no order to keep. (PostgreSQL also runs a write that only *reads*
//!   what another changes beside it; the two are unordered there.)
//! * Repetitions may come at any time later. The first time each message comes is in order.
//!
//! `docs/decisions/0012` says why.

mod added;
mod lease;
mod message;
mod queue;
mod relay;

pub use added::Outbox;
pub(crate) use added::{Outgoing, write};
pub use lease::{Acquired, Holder, Lease, MAX_OWNER};
pub use message::{MAX_ID, MAX_KEY, MAX_PAYLOAD, MAX_TOPIC, MAX_WRITE, Message};
pub use queue::{Batch, Depth, Limits, MAX_BATCH, Queue, Receipt};
pub use relay::{End, Forward, Options, Relay, Status};
