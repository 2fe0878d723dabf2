//! Watchers may have missed changes: what they watch is read again.

use super::Controller;
use crate::model::Record;
use backlot::core::backoff::Backoff;
use backlot::{Code, Context, Dice};
use std::time::Duration;

/// The pauses while something cannot be read.
const PAUSES: Backoff = Backoff {
    base: Duration::from_millis(200),
    cap: Duration::from_secs(10),
};
/// How long one read may take.
const PATIENCE: Duration = Duration::from_secs(5);

impl Controller {
    /// Some changes may not have been told: whoever [looks](Controller::look) reads what is watched.
    pub(crate) fn look_again(&self) {
        self.missed.send_modify(|times| *times += 1);
    }

    /// Reads what is watched whenever changes may have been missed; again and again, with pauses,
    /// what cannot be read, while somebody watches it. It never ends.
    pub(crate) async fn look(&self, dice: &Dice) {
        let mut missed = self.missed.subscribe();
        let mut seen = 0;
        loop {
            match missed.wait_for(|times| *times != seen).await {
                Ok(times) => seen = *times,
                // The sender is as long as this.
                Err(_) => return,
            }
            let (mut left, mut failures) = (self.live.watched(), 0);
            loop {
                left = self.look_at(left).await;
                if left.is_empty() {
                    break;
                }
                failures += 1;
                let pause = PAUSES.wait(failures, dice);
                tokio::select! {
                    biased;
                    times = missed.wait_for(|times| *times != seen) => {
                        seen = times.map_or(seen, |times| *times);
                        left = self.live.watched();
                    }
                    () = tokio::time::sleep(pause) => {
                        left.retain(|record| self.live.is_watched(record));
                    }
                }
            }
        }
    }

    /// Tells watchers of these records how they stand; answers those that could not be read.
    async fn look_at(&self, records: Vec<Record>) -> Vec<Record> {
        let (mut left, mut records) = (Vec::new(), records.into_iter());
        for record in records.by_ref() {
            let cx = Context::system("rating").with_timeout(PATIENCE);
            let error = match self.aggregate(&cx, record.clone()).await {
                Ok(now) => {
                    self.live.publish(&record, &now);
                    continue;
                }
                Err(error) => error,
            };
            tracing::warn!(
                error = error.chain(),
                record_type = record.kind,
                record_id = record.id,
                "a watched record cannot be read now, which is tried again"
            );
            left.push(record);
            if matches!(error.code(), Code::Unavailable | Code::DeadlineExceeded) {
                // The others cannot be read either.
                break;
            }
        }
        left.extend(records);
        left
    }
}

#[cfg(test)]
mod tests {
    use crate::controller::tests::{film, rating, ratings, user};
    use backlot::storage::{Sql, params, sql};
    use backlot::{Context, Dice};
    use std::pin::pin;
    use std::time::Duration;

    const BREAK: Sql = sql!("ALTER TABLE aggregates RENAME TO elsewhere");
    const MEND: Sql = sql!("ALTER TABLE elsewhere RENAME TO aggregates");

    async fn set(ratings: &super::Controller, sql: Sql) {
        let setting = ratings.store.write(&Context::background(), move |tx| {
            Box::pin(async move { tx.execute(sql, params![]).await.map(drop) })
        });
        setting.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_missed_is_read_however_often_that_fails_first() {
        let ratings = ratings();
        let dice = Dice::seeded(1);
        let mut a = ratings.watch(&user("eve"), film("a")).await.unwrap();
        let mut b = ratings.watch(&user("eve"), film("b")).await.unwrap();
        ratings
            .put(&user("ann"), rating("a", "ann", 7))
            .await
            .unwrap();
        ratings
            .put(&user("ann"), rating("b", "ann", 9))
            .await
            .unwrap();
        assert!(!a.has_changed().unwrap());
        set(&ratings, BREAK).await;
        // Before anybody looks: that is not missed either.
        ratings.look_again();
        let mut looking = pin!(ratings.look(&dice));
        let hour = Duration::from_secs(3600);
        let still = tokio::time::timeout(hour, &mut looking).await;
        assert!(still.is_err(), "it goes on");
        assert!(!a.has_changed().unwrap());
        set(&ratings, MEND).await;
        tokio::select! {
            biased;
            () = &mut looking => {}
            () = tokio::time::sleep(Duration::from_secs(30)) => {}
        }
        assert_eq!(a.borrow_and_update().sum, 7);
        assert_eq!(b.borrow_and_update().sum, 9);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_watches_any_more_is_not_read() {
        let ratings = ratings();
        let a = ratings.watch(&user("eve"), film("a")).await.unwrap();
        let b = ratings.watch(&user("eve"), film("b")).await.unwrap();
        set(&ratings, BREAK).await;
        let both = ratings.look_at(ratings.live.watched()).await;
        assert_eq!(both, [film("a"), film("b")]);
        drop(a);
        assert!(!ratings.live.is_watched(&film("a")));
        assert_eq!(ratings.live.watched(), [film("b")]);
        drop(b);
    }
}
