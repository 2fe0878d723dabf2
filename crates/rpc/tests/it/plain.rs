//! Services as tonic makes them.

use backlot_core::Env;
use backlot_rpc::{Edge, Server};
use backlot_service::Tasks;
use backlot_service::health::Health;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_server::{Health as Service, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// What an instance does with each call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Does {
    #[default]
    Answers,
    Fails(tonic::Code),
    /// Begins to answer, and fails.
    FailsLate(tonic::Code),
    /// Takes this long.
    Takes(Duration),
}

/// An instance of a service that tonic generated.
#[derive(Clone, Default)]
pub(crate) struct Instance {
    pub(crate) does: Does,
    asked: Arc<AtomicU32>,
}

impl Instance {
    pub(crate) fn doing(does: Does) -> Self {
        Instance {
            does,
            ..Instance::default()
        }
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Serves on loopback; where.
    pub(crate) async fn serve(&self) -> String {
        let env = Env::real();
        let listener = env.net.bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server =
            Server::new(Edge::anonymous(), Health::new()).plain(HealthServer::new(self.clone()));
        let server = server.prepare().unwrap();
        Tasks::new(&env).spawn_endless("plain server", async move {
            server.run(listener, &Env::real()).await;
        });
        address
    }
}

#[tonic::async_trait]
impl Service for Instance {
    async fn check(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.does {
            Does::Answers | Does::FailsLate(_) => {}
            Does::Fails(code) => {
                let mut status = Status::with_details(code, "as told", vec![1, 2, 3].into());
                status
                    .metadata_mut()
                    .insert("x-own", "word".parse().unwrap());
                return Err(status);
            }
            Does::Takes(time) => tokio::time::sleep(time).await,
        }
        Ok(Response::new(HealthCheckResponse { status: 1 }))
    }

    type WatchStream = std::pin::Pin<
        Box<dyn futures_util::Stream<Item = Result<HealthCheckResponse, Status>> + Send>,
    >;

    async fn watch(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let does = self.does;
        Ok(Response::new(Box::pin(async_stream::stream! {
            if let Does::FailsLate(code) = does {
                yield Err(Status::new(code, "after all"));
                return;
            }
            for status in 0.. {
                yield Ok(HealthCheckResponse { status });
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })))
    }
}
