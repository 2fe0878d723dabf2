//! A service that tells what it sees of a call, and fails as it is told to. It calls itself for
//! further hops.

pub mod contract {
    //! What was written from the probe's .proto file.
    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}

mod gate;

pub use contract::{
    CollectRequest, CollectResponse, CountRequest, CountResponse, FailRequest, FailResponse,
    FillRequest, FillResponse, HangRequest, HangResponse, LookRequest, LookResponse, PermitRequest,
    PermitResponse, Probe, ProbeClient, Sight, StreamRequest, StreamResponse, Wrong, probe,
};

use async_trait::async_trait;
use backlot::config::Validate as ValidConfig;
use backlot::{Code, Context, Error, Service, StartError, Startup, Streaming, owners};
use gate::Gates;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Configuration of the probe: nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

impl ValidConfig for Config {}

/// The probe as a service.
#[must_use]
pub fn service() -> Service {
    Service::new("probe", owners!("tests"), start)
}

async fn start(_config: Config, cx: &mut Startup) -> Result<(), StartError> {
    let counts = Counts::default();
    cx.serve(probe(Answers {
        again: cx.client(),
        counts,
        gates: Gates::default(),
    }));
    Ok(())
}

struct Answers {
    again: ProbeClient,
    counts: Counts,
    gates: Gates,
}

#[derive(Clone, Default)]
struct Counts(Arc<Mutex<BTreeMap<String, CountResponse>>>);

impl Counts {
    /// Counts a call that begins.
    fn begin(&self, name: String) -> Pending {
        self.lock().entry(name.clone()).or_default().begun += 1;
        Pending {
            name,
            counts: self.clone(),
            ended: false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, CountResponse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts that a call was given up, when it is dropped before its end.
struct Pending {
    name: String,
    counts: Counts,
    ended: bool,
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.counts
            .lock()
            .entry(self.name.clone())
            .or_default()
            .given_up += 1;
    }
}

fn sight(cx: &Context) -> Sight {
    let roles = match cx.principal() {
        backlot::Principal::User(user) => user.roles.iter().cloned().collect(),
        backlot::Principal::Anonymous | backlot::Principal::System(_) => Vec::new(),
    };
    Sight {
        remaining_nanos: u64::try_from(cx.deadline().remaining().as_nanos()).unwrap_or(u64::MAX),
        subject: cx.principal().subject().map(str::to_owned),
        roles,
        criticality: cx.criticality().name().to_owned(),
        trace_id: format!("{:032x}", cx.trace().trace_id),
        span_id: format!("{:016x}", cx.trace().span_id),
        idempotency_key: cx.idempotency().map(|idempotency| idempotency.key.clone()),
    }
}

fn failure(request: FailRequest) -> Error {
    let code = Code::from_number(request.code).unwrap_or(Code::Unknown);
    let mut error = Error::new(code, request.message);
    for wrong in request.wrongs {
        error = error.with_violation(wrong.field, wrong.description);
    }
    match request.pushback_millis {
        Some(millis) => error.with_pushback(Duration::from_millis(millis)),
        None => error,
    }
}

#[async_trait]
impl Probe for Answers {
    async fn look(&self, cx: &Context, request: LookRequest) -> Result<LookResponse, Error> {
        let mut sights = vec![sight(cx)];
        if request.hops > 0 {
            sights.extend(
                self.again
                    .look(
                        cx,
                        LookRequest {
                            hops: request.hops - 1,
                        },
                    )
                    .await?
                    .sights,
            );
        }
        Ok(LookResponse { sights })
    }

    async fn write(&self, cx: &Context, request: LookRequest) -> Result<LookResponse, Error> {
        let mut sights = vec![sight(cx)];
        if request.hops > 0 {
            sights.extend(
                self.again
                    .write(
                        cx,
                        LookRequest {
                            hops: request.hops - 1,
                        },
                    )
                    .await?
                    .sights,
            );
        }
        Ok(LookResponse { sights })
    }

    async fn fail(&self, _cx: &Context, request: FailRequest) -> Result<FailResponse, Error> {
        Err(failure(request))
    }

    async fn hang(&self, _cx: &Context, request: HangRequest) -> Result<HangResponse, Error> {
        let _pending = self.counts.begin(request.name);
        std::future::pending().await
    }

    async fn count(&self, _cx: &Context, request: CountRequest) -> Result<CountResponse, Error> {
        Ok(self
            .counts
            .lock()
            .get(&request.name)
            .cloned()
            .unwrap_or_default())
    }

    async fn stream(
        &self,
        _cx: &Context,
        request: StreamRequest,
    ) -> Result<Streaming<StreamResponse>, Error> {
        Ok(Streaming::new(async_stream::stream! {
            for number in 1..=request.count {
                yield Ok(StreamResponse { number });
            }
            if request.hang {
                std::future::pending::<()>().await;
            }
            if let Some(fail) = request.fail {
                yield Err(failure(fail));
            }
        }))
    }

    async fn fill(&self, _cx: &Context, request: FillRequest) -> Result<FillResponse, Error> {
        Ok(FillResponse {
            filling: vec![b'x'; request.bytes as usize],
        })
    }

    async fn collect(
        &self,
        cx: &Context,
        mut requests: Streaming<CollectRequest>,
    ) -> Result<CollectResponse, Error> {
        let Some(first) = requests.next().await.transpose()? else {
            return Ok(CollectResponse::default());
        };
        if first.hops > 0 {
            return self.again.collect(cx, passed_on(first, requests)).await;
        }
        let mut pending = self.counts.begin(first.name.clone());
        let outcome = self.add_up(cx, first, requests).await;
        // A sender that is gone may be told before the handler is dropped.
        let broken_off = |error: &Error| error.code() == Code::Cancelled;
        pending.ended = !outcome.as_ref().is_err_and(broken_off);
        outcome
    }

    async fn permit(&self, _cx: &Context, request: PermitRequest) -> Result<PermitResponse, Error> {
        let taken = self.gates.of(&request.name).permit(request.count).await;
        Ok(PermitResponse { taken })
    }
}

impl Answers {
    async fn add_up(
        &self,
        cx: &Context,
        first: CollectRequest,
        mut requests: Streaming<CollectRequest>,
    ) -> Result<CollectResponse, Error> {
        let gate = first.gated.then(|| self.gates.of(&first.name));
        if let Some(gate) = &gate {
            gate.took();
        }
        let forgiving = first.forgiving;
        let mut last = 0;
        let mut seen = CollectResponse {
            ascending: true,
            idempotency_key: cx.idempotency().map(|idempotency| idempotency.key.clone()),
            ..CollectResponse::default()
        };
        let mut next = Some(first);
        while let Some(message) = next {
            if let Some(fail) = message.fail {
                return Err(failure(fail));
            }
            if message.hang {
                return std::future::pending().await;
            }
            seen.count += 1;
            seen.sum += u64::from(message.number);
            seen.ascending &= message.number >= last;
            last = message.number;
            if let Some(gate) = &gate {
                gate.pass().await;
            }
            next = match requests.next().await.transpose() {
                Err(_broken) if forgiving => None,
                next => next?,
            };
            if let Some(gate) = &gate {
                gate.took();
            }
        }
        Ok(seen)
    }
}

/// The stream for the next hop, its first message among the others again.
fn passed_on(
    first: CollectRequest,
    mut rest: Streaming<CollectRequest>,
) -> Streaming<CollectRequest> {
    Streaming::new(async_stream::stream! {
        yield Ok(CollectRequest { hops: first.hops - 1, ..first });
        while let Some(message) = rest.next().await {
            yield message;
        }
    })
}
