use super::{assert_has, compile, compile_files};

#[test]
fn a_service_becomes_a_trait_a_description_a_mount_and_a_client() {
    let code = compile(
        r#"
        // Carts of customers.
        service CartService {
          // Puts a thing into a cart.
          rpc AddItem(AddItemRequest) returns (AddItemResponse) {
            option idempotency_level = IDEMPOTENT;
            option (google.api.http) = {
              post: "/v1/carts/{cart_id}/items" body: "*"
              additional_bindings { put: "/v1/items" body: "item" }
            };
          }
          rpc Watch(AddItemRequest) returns (stream AddItemResponse) { option idempotency_level = NO_SIDE_EFFECTS; }
          rpc Pay(AddItemRequest) returns (AddItemResponse);
          rpc Fill(stream AddItemRequest) returns (AddItemResponse);
        }
        message AddItemRequest { string cart_id = 1; Item item = 2; }
        message Item { string name = 1; }
        message AddItemResponse {}
        "#,
    )
    .unwrap()
    .code();
    assert_has(
        &code,
        &[
            "/// Carts of customers.\n",
            "pub trait Cart: Send + Sync + 'static {",
            "/// Puts a thing into a cart.\n",
            "async fn add_item(&self, cx: &::backlot::rpc::generated::Context, request: self::cart::v1::AddItemRequest)",
            "Result<::backlot::rpc::generated::Streaming<self::cart::v1::AddItemResponse>, ::backlot::rpc::generated::Error>",
            "pub static CART_SERVICE: ::backlot::rpc::generated::Service",
            "name: \"shop.cart.v1.CartService\",",
            "target: \"cart\",",
            "path: \"/shop.cart.v1.CartService/AddItem\",",
            "Effect::Idempotent",
            "Effect::Read",
            "Effect::Once",
            "Shape::ServerStream",
            "Verb::Post, template: \"/v1/carts/{cart_id}/items\", body: ::backlot::rpc::generated::Body::All",
            "Verb::Put, template: \"/v1/items\", body: ::backlot::rpc::generated::Body::Field(\"item\")",
            "pub fn cart(service: impl Cart) -> ::backlot::rpc::generated::Mount {",
            ".server_stream::<self::cart::v1::AddItemRequest, self::cart::v1::AddItemResponse>(1, |service, cx, request|",
            "async fn fill(&self, cx: &::backlot::rpc::generated::Context, requests: ::backlot::rpc::generated::Streaming<self::cart::v1::AddItemRequest>)",
            "Shape::ClientStream",
            ".client_stream::<self::cart::v1::AddItemRequest, self::cart::v1::AddItemResponse>(3, |service, cx, requests| service.fill(cx, requests))",
            "self.0.client_stream::<dyn Cart, _, _>(&CART_SERVICE.methods[3], cx, requests, ",
            "CartClient::fill(self, cx, requests).await",
            "pub struct CartClient(::backlot::rpc::generated::Binding);",
            "impl Cart for CartClient {",
        ],
    );
}

#[test]
fn options_are_read_and_do_not_become_code() {
    let code = compile("message A { string a = 1 [(buf.validate.field).string.min_len = 1]; }")
        .unwrap()
        .code();
    for module in ["mod google", "mod buf", "mod backlot", "mod json"] {
        assert!(!code.contains(module), "{module} in {code}");
    }
}

#[test]
fn descriptors_keep_their_options() {
    let compiled =
        compile("message A { string a = 1 [(buf.validate.field).string.min_len = 77]; }").unwrap();
    let bytes = std::fs::read(compiled.0.path().join("contract.bin")).unwrap();
    let pool = prost_reflect::DescriptorPool::decode(bytes.as_slice()).unwrap();
    let rules = pool.get_extension_by_name("buf.validate.field").unwrap();
    let field = pool
        .get_message_by_name("shop.cart.v1.A")
        .unwrap()
        .get_field_by_name("a")
        .unwrap();
    assert!(field.options().has_extension(&rules));
}

#[test]
fn everything_public_is_documented() {
    let code = compile(
        "message A { string a = 1; oneof kind { string b = 2; int32 c = 3; } Size size = 4; message Inner {} }
         enum Size { SIZE_UNSPECIFIED = 0; SIZE_BIG = 1; }
         service CartService { rpc Get(A) returns (A); }",
    )
    .unwrap()
    .code();
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    for (index, line) in lines.iter().enumerate() {
        let is_item = line.starts_with("pub ") && !line.starts_with("pub use");
        let above = lines[..index]
            .iter()
            .rev()
            .find(|line| !line.starts_with("#["))
            .unwrap_or(&"");
        assert!(
            !is_item || above.starts_with("///"),
            "{line} has no docs:\n{code}"
        );
    }
    assert_has(
        &code,
        &[
            "/// The field `a`.",
            "/// The value `SIZE_BIG`.",
            "/// The request of `Get`.",
            "/// Calls `Get`.",
        ],
    );
}

