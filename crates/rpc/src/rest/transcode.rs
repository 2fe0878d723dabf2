//! Messages of a contract to and from JSON, for callers that know its methods by name only.

use super::json::{Form, Reader, Written, document, line};
use crate::contract::{Method, Service};
use crate::validate::located;
use backlot_core::Error;
use bytes::Bytes;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::Value as Json;

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
        self.encode(method, document(json.as_bytes())?)
    }

    /// Encodes requests that are given as a JSON array, or as JSON with one on each line.
    ///
    /// # Errors
    /// As [`Transcoder::request`], naming the message or the line.
    pub fn requests(&self, method: &'static Method, json: &str) -> Result<Vec<Bytes>, Error> {
        if !json.trim_start().starts_with('[') {
            return (1..)
                .zip(json.lines())
                .filter(|(_, text)| !text.trim().is_empty())
                .map(|(number, text)| self.request_on_line(method, text, number))
                .collect();
        }
        // An array is what begins so, or it is refused.
        let Json::Array(items) = document(json.as_bytes())? else {
            return Ok(Vec::new());
        };
        (1..)
            .zip(items)
            .map(|(number, json)| {
                self.encode(method, json)
                    .map_err(|error| located(error, &format!("message {number}")))
            })
            .collect()
    }

    /// Encodes the request on one line of many, counted from 1.
    ///
    /// # Errors
    /// As [`Transcoder::request`], naming the line.
    pub fn request_on_line(
        &self,
        method: &'static Method,
        json: &str,
        number: u64,
    ) -> Result<Bytes, Error> {
        self.encode(method, line(json.as_bytes(), number)?)
            .map_err(|error| located(error, &format!("line {number}")))
    }

    fn encode(&self, method: &'static Method, json: Json) -> Result<Bytes, Error> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::contract::KEY_SET_SERVICE;

    fn requests(json: &str) -> Result<usize, String> {
        let method = &KEY_SET_SERVICE.methods[0];
        let transcoder = Transcoder::of(&KEY_SET_SERVICE).unwrap();
        let requests = transcoder.requests(method, json);
        requests
            .map(|requests| requests.len())
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn many_requests_are_an_array_or_lines() {
        for (json, count) in [
            ("", 0),
            ("[]", 0),
            (" [{},\n{}]\n", 2),
            ("{}", 1),
            ("{}\n\n{}\r\n{}\n", 3),
        ] {
            assert_eq!(requests(json), Ok(count), "{json:?}");
        }
    }

    #[test]
    fn the_one_that_is_wrong_is_named() {
        for (json, words) in [
            ("[{}, {\"x\": 1}]", "in message 2"),
            ("[{}, 7]", "in message 2"),
            ("{}\n\n{\"x\": 1}", "in line 3"),
            ("{}\n{", "line 2 is not valid JSON"),
            ("[{}", "not valid JSON"),
        ] {
            let refused = requests(json).unwrap_err();
            assert!(refused.contains(words), "{json:?}: {refused}");
        }
    }
}
