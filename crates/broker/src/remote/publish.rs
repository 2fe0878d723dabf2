//! Publishing: in one request, or in many that are one call.

use super::{Shared, changing};
use crate::contract::broker::v1 as proto;
use crate::wire::{self, strange, told};
use backlot_core::Context;
use backlot_messaging::Error;
use backlot_messaging::engine::{Outgoing, Receipt};
use backlot_rpc::Streaming;

/// About how many bytes of messages one request holds: it has to fit into one message of the wire.
const REQUEST_BYTES: usize = 3 << 20;

impl Shared {
    pub(super) async fn publish(
        &self,
        cx: &Context,
        outgoing: Vec<Outgoing>,
        no_wait: bool,
    ) -> Result<Vec<Receipt>, Error> {
        self.check(cx)?;
        // What no engine takes is not sent.
        for message in &outgoing {
            message.record.check()?;
        }
        let count = outgoing.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut requests = self.requests(outgoing, no_wait);
        let answer = match (requests.pop(), requests.is_empty()) {
            (Some(only), true) => self.client.publish(cx, only).await,
            (last, _) => {
                requests.extend(last);
                let requests = Streaming::of(requests);
                self.client.publish_many(cx, requests).await
            }
        };
        let answer = answer.map_err(|error| changing(&error))?;
        let receipts = answer.receipts.into_iter().map(wire::receipt_of);
        let receipts: Result<Vec<Receipt>, _> = receipts.collect();
        match receipts {
            Ok(receipts) if receipts.len() == count => Ok(receipts),
            Ok(_) => Err(changing(&strange("another number of receipts"))),
            Err(error) => Err(changing(&error)),
        }
    }

    fn requests(&self, outgoing: Vec<Outgoing>, no_wait: bool) -> Vec<proto::PublishRequest> {
        let mut requests: Vec<proto::PublishRequest> = Vec::new();
        let mut bytes = REQUEST_BYTES;
        for message in outgoing {
            let size = told::record_size(&message.record) + message.topic.len();
            if bytes + size > REQUEST_BYTES {
                bytes = 0;
                requests.push(proto::PublishRequest {
                    messages: Vec::new(),
                    no_wait,
                    secret: self.secret(),
                });
            }
            bytes += size;
            if let Some(request) = requests.last_mut() {
                request.messages.push(wire::outgoing(message));
            }
        }
        requests
    }
}
