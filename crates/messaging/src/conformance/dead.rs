//! Dead letters: found, looked at, mended, sent again to nobody else.

use super::stage::{PATIENCE, Reader, Stage, TOPIC, number, numbers, record, subscription};
use crate::dead::{
    Class, Ended, Filter, Id, Letters, Listed, Page, Redrive, Report, Status, header, queue_of,
    retry_of,
};
use crate::engine::{Delivery, Outgoing, Settle, Subscription, TopicSpec};
use crate::{Error, Record};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::time::Instant;

fn letters(stage: &Stage) -> Letters {
    Letters::of(stage.engine()).expect("an index")
}

/// A record as it is buried for a group.
fn buried(record: Record, group: &str, class: Class) -> Record {
    record
        .with_header(header::CLASS, class.name())
        .with_header(header::TOPIC, TOPIC)
        .with_header(header::GROUP, group)
}

/// A topic of so many partitions and a topic for the letters of each of these groups, which there
/// are.
async fn prepare(stage: &Stage, partitions: u32, groups: &[&str]) {
    stage.topic(partitions).await;
    for group in groups {
        let queue = TopicSpec::new(queue_of(TOPIC, group), 2);
        stage.ensure(&queue).await.expect("a topic");
        stage.reader(group).await.close().await;
    }
}

/// Publishes messages that the group buries, all of this class.
async fn bury(stage: &Stage, group: &str, ids: std::ops::Range<u64>, class: Class) {
    let count = usize::try_from(ids.end - ids.start).expect("few");
    stage.publish(ids).await;
    let mut reader = stage.reader(group).await;
    let mut left = count;
    while left > 0 {
        let some = reader.some(left).await;
        left -= some.len();
        bury_these(&mut reader, &some, group, class).await;
    }
    reader.close().await;
}

async fn bury_these(reader: &mut Reader, some: &[Delivery], group: &str, class: Class) {
    let dead = some.iter().map(|delivery| {
        let letter = buried(delivery.record.clone(), group, class);
        let letter = Outgoing::new(queue_of(TOPIC, group), letter);
        (delivery.token, Settle::Dead(Box::new(letter)))
    });
    let stale = reader.source.settle(dead.collect()).await;
    assert_eq!(stale.expect("settled"), []);
}

async fn list(stage: &Stage, filter: &Filter) -> Listed {
    let (index, cx) = (letters(stage), stage.cx());
    let listed = index.list(&cx, filter, &Page::first(1000)).await;
    listed.expect("a list")
}

async fn ids(stage: &Stage, filter: &Filter) -> Vec<Id> {
    let entries = list(stage, filter).await.entries.into_iter();
    entries.map(|entry| entry.id).collect()
}

fn on(_: &Report) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

async fn redrive(stage: &Stage, filter: Filter, options: &Redrive) -> Report {
    let report = letters(stage)
        .redrive(&stage.cx(), filter, options, on)
        .await;
    report.expect("a report")
}

async fn retry_reader(stage: &Stage, group: &str) -> Reader {
    let retry = Subscription {
        topic: retry_of(TOPIC, group),
        ..subscription(group)
    };
    stage.attach(&retry).await
}

/// What a group is sent again, each once.
async fn sent_again(stage: &Stage, group: &str, count: usize) -> Vec<Record> {
    let mut reader = retry_reader(stage, group).await;
    let came = reader.finish(count).await;
    reader.nothing().await;
    let seen: BTreeSet<&str> = came.iter().map(|delivery| &*delivery.record.id).collect();
    assert_eq!(seen.len(), count, "each letter is sent once");
    reader.close().await;
    came.into_iter().map(|delivery| delivery.record).collect()
}

pub(super) async fn a_letter_is_in_the_index_as_soon_as_its_message_is_settled(mut stage: Stage) {
    prepare(&stage, 2, &["g"]).await;
    bury(&stage, "g", 0..20, Class::Exhausted).await;
    stage.die().await;
    let listed = list(&stage, &Filter::default()).await;
    assert_eq!(listed.entries.len(), 20);
    let first = &listed.entries[0];
    assert_eq!((&*first.topic, &*first.group), (TOPIC, "g"));
    assert_eq!(
        (first.class, first.status),
        (Class::Exhausted, Status::Waiting)
    );
    assert_eq!(first.key.as_deref(), Some(&*first.message));
    let groups = letters(&stage).groups(&stage.cx()).await.expect("groups");
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].queue, queue_of(TOPIC, "g"));
    assert_eq!(groups[0].waiting.get(&Class::Exhausted), Some(&20));
    assert_eq!(groups[0].oldest, Some(first.at));
}

