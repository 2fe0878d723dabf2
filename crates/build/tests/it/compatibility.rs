//! One change for each thing that breaks callers, and for each that does not; each also the other
//! way round.

mod changes;
mod reading;

use backlot_build::compatibility::{self, Change, Finding, Surface};
use backlot_build::{Contract, Error};
use std::fs;

/// What is released, unless a test says otherwise.
const RELEASED: &str = r#"syntax = "proto3";
package shop.cart.v1;

import "backlot/json/v1/json.proto";
import "buf/validate/validate.proto";
import "google/api/annotations.proto";

service CartService {
  rpc Get(GetRequest) returns (GetResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = { get: "/v1/carts/{id}" };
  }
  rpc Put(PutRequest) returns (PutResponse) {
    option idempotency_level = IDEMPOTENT;
    option (google.api.http) = {
      put: "/v1/carts/{cart.id}" body: "cart"
      additional_bindings { post: "/v1/carts:put" body: "*" }
    };
  }
  rpc Watch(WatchRequest) returns (stream GetResponse);
}

message GetRequest {
  string id = 1 [(buf.validate.field).string = { min_len: 1 max_len: 64 }];
  int32 page_size = 2 [(buf.validate.field).int32 = { gte: 0 lte: 200 }];
}
message GetResponse {
  Cart cart = 1;
  double total = 2 [(buf.validate.field).double = { gte: 0 }];
}
message PutRequest {
  Cart cart = 1 [(buf.validate.field).required = true];
  string note = 2;
}
message PutResponse {}
message WatchRequest {
  string id = 1;
}
message Cart {
  string id = 1 [(buf.validate.field).string = { min_len: 1 max_len: 64 }];
  repeated string tags = 2 [(buf.validate.field).repeated = { max_items: 10 items: { string: { max_len: 20 } } }];
  map<string, int32> amounts = 3;
  optional int32 discount = 4;
  oneof payment {
    string card = 5;
    string voucher = 6;
  }
  Size size = 7 [(buf.validate.field).enum.defined_only = true];
  int32 weight = 8 [json_name = "kilos", (backlot.json.v1.halves) = true, (buf.validate.field).int32 = { gte: 0 }];
  Owner owner = 9;
  message Owner {
    string name = 1;
  }
}
enum Size {
  SIZE_UNSPECIFIED = 0;
  SIZE_SMALL = 1;
  SIZE_LARGE = 2;
}
"#;

/// Reads one file.
fn surface(text: &str) -> Result<Surface, Error> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cart.proto"), text).unwrap();
    Surface::of(&Contract::new().include(folder.path()).file("cart.proto"))
}

#[track_caller]
fn read(text: &str) -> Surface {
    match surface(text) {
        Ok(surface) => surface,
        Err(error) => panic!("{error}\n{text}"),
    }
}

#[track_caller]
fn compare(released: &str, today: &str) -> Vec<Finding> {
    compatibility::compare(&read(released), &read(today))
}

/// Element, without the package, and change of each finding.
fn told(findings: &[Finding]) -> Vec<(&str, Change)> {
    findings
        .iter()
        .map(|finding| {
            let name = finding.element.as_str();
            let short = name.strip_prefix("shop.cart.v1.").unwrap_or(name);
            (short, finding.change)
        })
        .collect()
}

/// The released file with a part of it replaced.
#[track_caller]
fn with(part: &str, by: &str) -> String {
    assert_eq!(
        RELEASED.matches(part).count(),
        1,
        "{part:?} is not there once"
    );
    RELEASED.replace(part, by)
}
