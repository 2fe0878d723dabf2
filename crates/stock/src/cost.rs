//! What calls cost, and what balancing gains, beside tonic.

use crate::ours::contract::{ClerkClient, WaitRequest};
use crate::side::{Running, WATCHED};
use crate::stock::proto;
use crate::stock::proto::clerk_service_client::ClerkServiceClient;
use crate::{ours, stock};
use anyhow::Context as _;
use backlot::rpc::policy::{Policy, Rule};
use backlot::{Code, Context};
use backlot_testkit::proxy::{Faults, Proxy};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::transport::{Channel, Endpoint};

/// So many calls are under way at once.
const IN_FLIGHT: usize = 64;
/// Each way is measured so often, in turn, for so long.
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(1);
/// How long an answer takes of a well instance, and of a slow one, in milliseconds.
const WELL: u64 = 2;
const SLOW: u64 = 20;
/// So many instances there are, of which one is slow.
const INSTANCES: usize = 10;
const CALLS: usize = 20_000;
/// So many callers there are, which is little for ten instances.
const CALLERS: usize = 16;
/// So many endpoints show what a thousand need.
const ENDPOINTS: usize = 500;

/// A line of the page.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) stock: String,
    pub(crate) ours: String,
    pub(crate) asked: &'static str,
}

/// One way to call.
#[derive(Clone)]
enum Way {
    Stock(ClerkServiceClient<Channel>),
    Ours(ClerkClient),
}

impl Way {
    async fn call(&mut self, millis: u64) -> anyhow::Result<()> {
        match self {
            Way::Stock(client) => {
                client.wait(proto::WaitRequest { millis }).await?;
            }
            Way::Ours(client) => {
                let cx = Context::background();
                let answer = client.wait(&cx, WaitRequest { millis }).await;
                answer.map_err(|error| anyhow::anyhow!(error.chain()))?;
            }
        }
        Ok(())
    }
}

pub(crate) async fn all() -> anyhow::Result<Vec<Row>> {
    let mut rows = throughput().await?;
    rows.push(one_is_slow().await?);
    rows.push(silence().await?);
    rows.push(memories().await?);
    Ok(rows)
}

async fn channel(server: &Running) -> anyhow::Result<Way> {
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address))?;
    Ok(Way::Stock(ClerkServiceClient::new(
        endpoint.connect().await?,
    )))
}

async fn throughput() -> anyhow::Result<Vec<Row>> {
    let (stocked, own) = (stock::serve().await?, ours::serve().await?);
    let (to_stocked, _first) = ours::client(&[stocked.address.to_string()]);
    let (to_own, _second) = ours::client(&[own.address.to_string()]);
    let ways = [
        channel(&stocked).await?,
        Way::Ours(to_stocked),
        channel(&own).await?,
        Way::Ours(to_own),
    ];
    let mut counts: [Vec<f64>; 4] = Default::default();
    for way in &ways {
        // The first of each warms up.
        rate(way).await?;
    }
    for round in 0..ROUNDS {
        for turn in 0..ways.len() {
            // None is always the first.
            let number = (round + turn) % ways.len();
            counts[number].push(rate(&ways[number]).await?);
        }
    }
    let spread = counts.clone().map(|counts| {
        let least = counts.iter().copied().fold(f64::INFINITY, f64::min);
        let most = counts.iter().copied().fold(0.0, f64::max);
        format!("{least:.0} to {most:.0}")
    });
    let mut rates = counts.map(|mut counts| {
        counts.sort_by(f64::total_cmp);
        counts[ROUNDS / 2]
    });
    let bare = rates[0];
    let [_, client, server, both] = &mut rates;
    let row = |what: &str, number: usize, rate: f64, asked| Row {
        what: format!("{what}, {IN_FLIGHT} calls under way"),
        stock: format!("{bare:.0} calls/s ({})", spread[0]),
        ours: format!(
            "{rate:.0} calls/s ({}), {:.0} %",
            spread[number],
            rate / bare * 100.0
        ),
        asked,
    };
    Ok(vec![
        row("Backlot's client of tonic's server", 1, *client, ""),
        row("tonic's client of Backlot's server", 2, *server, ""),
        row("Backlot's client of Backlot's server", 3, *both, "80 %"),
    ])
}

