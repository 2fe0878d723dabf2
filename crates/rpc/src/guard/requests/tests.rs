use super::*;
use backlot_core::Code;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Clone, PartialEq, prost::Message)]
struct Step {
    #[prost(uint32, tag = "1")]
    number: u32,
}

impl crate::Validate for Step {
    fn validate(&self, at: &mut Violations) {
        if self.number > 9 {
            at.push("number", format!("must be at most 9, got {}", self.number));
        }
    }
}

const SILENCE: Duration = Duration::from_secs(60);

fn steps(numbers: impl IntoIterator<Item = u32, IntoIter: Send + 'static>) -> Streaming<Step> {
    Streaming::of(numbers.into_iter().map(|number| Step { number }))
}

#[tokio::test]
async fn the_first_wrong_message_is_named_ends_the_stream_and_is_the_outcome() {
    for (via, place) in [
        (Via::Direct, "in message 3"),
        (Via::Grpc, "in message 3"),
        (Via::Rest, "in line 3"),
    ] {
        let (mut stream, refusal) = checked(steps([1, 2, 30, 40]), via, SILENCE, Shutdown::new());
        assert_eq!(stream.next().await.unwrap().unwrap().number, 1);
        assert_eq!(stream.next().await.unwrap().unwrap().number, 2);
        assert!(refusal.take().is_none());
        let seen = stream.next().await.unwrap().unwrap_err();
        assert!(stream.next().await.is_none());
        let kept = refusal.take().unwrap();
        assert_eq!(seen.message(), kept.message());
        assert_eq!(kept.violations(), seen.violations());
        assert_eq!(kept.violations()[0].field, "number");
        assert!(kept.message().ends_with(place), "{kept}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_sender_is_waited_for_from_each_message_anew() {
    let slow = Streaming::new(async_stream::stream! {
        for number in 1..=3 {
            tokio::time::sleep(SILENCE - Duration::from_millis(1)).await;
            yield Ok(Step { number });
        }
        std::future::pending::<()>().await;
    });
    let (mut stream, refusal) = checked(slow, Via::Grpc, SILENCE, Shutdown::new());
    for number in 1..=3 {
        assert_eq!(stream.next().await.unwrap().unwrap().number, number);
        // How long the handler takes for one is not the sender's silence.
        tokio::time::sleep(2 * SILENCE).await;
    }
    let waiting = Instant::now();
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    assert!(error.message().starts_with("message 4 "), "{error}");
    assert_eq!(Instant::now() - waiting, SILENCE);
    assert!(refusal.take().is_some());
}

#[tokio::test]
async fn a_process_that_drains_tells_the_sender_to_come_again() {
    let shutdown = Shutdown::new();
    let (mut stream, refusal) = checked(
        Streaming::<Step>::new(futures_util::stream::pending()),
        Via::Grpc,
        SILENCE,
        shutdown.clone(),
    );
    shutdown.advance(Phase::Draining);
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert_eq!(refusal.take().unwrap().pushback(), Some(Duration::ZERO));
}
