//! `caches`: how the caches of a running system do, and that they forget.

use crate::admin::{Client, client};
use crate::cli::{Options, Product};
use crate::instances::{self, PATIENCE, Refused, Way, code, missed};
use crate::out;
use crate::table::table;
use async_trait::async_trait;
use backlot_cache::Report;
use backlot_core::discovery::Instance;
use backlot_core::{Code, Error};
use serde_json::{Value, json};
use std::process::ExitCode;

/// What `caches` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  caches                            every cache of every instance, and how often it had the answer
  caches purge films                forget all films
  caches purge films tt0133093      forget one

A value that is forgotten is fetched when somebody next asks for it; until then it does not stand in
for a source that is away.")]
pub struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
    /// Ask with this token, of somebody who is an operator, instead of the data folder's secret
    #[arg(long, value_name = "TOKEN", global = true)]
    token: Option<String>,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Task {
    /// Have every instance forget what a cache holds
    Purge {
        /// The cache
        cache: String,
        /// Only the value of this key
        key: Option<String>,
    },
}

/// Does what was asked and says what came of it.
#[must_use]
pub fn run(arguments: &Arguments, product: &Product, options: &Options) -> ExitCode {
    instances::run(product, options, arguments.token.as_deref(), async |way| {
        let instances = way.found(&Kind).await?;
        match &arguments.task {
            None => list(arguments, way, &instances).await,
            Some(Task::Purge { cache, key }) => {
                purge(arguments, way, &instances, cache, key.as_deref()).await
            }
        }
    })
}

/// Those that have caches.
struct Kind;

#[async_trait]
impl instances::Kind for Kind {
    fn announced(&self, instance: &Instance) -> bool {
        client::has_caches(instance)
    }

    async fn ask(&self, asking: &mut Client) -> Result<(&'static str, String), Error> {
        let names = asking.caches(PATIENCE).await?;
        let names: Vec<_> = names.into_iter().map(|report| report.name).collect();
        Ok((client::CACHES, names.join(",")))
    }
}

async fn list(
    arguments: &Arguments,
    way: &Way<'_>,
    instances: &[Instance],
) -> Result<ExitCode, Refused> {
    let mut rows = Vec::new();
    let mut all_answered = true;
    for instance in instances {
        // How they do is for everybody to know who reaches the port.
        match way.looking(instance).caches(PATIENCE).await {
            Ok(reports) => rows.extend(reports.into_iter().map(|report| (instance, report))),
            Err(error) => all_answered &= missed(instance, &error),
        }
    }
    if arguments.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(it, report)| in_json(it, report))
            .collect();
        out::line(json!({ "caches": rows }))?;
    } else if rows.is_empty() {
        out::line("no instance announced a cache")?;
    } else {
        let rows: Vec<_> = rows.iter().map(|(it, report)| row(it, report)).collect();
        let head = [
            "SERVICE", "INSTANCE", "CACHE", "VALUES", "KIB", "ASKED", "HITS", "STALE", "FAILED",
        ];
        out::line(table(head, &rows))?;
    }
    Ok(code(all_answered))
}

async fn purge(
    arguments: &Arguments,
    way: &Way<'_>,
    instances: &[Instance],
    cache: &str,
    key: Option<&str>,
) -> Result<ExitCode, Refused> {
    let mut done = Vec::new();
    let mut all_answered = true;
    for instance in instances {
        if !client::caches(instance).any(|name| name == cache) {
            continue;
        }
        let forgotten = way.asking(instance)?.forget(cache, key, PATIENCE).await;
        match forgotten {
            Ok(values) => done.push((instance, values)),
            // It is for all of them to say so.
            Err(error) if error.code() == Code::InvalidArgument => {
                return Err(error.into());
            }
            Err(error) => all_answered &= missed(instance, &error),
        }
    }
    if done.is_empty() && all_answered {
        let mut names: Vec<_> = instances.iter().flat_map(client::caches).collect();
        names.sort_unstable();
        names.dedup();
        return Err(Error::not_found(format!(
            "no instance has a cache {cache:?}; there are: {}",
            names.join(", ")
        ))
        .into());
    }
    if arguments.json {
        let done: Vec<_> = done
            .iter()
            .map(|(it, values)| json!({ "instance": it.id, "forgotten": values }))
            .collect();
        out::line(json!({ "cache": cache, "key": key, "instances": done }))?;
    } else {
        for (instance, values) in &done {
            let noun = if *values == 1 { "value" } else { "values" };
            out::line(format_args!(
                "{}: {cache} forgot {values} {noun}",
                instance.id
            ))?;
        }
    }
    Ok(code(all_answered))
}

fn row(instance: &Instance, report: &Report) -> [String; 9] {
    let ratio = report.hit_ratio();
    [
        instance.service.clone(),
        instance.id.clone(),
        report.name.clone(),
        report.values.to_string(),
        report.bytes.div_ceil(1024).to_string(),
        report.asked().to_string(),
        ratio.map_or_else(String::new, |ratio| format!("{:.1} %", ratio * 100.0)),
        report.stale.to_string(),
        report.failed.to_string(),
    ]
}

fn in_json(instance: &Instance, report: &Report) -> Value {
    json!({
        "service": instance.service,
        "instance": instance.id,
        "hitRatio": report.hit_ratio(),
        "report": report,
    })
}