/// How many calls are answered in a second.
async fn rate(way: &Way) -> anyhow::Result<f64> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    let began = Instant::now();
    for _ in 0..IN_FLIGHT {
        let (mut way, stop) = (way.clone(), Arc::clone(&stop));
        callers.spawn(async move {
            let mut answered = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                way.call(0).await?;
                answered += 1;
            }
            anyhow::Ok(answered)
        });
    }
    tokio::time::sleep(ROUND).await;
    stop.store(true, Ordering::Relaxed);
    let mut answered = 0;
    for caller in callers.join_all().await {
        answered += caller?;
    }
    Ok(answered as f64 / began.elapsed().as_secs_f64())
}

/// Instances, each behind a wire, over which one of them is slow.
async fn one_is_slow() -> anyhow::Result<Row> {
    let mut servers = Vec::new();
    for _ in 0..INSTANCES {
        servers.push(ours::serve().await?);
    }
    let slow = Proxy::start(servers[0].address.port()).await;
    slow.set(Faults {
        // Half of it each way.
        delay: Duration::from_millis((SLOW - WELL) / 2),
        ..Faults::default()
    });
    let well: Vec<_> = servers.iter().map(|server| server.address).collect();
    let mut one_slow = well.clone();
    one_slow[0] = SocketAddr::from(([127, 0, 0, 1], slow.port()));
    let texts = |addresses: &[SocketAddr]| -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    };
    let balanced = |addresses: &[String]| {
        let endpoints = addresses.iter().map(|address| {
            let endpoint = Endpoint::from_shared(format!("http://{address}"));
            endpoint.expect_address()
        });
        Way::Stock(ClerkServiceClient::new(Channel::balance_list(endpoints)))
    };
    let (all_well, one_sick) = (texts(&well), texts(&one_slow));
    let (own_well, _first) = ours::client(&all_well);
    let (own_sick, _second) = ours::client(&one_sick);
    let mut ratios = Vec::new();
    for (well, sick) in [
        (balanced(&all_well), balanced(&one_sick)),
        (Way::Ours(own_well), Way::Ours(own_sick)),
    ] {
        let (well, sick) = (p99(&well).await?, p99(&sick).await?);
        ratios.push(format!(
            "{:.1} ms, {:.2} x",
            sick.as_secs_f64() * 1000.0,
            sick.as_secs_f64() / well.as_secs_f64()
        ));
    }
    let [stock, ours] = ratios.try_into().map_err(|_| anyhow::anyhow!("two ways"))?;
    Ok(Row {
        what: format!(
            "99 of 100 calls take at most, with one of {INSTANCES} instances ten times as slow; beside none"
        ),
        stock,
        ours,
        asked: "1.5 x",
    })
}

trait ExpectAddress {
    fn expect_address(self) -> Endpoint;
}

impl ExpectAddress for Result<Endpoint, tonic::transport::Error> {
    fn expect_address(self) -> Endpoint {
        // They were made from addresses.
        self.unwrap_or_else(|_| Endpoint::from_static("http://127.0.0.1:1"))
    }
}

/// How long all calls but one in a hundred take at most.
async fn p99(way: &Way) -> anyhow::Result<Duration> {
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let mut way = way.clone();
        callers.spawn(async move {
            let mut took = Vec::new();
            for _ in 0..CALLS / CALLERS {
                let began = Instant::now();
                way.call(WELL).await?;
                took.push(began.elapsed());
            }
            anyhow::Ok(took)
        });
    }
    let mut all = Vec::new();
    for caller in callers.join_all().await {
        all.append(&mut caller?);
    }
    all.sort();
    all.get(all.len() * 99 / 100)
        .copied()
        .context("there are calls")
}

