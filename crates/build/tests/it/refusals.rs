use super::{assert_has, compile, refusal};

fn service(option: &str) -> String {
    format!(
        "message In {{ string id = 1; repeated string tags = 2; Inner inner = 3; bytes raw = 4; }}
         message Inner {{ string key = 1; }}
         message Out {{}}
         service CartService {{ rpc Get(In) returns (Out) {{ option (google.api.http) = {{ {option} }}; }} }}"
    )
}

fn field(field: &str) -> String {
    format!("message In {{ {field} }} enum Size {{ SIZE_UNSPECIFIED = 0; }}")
}

#[test]
fn a_path_that_names_no_field_is_refused_with_the_fields_there_are() {
    assert_has(
        &refusal(&service(r#"get: "/v1/carts/{cart}""#)),
        &[
            "shop.cart.v1.CartService.Get",
            "/v1/carts/{cart}",
            "no field \"cart\"",
            "id, tags, inner, raw",
        ],
    );
    assert_has(
        &refusal(&service(r#"get: "/v1/{inner.name}""#)),
        &["shop.cart.v1.Inner", "no field \"name\"", "key"],
    );
}

#[test]
fn a_path_takes_single_values_only() {
    assert_has(
        &refusal(&service(r#"get: "/v1/{tags}""#)),
        &["shop.cart.v1.In.tags", "several values"],
    );
    assert_has(
        &refusal(&service(r#"get: "/v1/{inner}""#)),
        &["cannot be written as one path segment"],
    );
    assert_has(
        &refusal(&service(r#"get: "/v1/{id.key}""#)),
        &["is not a message"],
    );
    assert_has(
        &refusal(&service(r#"get: "/v1/{id}/{id}""#)),
        &["names id twice"],
    );
}

#[test]
fn a_malformed_path_is_refused() {
    for (path, problem) in [
        ("v1/carts", "must begin with a slash"),
        ("/v1//carts", "segment \"\""),
        (
            "/v1/{id=carts/*}",
            "patterns inside braces are not supported",
        ),
        ("/v1/x{id}", "segment \"x{id}\""),
        ("/v1/{id}:", "what follows the colon"),
        ("/openapi.json", "is taken"),
        ("/docs", "is taken"),
        ("/docs/{id}", "is taken"),
    ] {
        assert_has(&refusal(&service(&format!("get: {path:?}"))), &[problem]);
    }
}

#[test]
fn a_body_on_get_is_refused() {
    assert_has(
        &refusal(&service(r#"get: "/v1/carts" body: "*""#)),
        &["GET \"/v1/carts\" cannot have a body"],
    );
}

#[test]
fn a_body_that_is_no_field_is_refused() {
    assert_has(
        &refusal(&service(r#"post: "/v1/carts" body: "cart""#)),
        &["body \"cart\" is no field of shop.cart.v1.In"],
    );
    assert_has(
        &refusal(&service(r#"put: "/v1/carts/{id}" body: "id""#)),
        &["id is both in the path"],
    );
}

#[test]
fn parts_of_http_rules_that_mean_nothing_here_are_refused() {
    assert_has(
        &refusal(&service(r#"post: "/v1/carts" response_body: "x""#)),
        &["response_body is not supported"],
    );
    assert_has(
        &refusal(&service(r#"custom: { kind: "LOCK" path: "/v1" }"#)),
        &["names no verb"],
    );
}

#[test]
fn two_rpcs_on_one_path_are_refused_whatever_their_variables_are_called() {
    let text = r#"
        message A { string one = 1; }
        message B { string other = 1; }
        service CartService {
          rpc First(A) returns (B) { option (google.api.http) = { get: "/v1/carts/{one}" }; }
          rpc Second(B) returns (A) { option (google.api.http) = { get: "/v1/carts/{other}" }; }
        }"#;
    assert_has(
        &refusal(text),
        &[
            "CartService.Second",
            "CartService.First",
            "GET /v1/carts/{other}",
            "another path",
        ],
    );
}

#[test]
fn streams_in_both_directions_are_refused() {
    let text = "message A {} service CartService { rpc Fill(stream A) returns (stream A); }";
    assert_has(
        &refusal(text),
        &[
            "shop.cart.v1.CartService.Fill",
            "streams in both directions are not supported",
        ],
    );
}

#[test]
fn a_stream_of_requests_needs_a_body_to_come_in() {
    for route in ["get: \"/v1/carts\"", "post: \"/v1/carts\""] {
        let text = format!(
            "message A {{}} service CartService {{
               rpc Fill(stream A) returns (A) {{ option (google.api.http) = {{ {route} }}; }}
             }}"
        );
        assert_has(
            &refusal(&text),
            &["CartService.Fill", "has no body", "a stream of requests"],
        );
    }
}

#[test]
fn two_services_of_one_name_are_refused() {
    let text = "message A {} service Cart { rpc Get(A) returns (A); } service CartService { rpc Get(A) returns (A); }";
    assert_has(&refusal(text), &["would both become the trait Cart"]);
}

#[test]
fn rules_that_are_not_supported_are_refused_by_name() {
    for (text, rule) in [
        (
            "string a = 1 [(buf.validate.field).string.pattern = \"x+\"];",
            "string.pattern",
        ),
        (
            "string a = 1 [(buf.validate.field).string.email = true];",
            "string.email",
        ),
        (
            "string a = 1 [(buf.validate.field).cel = { id: \"x\" }];",
            "cel",
        ),
        (
            "map<string, string> a = 1 [(buf.validate.field).map.min_pairs = 1];",
            "map",
        ),
        (
            "double a = 1 [(buf.validate.field).double.finite = true];",
            "double.finite",
        ),
        (
            "bytes a = 1 [(buf.validate.field).bytes.prefix = \"x\"];",
            "bytes.prefix",
        ),
        (
            "string a = 1 [(buf.validate.field).ignore = IGNORE_ALWAYS];",
            "ignore",
        ),
        (
            "repeated string a = 1 [(buf.validate.field).repeated.items.string.uuid = true];",
            "string.uuid",
        ),
    ] {
        let refused = refusal(&field(text));
        assert_has(
            &refused,
            &[
                "shop/cart/v1/cart.proto",
                "shop.cart.v1.In.a",
                &format!("the rule {rule} is not supported"),
            ],
        );
    }
}

#[test]
fn rules_of_another_type_are_refused() {
    for (text, problem) in [
        (
            "string a = 1 [(buf.validate.field).int32.gte = 1];",
            "rules of int32 do not fit a field of string",
        ),
        (
            "int64 a = 1 [(buf.validate.field).int32.gte = 1];",
            "rules of int32 do not fit a field of int64",
        ),
        (
            "repeated string a = 1 [(buf.validate.field).string.min_len = 1];",
            "do not fit a field of repeated string",
        ),
        (
            "string a = 1 [(buf.validate.field).repeated.min_items = 1];",
            "rules of repeated do not fit a field of string",
        ),
        (
            "Size a = 1 [(buf.validate.field).int32.gte = 1];",
            "do not fit a field of enum",
        ),
        (
            "repeated int32 a = 1 [(buf.validate.field).repeated.items.string.min_len = 1];",
            "do not fit a field of int32",
        ),
        (
            "string a = 1 [(backlot.json.v1.halves) = true];",
            "halves needs an int32",
        ),
    ] {
        assert_has(&refusal(&field(text)), &["shop.cart.v1.In.a", problem]);
    }
}

#[test]
fn rules_nothing_can_keep_are_refused() {
    for text in [
        "int32 a = 1 [(buf.validate.field).int32 = { gte: 5 lte: 4 }];",
        "int32 a = 1 [(buf.validate.field).int32 = { gt: 5 lte: 5 }];",
        "string a = 1 [(buf.validate.field).string = { min_len: 5 max_len: 4 }];",
        "repeated string a = 1 [(buf.validate.field).repeated = { min_items: 5 max_items: 4 }];",
        "repeated double a = 1 [(buf.validate.field).repeated.unique = true];",
    ] {
        assert_has(&refusal(&field(text)), &["shop.cart.v1.In.a"]);
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let text = r#"
        message In { string a = 1 [(buf.validate.field).string.email = true]; }
        service CartService {
          rpc Get(In) returns (In) { option (google.api.http) = { get: "/v1/{x}" }; }
          rpc Put(stream In) returns (stream In);
        }"#;
    let Err(error) = compile(text) else {
        panic!("compiled")
    };
    assert_eq!(error.problems().len(), 3, "{error}");
    assert_has(
        &format!("{error:?}"),
        &[
            "3 things are wrong",
            "string.email",
            "no field \"x\"",
            "streams in both directions",
        ],
    );
}

#[test]
fn what_is_no_proto_is_refused_with_its_place() {
    assert_has(
        &refusal("message In { strin a = 1; }"),
        &["cart.proto", "strin"],
    );
}

#[test]
fn other_editions_of_the_language_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("old.proto"),
        "syntax = \"proto2\"; message A { required string a = 1; }",
    )
    .unwrap();
    let compiled = backlot_build::Contract::new()
        .include(folder.path())
        .out_dir(folder.path())
        .file("old.proto")
        .compile();
    assert_has(
        &compiled.unwrap_err().to_string(),
        &["old.proto", "syntax = \"proto3\""],
    );
}
