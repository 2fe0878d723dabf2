//! The contracts of the issuer, for gRPC, REST and direct calls alike.

use crate::controller::Controller;
use async_trait::async_trait;
use backlot::identity::{GetKeySetRequest, GetKeySetResponse, KeySet};
use backlot::{Context, Error};
use movies_api as api;
use movies_api::{PickNameRequest, PickNameResponse};
use std::sync::Arc;

pub(crate) struct Grpc(pub(crate) Arc<Controller>);

#[async_trait]
impl api::Auth for Grpc {
    async fn pick_name(
        &self,
        _cx: &Context,
        request: PickNameRequest,
    ) -> Result<PickNameResponse, Error> {
        let issued = self.0.pick_name(&request.name)?;
        Ok(PickNameResponse {
            token: issued.token,
            expires_at: issued.expires_at,
        })
    }
}

#[async_trait]
impl KeySet for Grpc {
    async fn get_key_set(
        &self,
        _cx: &Context,
        _request: GetKeySetRequest,
    ) -> Result<GetKeySetResponse, Error> {
        Ok(GetKeySetResponse {
            keys: self.0.keys(),
        })
    }
}
