//! `grpc.health.v1` over the process's health. The empty service name is the process itself.

use super::dispatch::Grpc;
use backlot_service::health::{Health, Report, Serving};
use std::pin::Pin;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as Protocol, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::util::BoxCloneSyncService;

/// The health service, with the path it answers under.
pub(super) fn service(health: Health) -> (String, Grpc) {
    let server = HealthServer::new(Answers(health));
    (
        "/grpc.health.v1.Health/".to_owned(),
        BoxCloneSyncService::new(server),
    )
}

struct Answers(Health);

fn status(report: &Report, service: &str) -> ServingStatus {
    let serving = if service.is_empty() {
        if report.readiness() {
            Serving::Serving
        } else {
            Serving::NotServing
        }
    } else {
        report.serving(service)
    };
    match serving {
        Serving::Serving => ServingStatus::Serving,
        Serving::NotServing => ServingStatus::NotServing,
        Serving::Unknown => ServingStatus::ServiceUnknown,
    }
}

#[tonic::async_trait]
impl Protocol for Answers {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match status(&self.0.report(), &request.get_ref().service) {
            ServingStatus::ServiceUnknown => Err(Status::not_found("no such service here")),
            status => Ok(Response::new(HealthCheckResponse {
                status: status.into(),
            })),
        }
    }

    type WatchStream =
        Pin<Box<dyn futures_core::Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let service = request.into_inner().service;
        let mut reports = self.0.watch();
        let stream = async_stream::stream! {
            let mut last = None;
            loop {
                let report = reports.borrow_and_update().clone();
                let now = status(&report, &service);
                if last != Some(now) {
                    last = Some(now);
                    yield Ok(HealthCheckResponse { status: now.into() });
                }
                // After "not serving for good" the watcher has all it needs: the connection may end.
                if report.draining || reports.changed().await.is_err() {
                    break;
                }
            }
        };
        Ok(Response::new(Box::pin(stream)))
    }
}
