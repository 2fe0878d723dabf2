//! What a store and the database host say to each other: frames of JSON, each after its length in
//! four bytes, the highest first. A connection carries one transaction at a time.

use backlot_core::net::Stream;
use backlot_storage::backend::Mode;
use backlot_storage::{Row, StoreError, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The longest frame.
const MAX_FRAME: u32 = 16 * 1024 * 1024;

/// What a store asks.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Begins a transaction, which nobody waits for after so long: [`Answer::Waiting`].
    Begin {
        service: String,
        mode: Mode,
        budget_ms: u64,
    },
    /// Runs a statement: [`Answer::Changed`].
    Execute { sql: String, params: Vec<Value> },
    /// Runs a statement: [`Answer::Rows`].
    Query { sql: String, params: Vec<Value> },
    /// Runs several statements: [`Answer::Done`].
    Batch { script: String },
    /// Ends the transaction: [`Answer::Done`].
    Commit,
    /// Ends the transaction: [`Answer::Done`].
    Rollback,
}

/// What the host answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The transaction was heard of and waits for its turn: [`Answer::Done`] follows.
    Waiting,
    /// It is done.
    Done,
    /// A statement changed so many rows.
    Changed(u64),
    /// A statement gave these rows.
    Rows(Vec<Row>),
    /// It is not done.
    Failed(StoreError),
}

/// The next frame; nothing at the end of the connection.
pub(super) async fn read<T: DeserializeOwned>(stream: &mut Stream) -> io::Result<Option<T>> {
    let length = match stream.read_u32().await {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if length > MAX_FRAME {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes"),
        ));
    }
    let mut frame = vec![0; length as usize];
    stream.read_exact(&mut frame).await?;
    Ok(Some(serde_json::from_slice(&frame)?))
}

/// Sends a frame.
pub(super) async fn write(stream: &mut Stream, message: &impl Serialize) -> io::Result<()> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = u32::try_from(frame.len() - 4)
        .ok()
        .filter(|length| *length <= MAX_FRAME);
    let Some(length) = length else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {} bytes", frame.len()),
        ));
    };
    frame[..4].copy_from_slice(&length.to_be_bytes());
    stream.write_all(&frame).await
}
