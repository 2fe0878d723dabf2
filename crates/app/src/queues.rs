//! `queues`: what workers have out, and who waits for more.

use crate::cli::{Options, Product};
use crate::out;
use crate::reach::{self, Reached, Refused, Way};
use crate::table::{ago, table, time};
use backlot_core::Timestamp;
use backlot_messaging::Error;
use backlot_messaging::pull::{Out, QueueReport};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// What `queues` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Only the queues of this topic
    topic: Option<String>,
    /// Say which message is with whom, until when
    #[arg(long)]
    leases: bool,
    #[command(flatten)]
    way: Way,
}

/// Prints every queue that workers pulled from lately.
#[must_use]
pub fn run(arguments: &Arguments, product: &Product, options: &Options) -> ExitCode {
    let arguments = arguments.clone();
    reach::run(&arguments.way.clone(), product, options, move |reached| {
        Box::pin(async move { queues(&arguments, reached).await })
    })
}

async fn queues(arguments: &Arguments, reached: &Reached) -> Result<ExitCode, Refused> {
    let engine = reached.engine();
    let queues = engine.queues().ok_or_else(|| Error::Lacking {
        engine: engine.caps().name,
        promise: "queues".to_owned(),
        cure: "ask a broker that runs",
    })?;
    let mut queues = queues.queues(&reached.cx()).await?;
    if let Some(topic) = &arguments.topic {
        queues.retain(|queue| queue.topic == *topic);
    }
    if arguments.way.json {
        let queues: Vec<_> = queues.iter().map(queue_json).collect();
        out::line(json!({ "queues": queues }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if queues.is_empty() {
        out::line("no worker asked for messages lately")?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.leases {
        let now = reached.env().clock.wall();
        let rows: Vec<_> = queues
            .iter()
            .flat_map(|queue| queue.out.iter().map(|out| lease_row(queue, out, now)))
            .collect();
        if rows.is_empty() {
            out::line("no worker has a message now")?;
            return Ok(ExitCode::SUCCESS);
        }
        let head = [
            "TOPIC", "GROUP", "WORKER", "MESSAGE", "AT", "ATTEMPT", "SINCE", "LEFT",
        ];
        out::line(table(head, &rows))?;
        let (shown, all) = (rows.len(), queues.iter().map(|queue| queue.leased).sum());
        if shown < all {
            out::line(format!("the first of {all}"))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<_> = queues
        .iter()
        .map(|queue| {
            [
                queue.topic.clone(),
                queue.group.clone(),
                queue.leased.to_string(),
                queue.ready.to_string(),
                queue.waiting.to_string(),
            ]
        })
        .collect();
    let head = ["TOPIC", "GROUP", "OUT", "AT HAND", "WORKERS WAITING"];
    out::line(table(head, &rows))?;
    Ok(ExitCode::SUCCESS)
}

fn lease_row(queue: &QueueReport, out: &Out, now: Timestamp) -> [String; 8] {
    let left = (out.until.0 - now.0).max(0).unsigned_abs() / 1000;
    [
        queue.topic.clone(),
        queue.group.clone(),
        out.worker.clone(),
        out.id.clone(),
        format!("{}/{}", out.position.partition, out.position.offset),
        out.attempt.to_string(),
        ago(out.since, now),
        humantime::format_duration(Duration::from_secs(left)).to_string(),
    ]
}

fn queue_json(queue: &QueueReport) -> Value {
    let leases = queue.out.iter().map(|out| {
        json!({
            "worker": out.worker,
            "since": time(out.since),
            "until": time(out.until),
            "partition": out.position.partition,
            "offset": out.position.offset,
            "attempt": out.attempt,
            "id": out.id,
        })
    });
    json!({
        "topic": queue.topic,
        "group": queue.group,
        "ready": queue.ready,
        "waiting": queue.waiting,
        "leased": queue.leased,
        "leases": leases.collect::<Vec<_>>(),
    })
}
