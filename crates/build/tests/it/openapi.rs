use super::compile;
use serde_json::{Value, json};

fn document() -> Value {
    let compiled = compile(
        r#"
        // Ratings of things.
        service CartService {
          // Rates a thing, or a part
          // of it. Only those who have it may.
          rpc Rate(RateRequest) returns (RateResponse) {
            option (google.api.http) = { put: "/v1/things/{thing_id}/rating" body: "*" };
          }
          rpc List(ListRequest) returns (stream RateResponse) {
            option idempotency_level = NO_SIDE_EFFECTS;
            option (google.api.http) = { get: "/v1/things" };
          }
          rpc RateAll(stream RateRequest) returns (RateResponse) {
            option (google.api.http) = { post: "/v1/things/{thing_id}:rateAll" body: "*" };
          }
        }
        message RateRequest {
          // Which thing.
          string thing_id = 1 [(buf.validate.field).string = { min_len: 1 max_len: 64 }];
          int32 half_stars = 2 [json_name = "value", (backlot.json.v1.halves) = true, (buf.validate.field).int32 = { gte: 1 lte: 10 }];
          string note = 3;
        }
        message RateResponse { int64 total = 1; RateResponse next = 2; map<string, double> shares = 3; bytes raw = 4; }
        message ListRequest { int32 page_size = 1 [(buf.validate.field).int32 = { gte: 0 lte: 200 }]; Range range = 2; repeated Kind kinds = 3; }
        message Range { uint64 from = 1; }
        enum Kind { KIND_UNSPECIFIED = 0; KIND_FILM = 1; }
        "#,
    );
    serde_json::from_str(
        &compiled
            .unwrap()
            .read("openapi.shop.cart.v1.CartService.json"),
    )
    .unwrap()
}

#[test]
fn halves_are_numbers_by_halves_within_the_rules() {
    let document = document();
    let body = &document["paths"]["/v1/things/{thing_id}/rating"]["put"]["requestBody"]["content"]
        ["application/json"];
    assert_eq!(
        body["schema"]["properties"]["value"],
        json!({ "type": "number", "multipleOf": 0.5, "minimum": 0.5, "maximum": 5.0 })
    );
    assert_eq!(body["schema"]["required"], json!(["value"]));
    assert!(
        body["schema"]["properties"].get("thingId").is_none(),
        "the path says it already"
    );
}

#[test]
fn parameters_come_from_path_query_and_effect() {
    let document = document();
    let put = &document["paths"]["/v1/things/{thing_id}/rating"]["put"];
    assert_eq!(
        put["parameters"][0],
        json!({ "name": "thing_id", "in": "path", "required": true, "description": "Which thing.",
                "schema": { "type": "string", "minLength": 1, "maxLength": 64 } })
    );
    assert_eq!(put["parameters"][1]["name"], "idempotency-key");
    let get = &document["paths"]["/v1/things"]["get"];
    let names: Vec<&str> = get["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(names, ["pageSize", "range.from", "kinds"]);
    assert_eq!(get["parameters"][0]["schema"]["maximum"], 200);
    assert_eq!(
        get["parameters"][2]["schema"]["items"]["enum"],
        json!(["KIND_UNSPECIFIED", "KIND_FILM"])
    );
}

#[test]
fn answers_are_schemas_and_failures_are_problems() {
    let document = document();
    let put = &document["paths"]["/v1/things/{thing_id}/rating"]["put"];
    assert_eq!(
        put["responses"]["200"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/shop.cart.v1.RateResponse"
    );
    assert_eq!(
        put["responses"]["default"]["$ref"],
        "#/components/responses/Problem"
    );
    assert!(
        document["paths"]["/v1/things"]["get"]["responses"]["200"]["content"]
            .get("text/event-stream")
            .is_some()
    );
    let schema = &document["components"]["schemas"]["shop.cart.v1.RateResponse"]["properties"];
    assert_eq!(
        schema["total"],
        json!({ "type": "string", "format": "int64" })
    );
    assert_eq!(
        schema["next"]["$ref"],
        "#/components/schemas/shop.cart.v1.RateResponse"
    );
    assert_eq!(schema["shares"]["additionalProperties"]["type"], "number");
    assert_eq!(
        document["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
    assert_eq!(put["summary"], "Rates a thing, or a part of it.");
    assert_eq!(
        put["description"],
        "Rates a thing, or a part\nof it. Only those who have it may."
    );
}

#[test]
fn a_stream_of_requests_is_a_body_of_lines() {
    let document = document();
    let body = &document["paths"]["/v1/things/{thing_id}:rateAll"]["post"]["requestBody"];
    let line = &body["content"]["application/x-ndjson"]["schema"];
    assert_eq!(line["properties"]["value"]["maximum"], 5.0);
    assert!(line["properties"].get("thingId").is_none(), "{line}");
    assert!(
        body["description"].as_str().unwrap().contains("each line"),
        "{body}"
    );
}
