//! `calls`: whom the instances of a running system call, how those look to them, and by which policy.

use crate::admin::{Calls, Client, client};
use crate::cli::{Options, Product};
use crate::instances::{self, PATIENCE, Refused, Way, code, missed};
use crate::out;
use crate::table::table;
use async_trait::async_trait;
use backlot_core::discovery::Instance;
use backlot_core::{Code, Error};
use backlot_rpc::policy::REASONS;
use backlot_rpc::remote::view;
use serde_json::{Value, json};
use std::process::ExitCode;

/// What `calls` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  calls                                  whom every instance calls, and how busy those look to it
  calls policy movie                     how the service movie goes about failures
  calls set movie eject.on off           no instance is ejected by it any more, from now on
  calls set movie retry.attempts 1
  calls set movie retry.patience 50ms --to rating    only towards the service rating
  calls reset movie eject.on             back to what its configuration says

What is set lasts until the instance is started anew: its configuration is the place for what should
last, for example movie.calls.eject.on = false.")]
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
    /// Say how a service goes about failures of those it calls, and why
    Policy {
        /// The service that calls
        service: String,
    },
    /// Set a knob of the policy of every instance of a service
    Set {
        /// The service that calls
        service: String,
        /// The knob, for example eject.on
        knob: String,
        /// Its value: on, off, a number, a time such as 250ms, a word
        value: String,
        /// Only towards this service, instead of all that are called
        #[arg(long, value_name = "SERVICE")]
        to: Option<String>,
    },
    /// Set a knob back to what the configuration says
    Reset {
        /// The service that calls
        service: String,
        /// The knob
        knob: String,
        /// What was set towards this service
        #[arg(long, value_name = "SERVICE")]
        to: Option<String>,
    },
}

/// Does what was asked and says what came of it.
#[must_use]
pub fn run(arguments: &Arguments, product: &Product, options: &Options) -> ExitCode {
    instances::run(product, options, arguments.token.as_deref(), async |way| {
        let instances = way.found(&Kind).await?;
        match &arguments.task {
            None => list(arguments, way, &instances).await,
            Some(Task::Policy { service }) => {
                policy(arguments, way, of(&instances, service)?).await
            }
            Some(Task::Set {
                service,
                knob,
                value,
                to,
            }) => {
                let knob = (knob.as_str(), to.as_deref());
                turn(arguments, way, of(&instances, service)?, knob, Some(value)).await
            }
            Some(Task::Reset { service, knob, to }) => {
                let knob = (knob.as_str(), to.as_deref());
                turn(arguments, way, of(&instances, service)?, knob, None).await
            }
        }
    })
}

/// Those that call others over the network.
struct Kind;

#[async_trait]
impl instances::Kind for Kind {
    fn announced(&self, instance: &Instance) -> bool {
        client::makes_calls(instance)
    }

    async fn ask(&self, asking: &mut Client) -> Result<(&'static str, String), Error> {
        let calls = asking.calls(PATIENCE).await?;
        Ok((client::CALLS, calls.targets.len().to_string()))
    }
}

/// The instances of a service.
fn of<'i>(instances: &'i [Instance], service: &str) -> Result<Vec<&'i Instance>, Error> {
    let some: Vec<_> = instances
        .iter()
        .filter(|it| it.service == service)
        .collect();
    if !some.is_empty() {
        return Ok(some);
    }
    let mut names: Vec<_> = instances.iter().map(|it| it.service.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    Err(Error::not_found(match names.is_empty() {
        true => "nobody calls others over the network here: services of one process call each other directly".to_owned(),
        false => format!("no instance of {service:?} calls others; there are: {}", names.join(", ")),
    }))
}

async fn list(
    arguments: &Arguments,
    way: &Way<'_>,
    instances: &[Instance],
) -> Result<ExitCode, Refused> {
    let mut rows = Vec::new();
    let mut all_answered = true;
    for instance in instances {
        match way.looking(instance).calls(PATIENCE).await {
            Ok(calls) => rows.extend(calls.targets.into_iter().map(|target| (instance, target))),
            Err(error) => all_answered &= missed(instance, &error),
        }
    }
    if arguments.json {
        let rows = rows.iter().map(
            |(it, target)| json!({ "service": it.service, "instance": it.id, "calls": target }),
        );
        out::line(json!({ "calls": rows.collect::<Vec<_>>() }))?;
    } else if rows.is_empty() && all_answered {
        out::line(
            "nobody calls others over the network here: services of one process call each other directly",
        )?;
    } else {
        let rows: Vec<_> = rows
            .iter()
            .flat_map(|(it, target)| lines(it, target))
            .collect();
        let head = [
            "SERVICE", "INSTANCE", "CALLS", "AT", "STATE", "AWAITED", "MS",
        ];
        out::line(table(head, &rows))?;
    }
    Ok(code(all_answered))
}

