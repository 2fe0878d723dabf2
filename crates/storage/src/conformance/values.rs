//! What goes in comes out.

use super::{INSERT, Stage, code, owned};
use crate::{Param, Row, Sql, Value, params, sql};
use backlot_core::{Code, Error};

const PUT: Sql = sql!("INSERT INTO kind (id, t, r, b, n) VALUES (?, ?, ?, ?, ?)");

async fn rows<const N: usize>(stage: &Stage, sql: Sql, values: [Value; N]) -> Vec<Row> {
    let read = stage.store.read(&stage.cx(), move |tx| {
        let values = values.clone();
        Box::pin(async move {
            let params: Vec<Param<'_>> = values.iter().map(Param::from).collect();
            Ok::<_, Error>(tx.query(sql, params).await?)
        })
    });
    read.await.expect("a read succeeds")
}

pub(super) async fn text_of_every_kind_comes_back_and_is_told_apart_by_bytes(stage: Stage) {
    const ALL: Sql = sql!("SELECT name FROM counter ORDER BY name");
    const BETWEEN: Sql =
        sql!("SELECT name FROM counter WHERE name >= ? AND name < ? ORDER BY name");
    // In the order of their bytes.
    let names = [
        "",
        "\u{1}\t\r\n",
        " a",
        "'\"`;--?$1\\",
        "A",
        "B",
        "a",
        "a ",
        "ab",
        "b",
        "e\u{301}",
        "\u{e9}",
        "\u{5d0}\u{5d1}",
        "\u{1a0}",
        "\u{6620}\u{753b}",
        "\u{1F3AC}",
    ];
    let mut names = names.to_vec();
    names.sort_unstable();
    for (value, name) in names.iter().enumerate().rev() {
        let done = stage.insert(name, value as i64).await;
        assert_eq!(done.ok(), Some(1), "{name:?} is none of the others");
    }
    for (value, name) in names.iter().enumerate() {
        assert_eq!(stage.value(name).await, Some(value as i64), "{name:?}");
    }
    let texts =
        |rows: Vec<Row>| -> Vec<String> { rows.iter().filter_map(|row| row.get(0).ok()).collect() };
    assert_eq!(texts(rows(&stage, ALL, []).await), names);
    let some = rows(&stage, BETWEEN, params!["B", "b"].map(owned)).await;
    assert_eq!(texts(some), ["B", "a", "a ", "ab"]);
}

pub(super) async fn what_no_database_keeps_is_the_callers_fault(stage: Stage) {
    let text = stage
        .change(PUT, params![1, "a\0b", 0.5, b"", 1].map(owned))
        .await;
    let real = stage
        .change(PUT, params![1, "", f64::NAN, b"", 1].map(owned))
        .await;
    for (refused, word) in [(text, "U+0000"), (real, "finite")] {
        assert_eq!(code(&refused), Some(Code::InvalidArgument));
        let said = refused.map_err(|error| error.message().to_owned());
        assert!(
            said.as_ref().is_err_and(|said| said.contains(word)),
            "{said:?}"
        );
    }
    let bytes = stage
        .change(PUT, params![1, "", 0.5, b"a\0b", 1].map(owned))
        .await;
    assert_eq!(bytes.ok(), Some(1), "bytes may be anything");
}

pub(super) async fn the_ends_of_numbers_come_back(stage: Stage) {
    const GET: Sql = sql!("SELECT r, n FROM kind ORDER BY id");
    let reals = [0.1, f64::MAX, f64::MIN_POSITIVE, -1e-300, 1.0 / 3.0];
    let numbers = [i64::MIN, i64::MAX, 0, -1, 1_i64 << 53];
    for (id, (real, number)) in reals.into_iter().zip(numbers).enumerate() {
        let row = params![id as i64, "", real, b"", number].map(owned);
        stage.change(PUT, row).await.expect("an insert commits");
    }
    let read = rows(&stage, GET, []).await;
    for (row, (real, number)) in read.iter().zip(reals.into_iter().zip(numbers)) {
        assert_eq!(row.get::<f64>(0).ok(), Some(real));
        assert_eq!(row.get::<i64>(1).ok(), Some(number));
    }
    assert_eq!(read.len(), 5);
}

