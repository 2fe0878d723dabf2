//! The contract, for gRPC, REST and direct calls alike.

use crate::contract::Webhook;
use crate::contract::webhooks::v1 as proto;
use crate::controller::Controller;
use crate::model::{Endpoint, Target};
use async_trait::async_trait;
use backlot_core::{Context, Error};
use std::sync::Arc;
use std::time::Duration;

/// How long the secret before signs too unless it is said.
const KEEP: Duration = Duration::from_secs(24 * 3600);

pub(crate) struct Grpc(pub(crate) Arc<Controller>);

fn webhook(endpoint: Endpoint) -> proto::Webhook {
    let millis = endpoint.target.timeout.as_millis();
    let (disabled, disabled_at) = endpoint.disabled.unzip();
    proto::Webhook {
        name: endpoint.name,
        topic: endpoint.target.topic,
        url: endpoint.target.url,
        concurrency: endpoint.target.concurrency,
        attempts: endpoint.target.attempts,
        timeout_ms: u64::try_from(millis).unwrap_or(u64::MAX),
        ordered: endpoint.target.ordered,
        disabled: disabled.unwrap_or_default(),
        disabled_at: disabled_at.map(|at| at.0),
        old_secret_until: endpoint.old.map(|(_, until)| until.0),
    }
}

#[async_trait]
impl Webhook for Grpc {
    async fn put_webhook(
        &self,
        cx: &Context,
        request: proto::PutWebhookRequest,
    ) -> Result<proto::PutWebhookResponse, Error> {
        let target = Target {
            topic: request.topic,
            url: request.url,
            concurrency: request.concurrency,
            attempts: request.attempts,
            timeout: Duration::from_millis(request.timeout_ms),
            ordered: request.ordered,
        };
        let (endpoint, secret) = self.0.put(cx, &request.name, target).await?;
        Ok(proto::PutWebhookResponse {
            webhook: Some(webhook(endpoint)),
            secret: secret.map(|it| it.expose().to_owned()).unwrap_or_default(),
        })
    }

    async fn get_webhook(
        &self,
        cx: &Context,
        request: proto::GetWebhookRequest,
    ) -> Result<proto::GetWebhookResponse, Error> {
        let endpoint = self.0.get(cx, &request.name).await?;
        Ok(proto::GetWebhookResponse {
            webhook: Some(webhook(endpoint)),
        })
    }

    async fn list_webhooks(
        &self,
        cx: &Context,
        _request: proto::ListWebhooksRequest,
    ) -> Result<proto::ListWebhooksResponse, Error> {
        let endpoints = self.0.list(cx).await?;
        Ok(proto::ListWebhooksResponse {
            webhooks: endpoints.into_iter().map(webhook).collect(),
        })
    }

    async fn delete_webhook(
        &self,
        cx: &Context,
        request: proto::DeleteWebhookRequest,
    ) -> Result<proto::DeleteWebhookResponse, Error> {
        self.0.delete(cx, &request.name).await?;
        Ok(proto::DeleteWebhookResponse {})
    }

    async fn rotate_secret(
        &self,
        cx: &Context,
        request: proto::RotateSecretRequest,
    ) -> Result<proto::RotateSecretResponse, Error> {
        let keep = request.keep_ms.map_or(KEEP, Duration::from_millis);
        let secret = self.0.rotate(cx, &request.name, keep).await?;
        Ok(proto::RotateSecretResponse {
            secret: secret.expose().to_owned(),
        })
    }

    async fn disable_webhook(
        &self,
        cx: &Context,
        request: proto::DisableWebhookRequest,
    ) -> Result<proto::DisableWebhookResponse, Error> {
        let why = match request.reason.as_str() {
            "" => "by an operator",
            said => said,
        };
        self.0.disable(cx, &request.name, why).await?;
        Ok(proto::DisableWebhookResponse {})
    }

    async fn enable_webhook(
        &self,
        cx: &Context,
        request: proto::EnableWebhookRequest,
    ) -> Result<proto::EnableWebhookResponse, Error> {
        self.0.enable(cx, &request.name).await?;
        Ok(proto::EnableWebhookResponse {})
    }
}
