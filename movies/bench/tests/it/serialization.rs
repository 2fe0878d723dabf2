//! The record has the sizes the books give, in the forms they have, and comes back whole.

#[path = "../../benches/serialization/record.rs"]
mod record;

use record::{Element, Metadata, json, metadata, protobuf, xml};

#[test]
fn json_is_106_bytes_and_comes_back() {
    let bytes = json::encode(&metadata());
    assert_eq!(
        String::from_utf8_lossy(&bytes),
        r#"{"id":"123","title":"The Movie 2","description":"Sequel of the legendary The Movie","director":"Foo Bars"}"#
    );
    assert_eq!(bytes.len(), 106);
    assert_eq!(
        json::decode(&bytes).expect("it was just written"),
        metadata()
    );
}

#[test]
fn xml_is_148_bytes_and_comes_back() {
    let element = Element::from(metadata());
    let text = xml::encode(&element);
    assert_eq!(
        text,
        "<Metadata><ID>123</ID><Title>The Movie 2</Title><Description>Sequel of the legendary The Movie</Description><Director>Foo Bars</Director></Metadata>"
    );
    assert_eq!(text.len(), 148);
    assert_eq!(xml::decode(&text).expect("it was just written"), element);
}

#[test]
fn protocol_buffers_are_63_bytes_and_come_back() {
    let bytes = protobuf::encode(&metadata());
    assert_eq!(bytes.len(), 63);
    assert_eq!(bytes[..5], *b"\x0a\x03123");
    assert_eq!(
        protobuf::decode(&bytes).expect("it was just written"),
        metadata()
    );
}

#[test]
fn every_form_carries_what_it_has_to_escape() {
    let record = Metadata {
        title: "<\"Amélie\"> & \\ \u{1F3AC}\n".to_owned(),
        ..metadata()
    };
    let bytes = json::encode(&record);
    assert_eq!(json::decode(&bytes).expect("it was just written"), record);
    let bytes = protobuf::encode(&record);
    assert_eq!(
        protobuf::decode(&bytes).expect("it was just written"),
        record
    );
    let element = Element::from(record);
    let text = xml::encode(&element);
    assert_eq!(xml::decode(&text).expect("it was just written"), element);
}

#[test]
fn half_a_record_is_no_record() {
    let bytes = json::encode(&metadata());
    assert!(json::decode(&bytes[..bytes.len() / 2]).is_err());
    let text = xml::encode(&Element::from(metadata()));
    assert!(xml::decode(&text[..text.len() / 2]).is_err());
    let bytes = protobuf::encode(&metadata());
    assert!(protobuf::decode(&bytes[..bytes.len() / 2]).is_err());
}
