//! The probes: each the same on both sides.

use crate::side::{Running, WATCHED, flood, nobody, open_for};
use crate::stock::proto;
use crate::stock::proto::clerk_service_client::ClerkServiceClient;
use crate::{ours, stock};
use backlot::{Code, Context};
use backlot_testkit::proxy::{Faults, Proxy};
use std::time::Duration;
use tokio::time::Instant;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// One thing that happens, and what comes of it.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) stock: String,
    pub(crate) ours: String,
}

/// All of them, at once.
pub(crate) async fn all() -> anyhow::Result<Vec<Row>> {
    let (first, second, third, fourth) = tokio::try_join!(
        async { tokio::try_join!(deadline(), stream_deadline(), malformed_deadline()) },
        async { tokio::try_join!(drain(), half_a_head(), silence(), pings()) },
        partition(),
        dead_endpoint(),
    )?;
    let (deadline, stream, malformed) = first;
    let (drain, head, silence, pings) = second;
    Ok(vec![
        deadline, stream, malformed, drain, head, silence, pings, third, fourth,
    ])
}

async fn stock_client(
    address: impl std::fmt::Display,
) -> anyhow::Result<ClerkServiceClient<Channel>> {
    let channel = Endpoint::from_shared(format!("http://{address}"))?
        .connect()
        .await?;
    Ok(ClerkServiceClient::new(channel))
}

fn within(timeout: Duration) -> Context {
    Context::background().with_timeout(timeout)
}

