//! Messages of a contract to and from JSON, for callers that know its methods by name only.

use super::json::{Form, Reader, Written, document};
use crate::contract::{Method, Service};
use backlot_core::Error;
use bytes::Bytes;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

/// Transcodes the messages of one service.
#[derive(Debug)]
pub struct Transcoder {
    pool: DescriptorPool,
    form: Form,
}

impl Transcoder {
    /// A transcoder of `service`.
    ///
    /// # Errors
    /// `Internal` when its descriptors are malformed.
    pub fn of(service: &'static Service) -> Result<Self, Error> {
        let pool = DescriptorPool::decode(service.descriptors).map_err(|error| {
            Error::internal("the contract's descriptors are malformed").with_source(error)
        })?;
        let form = Form::of(&pool);
        Ok(Transcoder { pool, form })
    }

    /// Encodes a request that is given in JSON.
    ///
    /// # Errors
    /// `InvalidArgument` naming position or fields of what is wrong.
    pub fn request(&self, method: &'static Method, json: &str) -> Result<Bytes, Error> {
        let json = document(json.as_bytes())?;
        let mut reader = Reader::new(&self.form);
        let message = reader.message(&self.message(method.input)?, json, "");
        let message = reader.finish(message)?;
        Ok(message
            .map(|message| message.encode_to_vec())
            .unwrap_or_default()
            .into())
    }

    /// Writes an encoded answer as JSON, indented for people.
    ///
    /// # Errors
    /// `Internal` when it is not such a message.
    pub fn answer(&self, method: &'static Method, answer: Bytes) -> Result<String, Error> {
        let message = DynamicMessage::decode(self.message(method.output)?, answer)
            .map_err(|error| Error::internal("the answer cannot be decoded").with_source(error))?;
        serde_json::to_string_pretty(&Written {
            message: &message,
            form: &self.form,
        })
        .map_err(|error| Error::internal("the answer cannot be written as JSON").with_source(error))
    }

    fn message(&self, name: &str) -> Result<MessageDescriptor, Error> {
        self.pool
            .get_message_by_name(name)
            .ok_or_else(|| Error::internal(format!("the contract's descriptors lack {name}")))
    }
}
