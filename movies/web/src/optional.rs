//! Parts that a page can do without.

use backlot::Error;
use std::time::Duration;

/// How long a page waits for a part that it can do without.
const PATIENCE: Duration = Duration::from_millis(800);

/// What a call answers, unless it fails or takes too long.
pub(crate) async fn optional<T>(call: impl Future<Output = Result<T, Error>>) -> Option<T> {
    tokio::time::timeout(PATIENCE, call).await.ok()?.ok()
}
