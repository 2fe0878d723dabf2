//! One record, and its three forms: each encoded into memory of its own, each decoded into a record
//! of its own.

use serde::{Deserialize, Serialize};

/// What is known of a film, as far as the books know it; as JSON and as Protocol Buffers.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub(crate) struct Metadata {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) title: String,
    #[prost(string, tag = "3")]
    pub(crate) description: String,
    #[prost(string, tag = "4")]
    pub(crate) director: String,
}

/// The same as XML, whose elements have the names that Go gives them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "Metadata", rename_all = "PascalCase")]
pub(crate) struct Element {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) director: String,
}

/// The record that is measured.
pub(crate) fn metadata() -> Metadata {
    Metadata {
        id: "123".to_owned(),
        title: "The Movie 2".to_owned(),
        description: "Sequel of the legendary The Movie".to_owned(),
        director: "Foo Bars".to_owned(),
    }
}

impl From<Metadata> for Element {
    fn from(metadata: Metadata) -> Self {
        Element {
            id: metadata.id,
            title: metadata.title,
            description: metadata.description,
            director: metadata.director,
        }
    }
}

pub(crate) mod json {
    //! `{"id":"123",...}`, without a space between members.

    use super::Metadata;

    pub(crate) fn encode(record: &Metadata) -> Vec<u8> {
        serde_json::to_vec(record).expect("texts are JSON, and memory takes them")
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Metadata, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

pub(crate) mod xml {
    //! `<Metadata><ID>123</ID>...`, without a declaration or a space between elements.

    use super::Element;

    pub(crate) fn encode(record: &Element) -> String {
        quick_xml::se::to_string(record).expect("texts are XML, and memory takes them")
    }

    pub(crate) fn decode(text: &str) -> Result<Element, quick_xml::DeError> {
        quick_xml::de::from_str(text)
    }
}

pub(crate) mod protobuf {
    //! Fields 1 to 4.

    use super::Metadata;
    use prost::Message;

    pub(crate) fn encode(record: &Metadata) -> Vec<u8> {
        record.encode_to_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Metadata, prost::DecodeError> {
        Metadata::decode(bytes)
    }
}
