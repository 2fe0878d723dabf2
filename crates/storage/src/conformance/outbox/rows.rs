//! Which messages wait, and in which order.

use super::{cx, depth, named, send, take, waiting};
use crate::conformance::{ADD, INSERT, Stage, VALUE};
use crate::outbox::{MAX_PAYLOAD, Message};
use crate::{StoreError, params};
use backlot_core::{BoxFuture, Code, Error, Timestamp};
use std::time::Duration;
use tokio::task::JoinSet;

pub(in crate::conformance) async fn a_message_leaves_with_its_commit_and_never_without(
    stage: Stage,
) {
    let mut added = stage.store.outbox().added();
    let failing: BoxFuture<'static, Result<(), Error>> = Box::pin(stage.store.write(&cx(), |tx| {
        Box::pin(async move {
            tx.execute(INSERT, params!["a", 1]).await?;
            tx.outbox().add(Message::new("t", "failed", b""))?;
            Err(Error::not_found("on purpose"))
        })
    }));
    failing.await.expect_err("it fails on purpose");
    let panicking: BoxFuture<'static, Result<(), Error>> =
        Box::pin(stage.store.write(&cx(), |tx| {
            Box::pin(async move {
                tx.outbox().add(Message::new("t", "panicked", b""))?;
                panic!("on purpose: a panic in a closure")
            })
        }));
    panicking.await.expect_err("it panics on purpose");
    let refused: BoxFuture<'static, Result<(), Error>> = Box::pin(stage.store.write(&cx(), |tx| {
        Box::pin(async move {
            tx.outbox().add(Message::new("t", "refused", b""))?;
            tx.execute(INSERT, params!["a", -1]).await.map(drop).ok();
            Ok(())
        })
    }));
    refused
        .await
        .expect_err("a failed statement spoils its transaction");
    assert_eq!(waiting(&stage.store).await, [] as [&str; 0]);
    assert!(
        !added.has_changed().expect("the store lives"),
        "nothing was committed"
    );

    send(&stage.store, named(&["sent"]))
        .await
        .expect("it commits");
    assert!(
        added.has_changed().expect("the store lives"),
        "one was committed"
    );
    assert_eq!(*added.borrow_and_update(), 1);
    stage.insert("b", 1).await.expect("an insert commits");
    assert!(
        !added.has_changed().expect("the store lives"),
        "it sent nothing"
    );
    assert_eq!(waiting(&stage.store).await, ["sent"]);
    // A read sends nothing.
    let reading: Result<(), Error> = stage
        .store
        .read(&cx(), |tx| {
            Box::pin(async move { Ok(tx.outbox().add(Message::new("t", "read", b""))?) })
        })
        .await;
    reading.expect_err("a read changes nothing");
    assert_eq!(waiting(&stage.store).await, ["sent"]);
}

pub(in crate::conformance) async fn messages_come_out_as_they_went_in_and_in_their_order(
    stage: Stage,
) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let mut sent = vec![
        Message::new("a topic", "an id", every_byte),
        Message::new("t", "ü-🎬", b"").key("ключ"),
        Message::new("t", "x", vec![7; MAX_PAYLOAD]).key("k"),
    ];
    // More than any one statement takes.
    sent.extend((0..150).map(|number| Message::new("t", number.to_string(), vec![number; 3])));
    send(&stage.store, sent.clone()).await.expect("it commits");
    stage.wait(Duration::from_secs(1));
    send(&stage.store, named(&["last"]))
        .await
        .expect("it commits");
    sent.extend(named(&["last"]));

    let taken = take(&stage.store, 1000, usize::MAX).await;
    assert_eq!(taken.messages, sent);
    assert_eq!(taken.oldest, Some(Timestamp(1_700_000_000_000)));
    assert_eq!(
        take(&stage.store, 2, usize::MAX).await.messages,
        sent[..2],
        "so many"
    );
    assert_eq!(
        take(&stage.store, 9, 256).await.messages,
        sent[..2],
        "so large"
    );
    assert_eq!(
        take(&stage.store, 9, 0).await.messages,
        sent[..1],
        "one at least"
    );
    let depth = depth(&stage).await;
    assert_eq!(
        (depth.waiting, depth.oldest),
        (sent.len() as u64, taken.oldest)
    );
}