fn told(status: &Status) -> String {
    let code = Code::from_number(i32::from(status.code())).unwrap_or(Code::Unknown);
    code.to_string()
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

fn since(began: Instant) -> Duration {
    Instant::now().saturating_duration_since(began)
}

/// How long something took, if it came to its end.
fn ended(what: &str, took: Option<Duration>) -> String {
    match took {
        Some(took) => format!("{what} after {}", seconds(took)),
        None => format!("still open after {}", seconds(WATCHED)),
    }
}

async fn deadline() -> anyhow::Result<Row> {
    let (millis, timeout) = (5000, Duration::from_millis(200));
    let server = stock::serve().await?;
    let mut client = stock_client(server.address).await?;
    let mut request = Request::new(proto::WaitRequest { millis });
    request.set_timeout(timeout);
    let stock = match client.wait(request).await {
        Ok(_) => "an answer".to_owned(),
        Err(status) => told(&status),
    };
    let server = ours::serve().await?;
    let (client, _set) = ours::client(&[server.address.to_string()]);
    let request = ours::contract::WaitRequest { millis };
    let ours = match client.wait(&within(timeout), request).await {
        Ok(_) => "an answer".to_owned(),
        Err(error) => error.code().to_string(),
    };
    Ok(Row {
        what: "a call with a deadline of 200 ms to a handler that takes 5 s",
        stock,
        ours,
    })
}

async fn stream_deadline() -> anyhow::Result<Row> {
    let (millis, timeout) = (5000, Duration::from_secs(1));
    let server = stock::serve().await?;
    let mut client = stock_client(server.address).await?;
    let mut request = Request::new(proto::TickRequest { millis });
    request.set_timeout(timeout);
    let began = Instant::now();
    let mut ticks = client.tick(request).await?.into_inner();
    let (mut count, mut end) = (0, "its end".to_owned());
    loop {
        match ticks.message().await {
            Ok(Some(_)) => count += 1,
            Ok(None) => break,
            Err(status) => {
                end = told(&status);
                break;
            }
        }
    }
    let stock = format!("{count} messages, {end} after {}", seconds(since(began)));
    let server = ours::serve().await?;
    let (client, _set) = ours::client(&[server.address.to_string()]);
    let began = Instant::now();
    let request = ours::contract::TickRequest { millis };
    let asked = client.tick(&within(timeout), request).await;
    let mut ticks = asked.map_err(|error| anyhow::anyhow!(error.chain().to_string()))?;
    let (mut count, mut end) = (0, "its end".to_owned());
    while let Some(tick) = ticks.next().await {
        match tick {
            Ok(_) => count += 1,
            Err(error) => {
                end = error.code().to_string();
                break;
            }
        }
    }
    let ours = format!("{count} messages, {end} after {}", seconds(since(began)));
    Ok(Row {
        what: "a stream with a deadline of 1 s that would last for 5 s",
        stock,
        ours,
    })
}

async fn malformed_deadline() -> anyhow::Result<Row> {
    let ask = async |server: Running| -> anyhow::Result<String> {
        let mut client = stock_client(server.address).await?;
        let mut request = Request::new(proto::WaitRequest { millis: 1 });
        let malformed = "soon".parse()?;
        request.metadata_mut().insert("grpc-timeout", malformed);
        Ok(match client.wait(request).await {
            Ok(_) => "an answer, as if it had none".to_owned(),
            Err(status) => told(&status),
        })
    };
    Ok(Row {
        what: "a call with a malformed deadline (`grpc-timeout: soon`)",
        stock: ask(stock::serve().await?).await?,
        ours: ask(ours::serve().await?).await?,
    })
}

async fn drain() -> anyhow::Result<Row> {
    let stop = async |server: Running| -> anyhow::Result<String> {
        let mut client = stock_client(server.address).await?;
        let request = proto::TickRequest { millis: 60_000 };
        let mut ticks = client.tick(request).await?.into_inner();
        ticks.message().await?;
        let (took, _read) = tokio::join!(server.stop(), async {
            while let Ok(Some(_)) = ticks.message().await {}
        });
        Ok(match took {
            Some(took) => format!("the server ends after {}", seconds(took)),
            None => format!("the server runs still after {}", seconds(WATCHED)),
        })
    };
    // The stream that is open would last for a minute: what is not over by then is not waited for.
    let stop = async |server| {
        let limit = WATCHED + Duration::from_secs(1);
        match tokio::time::timeout(limit, stop(server)).await {
            Ok(told) => told,
            Err(_elapsed) => Ok(format!("the server runs still after {}", seconds(WATCHED))),
        }
    };
    let (stock, ours) = (stock::serve().await?, ours::serve().await?);
    let (stock, ours) = tokio::try_join!(stop(stock), stop(ours))?;
    Ok(Row {
        what: "a server is told to stop while a stream is open",
        stock,
        ours,
    })
}

async fn half_a_head() -> anyhow::Result<Row> {
    let said = b"GET / HTTP/1.1\r\nhost: x\r\n";
    let (stock, ours) = (stock::serve_http().await?, ours::serve().await?);
    let (stock, ours) =
        tokio::try_join!(open_for(stock.address, said), open_for(ours.address, said))?;
    Ok(Row {
        what: "a caller sends half of a request's head, and no more",
        stock: ended("closed", stock),
        ours: ended("closed", ours),
    })
}

async fn silence() -> anyhow::Result<Row> {
    let (stock, ours) = (stock::serve().await?, ours::serve().await?);
    let (stock, ours) =
        tokio::try_join!(open_for(stock.address, b""), open_for(ours.address, b""))?;
    Ok(Row {
        what: "a caller connects and says nothing",
        stock: ended("closed", stock),
        ours: ended("closed", ours),
    })
}

async fn pings() -> anyhow::Result<Row> {
    let (stock, ours) = (stock::serve().await?, ours::serve().await?);
    let (stock, ours) =
        tokio::try_join!(flood(stock.address, 60_000), flood(ours.address, 60_000))?;
    Ok(Row {
        what: "a caller sends 60,000 PING frames and no call",
        stock,
        ours,
    })
}

async fn partition() -> anyhow::Result<Row> {
    let millis = 1;
    let (stocked, own) = (stock::serve().await?, ours::serve().await?);
    let wire = Proxy::start(stocked.address.port()).await;
    let mut client = stock_client(wire.address()).await?;
    client.wait(proto::WaitRequest { millis }).await?;
    wire.set(Faults::SILENT);
    let stock = async {
        let began = Instant::now();
        let call = client.wait(proto::WaitRequest { millis });
        match tokio::time::timeout(WATCHED, call).await {
            Ok(Ok(_)) => "an answer".to_owned(),
            Ok(Err(status)) => format!("{} after {}", told(&status), seconds(since(began))),
            Err(_elapsed) => format!("no answer after {}", seconds(WATCHED)),
        }
    };
    let other = Proxy::start(own.address.port()).await;
    let (client, _set) = ours::client(&[other.address()]);
    let request = ours::contract::WaitRequest { millis };
    let asked = client.wait(&within(WATCHED), request).await;
    asked.map_err(|error| anyhow::anyhow!(error.chain().to_string()))?;
    other.set(Faults::SILENT);
    let ours = async {
        let began = Instant::now();
        let request = ours::contract::WaitRequest { millis };
        match client.wait(&within(WATCHED), request).await {
            Ok(_) => "an answer".to_owned(),
            Err(error) => format!("{} after {}", error.code(), seconds(since(began))),
        }
    };
    let (stock, ours) = tokio::join!(stock, ours);
    Ok(Row {
        what: "the network between falls silent; the call has time",
        stock,
        ours,
    })
}

async fn dead_endpoint() -> anyhow::Result<Row> {
    const CALLS: usize = 200;
    let millis = 1;
    let dead = nobody().await?;
    let (stocked, own) = (stock::serve().await?, ours::serve().await?);
    let endpoints = [dead.clone(), stocked.address.to_string()]
        .map(|address| Endpoint::from_shared(format!("http://{address}")));
    let endpoints = endpoints.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut client = ClerkServiceClient::new(Channel::balance_list(endpoints.into_iter()));
    let mut failed = 0;
    for _ in 0..CALLS {
        failed += usize::from(client.wait(proto::WaitRequest { millis }).await.is_err());
    }
    let stock = format!("{failed} of {CALLS} calls fail");
    let (client, _set) = ours::client(&[dead, own.address.to_string()]);
    let mut failed = 0;
    for _ in 0..CALLS {
        let request = ours::contract::WaitRequest { millis };
        let called = client.wait(&within(Duration::from_secs(5)), request).await;
        failed += usize::from(called.is_err());
    }
    Ok(Row {
        what: "one of two instances is gone",
        stock,
        ours: format!("{failed} of {CALLS} calls fail"),
    })
}
