//! Waiting for a condition, never for a time.

use std::time::Duration;
use tokio::time::Instant;

/// How long a condition may take. Long enough for a busy machine: a test that waits so long has
/// failed.
pub const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN: Duration = Duration::from_millis(10);

/// Waits until `probe` gives an answer and returns it. The probe is asked again and again, so that
/// a condition that already holds is seen at once and none is missed between two changes.
///
/// # Panics
/// After [`PATIENCE`], with `what` was waited for and the last status the probe told.
pub async fn wait_until<T>(what: &str, probe: impl AsyncFnMut() -> Result<T, String>) -> T {
    wait_within(what, PATIENCE, probe).await
}

/// As [`wait_until`], with a limit of its own: for promises about time.
///
/// # Panics
/// After `limit`, with `what` was waited for and the last status the probe told.
pub async fn wait_within<T>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let end = Instant::now() + limit;
    let mut last = "it was never answered".to_owned();
    loop {
        match tokio::time::timeout_at(end, probe()).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err(status)) => last = status,
            Err(_elapsed) => {}
        }
        assert!(
            Instant::now() < end,
            "waited {limit:?} for {what}; the last status: {last}"
        );
        tokio::time::sleep(BETWEEN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_holds_already_is_not_waited_for() {
        let started = Instant::now();
        assert_eq!(wait_until("nothing", async || Ok(7)).await, 7);
        assert_eq!(Instant::now(), started);
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "waited 60s for rain; the last status: sunny")]
    async fn the_panic_tells_the_last_status() {
        wait_until::<()>("rain", async || Err("sunny".to_owned())).await;
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "it was never answered")]
    async fn a_probe_that_hangs_does_not_hang_the_test() {
        wait_until::<()>("rain", async || std::future::pending().await).await;
    }
}