pub(super) async fn letters_are_found_by_group_class_time_key_and_status(stage: Stage) {
    prepare(&stage, 1, &["a", "b"]).await;
    let began = stage.now();
    bury(&stage, "a", 0..3, Class::Permanent).await;
    let mut reader = stage.reader("b").await;
    let some = reader.take(3).await;
    bury_these(&mut reader, &some, "b", Class::Panic).await;
    reader.close().await;
    stage.set_on(Duration::from_secs(60));
    let later = stage.now();
    stage.set_on(Duration::from_secs(60));
    stage.publish(3..5).await;
    for (group, class) in [("a", Class::Panic), ("b", Class::Panic)] {
        let mut reader = stage.reader(group).await;
        let some = reader.take(2).await;
        bury_these(&mut reader, &some, group, class).await;
        reader.close().await;
    }
    let only = |filter: Filter| {
        let stage = &stage;
        async move {
            let count = letters(stage)
                .count(&stage.cx(), &filter)
                .await
                .expect("a number");
            let found = list(stage, &filter).await.entries;
            assert_eq!(found.len() as u64, count, "{filter:?}");
            let key = |entry: &crate::dead::Entry| format!("{}{}", entry.group, entry.message);
            found.iter().map(key).collect::<BTreeSet<_>>()
        }
    };
    let keys = |keys: &[&str]| {
        keys.iter()
            .map(|key| (*key).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let all = Filter::default;
    assert_eq!(only(all()).await.len(), 10);
    let of_a = keys(&["a0", "a1", "a2", "a3", "a4"]);
    assert_eq!(only(Filter::of_group("a")).await, of_a);
    assert_eq!(
        only(Filter::of_group("a").of_class(Class::Panic)).await,
        keys(&["a3", "a4"])
    );
    let panics = only(all().of_class(Class::Panic)).await;
    assert_eq!(panics, keys(&["a3", "a4", "b0", "b1", "b2", "b3", "b4"]));
    let topic = |topic: &str| Filter {
        topic: Some(topic.into()),
        ..all()
    };
    assert_eq!(only(topic(TOPIC)).await.len(), 10);
    assert_eq!(only(topic("other")).await.len(), 0);
    assert_eq!(only(Filter::of_group("none")).await.len(), 0);
    let since = Filter {
        since: Some(later),
        ..all()
    };
    assert_eq!(only(since).await, keys(&["a3", "a4", "b3", "b4"]));
    let until = Filter {
        until: Some(later),
        ..Filter::of_group("b")
    };
    assert_eq!(only(until).await, keys(&["b0", "b1", "b2"]));
    let never = Filter {
        until: Some(began),
        ..all()
    };
    assert_eq!(only(never).await.len(), 0);
    let of_key = Filter {
        key: Some("2".into()),
        ..all()
    };
    assert_eq!(only(of_key.clone()).await, keys(&["a2", "b2"]));
    assert_eq!(only(of_key.of_class(Class::Panic)).await, keys(&["b2"]));
    redrive(
        &stage,
        Filter::of_group("a").of_class(Class::Panic),
        &Redrive::default(),
    )
    .await;
    let status = |status| Filter {
        status: Some(status),
        ..all()
    };
    assert_eq!(only(status(Status::Redriven)).await, keys(&["a3", "a4"]));
    assert_eq!(only(status(Status::Waiting)).await.len(), 8);
    assert_eq!(only(Filter::of_group("a")).await, of_a);
    assert_eq!(
        only(status(Status::Redriven).of_class(Class::Permanent))
            .await
            .len(),
        0
    );
}

pub(super) async fn pages_hold_every_letter_once(stage: Stage) {
    prepare(&stage, 2, &["a", "b"]).await;
    // Many of one commit have the same time.
    bury(&stage, "a", 0..23, Class::Permanent).await;
    let mut reader = stage.reader("b").await;
    let some = reader.take(23).await;
    bury_these(&mut reader, &some, "b", Class::Expired).await;
    reader.close().await;
    redrive(
        &stage,
        Filter::of_group("a"),
        &Redrive {
            limit: Some(5),
            ..Redrive::default()
        },
    )
    .await;
    for (filter, count) in [
        (Filter::default(), 46),
        (Filter::of_group("a"), 23),
        (Filter::default().of_class(Class::Expired), 23),
    ] {
        for size in [1, 7, 23, 46, 100] {
            let (mut page, mut seen) = (Some(Page::first(size)), Vec::new());
            while let Some(asked) = page {
                let listed = letters(&stage).list(&stage.cx(), &filter, &asked).await;
                let listed = listed.expect("a page");
                assert!(listed.entries.len() <= size as usize);
                page = asked.after(&listed);
                seen.extend(listed.entries);
            }
            assert_eq!(seen.len(), count, "{filter:?} by {size}");
            assert!(seen.is_sorted_by_key(|entry| entry.at));
            let ids: BTreeSet<Id> = seen.into_iter().map(|entry| entry.id).collect();
            assert_eq!(ids.len(), count, "{filter:?} by {size}");
        }
    }
    for size in [0, Page::MOST + 1] {
        let page = Page::first(size);
        let refused = letters(&stage)
            .list(&stage.cx(), &Filter::default(), &page)
            .await;
        let text = refused.expect_err("it is refused").to_string();
        assert!(
            text.starts_with("page.size") && text.contains(&size.to_string()),
            "{text}"
        );
    }
}

pub(super) async fn a_letter_shows_what_it_is_and_how_it_failed(stage: Stage) {
    prepare(&stage, 1, &["g"]).await;
    let letter = buried(record(7), "g", Class::Exhausted)
        .with_header("traceparent", "00-7")
        .with_header(header::PARTITION, "0")
        .with_header(header::OFFSET, "41")
        .with_header(header::SERVICE, "billing 1.2 a7")
        .with_header(header::TRIES, "3")
        .with_header(header::REDRIVES, "2")
        .with_header(
            header::ERRORS,
            r#"[{"at":5,"class":"transient","code":"unavailable","message":"first"},{"at":9,"class":"transient","code":"internal","message":"last"}]"#,
        );
    let outgoing = Outgoing::new(queue_of(TOPIC, "g"), letter.clone());
    stage.append(vec![outgoing]).await.expect("published");
    let entry = list(&stage, &Filter::default()).await.entries.remove(0);
    assert_eq!((&*entry.error, entry.redrives), ("last", 2));
    let shown = letters(&stage).show(&stage.cx(), &entry.id).await;
    let shown = shown.expect("a letter");
    assert_eq!((&shown.entry, &shown.record), (&entry, &letter));
    assert_eq!(shown.failures.len(), 2);
    assert_eq!((&*shown.failures[1].code, shown.tries), ("internal", 3));
    assert_eq!((&*shown.service, shown.redrives()), ("billing 1.2 a7", 2));
    let view = shown.view();
    assert_eq!((&view["id"], &view["queue"]), (&"7".into(), &TOPIC.into()));
    assert_eq!(
        (&view["payload"], &view["error"][0]["message"]),
        (&7.into(), &"first".into())
    );
}

pub(super) async fn a_letter_published_by_hand_is_unknown(stage: Stage) {
    prepare(&stage, 1, &["g"]).await;
    let by_hand = [
        Record::bare("a", "somebody", vec![0xff]),
        record(1).with_header(header::CLASS, "no such class"),
        // One who would have it sent to others is not believed.
        buried(record(2), "others", Class::Permanent),
        record(3)
            .with_key("nul\0in it")
            .with_header(header::ERRORS, "{\0"),
    ];
    let by_hand = by_hand.map(|record| Outgoing::new(queue_of(TOPIC, "g"), record));
    stage.append(by_hand.to_vec()).await.expect("published");
    let listed = list(&stage, &Filter::of_group("g")).await.entries;
    assert_eq!(listed.len(), 4);
    for entry in &listed {
        assert_eq!(
            (entry.class, &*entry.topic),
            (Class::Unknown, TOPIC),
            "{entry:?}"
        );
    }
    let report = redrive(&stage, Filter::default(), &Redrive::default()).await;
    assert_eq!(report.moved, 4);
    sent_again(&stage, "g", 4).await;
}

pub(super) async fn redriven_letters_reach_only_their_group(stage: Stage) {
    prepare(&stage, 2, &["g", "other"]).await;
    bury(&stage, "g", 0..9, Class::Permanent).await;
    let mut other = stage.reader("other").await;
    other.finish(9).await;
    let report = redrive(&stage, Filter::of_group("g"), &Redrive::default()).await;
    assert_eq!((report.matching, report.moved, report.passed), (9, 9, 0));
    let heads: Vec<u64> = vec![stage.head(0).await, stage.head(1).await];
    assert_eq!(
        heads.iter().sum::<u64>(),
        9,
        "a redrive must not publish to the source topic again"
    );
    other.nothing().await;
    for again in sent_again(&stage, "g", 9).await {
        let id: u64 = again.id.parse().expect("a number");
        assert_eq!(again, record(id).with_header(header::REDRIVES, "1"));
    }
}

pub(super) async fn a_letter_that_dies_again_knows_how_often_it_was_sent(stage: Stage) {
    prepare(&stage, 1, &["g"]).await;
    bury(&stage, "g", 0..1, Class::Permanent).await;
    for sent in 1..=3 {
        redrive(&stage, Filter::of_group("g"), &Redrive::default()).await;
        let mut reader = retry_reader(&stage, "g").await;
        let taken = reader.take(1).await;
        let count = taken[0].record.headers.get(header::REDRIVES);
        assert_eq!(count, Some(&*sent.to_string()));
        bury_these(&mut reader, &taken, "g", Class::Exhausted).await;
        reader.close().await;
        let waiting = Filter {
            status: Some(Status::Waiting),
            ..Filter::default()
        };
        let listed = list(&stage, &waiting).await.entries;
        assert_eq!((listed.len(), listed[0].redrives), (1, sent));
    }
    let redriven = Filter {
        status: Some(Status::Redriven),
        ..Filter::default()
    };
    assert_eq!(list(&stage, &redriven).await.entries.len(), 3);
}

pub(super) async fn a_dry_run_counts_exactly_and_changes_nothing(stage: Stage) {
    prepare(&stage, 1, &["g"]).await;
    bury(&stage, "g", 0..30, Class::Permanent).await;
    let before = list(&stage, &Filter::default()).await;
    let report = redrive(&stage, Filter::of_group("g"), &Redrive::dry_run()).await;
    assert_eq!((report.matching, report.moved), (30, 0));
    assert_eq!(report.sample, before.entries[..10]);
    let purged = letters(&stage)
        .purge(&stage.cx(), Filter::of_group("g"), true)
        .await;
    assert_eq!(purged.expect("a report").matching, 30);
    assert_eq!(list(&stage, &Filter::default()).await, before);
    let retry = stage
        .engine()
        .inspect(&stage.cx(), &retry_of(TOPIC, "g"), None)
        .await;
    assert!(
        matches!(retry, Err(Error::UnknownTopic { .. })),
        "{retry:?}"
    );
}

pub(super) async fn an_edited_letter_is_sent_as_it_was_edited(mut stage: Stage) {
    prepare(&stage, 1, &["g"]).await;
    bury(&stage, "g", 0..2, Class::Undecodable).await;
    let mut named = list(&stage, &Filter::default()).await.entries;
    named.sort_by(|one, other| one.message.cmp(&other.message));
    let named: Vec<Id> = named.into_iter().map(|entry| entry.id).collect();
    let edit = async |stage: &Stage, payload: Vec<u8>| {
        letters(stage).edit(&stage.cx(), &named[0], payload).await
    };
    edit(&stage, b"once".to_vec()).await.expect("edited");
    edit(&stage, b"twice".to_vec()).await.expect("edited");
    let refused = edit(&stage, vec![0; crate::record::MAX_PAYLOAD + 1]).await;
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
    stage.die().await;
    let shown = letters(&stage)
        .show(&stage.cx(), &named[0])
        .await
        .expect("a letter");
    assert_eq!(
        (&shown.record.payload[..], &shown.payload()[..]),
        (&b"0"[..], &b"twice"[..])
    );
    assert_eq!(shown.edits.len(), 2);
    assert!(shown.edits[0].at <= shown.edits[1].at);
    assert_eq!(
        shown.edits[1].by,
        stage.cx().principal().subject().unwrap_or_default()
    );
    redrive(&stage, Filter::default(), &Redrive::default()).await;
    let again = sent_again(&stage, "g", 2).await;
    let payloads: BTreeSet<&[u8]> = again.iter().map(|record| &record.payload[..]).collect();
    assert_eq!(payloads, BTreeSet::from([&b"1"[..], &b"twice"[..]]));
    let late = edit(&stage, b"late".to_vec()).await;
    let text = late.expect_err("it is refused").to_string();
    assert!(text.contains(&named[0].to_string()), "{text}");
}

pub(super) async fn a_redrive_goes_on_where_it_was_stopped(mut stage: Stage) {
    prepare(&stage, 1, &["g"]).await;
    bury(&stage, "g", 0..40, Class::Permanent).await;
    let slow = Redrive {
        per_second: Some(40),
        ..Redrive::default()
    };
    let mut heard = Vec::new();
    let stopped = letters(&stage)
        .redrive(&stage.cx(), Filter::of_group("g"), &slow, |report| {
            heard.push(report.moved);
            match report.moved {
                ..20 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        })
        .await;
    let stopped = stopped.expect("a report");
    assert_eq!((stopped.moved, stopped.ended), (20, Ended::Stopped));
    assert_eq!(heard, [10, 20]);
    stage.die().await;
    let limited = Redrive {
        limit: Some(5),
        ..Redrive::default()
    };
    let report = redrive(&stage, Filter::of_group("g"), &limited).await;
    assert_eq!((report.moved, report.ended), (5, Ended::Limit));
    // By name: those that were sent already are passed over.
    let all = ids(&stage, &Filter::default()).await;
    let mut twice = all.clone();
    twice.extend(all);
    let by_name = letters(&stage)
        .redrive(&stage.cx(), twice, &Redrive::default(), on)
        .await;
    let by_name = by_name.expect("a report");
    assert_eq!(
        (by_name.moved, by_name.passed, by_name.ended),
        (15, 25, Ended::Done)
    );
    sent_again(&stage, "g", 40).await;
}

pub(super) async fn a_redrive_ends_although_letters_die_again(stage: Stage) {
    prepare(&stage, 1, &["g"]).await;
    bury(&stage, "g", 0..6, Class::Permanent).await;
    let slow = Redrive {
        per_second: Some(8),
        ..Redrive::default()
    };
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let (letters, cx) = (letters(&stage), stage.cx());
    let redriving = letters.redrive(&cx, Filter::of_group("g"), &slow, |report| {
        heard.send(report.moved).expect("it is heard");
        ControlFlow::Continue(())
    });
    let dying = async {
        let mut died = 0;
        while died < 6 {
            hears.recv().await.expect("progress");
            let mut reader = retry_reader(&stage, "g").await;
            let some = reader.some(10).await;
            died += some.len();
            bury_these(&mut reader, &some, "g", Class::Permanent).await;
            reader.close().await;
        }
    };
    let (report, ()) = tokio::join!(redriving, dying);
    assert_eq!(report.expect("a report").moved, 6);
    let groups = letters.groups(&cx).await.expect("groups");
    assert_eq!(groups[0].waiting.get(&Class::Permanent), Some(&6));
    assert_eq!(groups[0].redriven.get(&Class::Permanent), Some(&6));
}

pub(super) async fn a_redrive_keeps_to_its_rate(stage: Stage) {
    prepare(&stage, 1, &["g"]).await;
    bury(&stage, "g", 0..30, Class::Permanent).await;
    let began = Instant::now();
    let slow = Redrive {
        per_second: Some(40),
        ..Redrive::default()
    };
    redrive(&stage, Filter::of_group("g"), &slow).await;
    // The first slice begins at once.
    assert!(Instant::now() - began >= Duration::from_millis(500));
    for (options, field) in [
        (
            Redrive {
                per_second: Some(0),
                ..Redrive::default()
            },
            "per_second",
        ),
        (
            Redrive {
                limit: Some(0),
                ..Redrive::default()
            },
            "limit",
        ),
    ] {
        let refused = letters(&stage)
            .redrive(&stage.cx(), Filter::default(), &options, on)
            .await;
        let text = refused.expect_err("it is refused").to_string();
        assert!(text.starts_with(field), "{text}");
    }
}

pub(super) async fn a_letter_whose_group_is_gone_is_refused_by_name(stage: Stage) {
    prepare(&stage, 1, &["g", "h"]).await;
    bury(&stage, "g", 0..3, Class::Permanent).await;
    stage
        .engine()
        .forget(&stage.cx(), TOPIC, "g")
        .await
        .expect("forgotten");
    let gone = ids(&stage, &Filter::default()).await.remove(0);
    let options = Redrive::default();
    let refused = letters(&stage)
        .redrive(&stage.cx(), Filter::default(), &options, on)
        .await;
    let text = refused.expect_err("it is refused").to_string();
    for part in [&*gone.to_string(), "\"g\"", TOPIC] {
        assert!(text.contains(part), "{text}");
    }
    let waiting = Filter {
        status: Some(Status::Waiting),
        ..Filter::default()
    };
    assert_eq!(list(&stage, &waiting).await.entries.len(), 3);
    stage.reader("g").await.close().await;
    redrive(&stage, Filter::default(), &Redrive::default()).await;
    sent_again(&stage, "g", 3).await;
}

pub(super) async fn a_letter_that_is_not_there_is_named(stage: Stage) {
    prepare(&stage, 1, &["g"]).await;
    bury(&stage, "g", 0..1, Class::Permanent).await;
    let mut named = ids(&stage, &Filter::default()).await;
    let missing: Id = "events.g.dlq/0/99".parse().expect("a name");
    let (index, cx) = (letters(&stage), stage.cx());
    let shown = index
        .show(&cx, &missing)
        .await
        .expect_err("it is not there");
    let edited = index
        .edit(&cx, &missing, "{}")
        .await
        .expect_err("it is not there");
    named.push(missing.clone());
    let options = Redrive::default();
    let sent = index.redrive(&cx, named.clone(), &options, on).await;
    let purged = index.purge(&cx, named, false).await;
    for error in [
        shown,
        edited,
        sent.expect_err("refused"),
        purged.expect_err("refused"),
    ] {
        assert!(error.to_string().contains(&missing.to_string()), "{error}");
        assert_eq!(error.code(), backlot_core::Code::NotFound);
    }
    let waiting = Filter {
        status: Some(Status::Waiting),
        ..Filter::default()
    };
    assert_eq!(
        list(&stage, &waiting).await.entries.len(),
        1,
        "nothing happened"
    );
}

pub(super) async fn purged_letters_are_not_found(mut stage: Stage) {
    prepare(&stage, 1, &["g"]).await;
    bury(&stage, "g", 0..10, Class::Permanent).await;
    bury(&stage, "g", 10..12, Class::Panic).await;
    let panics = Filter::of_group("g").of_class(Class::Panic);
    let report = letters(&stage)
        .purge(&stage.cx(), panics.clone(), false)
        .await;
    let report = report.expect("a report");
    assert_eq!((report.matching, report.moved), (2, 2));
    let some = ids(&stage, &Filter::default()).await;
    let report = letters(&stage)
        .purge(&stage.cx(), some[..3].to_vec(), false)
        .await;
    assert_eq!(report.expect("a report").moved, 3);
    stage.die().await;
    assert_eq!(ids(&stage, &Filter::default()).await, some[3..]);
    let shown = letters(&stage).show(&stage.cx(), &some[0]).await;
    assert!(matches!(shown, Err(Error::NoLetter { .. })), "{shown:?}");
    let groups = letters(&stage).groups(&stage.cx()).await.expect("groups");
    assert_eq!(
        groups[0].waiting.clone().into_iter().collect::<Vec<_>>(),
        [(Class::Permanent, 7)]
    );
    redrive(&stage, Filter::default(), &Redrive::default()).await;
    sent_again(&stage, "g", 7).await;
}

pub(super) async fn letters_too_old_are_not_found(stage: Stage) {
    stage.topic(1).await;
    let mut queue = TopicSpec::new(queue_of(TOPIC, "g"), 1);
    queue.retention = Some(Duration::from_secs(60));
    stage.ensure(&queue).await.expect("a topic");
    bury(&stage, "g", 0..5, Class::Permanent).await;
    stage.set_on(Duration::from_secs(30));
    bury(&stage, "g", 5..7, Class::Permanent).await;
    stage.set_on(Duration::from_secs(45));
    let gone = async {
        while list(&stage, &Filter::default()).await.entries.len() != 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .expect("the old ones go");
    let count = letters(&stage).count(&stage.cx(), &Filter::default()).await;
    assert_eq!(count.expect("a number"), 2);
    redrive(&stage, Filter::default(), &Redrive::default()).await;
    let mut again: Vec<u64> = Vec::new();
    let mut reader = retry_reader(&stage, "g").await;
    let came = reader.finish(2).await;
    again.extend(came.iter().map(number));
    assert_eq!((again, numbers(&came)), (vec![5, 6], vec![5, 6]));
}
