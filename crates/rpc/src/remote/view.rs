//! How the instances of a service look to a client of it: for people.

use super::endpoint::State;
use super::set::Shared;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// A service that is called, and its instances.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Target {
    /// The service.
    pub service: String,
    /// Its instances, in order of address.
    pub instances: Vec<Instance>,
}

/// One instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Instance {
    /// Where it takes calls.
    pub address: String,
    /// `ready`, `connecting`, `failed` or `ejected`.
    pub state: String,
    /// Whether it is in the client's zone.
    pub near: bool,
    /// Whether it is kept although the registry does not name it any more.
    pub doubted: bool,
    /// How many calls are awaited.
    pub awaited: u32,
    /// How long an answer takes lately, in milliseconds; nothing before the first.
    pub millis: Option<f64>,
}

impl Shared {
    pub(super) fn view(&self) -> Target {
        let (now, decay) = (Instant::now(), self.knobs.now().balance.decay);
        let endpoints = self.endpoints.load();
        let instance = |kept: &super::set::Kept| {
            let (endpoint, state) = (&kept.endpoint, *kept.state.borrow());
            let seen = endpoint.load.seen(decay, now);
            Instance {
                address: endpoint.address.clone(),
                state: match state {
                    State::Ready if endpoint.standing.is_out() => "ejected",
                    State::Ready => "ready",
                    State::Connecting => "connecting",
                    State::Failed => "failed",
                }
                .to_owned(),
                near: kept.near,
                doubted: kept.is_doubted(),
                awaited: seen.awaited,
                millis: seen.took().map(|seconds| seconds * 1000.0),
            }
        };
        Target {
            service: self.target.clone(),
            instances: endpoints.all.iter().map(instance).collect(),
        }
    }
}
