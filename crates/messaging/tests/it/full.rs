//! A disk that is full, and then is not: what was acknowledged is there, and the engine goes on.

use crate::stage::{Stage, TOPIC, cx, done, ids, messages, out};
use backlot_core::{Clock, Context, Dice};
use backlot_messaging::embedded::{MIGRATIONS, Options};
use backlot_messaging::engine::Engine;
use backlot_storage::{Sql, Store, params, sql, sqlite};
use std::collections::BTreeSet;

const ROOM: Sql = sql!("PRAGMA max_page_count = 120");
const MORE_ROOM: Sql = sql!("PRAGMA max_page_count = 100000");

async fn set(store: &Store, sql: Sql) {
    let setting = store.write(&Context::background(), move |tx| {
        Box::pin(async move { tx.query(sql, params![]).await })
    });
    setting.await.unwrap();
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broker.db");
    let options = sqlite::Options::default();
    let store = sqlite::open(path, options, MIGRATIONS, Clock::real()).unwrap();
    let stage = Stage::over(store.clone(), Options::default()).await;
    set(&store, ROOM).await;
    let large = |id: u64| {
        let mut message = out(id);
        // What the log cannot make smaller.
        let mut noise = vec![0; 20_000];
        Dice::seeded(id).fill(&mut noise);
        message.record.payload = noise.into();
        message
    };
    let (mut acknowledged, mut refused) = (BTreeSet::new(), 0);
    for id in 0..40 {
        match stage.engine.append(&cx(), vec![large(id)]).await {
            Ok(_) => {
                acknowledged.insert(id);
            }
            Err(_) => refused += 1,
        }
    }
    assert!(
        refused > 0 && !acknowledged.is_empty(),
        "the disk was full on the way"
    );
    set(&store, MORE_ROOM).await;
    stage.publish(vec![large(100)]).await.unwrap();
    acknowledged.insert(100);
    let mut reader = stage.reader("g").await;
    let mut came = BTreeSet::new();
    while !came.contains(&100) {
        let some = messages(&mut *reader).await;
        reader.settle(done(&some)).await.unwrap();
        came.extend(ids(&some));
    }
    assert!(came.is_superset(&acknowledged), "{came:?} {acknowledged:?}");
    reader.close().await.unwrap();
    let report = stage.engine.inspect(&cx(), TOPIC, None).await.unwrap();
    assert_eq!(
        report.partitions[0].head,
        came.len() as u64,
        "offsets have no holes"
    );
    stage.engine.close().await.unwrap();
}
