//! Until when a call may take, and how that shrinks from hop to hop.

use crate::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// The longest a unary call may run, whatever its caller asked for.
pub const MAX_UNARY: Duration = Duration::from_secs(60);
/// What a call gets when its caller asked for nothing.
pub const DEFAULT_UNARY: Duration = Duration::from_secs(5);

/// A point in (simulatable) monotonic time after which the answer is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline `timeout` from now.
    #[must_use]
    pub fn after(timeout: Duration) -> Self {
        // A far future cannot overflow: 60 years is beyond any lifetime of a call.
        Deadline(Instant::now() + timeout.min(Duration::from_secs(60 * 365 * 24 * 3600)))
    }

    /// The deadline at `instant`.
    #[must_use]
    pub const fn at(instant: Instant) -> Self {
        Deadline(instant)
    }

    /// The instant itself.
    #[must_use]
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// Time left; zero when it passed.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it passed.
    #[must_use]
    pub fn has_passed(self) -> bool {
        self.remaining().is_zero()
    }

    /// The earlier of the two.
    #[must_use]
    pub fn min(self, other: Deadline) -> Deadline {
        Ord::min(self, other)
    }

    /// What a call made on behalf of this one gets: a hop reserve earlier, so that a child never
    /// outlives its parent and the parent has time to answer.
    #[must_use]
    pub fn child(self) -> Deadline {
        let now = Instant::now();
        let remaining = self.0.saturating_duration_since(now);
        Deadline(now + remaining.saturating_sub(hop_reserve(remaining)))
    }

    /// Runs `work` until the deadline.
    ///
    /// # Errors
    /// `DeadlineExceeded` when the deadline passes first; `work` is dropped.
    pub async fn run<T>(self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let mut work = pin!(work);
        let mut timer = pin!(None::<Sleep>);
        poll_fn(|cx| {
            if let Poll::Ready(outcome) = work.as_mut().poll(cx) {
                return Poll::Ready(outcome);
            }
            // What is ready at once costs no timer.
            if timer.is_none() {
                timer.set(Some(tokio::time::sleep_until(self.0)));
            }
            let passed = timer
                .as_mut()
                .as_pin_mut()
                .is_some_and(|timer| timer.poll(cx).is_ready());
            if !passed {
                return Poll::Pending;
            }
            Poll::Ready(Err(Error::deadline_exceeded(
                "the deadline passed before the answer was ready",
            )))
        })
        .await
    }
}

/// The share of a budget kept back at each hop: one per cent, at most 2 ms.
#[must_use]
pub fn hop_reserve(remaining: Duration) -> Duration {
    (remaining / 100).min(Duration::from_millis(2))
}

/// Parses `grpc-timeout`: one to eight digits and a unit of `H M S m u n`.
///
/// # Errors
/// `InvalidArgument` naming the header and the value.
pub fn parse_grpc_timeout(text: &str) -> Result<Duration, Error> {
    let malformed = || {
        Error::invalid_argument(format!(
            "grpc-timeout {text:?} is malformed: expected one to eight digits and one of H M S m u n"
        ))
    };
    let split = text
        .len()
        .checked_sub(1)
        .filter(|at| text.is_char_boundary(*at))
        .ok_or_else(malformed)?;
    let (digits, unit) = text.split_at(split);
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed());
    }
    let count: u64 = digits.parse().map_err(|_| malformed())?;
    match unit {
        "H" => Ok(Duration::from_secs(count * 3600)),
        "M" => Ok(Duration::from_secs(count * 60)),
        "S" => Ok(Duration::from_secs(count)),
        "m" => Ok(Duration::from_millis(count)),
        "u" => Ok(Duration::from_micros(count)),
        "n" => Ok(Duration::from_nanos(count)),
        _ => Err(malformed()),
    }
}

/// Writes a duration as `grpc-timeout`, rounded down so that a child never outlives its parent.
#[must_use]
pub fn format_grpc_timeout(timeout: Duration) -> String {
    const LARGEST: u128 = 99_999_999;
    let units = [
        (timeout.as_nanos(), 'n'),
        (timeout.as_micros(), 'u'),
        (timeout.as_millis(), 'm'),
    ];
    for (count, unit) in units {
        if count <= LARGEST {
            return format!("{count}{unit}");
        }
    }
    format!("{}S", u128::from(timeout.as_secs()).min(LARGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_wire_form_never_grows_a_timeout(nanos in 0u64..=99_999_999_000_000_000) {
            let timeout = Duration::from_nanos(nanos);
            let read = parse_grpc_timeout(&format_grpc_timeout(timeout)).unwrap();
            prop_assert!(read <= timeout);
            prop_assert!(timeout - read < Duration::from_secs(1));
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in ".{0,12}") {
            drop(parse_grpc_timeout(&text));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_child_never_outlives_its_parent() {
        for millis in [0, 1, 5, 100, 5_000, 60_000] {
            let mut parent = Deadline::after(Duration::from_millis(millis));
            for _ in 0..8 {
                let child = parent.child();
                assert!(child <= parent);
                parent = child;
            }
        }
    }

    #[test]
    fn malformed_timeouts_name_the_value() {
        for text in ["", "5", "S", "123456789m", "1.5S", "-1S", "5s", "5µ", "５S"] {
            let error = parse_grpc_timeout(text).unwrap_err();
            assert_eq!(error.code(), crate::Code::InvalidArgument);
            assert!(error.message().contains(&format!("{text:?}")), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_takes_too_long_ends_at_the_deadline() {
        let started = Instant::now();
        let outcome = Deadline::after(Duration::from_millis(200))
            .run(async {
                tokio::time::sleep(Duration::from_secs(5)).await;
                Ok(())
            })
            .await;
        assert_eq!(outcome.unwrap_err().code(), crate::Code::DeadlineExceeded);
        assert_eq!(Instant::now() - started, Duration::from_millis(200));
    }
}
