//! The direct binding: a call within the process, under the same semantic policies as any other.

use crate::Streaming;
use crate::binding::{Unmade, child, passed_on};
use crate::contract::{Method, Service};
use crate::guard::Via;
use crate::mount::{ClientStreamCall, Mount, Payload, StreamCall, UnaryCall};
use arc_swap::ArcSwapOption;
use backlot_core::{Context, Dice, Error};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;

type Slot = Arc<ArcSwapOption<Mount>>;

/// The services of one process, by name: where direct bindings find them. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Local {
    slots: Arc<Mutex<BTreeMap<&'static str, Slot>>>,
}

impl Local {
    /// No services yet.
    #[must_use]
    pub fn new() -> Self {
        Local::default()
    }

    /// Makes a service callable; it replaces an earlier one of its name.
    pub fn publish(&self, mount: Mount) {
        self.slot(mount.service().name).store(Some(Arc::new(mount)));
    }

    /// Takes a service back: calls answer `Unavailable` until it is published again.
    pub fn withdraw(&self, service: &'static Service) {
        self.slot(service.name).store(None);
    }

    /// A binding to a service, published already or later.
    #[must_use]
    pub fn binding(&self, service: &'static Service, dice: Dice) -> Direct {
        Direct {
            slot: self.slot(service.name),
            target: service.target,
            dice,
        }
    }

    fn slot(&self, name: &'static str) -> Slot {
        Arc::clone(self.slots.lock().entry(name).or_default())
    }
}

/// The way to a service of the same process.
#[derive(Clone)]
pub struct Direct {
    slot: Slot,
    target: &'static str,
    dice: Dice,
}

impl Direct {
    fn mount(&self) -> Result<arc_swap::Guard<Option<Arc<Mount>>>, Error> {
        let mount = self.slot.load();
        if mount.is_none() {
            return Err(
                Error::unavailable(format!("{} is not running", self.target)).with_source(Unmade),
            );
        }
        Ok(mount)
    }

    pub(crate) async fn unary<S, Req, Res>(
        &self,
        method: &'static Method,
        cx: &Context,
        request: Req,
        call: UnaryCall<S, Req, Res>,
    ) -> Result<Res, Error>
    where
        S: ?Sized + Send + Sync + 'static,
        Req: Payload,
    {
        let cx = child(cx, method, self.target, &self.dice)?;
        let mount = arc_swap::Guard::into_inner(self.mount()?);
        let Some((mount, object)) = mount
            .as_deref()
            .and_then(|mount| Some((mount, mount.object::<S>()?)))
        else {
            return Err(wrong_object(self.target));
        };
        mount
            .guard()
            .unary(method, Via::Direct, &cx, request, &**object, call)
            .await
            .map_err(passed_on)
    }

    pub(crate) async fn server_stream<S, Req, Res>(
        &self,
        method: &'static Method,
        cx: &Context,
        request: Req,
        call: StreamCall<S, Req, Res>,
    ) -> Result<Streaming<Res>, Error>
    where
        S: ?Sized + Send + Sync + 'static,
        Req: Payload,
        Res: Send + 'static,
    {
        let cx = child(cx, method, self.target, &self.dice)?;
        let mount = arc_swap::Guard::into_inner(self.mount()?);
        let Some((mount, object)) = mount
            .as_deref()
            .and_then(|mount| Some((mount, mount.object::<S>()?)))
        else {
            return Err(wrong_object(self.target));
        };
        mount
            .guard()
            .server_stream(method, Via::Direct, &cx, request, &**object, call)
            .await
            .map_err(passed_on)
    }

    pub(crate) async fn client_stream<S, Req, Res>(
        &self,
        method: &'static Method,
        cx: &Context,
        requests: Streaming<Req>,
        call: ClientStreamCall<S, Req, Res>,
    ) -> Result<Res, Error>
    where
        S: ?Sized + Send + Sync + 'static,
        Req: Payload,
    {
        let cx = child(cx, method, self.target, &self.dice)?;
        let mount = arc_swap::Guard::into_inner(self.mount()?);
        let Some((mount, object)) = mount
            .as_deref()
            .and_then(|mount| Some((mount, mount.object::<S>()?)))
        else {
            return Err(wrong_object(self.target));
        };
        let (requests, failed) = own(requests);
        let guard = mount.guard();
        tokio::select! {
            biased;
            outcome = guard.client_stream(method, Via::Direct, &cx, requests, &**object, call) => {
                outcome.map_err(passed_on)
            }
            error = failed => Err(error),
        }
    }
}

/// The requests as the callee gets them, and the caller's own error among them. The callee never
/// sees that error: the call is given up, as it is when a request breaks off on its way.
fn own<Req: Send + 'static>(
    mut requests: Streaming<Req>,
) -> (Streaming<Req>, impl Future<Output = Error>) {
    let (failed, failure) = oneshot::channel();
    let passed = Streaming::new(async_stream::stream! {
        while let Some(request) = requests.next().await {
            match request {
                Ok(request) => yield Ok(request),
                Err(error) => {
                    // Nobody waits for it once the call has ended.
                    drop(failed.send(error));
                    std::future::pending::<()>().await;
                    break;
                }
            }
        }
    });
    let failure = async move {
        match failure.await {
            Ok(error) => error,
            Err(_ended_well) => std::future::pending().await,
        }
    };
    (passed, failure)
}

fn wrong_object(target: &str) -> Error {
    // Only hand-written bindings can get here: generated clients and mounts agree on the trait.
    Error::internal(format!("{target} was mounted under another contract"))
}

impl std::fmt::Debug for Direct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Direct").field(&self.target).finish()
    }
}
