//! The group `tally`: whole runs of a partition, with its position in their commit.

use crate::system::{EFFECT, Parts, cx};
use crate::traffic::{OUT, TALLY};
use crate::worker::say;
use backlot_messaging::Error;
use backlot_messaging::engine::{Delivery, Input, Settle, Source};
use backlot_storage::{StoreError, params};
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(5);
/// The log is never emptied here.
const INCARNATION: u64 = 1;

/// Works until it is dropped.
pub(crate) async fn tally(parts: Parts) {
    loop {
        if let Err(error) = serve(&parts).await {
            parts
                .journal
                .line(&format!("# {}", backlot_core::error::chain(&error)));
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn serve(parts: &Parts) -> Result<(), Error> {
    let mut source = parts.source(OUT, TALLY).await?;
    loop {
        match source.next(32).await? {
            Input::Deliveries(deliveries) => {
                let now = parts.env.clock.wall().0;
                for delivery in &deliveries {
                    say(&parts.journal, TALLY, OUT, now, delivery);
                }
                parts.journal.step("tally");
                for run in runs(&deliveries) {
                    count(parts, &mut *source, run).await?;
                }
            }
            Input::Skipped {
                partition,
                first,
                end,
                cause,
            } => {
                let line = format!("skip {TALLY} {OUT} {partition} {first} {end} {cause:?}");
                parts.journal.line(&line);
            }
            Input::Assigned(_) | Input::Revoked { .. } => {}
        }
    }
}

/// Neighbours of one partition.
fn runs(deliveries: &[Delivery]) -> impl Iterator<Item = &[Delivery]> {
    deliveries.chunk_by(|one, next| {
        let (one, next) = (one.token, next.token);
        one.partition == next.partition && one.offset + 1 == next.offset
    })
}

async fn count(parts: &Parts, source: &mut dyn Source, run: &[Delivery]) -> Result<(), Error> {
    let (Some(first), Some(last)) = (run.first(), run.last()) else {
        return Ok(());
    };
    let (part, offsets) = (
        first.token.partition,
        first.token.offset..last.token.offset + 1,
    );
    let ids: Vec<String> = run.iter().map(|one| one.record.id.clone()).collect();
    let writing = parts.state.write(&cx(), move |tx| {
        let (offsets, ids) = (offsets.clone(), ids.clone());
        Box::pin(async move {
            let begin = offsets.start;
            let mut position = tx.position(TALLY, OUT, part).contiguous();
            for offset in position.advance(INCARNATION, offsets).await? {
                let id = &ids[usize::try_from(offset - begin).unwrap_or(0)];
                tx.execute(EFFECT, params![TALLY, id]).await?;
            }
            Ok::<(), StoreError>(())
        })
    });
    if let Err(source) = writing.await {
        if matches!(source, StoreError::Position { .. }) {
            parts.journal.line(&format!("wrong {source}"));
        }
        return Err(Error::Failed { source });
    }
    parts.journal.step("tallied");
    let done = run.iter().map(|one| (one.token, Settle::Done));
    source.settle(done.collect()).await.map(drop)
}
