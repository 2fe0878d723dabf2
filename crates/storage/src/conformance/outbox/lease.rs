//! Who may send, and what happens to those who may not any more.

use super::{cx, depth, named, send, take, waiting};
use crate::StoreError;
use crate::conformance::Stage;
use crate::outbox::{Acquired, Holder, Lease};
use backlot_core::{Code, Error};
use std::time::Duration;

const TIME: Duration = Duration::from_secs(30);

async fn acquire(stage: &Stage, owner: &str, gone: Option<&Holder>) -> Acquired {
    let acquired = stage.store.outbox().acquire(&cx(), owner, TIME, gone).await;
    acquired.expect("the lease is looked at")
}

async fn held(stage: &Stage, owner: &str) -> Lease {
    match acquire(stage, owner, None).await {
        Acquired::Held(lease) => lease,
        Acquired::Busy(holder) => panic!("{owner} is refused, {holder:?} has it"),
    }
}

async fn busy(stage: &Stage, owner: &str) -> Holder {
    match acquire(stage, owner, None).await {
        Acquired::Busy(holder) => holder,
        Acquired::Held(lease) => panic!("{owner} has {lease:?}"),
    }
}

pub(in crate::conformance) async fn what_was_confirmed_is_gone_and_the_rest_waits(stage: Stage) {
    send(&stage.store, named(&["1", "2", "3"]))
        .await
        .expect("it commits");
    let lease = held(&stage, "one").await;
    let batch = take(&stage.store, 2, usize::MAX).await;
    send(&stage.store, named(&["4"])).await.expect("it commits");
    let outbox = stage.store.outbox();
    for _ in 0..2 {
        // Whoever does not know whether it was confirmed says so again.
        let lease = outbox
            .confirm(&cx(), &lease, batch.receipt(), TIME)
            .await
            .expect("it holds");
        assert_eq!(lease.fence(), 1);
        assert_eq!(waiting(&stage.store).await, ["3", "4"]);
    }
    let all = take(&stage.store, 9, usize::MAX).await;
    outbox
        .confirm(&cx(), &lease, all.receipt(), TIME)
        .await
        .expect("it holds");
    assert_eq!(depth(&stage).await, Default::default());
    // A number is not given twice: an old receipt removes nothing that is new.
    send(&stage.store, named(&["5"])).await.expect("it commits");
    outbox
        .confirm(&cx(), &lease, all.receipt(), TIME)
        .await
        .expect("it holds");
    assert_eq!(waiting(&stage.store).await, ["5"]);
}

pub(in crate::conformance) async fn a_lease_is_one_relays_until_it_expires(stage: Stage) {
    let first = held(&stage, "one").await;
    assert_eq!(busy(&stage, "two").await.owner, "one");
    stage.wait(TIME / 2);
    let outbox = stage.store.outbox();
    let first = outbox
        .extend(&cx(), &first, TIME)
        .await
        .expect("it is held");
    stage.wait(TIME - Duration::from_millis(1));
    busy(&stage, "two").await;
    stage.wait(Duration::from_millis(1));
    let second = held(&stage, "two").await;
    assert!(second.fence() > first.fence());
    let refused = outbox.extend(&cx(), &first, TIME).await;
    assert_eq!(
        refused,
        Err(StoreError::Fenced {
            fence: first.fence(),
            newest: second.fence()
        })
    );
    busy(&stage, "one").await;
    // Given back: nobody waits. By one that does not have it: nothing happens.
    outbox
        .release(&cx(), first)
        .await
        .expect("nothing is given back");
    busy(&stage, "one").await;
    outbox
        .release(&cx(), second)
        .await
        .expect("it is given back");
    held(&stage, "one").await;
}

pub(in crate::conformance) async fn a_stale_holder_removes_nothing_and_is_told(stage: Stage) {
    send(&stage.store, named(&["1", "2"]))
        .await
        .expect("it commits");
    let stale = held(&stage, "one").await;
    let batch = take(&stage.store, 9, usize::MAX).await;
    stage.wait(TIME);
    let lease = held(&stage, "two").await;
    let outbox = stage.store.outbox();
    let refused = outbox.confirm(&cx(), &stale, batch.receipt(), TIME).await;
    let refused = refused.expect_err("somebody else has the lease");
    assert!(
        matches!(refused, StoreError::Fenced { .. }),
        "{refused:?} is something else"
    );
    assert_eq!(Error::from(refused).code(), Code::Aborted);
    assert_eq!(waiting(&stage.store).await, ["1", "2"]);
    outbox
        .confirm(&cx(), &lease, batch.receipt(), TIME)
        .await
        .expect("this one may");
    assert_eq!(waiting(&stage.store).await, [] as [&str; 0]);
}

pub(in crate::conformance) async fn a_relay_started_anew_does_not_wait_for_itself(stage: Stage) {
    let before = held(&stage, "one").await;
    let after = held(&stage, "one").await;
    assert!(after.fence() > before.fence());
    let outbox = stage.store.outbox();
    let refused = outbox.extend(&cx(), &before, TIME).await;
    assert!(
        matches!(refused, Err(StoreError::Fenced { .. })),
        "{refused:?}"
    );
    let refused = outbox.acquire(&cx(), "", TIME, None).await;
    assert!(
        matches!(refused, Err(StoreError::Field { .. })),
        "{refused:?}"
    );
}

/// The clock of a holder that is gone may be far ahead.
pub(in crate::conformance) async fn a_holder_that_does_not_stir_is_replaced_whatever_the_clocks_say(
    stage: Stage,
) {
    stage.wait(Duration::from_secs(24 * 3600));
    let ahead = held(&stage, "one").await;
    stage.wait_back(Duration::from_secs(24 * 3600));
    let seen = busy(&stage, "two").await;
    let outbox = stage.store.outbox();
    let ahead = outbox
        .extend(&cx(), &ahead, 2 * TIME)
        .await
        .expect("it is held");
    // It has stirred since.
    let busy = acquire(&stage, "two", Some(&seen)).await;
    let Acquired::Busy(seen) = busy else {
        panic!("{busy:?}")
    };
    let taken = acquire(&stage, "two", Some(&seen)).await;
    let Acquired::Held(lease) = taken else {
        panic!("{taken:?}")
    };
    assert!(lease.fence() > ahead.fence());
}