pub(in crate::conformance) async fn what_does_not_fit_is_refused_with_field_limit_and_cure(
    stage: Stage,
) {
    let wrong = [
        (Message::new("", "i", b""), "topic", "empty"),
        (Message::new("t".repeat(256), "i", b""), "topic", "255"),
        (Message::new("t", "", b""), "id", "empty"),
        (Message::new("t", "a\0b", b""), "id", "U+0000"),
        (
            Message::new("t", "i", b"").key("k".repeat(513)),
            "key",
            "512",
        ),
        (
            Message::new("t", "i", vec![0; MAX_PAYLOAD + 1]),
            "payload",
            "524288 is the most",
        ),
    ];
    for (message, field, words) in wrong {
        let refused = send(&stage.store, vec![message])
            .await
            .expect_err("it does not fit");
        let public = Error::from(refused);
        assert_eq!(public.code(), Code::InvalidArgument);
        let text = public.message();
        assert!(
            text.contains(field) && text.contains(words),
            "{text:?} does not say {field} and {words}"
        );
    }
    let many = vec![Message::new("t", "i", vec![0; MAX_PAYLOAD]); 33];
    let refused = send(&stage.store, many)
        .await
        .expect_err("together they do not fit");
    assert!(
        refused.to_string().contains("16777216 is the most"),
        "{refused}"
    );
    // Who leaves it out may go on.
    let done: Result<(), StoreError> = stage
        .store
        .write(&cx(), |tx| {
            Box::pin(async move {
                let refused = tx.outbox().add(Message::new("t", "", b""));
                assert!(refused.is_err() && tx.outbox().is_empty());
                tx.outbox().add(Message::new("t", "good", b""))
            })
        })
        .await;
    done.expect("it commits");
    assert_eq!(waiting(&stage.store).await, ["good"]);
}

/// Three keys, written by many at once, each of whom says first that it will count, and counts then:
/// the messages of a key come in the order in which it was counted.
pub(in crate::conformance) async fn concurrent_writes_of_one_key_leave_in_the_order_of_their_effects(
    stage: Stage,
) {
    let names = ["a", "b", "c"];
    for name in names {
        stage.insert(name, 0).await.expect("an insert commits");
    }
    let mut writing = JoinSet::new();
    for number in 0..60 {
        let name = names[number % 3];
        let id = format!("{name}-{number}");
        let counting = stage.store.write(&cx(), move |tx| {
            let id = id.clone();
            Box::pin(async move {
                tx.outbox()
                    .add(Message::new("counters", &*id, b"").key(name))?;
                tx.execute(ADD, params![1, name]).await?;
                let value: i64 = tx.query_one(VALUE, params![name]).await?.get(0)?;
                Ok::<_, Error>((name, value, id))
            })
        });
        writing.spawn(counting);
    }
    let mut counted = Vec::new();
    for done in writing.join_all().await {
        counted.push(done.expect("conflicts are the store's business"));
    }
    counted.sort();
    let taken = take(&stage.store, 1000, usize::MAX).await;
    assert_eq!(taken.messages.len(), 60);
    for name in names {
        let of_key = |message: &&Message| message.key.as_deref() == Some(name);
        let sent: Vec<&str> = taken
            .messages
            .iter()
            .filter(of_key)
            .map(|m| &*m.id)
            .collect();
        let of_name = counted.iter().filter(|(counter, ..)| *counter == name);
        let expected: Vec<&str> = of_name.map(|(_, _, id)| &**id).collect();
        assert_eq!(sent, expected);
    }
}
