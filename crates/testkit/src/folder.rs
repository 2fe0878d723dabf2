//! Folders that go with their test.

use tempfile::TempDir;

/// A new empty folder, removed with all that is in it when dropped.
///
/// # Panics
/// When the system refuses.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "a test that cannot set up its world has failed"
)]
pub fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("backlot-")
        .tempdir()
        .expect("a temporary folder can be made")
}
