//! What is given up, and why; what is tried anew.

use super::stage::{Counted, Stage, Worker, cx, script};
use backlot_core::Error;
use backlot_messaging::Event;
use backlot_messaging::consume::{Consumer, Failing, Group, Order};
use backlot_messaging::engine::Engine;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

fn groups() -> [Group; 3] {
    let group = || Group::new("g").attempts(3);
    [group(), group().batch(10), group().order(Order::None)]
}

#[tokio::test(start_paused = true)]
async fn each_way_of_dying_is_told_with_the_errors_of_every_attempt() {
    for group in groups() {
        let stage = Stage::new(1).await;
        stage.publish(0..6, |n| n).await;
        let mut newer = Stage::record(&Counted { n: 6, lane: 6 });
        newer.version = 2;
        let mut broken = Stage::record(&Counted { n: 7, lane: 7 });
        broken.payload = "{]".into();
        stage.append(Counted::TOPIC, vec![newer, broken]).await;
        let script = script(|event, _| match event.n {
            1 => Err(Error::invalid_argument("never").permanent()),
            2 => panic!("on purpose"),
            3 => Err(Error::unavailable("not now").into()),
            _ => Ok(()),
        });
        stage.consume(&group, &script).await;
        let mut effects = stage.numbers().await;
        effects.sort_unstable();
        assert_eq!(effects, [0, 4, 5], "{group:?}");
        let mut letters = stage.letters("g").await;
        letters.sort_by_key(|letter| letter.id.clone());
        let told: Vec<(&str, &str, &str)> = letters
            .iter()
            .map(|letter| {
                let header = |name| letter.headers.get(name).unwrap();
                (&*letter.id, header("dlq-class"), header("dlq-tries"))
            })
            .collect();
        let expected = [
            ("1", "permanent", "1"),
            ("2", "panic", "3"),
            ("3", "exhausted", "3"),
            ("6", "unknown-version", "1"),
            ("7", "undecodable", "1"),
        ];
        assert_eq!(told, expected, "{group:?}");
        assert_eq!(&*letters[4].payload, b"{]");
        let errors = letters[1].headers.get("dlq-errors").unwrap();
        assert_eq!(errors.matches("on purpose").count(), 3, "{errors}");
        let text = stage.metrics.encode();
        let dead =
            "backlot_messaging_dead_total{topic=\"counts\",group=\"g\",class=\"permanent\"} 1";
        assert!(text.contains(dead), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_put_into_the_retry_topic_is_handled_and_only_by_its_group() {
    for group in groups() {
        let stage = Stage::new(1).await;
        stage.publish(0..3, |n| n).await;
        let is_cured = Arc::new(AtomicBool::new(false));
        let script = script({
            let is_cured = Arc::clone(&is_cured);
            move |event, _| match event.n {
                1 if !is_cured.load(Ordering::SeqCst) => {
                    Err(Error::invalid_argument("a defect").permanent())
                }
                _ => Ok(()),
            }
        });
        stage.consume(&group, &script).await;
        let letters = stage.letters("g").await;
        assert_eq!(letters.len(), 1, "{group:?}");
        is_cured.store(true, Ordering::SeqCst);
        // Of 0 the effect is made: it comes again, and is known.
        let known = Stage::record(&Counted { n: 0, lane: 0 });
        stage
            .append("counts.g.retry", vec![letters[0].clone()])
            .await;
        if !format!("{group:?}").contains("batch: Some") {
            stage.append("counts.g.retry", vec![known]).await;
        }
        stage.consume(&group, &script).await;
        let mut effects = stage.numbers().await;
        effects.sort_unstable();
        assert_eq!(effects, [0, 1, 2], "{group:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_fails_for_too_long_expires() {
    let stage = Stage::new(1).await;
    stage.publish(0..1, |n| n).await;
    let group = Group::new("g")
        .attempts(1000)
        .give_up_after(Duration::from_secs(600));
    let script = script(|_, _| Err(Error::unavailable("not now").into()));
    stage.consume(&group, &script).await;
    let letters = stage.letters("g").await;
    assert_eq!(letters[0].headers.get("dlq-class"), Some("expired"));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_kills_its_process_is_given_up_and_its_neighbours_are_not() {
    let mut stage = Stage::new(1).await;
    stage.publish(0..5, |_| 0).await;
    let deaths = Arc::new(AtomicU32::new(0));
    for _ in 0..10 {
        let is_dying = Arc::new(tokio::sync::Notify::new());
        let worker = Worker({
            let (deaths, is_dying) = (Arc::clone(&deaths), Arc::clone(&is_dying));
            move |n, _| {
                let (deaths, is_dying) = (Arc::clone(&deaths), Arc::clone(&is_dying));
                async move {
                    if n == 2 {
                        deaths.fetch_add(1, Ordering::SeqCst);
                        is_dying.notify_one();
                        std::future::pending::<()>().await;
                    }
                    Ok(())
                }
            }
        });
        let group = Group::new("g");
        let consumer = Consumer::working(&stage.setup(), group, worker).unwrap();
        tokio::select! {
            biased;
            () = is_dying.notified() => {}
            () = consumer.run(stage.settled("g")) => break,
        }
        stage.die().await;
    }
    let letters = stage.letters("g").await;
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (&*letters[0].id, letters[0].headers.get("dlq-class")),
        ("2", Some("crash-loop"))
    );
    assert!(deaths.load(Ordering::SeqCst) > 3);
    assert_eq!(
        stage
            .engine()
            .inspect(&cx(), Counted::TOPIC, Some("g"))
            .await
            .unwrap()
            .groups[0]
            .partitions
            .iter()
            .map(|part| part.lag)
            .sum::<u64>(),
        0
    );
}
