//! `topics` and `lag`: what a log holds, and how far its groups are behind.

use crate::cli::{Options, Product};
use crate::out;
use crate::reach::{self, Reached, Refused, Way};
use crate::table::{ago, table, time};
use backlot_messaging::engine::{GroupReport, TopicReport};
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;

/// What `topics` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    way: Way,
}

/// What `lag` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct LagArguments {
    /// Only the groups of this topic
    topic: Option<String>,
    #[command(flatten)]
    way: Way,
}

/// Prints every topic there is.
#[must_use]
pub fn run(arguments: &Arguments, product: &Product, options: &Options) -> ExitCode {
    let way = arguments.way.clone();
    reach::run(&way.clone(), product, options, move |reached| {
        Box::pin(async move { topics(&way, reached).await })
    })
}

/// Prints how far every group is behind, those with most first.
#[must_use]
pub fn lag(arguments: &LagArguments, product: &Product, options: &Options) -> ExitCode {
    let arguments = arguments.clone();
    reach::run(&arguments.way.clone(), product, options, move |reached| {
        Box::pin(async move { behind(&arguments, reached).await })
    })
}

async fn topics(way: &Way, reached: &Reached) -> Result<ExitCode, Refused> {
    let topics = reached.engine().topics(&reached.cx()).await?;
    if way.json {
        let topics = topics.iter().map(|topic| {
            json!({
                "topic": topic.spec.name,
                "partitions": topic.spec.partitions,
                "retentionMs": topic.spec.retention.map(|kept| u64::try_from(kept.as_millis()).unwrap_or(u64::MAX)),
                "retentionBytes": topic.spec.retention_bytes,
                "groups": topic.groups,
            })
        });
        out::line(json!({ "topics": topics.collect::<Vec<_>>() }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let row = |TopicReport { spec, groups }: &TopicReport| {
        [
            spec.name.clone(),
            spec.partitions.to_string(),
            kept(spec.retention, spec.retention_bytes),
            groups.join(", "),
        ]
    };
    let rows: Vec<_> = topics.iter().map(row).collect();
    out::line(table(["TOPIC", "PARTITIONS", "KEPT", "GROUPS"], &rows))?;
    Ok(ExitCode::SUCCESS)
}

fn kept(retention: Option<Duration>, bytes: Option<u64>) -> String {
    let age = retention.map(|kept| humantime::format_duration(kept).to_string());
    match (age, bytes) {
        (None, None) => "for ever".to_owned(),
        (Some(age), None) => age,
        (None, Some(bytes)) => format!("{bytes} bytes"),
        (Some(age), Some(bytes)) => format!("{age}, {bytes} bytes"),
    }
}

async fn behind(arguments: &LagArguments, reached: &Reached) -> Result<ExitCode, Refused> {
    let (engine, cx) = (reached.engine(), reached.cx());
    let topics = match &arguments.topic {
        Some(topic) => vec![topic.clone()],
        None => {
            let topics = engine.topics(&cx).await?.into_iter();
            topics.map(|topic| topic.spec.name).collect()
        }
    };
    let mut groups = Vec::new();
    for topic in topics {
        let report = engine.inspect(&cx, &topic, None).await?;
        let of_topic = report.groups.into_iter();
        groups.extend(of_topic.map(|group| Lag::of(topic.clone(), &group)));
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.lag));
    if arguments.way.json {
        let groups: Vec<_> = groups.iter().map(Lag::json).collect();
        out::line(json!({ "groups": groups }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let now = reached.env().clock.wall();
    let rows: Vec<_> = groups
        .iter()
        .map(|group| {
            [
                group.topic.clone(),
                group.name.clone(),
                group.lag.to_string(),
                group.retrying.to_string(),
                group
                    .oldest
                    .map(|oldest| ago(oldest, now))
                    .unwrap_or_default(),
                group.members.to_string(),
                if group.paused { "paused" } else { "" }.to_owned(),
            ]
        })
        .collect();
    let head = ["TOPIC", "GROUP", "LAG", "RETRYING", "OLDEST", "MEMBERS", ""];
    out::line(table(head, &rows))?;
    Ok(ExitCode::SUCCESS)
}

/// How far a group is behind, over all partitions.
struct Lag {
    topic: String,
    name: String,
    paused: bool,
    members: usize,
    lag: u64,
    retrying: u64,
    oldest: Option<backlot_core::Timestamp>,
}

impl Lag {
    fn of(topic: String, group: &GroupReport) -> Lag {
        let cursors = &group.partitions;
        Lag {
            topic,
            name: group.group.clone(),
            paused: group.paused,
            members: group.members.len(),
            lag: cursors.iter().map(|cursor| cursor.lag).sum(),
            retrying: cursors.iter().map(|cursor| cursor.retrying).sum(),
            oldest: cursors.iter().filter_map(|cursor| cursor.oldest).min(),
        }
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "topic": self.topic,
            "group": self.name,
            "lag": self.lag,
            "retrying": self.retrying,
            "oldest": self.oldest.map(time),
            "members": self.members,
            "paused": self.paused,
        })
    }
}