#[test]
fn comments_cannot_break_the_docs() {
    let code = compile(
        "// Less than <b>, an [index] and `Vec<T>`.
         message A { string a = 1; }
         // Of [things].
         service CartService { rpc Get(A) returns (A); }",
    )
    .unwrap()
    .code();
    assert_has(
        &code,
        &[
            r"/// Less than \<b\>, an \[index\] and `Vec<T>`.",
            r"/// Of \[things\].",
        ],
    );
}

#[test]
fn packages_of_one_family_drop_its_name() {
    let compiled = compile_files(&[
        (
            "shop/cart/v1/cart.proto",
            "package shop.cart.v1; import \"shop/item/v1/item.proto\";
             message Cart { shop.item.v1.Item item = 1; }"
                .to_owned(),
        ),
        (
            "shop/item/v1/item.proto",
            "package shop.item.v1; message Item { string name = 1; }".to_owned(),
        ),
    ]);
    let code = compiled.unwrap().code();
    assert_has(
        &code,
        &[
            "pub mod cart {",
            "pub mod item {",
            "super::super::item::v1::Item",
            "pub use self::cart::v1::*;",
        ],
    );
    assert!(!code.contains("mod shop"), "{code}");
}

#[test]
fn rules_become_checks_that_speak_as_json_does() {
    let code = compile(
        r#"
        message A {
          int32 half_stars = 1 [json_name = "value", (backlot.json.v1.halves) = true, (buf.validate.field).int32 = { gte: 1 lte: 10 }];
          string record_id = 2 [(buf.validate.field).string = { min_len: 1 max_len: 64 prefix: "tt{" }];
          repeated string tags = 3 [(buf.validate.field).repeated = { max_items: 3 unique: true items: { string: { min_len: 1 } } }];
          optional double mean = 4 [(buf.validate.field).double = { gt: 0 lt: 5.5 }];
          Size size = 5 [(buf.validate.field).enum.defined_only = true];
          B inner = 6 [(buf.validate.field).required = true];
          map<string, B> by_key = 7;
          oneof choice { string left = 8 [(buf.validate.field).string.len = 2]; B right = 9; }
        }
        message B { uint32 count = 1 [(buf.validate.field).uint32 = { in: [1, 2] }]; B next = 2; }
        message Free { string text = 1; }
        enum Size { SIZE_UNSPECIFIED = 0; SIZE_BIG = 1; }
        "#,
    )
    .unwrap()
    .code();
    assert_has(
        &code,
        &[
            r#"at.push("value", ::std::format!("must be 0.5 to 5 by halves, got {}", f64::from(*value) / 2.0));"#,
            r#"at.push("recordId", ::std::format!("must be 1 to 64 characters, got {}", value.chars().count()));"#,
            r#"at.push("recordId", ::std::format!("must begin with \"tt{{\", got {}""#,
            r#"at.push("tags", ::std::format!("must hold at most 3 items, got {}", value.len()));"#,
            r#"at.push_at("tags", index, ::std::format!("must be at least 1 character, got {}""#,
            r#"if !(*value > 0.0_f64 && *value < 5.5_f64)"#,
            r#"must be one of SIZE_UNSPECIFIED, SIZE_BIG, got {}"#,
            r#"at.nested("inner", None, value);"#,
            r#"at.push("inner", "is required".into());"#,
            r#"at.nested_entry("byKey", key, value);"#,
            r#"if let Some(a::Choice::Left(value)) = &self.choice {"#,
            r#"at.nested("next", None, value);"#,
            r#"![1, 2].contains(value)"#,
            "impl ::backlot::rpc::generated::Validate for Free {\n            fn validate(&self, _at:",
        ],
    );
}

#[test]
fn well_known_types_come_from_the_runtime() {
    let code = compile_files(&[(
        "a.proto",
        "package a.b.v1; import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/empty.proto\";
         message A { google.protobuf.Timestamp at = 1; }
         service BService { rpc Touch(google.protobuf.Empty) returns (google.protobuf.Empty); }"
            .to_owned(),
    )])
    .unwrap()
    .code();
    assert_has(
        &code,
        &[
            "Option<::backlot::rpc::generated::prost_types::Timestamp>",
            "request: ()) -> ::core::result::Result<(), ",
        ],
    );
}

#[test]
fn a_message_with_a_map_needs_no_crate_of_its_own_to_be_printed() {
    let code = compile("message A { map<string, int32> counts = 1; } message B { int32 one = 1; }")
        .unwrap()
        .code();
    assert_has(
        &code,
        &[
            "#[derive(Debug)]",
            "#[prost(skip_debug)]",
            "collections::BTreeMap<",
        ],
    );
    assert_eq!(
        code.matches("#[derive(Debug)]").count(),
        1,
        "only where it is needed:\n{code}"
    );
}

#[test]
fn a_file_without_a_package_stays_at_the_root() {
    let text = "message A { string a = 1; } service OrderBookService { rpc Get(A) returns (A); }";
    let code = compile_files(&[("a.proto", text.to_owned())])
        .unwrap()
        .code();
    assert_has(
        &code,
        &[
            "pub struct A {",
            "request: self::A)",
            "target: \"order-book\",",
            "pub fn order_book(",
        ],
    );
    assert!(!code.contains("pub use"), "{code}");
}