fn lines(instance: &Instance, target: &view::Target) -> Vec<[String; 7]> {
    let line = |at: String, state: String, awaited: String, millis: String| {
        let (service, id, called) = (&instance.service, &instance.id, &target.service);
        [
            service.clone(),
            id.clone(),
            called.clone(),
            at,
            state,
            awaited,
            millis,
        ]
    };
    if target.instances.is_empty() {
        return vec![line(
            "nobody is there".to_owned(),
            String::new(),
            String::new(),
            String::new(),
        )];
    }
    let callee = |callee: &view::Instance| {
        let doubt = if callee.doubted {
            ", not registered"
        } else {
            ""
        };
        let millis = callee.millis.map(|millis| format!("{millis:.1}"));
        line(
            callee.address.clone(),
            format!("{}{doubt}", callee.state),
            callee.awaited.to_string(),
            millis.unwrap_or_default(),
        )
    };
    target.instances.iter().map(callee).collect()
}

async fn policy(
    arguments: &Arguments,
    way: &Way<'_>,
    instances: Vec<&Instance>,
) -> Result<ExitCode, Refused> {
    let mut all_answered = true;
    for instance in instances {
        let calls = match way.looking(instance).calls(PATIENCE).await {
            Ok(calls) => calls,
            Err(error) => {
                all_answered &= missed(instance, &error);
                continue;
            }
        };
        if arguments.json {
            out::line(json!({
                "instance": instance.id,
                "policy": calls.policy,
                "changed": calls.changed,
                "to": calls.to,
                "to_configured": calls.to_configured,
            }))?;
            continue;
        }
        out::line(&instance.id)?;
        let row = |(name, why): &(&str, &str)| {
            let value = shown(calls.policy.get(*name)?);
            let configured = calls.changed.get(*name).map(shown);
            let configured = configured.map(|value| format!("configured {value}; "));
            let why = format!("{}{why}", configured.unwrap_or_default());
            Some([(*name).to_owned(), value, why])
        };
        let mut rows: Vec<_> = REASONS.iter().filter_map(row).collect();
        rows.extend(differing(&calls));
        out::line(table(["KNOB", "IS", "WHY"], &rows))?;
    }
    Ok(code(all_answered))
}

/// What is set otherwise towards some services.
fn differing(calls: &Calls) -> Vec<[String; 3]> {
    let mut rows = Vec::new();
    for (service, knobs) in &calls.to {
        let configured = calls.to_configured.get(service);
        for (knob, value) in knobs {
            let why = match configured.and_then(|knobs| knobs.get(knob)) {
                Some(configured) if configured == value => "configured".to_owned(),
                Some(configured) => format!("configured {}", shown(configured)),
                None => "not configured".to_owned(),
            };
            rows.push([format!("{knob} towards {service}"), shown(value), why]);
        }
    }
    rows
}

async fn turn(
    arguments: &Arguments,
    way: &Way<'_>,
    instances: Vec<&Instance>,
    knob: (&str, Option<&str>),
    value: Option<&str>,
) -> Result<ExitCode, Refused> {
    let mut all_answered = true;
    for instance in instances {
        match way.asking(instance)?.turn(knob, value, PATIENCE).await {
            Ok(turned) if arguments.json => {
                out::line(json!({ "instance": instance.id, "turned": turned }))?;
            }
            Ok(turned) => out::line(format_args!(
                "{}: {}{} is {}, was {}",
                instance.id,
                turned.knob,
                turned
                    .to
                    .iter()
                    .map(|to| format!(" towards {to}"))
                    .collect::<String>(),
                shown(&turned.is),
                shown(&turned.was)
            ))?,
            // It is for all of them to say so.
            Err(error) if error.code() == Code::InvalidArgument => return Err(error.into()),
            Err(error) => all_answered &= missed(instance, &error),
        }
    }
    Ok(code(all_answered))
}

/// A value as one would write it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        other => other.to_string(),
    }
}
