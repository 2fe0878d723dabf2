//! Failures come as they were told, word for word.

use crate::Clients;
use crate::probe::{FailRequest, StreamRequest, Wrong};
use backlot::Code;
use backlot::rpc::guard::MAX_ERROR_MESSAGE;
use std::time::Duration;

fn fail(code: Code, message: &str) -> FailRequest {
    FailRequest {
        code: i32::from(code.number()),
        message: message.to_owned(),
        ..FailRequest::default()
    }
}

pub(super) async fn every_code_comes_as_it_was_told(world: &Clients) {
    for code in Code::ALL {
        let outcome = world
            .probe
            .fail(&world.nobody(), fail(code, "as told"))
            .await;
        let error = world.refused(code.name(), outcome, code);
        assert_eq!(error.message(), "as told", "{error:?}");
    }
}

pub(super) async fn any_words_come_as_they_were_told(world: &Clients) {
    let long = "words ".repeat(500);
    let strange = "\u{1F3AC}".repeat(1000);
    for message in [
        "",
        " ",
        " a ",
        "100 %",
        "%41",
        "a\nb\r\n\tc",
        "\0\u{7f}",
        "é\u{202e}\u{feff}",
        "\"'\\",
        &long,
        &strange,
    ] {
        let outcome = world
            .probe
            .fail(&world.nobody(), fail(Code::FailedPrecondition, message))
            .await;
        let error = world.refused("words", outcome, Code::FailedPrecondition);
        assert_eq!(error.message(), message);
    }
    // A book is cut short, wherever it is told.
    let book = "\u{1F3AC}".repeat(100_000);
    let outcome = world
        .probe
        .fail(&world.nobody(), fail(Code::FailedPrecondition, &book))
        .await;
    let error = world.refused("a book", outcome, Code::FailedPrecondition);
    assert_eq!(error.message().len(), MAX_ERROR_MESSAGE + "…".len());
}

pub(super) async fn violations_and_pushback_come_as_they_were_told(world: &Clients) {
    let wrongs = vec![
        Wrong {
            field: "metadata.cast[3]".to_owned(),
            description: "must be something else: é".to_owned(),
        },
        Wrong::default(),
    ];
    for code in Code::ALL {
        let request = FailRequest {
            wrongs: wrongs.clone(),
            pushback_millis: Some(70),
            ..fail(code, "as told")
        };
        let error = world.refused(
            code.name(),
            world.probe.fail(&world.nobody(), request).await,
            code,
        );
        assert_eq!(error.violations().len(), 2, "{code}");
        assert_eq!(error.violations()[0].field, "metadata.cast[3]", "{code}");
        assert_eq!(error.pushback(), Some(Duration::from_millis(70)), "{code}");
    }
}

pub(super) async fn a_stream_fails_after_what_it_gave(world: &Clients) {
    for code in Code::ALL {
        let request = StreamRequest {
            count: 2,
            fail: Some(fail(code, "as told")),
            hang: false,
        };
        let mut stream = world.worked("stream", world.probe.stream(&world.nobody(), request).await);
        for number in 1..=2 {
            let item = world.some("an item", stream.next().await);
            assert_eq!(world.worked("an item", item).number, number);
        }
        let end = world.some("its end", stream.next().await);
        let error = world.refused("its end", end, code);
        assert_eq!(error.message(), "as told");
        assert!(
            stream.next().await.is_none(),
            "nothing comes after an error"
        );
    }
}

pub(super) async fn a_stream_ends_after_what_it_gave(world: &Clients) {
    for count in [0, 1, 1000] {
        let request = StreamRequest {
            count,
            ..StreamRequest::default()
        };
        let mut stream = world.worked("stream", world.probe.stream(&world.nobody(), request).await);
        let mut last = 0;
        while let Some(item) = stream.next().await {
            last += 1;
            assert_eq!(world.worked("an item", item).number, last);
        }
        assert_eq!(last, count);
    }
}