pub(super) async fn large_and_empty_bytes_come_back(stage: Stage) {
    const GET: Sql = sql!("SELECT t, b FROM kind ORDER BY id");
    let bytes: Vec<u8> = (0..4_u32 << 20).map(|at| (at % 251) as u8).collect();
    let text = "\u{e9}".repeat(1 << 20);
    let large = [
        Value::Int(1),
        Value::Text(text.clone()),
        Value::Null,
        Value::Blob(bytes.clone()),
        Value::Null,
    ];
    stage.change(PUT, large).await.expect("an insert commits");
    let empty = params![2, "", 0.0, b"", None::<i64>].map(owned);
    stage.change(PUT, empty).await.expect("an insert commits");
    let read = rows(&stage, GET, []).await;
    assert!(read[0].get::<&str>(0).ok() == Some(&text));
    assert!(read[0].get::<&[u8]>(1).ok() == Some(&bytes));
    assert_eq!(read[1].get::<&str>(0).ok(), Some(""));
    assert_eq!(read[1].get::<&[u8]>(1).ok(), Some(&b""[..]));
}

/// A statement may be prepared for the kinds of its first parameters.
pub(super) async fn null_and_numbers_take_turns_at_one_place(stage: Stage) {
    const GET: Sql = sql!("SELECT t, r, b, n FROM kind ORDER BY id");
    for id in 0..6 {
        let row = match id % 3 {
            0 => params![id, None::<&str>, None::<f64>, None::<i64>, None::<i64>].map(owned),
            1 => params![id, "text", 0.5, b"bytes", 7].map(owned),
            _ => params![id, "text", 2, b"bytes", None::<i64>].map(owned),
        };
        stage.change(PUT, row).await.expect("an insert commits");
    }
    let read = rows(&stage, GET, []).await;
    assert!(read[0].values().iter().all(|value| *value == Value::Null));
    for index in [1, 4] {
        assert_eq!(read[index].get::<f64>(1).ok(), Some(0.5));
        assert_eq!(read[index].get::<i64>(3).ok(), Some(7));
    }
    assert_eq!(read[2].get::<f64>(1).ok(), Some(2.0));
}

pub(super) async fn ten_thousand_rows_come_back(stage: Stage) {
    const ALL: Sql = sql!("SELECT id FROM kind ORDER BY id");
    let wrote: Result<(), Error> = stage
        .store
        .write(&stage.cx(), |tx| {
            Box::pin(async move {
                for id in 0..10_000 {
                    tx.execute(PUT, params![id, "text", 0.5, b"bytes", id])
                        .await?;
                }
                Ok(())
            })
        })
        .await;
    wrote.expect("the write commits");
    let read = rows(&stage, ALL, []).await;
    let ids = read.iter().filter_map(|row| row.get::<i64>(0).ok());
    assert!(ids.eq(0..10_000));
}

pub(super) async fn a_sum_is_a_whole_number(stage: Stage) {
    const SUM: Sql = sql!("SELECT SUM(value), COUNT(*), MAX(value) FROM counter");
    let none = rows(&stage, SUM, []).await;
    assert_eq!(none[0].get::<Option<i64>>(0).ok(), Some(None));
    for (name, value) in [("a", 1_i64 << 40), ("b", 2), ("c", 70_000)] {
        let row = params![name, value].map(owned);
        stage.change(INSERT, row).await.expect("an insert commits");
    }
    let some = rows(&stage, SUM, []).await;
    assert_eq!(some[0].get::<i64>(0).ok(), Some((1_i64 << 40) + 70_002));
    assert_eq!(some[0].get::<i64>(1).ok(), Some(3));
    assert_eq!(some[0].get::<i64>(2).ok(), Some(1_i64 << 40));
}