/// How long until a call is told of a silent network.
async fn silence() -> anyhow::Result<Row> {
    let (stocked, own) = (stock::serve().await?, ours::serve().await?);
    let wires = [
        Proxy::start(stocked.address.port()).await,
        Proxy::start(own.address.port()).await,
    ];
    let endpoint = Endpoint::from_shared(format!("http://{}", wires[0].address()))?;
    let channel = endpoint.connect().await?;
    let (client, _set) = ours::client(&[wires[1].address()]);
    let mut told = Vec::new();
    for (wire, mut way) in wires.iter().zip([
        Way::Stock(ClerkServiceClient::new(channel)),
        Way::Ours(client),
    ]) {
        way.call(0).await?;
        wire.set(Faults::SILENT);
        let began = Instant::now();
        let cx = Context::background().with_timeout(2 * WATCHED);
        let asking = async {
            match &mut way {
                Way::Stock(client) => client.wait(proto::WaitRequest { millis: 0 }).await.is_err(),
                Way::Ours(client) => {
                    let answer = client.wait(&cx, WaitRequest { millis: 0 }).await;
                    answer.is_err_and(|error| error.code() == Code::Unavailable)
                }
            }
        };
        told.push(match tokio::time::timeout(WATCHED, asking).await {
            Ok(true) => format!("{:.1} s", began.elapsed().as_secs_f64()),
            Ok(false) => "it is not told".to_owned(),
            Err(_elapsed) => format!("more than {} s", WATCHED.as_secs()),
        });
    }
    let [stock, ours] = told.try_into().map_err(|_| anyhow::anyhow!("two ways"))?;
    Ok(Row {
        what: "a call is told that the network is silent after (tonic's keepalive is off unless it is set)".to_owned(),
        stock,
        ours,
        asked: "3 s",
    })
}

/// Answers at every address of loopback, until its input ends: the other end of many connections, in
/// a process of its own.
pub(crate) async fn callee() -> anyhow::Result<()> {
    let server = ours::serve_at("0.0.0.0:0").await?;
    println!("{}", server.address.port());
    let mut input = tokio::io::stdin();
    tokio::io::copy(&mut input, &mut tokio::io::sink()).await?;
    Ok(())
}

/// What a client of each kind needs, in a process of its own that does nothing else.
async fn memories() -> anyhow::Result<Row> {
    let mut shown = Vec::new();
    for kind in ["stock", "ours"] {
        let mut all = Vec::new();
        for _ in 0..3 {
            let ran = tokio::process::Command::new(std::env::current_exe()?)
                .args(["--memory", kind])
                .kill_on_drop(true)
                .output()
                .await?;
            let text = String::from_utf8(ran.stdout)?;
            anyhow::ensure!(
                ran.status.success(),
                "{}",
                String::from_utf8_lossy(&ran.stderr)
            );
            all.push(text.trim().parse::<usize>()?);
        }
        all.sort_unstable();
        let mib = all[1] as f64 * (1000.0 / ENDPOINTS as f64) / f64::from(1 << 20);
        shown.push(format!("{mib:.1} MiB"));
    }
    let [stock, ours] = shown.try_into().map_err(|_| anyhow::anyhow!("two kinds"))?;
    Ok(Row {
        what: format!(
            "memory of a client for 1,000 endpoints (of {ENDPOINTS}), each connected and called (tonic: a channel each)"
        ),
        stock,
        ours,
        asked: "",
    })
}

/// Prints how much more memory this process has in use once it is connected to many endpoints, and
/// has called each.
pub(crate) async fn memory(kind: &str) -> anyhow::Result<()> {
    let mut callee = tokio::process::Command::new(std::env::current_exe()?)
        .arg("--callee")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let out = callee.stdout.take().context("its output is read")?;
    let port = BufReader::new(out).lines().next_line().await?;
    let port: u16 = port.context("it says its port")?.parse()?;
    let addresses: Vec<String> = (0..ENDPOINTS)
        .map(|number| format!("127.0.{}.{}:{port}", number / 250, number % 250 + 1))
        .collect();
    let before = resident()?;
    let mut connected = Vec::new();
    if kind == "stock" {
        for address in &addresses {
            let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
            let mut way = Way::Stock(ClerkServiceClient::new(endpoint.connect().await?));
            way.call(0).await?;
            connected.push(way);
        }
        println!("{}", resident()?.saturating_sub(before));
        return Ok(());
    }
    let mut policy = Policy::default();
    policy.balance.subset = 0;
    policy.balance.rule = Rule::RoundRobin;
    let (client, _set, caller) = ours::client_by(&addresses, policy);
    let mut way = Way::Ours(client);
    way.call(0).await?;
    let waiting = async {
        loop {
            let targets = caller.targets();
            let instances = targets.iter().flat_map(|target| &target.instances);
            if instances.filter(|it| it.state == "ready").count() == ENDPOINTS {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await?;
    for _ in 0..2 * ENDPOINTS {
        way.call(0).await?;
    }
    println!("{}", resident()?.saturating_sub(before));
    Ok(())
}

/// The memory of this process that is in use, in bytes.
fn resident() -> anyhow::Result<usize> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().split(' ').next());
    Ok(kib.context("the system tells")?.parse::<usize>()? * 1024)
}
