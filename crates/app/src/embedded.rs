//! All services in one process, bound directly. Each still listens on its own port, for callers
//! from outside.

use crate::node::{Ended, Node};
use crate::service::Prepared;
use crate::{StartError, World};
use backlot_broker::Slot;
use backlot_rpc::Local;
use std::time::Duration;

/// Running services of one process.
#[derive(Debug)]
pub struct Embedded {
    nodes: Vec<Node>,
    local: Local,
    broker: Slot,
}

impl Embedded {
    /// Starts services in this order. A client of a later one waits for nothing: its calls answer
    /// `Unavailable` until it runs.
    ///
    /// # Errors
    /// When one of them does not start; those before it are stopped.
    pub async fn start(services: &[Prepared], world: World) -> Result<Embedded, StartError> {
        let local = world.local.clone().unwrap_or_default();
        let broker = world.broker.clone().unwrap_or_default();
        let world = World {
            local: Some(local.clone()),
            broker: Some(broker.clone()),
            ..world
        };
        let mut embedded = Embedded {
            nodes: Vec::with_capacity(services.len()),
            local,
            broker,
        };
        for service in services {
            match Node::start(service, world.clone()).await {
                Ok(node) => embedded.nodes.push(node),
                Err(error) => {
                    embedded.stop().await;
                    return Err(error);
                }
            }
        }
        Ok(embedded)
    }

    /// Where clients of these services are bound.
    #[must_use]
    pub fn local(&self) -> &Local {
        &self.local
    }

    /// The log of events, while a broker runs among these services.
    #[must_use]
    pub fn broker(&self) -> &Slot {
        &self.broker
    }

    /// The running services, in the order they were started.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Stops one service, leaving the others; whether it ran.
    pub async fn stop_one(&mut self, name: &str) -> bool {
        let Some(index) = self.nodes.iter().position(|node| node.name() == name) else {
            return false;
        };
        self.nodes.remove(index).stop(Duration::ZERO).await;
        true
    }

    /// Starts one more service, or one that was stopped.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_one(&mut self, service: &Prepared, world: World) -> Result<(), StartError> {
        let world = World {
            local: Some(self.local.clone()),
            broker: Some(self.broker.clone()),
            ..world
        };
        self.nodes.push(Node::start(service, world).await?);
        Ok(())
    }

    /// Stops all, the last started first: callers go before those they call.
    pub async fn stop(mut self) -> Ended {
        let mut all = Ended::default();
        while let Some(node) = self.nodes.pop() {
            let ended = node.stop(Duration::ZERO).await;
            all.cut += ended.cut;
            all.aborted += ended.aborted;
        }
        all
    }
}
