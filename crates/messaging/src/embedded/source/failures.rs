//! What is kept of failed attempts: enough to see how it began and how it stands.

use crate::embedded::repository::cursors::Exception;
use crate::engine::Failure;
use backlot_core::Timestamp;

/// The most failures that are kept with a message: the first and the last of them.
const MOST_FAILURES: usize = 10;
/// The most bytes of them.
const FAILURE_BYTES: usize = 4096;
const CLASS_BYTES: usize = 64;
const MESSAGE_BYTES: usize = 1024;

/// What is known of a message after another attempt. Its start has an end: it is not counted.
pub(super) fn failed(mut known: Exception, at: Timestamp, failure: Option<Failure>) -> Exception {
    known.not_before = at.0;
    if let Some(mut failure) = failure {
        known.attempts = known.attempts.saturating_add(1);
        cut(&mut failure.class, CLASS_BYTES);
        cut(&mut failure.message, MESSAGE_BYTES);
        known.failures.push(failure);
        let size = |failures: &[Failure]| -> usize {
            let sizes = failures
                .iter()
                .map(|failure| failure.class.len() + failure.message.len());
            sizes.sum()
        };
        // The first says how it began, the last how it stands.
        while known.failures.len() > MOST_FAILURES
            || (known.failures.len() > 2 && size(&known.failures) > FAILURE_BYTES)
        {
            known.failures.remove(1);
        }
    }
    known
}

/// Whether this failure is the last one that is known: it was told before.
pub(super) fn is_known(known: &Exception, failure: &Failure) -> bool {
    let mut failure = failure.clone();
    cut(&mut failure.class, CLASS_BYTES);
    cut(&mut failure.message, MESSAGE_BYTES);
    known.failures.last() == Some(&failure)
}

fn cut(text: &mut String, bytes: usize) {
    text.truncate(text.floor_char_boundary(bytes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_failures_are_kept() {
        let mut known = Exception::default();
        for attempt in 0..30 {
            let failure = Failure {
                at_ms: attempt,
                class: "transient".into(),
                message: "x".repeat(if attempt < 20 { 3000 } else { 10 }),
            };
            known = failed(known, Timestamp(attempt), Some(failure));
        }
        let times: Vec<i64> = known.failures.iter().map(|failure| failure.at_ms).collect();
        assert_eq!(times, [0, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
        assert_eq!((known.attempts, known.not_before), (30, 29));
        let later = failed(known.clone(), Timestamp(99), None);
        assert_eq!((later.attempts, later.not_before), (30, 99));
    }
}
