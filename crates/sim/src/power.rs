//! The switch of a host that runs a service: stops it in order and starts it again.

use tokio::sync::watch;

/// What the process is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// Stay down until told otherwise.
    off: bool,
    /// How often it was told to stop and start again.
    restarts: u64,
}

/// The switch of one host. Clones are the same switch.
#[derive(Clone, Debug)]
pub struct Power {
    order: watch::Sender<Order>,
    serving: watch::Sender<bool>,
}

impl Power {
    pub(crate) fn new() -> Self {
        Power {
            order: watch::Sender::new(Order::default()),
            serving: watch::Sender::new(false),
        }
    }

    /// Stops the service in order: it drains. Returns when it has ended.
    pub async fn stop(&self) {
        self.order.send_modify(|order| order.off = true);
        self.until(false).await;
    }

    /// Starts a service that was stopped. Returns when it serves.
    pub async fn start(&self) {
        self.order.send_modify(|order| order.off = false);
        self.until(true).await;
    }

    /// Tells the service to stop and start again.
    pub(crate) fn restart(&self) {
        self.order.send_modify(|order| order.restarts += 1);
    }

    async fn until(&self, serving: bool) {
        // This very switch holds the sender.
        drop(
            self.serving
                .subscribe()
                .wait_for(|now| *now == serving)
                .await,
        );
    }

    /// What the process is told from now on.
    pub(crate) fn orders(&self) -> Orders {
        Orders(self.order.subscribe())
    }

    /// Tells whether the service serves.
    pub(crate) fn serves(&self, serving: bool) {
        self.serving.send_replace(serving);
    }
}

/// What a process is told.
pub(crate) struct Orders(watch::Receiver<Order>);

impl Orders {
    /// Returns when the service may run.
    pub(crate) async fn on(&mut self) {
        // The world holds the sender as long as the host runs.
        drop(self.0.wait_for(|order| !order.off).await);
    }

    /// Returns when the service has to stop, for a while or to start again.
    pub(crate) async fn stop(&mut self) {
        drop(self.0.changed().await);
    }

    /// Whether it has to stay down.
    pub(crate) fn is_off(&self) -> bool {
        self.0.borrow().off
    }
}
