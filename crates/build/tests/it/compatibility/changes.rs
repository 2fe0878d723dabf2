//! The table.

use super::{RELEASED, compare, read, told, with};
use backlot_build::compatibility;
use backlot_build::compatibility::Change::{self, *};
use std::collections::BTreeSet;

/// What replaces what, what that breaks, and what the way back breaks.
struct Case {
    part: &'static str,
    by: &'static str,
    breaks: &'static [(&'static str, Change)],
    back: &'static [(&'static str, Change)],
}

const fn case(
    part: &'static str,
    by: &'static str,
    breaks: &'static [(&'static str, Change)],
    back: &'static [(&'static str, Change)],
) -> Case {
    Case {
        part,
        by,
        breaks,
        back,
    }
}

const GET: &str = r#"get: "/v1/carts/{id}" }"#;
const PUT: &str = r#"put: "/v1/carts/{cart.id}" body: "cart""#;
const BINDING: &str = r#"additional_bindings { post: "/v1/carts:put" body: "*" }"#;
const WATCH: &str = "rpc Watch(WatchRequest) returns (stream GetResponse);";
const ID: &str = "message GetRequest {\n  string id = 1 [(buf.validate.field).string = { min_len: 1 max_len: 64 }];";
const PAGE: &str = "int32 page_size = 2 [(buf.validate.field).int32 = { gte: 0 lte: 200 }];";
const TAGS: &str = "repeated string tags = 2 [(buf.validate.field).repeated = { max_items: 10 items: { string: { max_len: 20 } } }];";
const WEIGHT: &str = r#"int32 weight = 8 [json_name = "kilos", (backlot.json.v1.halves) = true, (buf.validate.field).int32 = { gte: 0 }];"#;

const CASES: &[Case] = &[
    // packages, services, methods
    case(
        "package shop.cart.v1;",
        "package shop.cart.v2;",
        &[("shop.cart.v1", PackageRemoved)],
        &[("shop.cart.v2", PackageRemoved)],
    ),
    case(
        "service CartService {",
        "service Carts {",
        &[("CartService", ServiceRemoved)],
        &[("Carts", ServiceRemoved)],
    ),
    case(
        "rpc Watch(",
        "rpc Follow(",
        &[("CartService.Watch", MethodRemoved)],
        &[("CartService.Follow", MethodRemoved)],
    ),
    case(WATCH, "", &[("CartService.Watch", MethodRemoved)], &[]),
    case(
        "returns (stream GetResponse)",
        "returns (GetResponse)",
        &[("CartService.Watch", StreamChanged)],
        &[("CartService.Watch", StreamChanged)],
    ),
    case(
        "rpc Watch(WatchRequest)",
        "rpc Watch(stream WatchRequest)",
        &[("CartService.Watch", StreamChanged)],
        &[("CartService.Watch", StreamChanged)],
    ),
    case(
        "rpc Watch(WatchRequest)",
        "rpc Watch(GetRequest)",
        &[("CartService.Watch", RequestChanged)],
        &[("CartService.Watch", RequestChanged)],
    ),
    case(
        "returns (stream GetResponse)",
        "returns (stream Cart)",
        &[("CartService.Watch", AnswerChanged)],
        &[("CartService.Watch", AnswerChanged)],
    ),
    case(
        "idempotency_level = NO_SIDE_EFFECTS",
        "idempotency_level = IDEMPOTENT",
        &[("CartService.Get", IdempotencyWeakened)],
        &[],
    ),
    case(
        "option idempotency_level = IDEMPOTENT;",
        "",
        &[("CartService.Put", IdempotencyWeakened)],
        &[],
    ),
    case(
        WATCH,
        "rpc Watch(WatchRequest) returns (stream GetResponse); rpc More(GetRequest) returns (GetResponse);",
        &[],
        &[("CartService.More", MethodRemoved)],
    ),
    // routes
    case(
        GET,
        r#"get: "/v1/baskets/{id}" }"#,
        &[("CartService.Get", RouteRemoved)],
        &[("CartService.Get", RouteRemoved)],
    ),
    case(
        GET,
        r#"get: "/v1/baskets/{id}" additional_bindings { get: "/v1/carts/{id}" } }"#,
        &[],
        &[("CartService.Get", RouteRemoved)],
    ),
    case(
        GET,
        r#"post: "/v1/carts/{id}" }"#,
        &[("CartService.Get", RouteRemoved)],
        &[("CartService.Get", RouteRemoved)],
    ),
    case(BINDING, "", &[("CartService.Put", RouteRemoved)], &[]),
    case(
        BINDING,
        r#"additional_bindings { post: "/v1/carts:put" body: "cart" }"#,
        &[("CartService.Put", RouteChanged)],
        &[("CartService.Put", RouteChanged)],
    ),
    case(
        PUT,
        r#"put: "/v1/carts/{note}" body: "cart""#,
        &[("CartService.Put", RouteChanged)],
        &[("CartService.Put", RouteChanged)],
    ),
    case(
        WATCH,
        r#"rpc Watch(WatchRequest) returns (stream GetResponse) { option (google.api.http) = { get: "/v1/carts/{id}/live" }; }"#,
        &[],
        &[("CartService.Watch", RouteRemoved)],
    ),
    case(
        WATCH,
        r#"rpc Watch(WatchRequest) returns (stream GetResponse) { option (google.api.http) = { get: "/v1/carts/live" }; }"#,
        &[("CartService.Watch", RouteTaken)],
        &[("CartService.Watch", RouteRemoved)],
    ),
    case(
        WATCH,
        r#"rpc Watch(WatchRequest) returns (stream GetResponse) { option (google.api.http) = { get: "/v1/carts/{id}:live" }; }"#,
        &[("CartService.Watch", RouteTaken)],
        &[("CartService.Watch", RouteRemoved)],
    ),
    case(
        GET,
        r#"get: "/v1/carts/{id}" response_body: "cart" }"#,
        &[("CartService.Get", RouteUnknown)],
        &[("CartService.Get", RouteUnknown)],
    ),
    // messages and fields
    case(
        "message Owner {\n    string name = 1;\n  }",
        "message Owner {\n    string name = 1;\n  }\n  message Spare {}",
        &[],
        &[("Cart.Spare", MessageRemoved)],
    ),
    case(
        "  string note = 2;\n",
        "",
        &[("PutRequest.note", FieldRemoved)],
        &[],
    ),
    case(
        "  string note = 2;\n",
        "  reserved 2;\n",
        &[("PutRequest.note", FieldRemoved)],
        &[],
    ),
    case(
        "  string note = 2;\n",
        "  reserved \"note\";\n",
        &[("PutRequest.note", FieldRemoved)],
        &[],
    ),
    case(
        "  string note = 2;\n",
        "  reserved 2; reserved \"note\";\n",
        &[("PutRequest.note", FieldRefused)],
        &[],
    ),
    case(
        "double total = 2 [(buf.validate.field).double = { gte: 0 }];",
        "reserved 2; reserved \"total\";",
        &[],
        &[],
    ),
    case(
        "message WatchRequest {\n  string id = 1;",
        "message WatchRequest {\n  reserved 1; reserved \"id\";",
        &[],
        &[],
    ),
    case(
        "string note = 2;",
        "string note = 3;",
        &[("PutRequest.note", FieldRenumbered)],
        &[("PutRequest.note", FieldRenumbered)],
    ),
    case(
        "string note = 2;",
        "string text = 2;",
        &[("PutRequest.text", FieldRenamed)],
        &[("PutRequest.note", FieldRenamed)],
    ),
    case(
        "string card = 5;\n    string voucher = 6;",
        "string card = 6;\n    string voucher = 5;",
        &[
            ("Cart.card", FieldRenumbered),
            ("Cart.voucher", FieldRenumbered),
        ],
        &[
            ("Cart.card", FieldRenumbered),
            ("Cart.voucher", FieldRenumbered),
        ],
    ),
    case(
        "string note = 2;",
        "string note = 2 [json_name = \"text\"];",
        &[("PutRequest.note", JsonNameChanged)],
        &[("PutRequest.note", JsonNameChanged)],
    ),
    case(
        "string note = 2;",
        "bytes note = 2;",
        &[("PutRequest.note", TypeChanged)],
        &[("PutRequest.note", TypeChanged)],
    ),
    case(
        "string note = 2;",
        "Size note = 2;",
        &[("PutRequest.note", TypeChanged)],
        &[("PutRequest.note", TypeChanged)],
    ),
    case(
        "Owner owner = 9;",
        "PutResponse owner = 9;",
        &[("Cart.owner", TypeChanged)],
        &[("Cart.owner", TypeChanged)],
    ),
    case(
        "map<string, int32> amounts",
        "map<string, int64> amounts",
        &[("Cart.amounts", TypeChanged)],
        &[("Cart.amounts", TypeChanged)],
    ),
    case(
        "string note = 2;",
        "repeated string note = 2;",
        &[("PutRequest.note", LabelChanged)],
        &[("PutRequest.note", LabelChanged)],
    ),
    case(
        "optional int32 discount",
        "int32 discount",
        &[("Cart.discount", LabelChanged)],
        &[("Cart.discount", LabelChanged)],
    ),
    case(
        "    string voucher = 6;\n  }",
        "  }\n  string voucher = 6;",
        &[("Cart.voucher", OneofChanged)],
        &[("Cart.voucher", OneofChanged)],
    ),
    case(
        "oneof payment {",
        "oneof pays_by {",
        &[("Cart.card", OneofChanged), ("Cart.voucher", OneofChanged)],
        &[("Cart.card", OneofChanged), ("Cart.voucher", OneofChanged)],
    ),
    case(
        "string voucher = 6;",
        "string voucher = 6; string cash = 12;",
        &[],
        &[("Cart.cash", FieldRemoved)],
    ),
    case(
        "string note = 2;",
        "string note = 2 [deprecated = true]; string more = 3;",
        &[],
        &[("PutRequest.more", FieldRemoved)],
    ),
    // the form in JSON
    case(
        WEIGHT,
        r#"int32 weight = 8 [json_name = "kilos", (buf.validate.field).int32 = { gte: 0 }];"#,
        &[("Cart.weight", HalvesChanged)],
        &[("Cart.weight", HalvesChanged)],
    ),
    // rules
    case(
        PAGE,
        "int32 page_size = 2 [(buf.validate.field).int32 = { gte: 0 lte: 100 }];",
        &[("GetRequest.page_size", RuleTightened)],
        &[],
    ),
    case(
        PAGE,
        "int32 page_size = 2 [(buf.validate.field).int32 = { gt: -1 lt: 201 }];",
        &[],
        &[],
    ),
    case(
        PAGE,
        "int32 page_size = 2;",
        &[],
        &[("GetRequest.page_size", RuleTightened)],
    ),
    case(
        PAGE,
        "int32 page_size = 2 [(buf.validate.field).int32 = { gte: 0 lte: 200 not_in: [7] }];",
        &[("GetRequest.page_size", RuleTightened)],
        &[],
    ),
    case(
        PAGE,
        "int32 page_size = 2 [(buf.validate.field).int32 = { in: [0, 50, 200] }];",
        &[("GetRequest.page_size", RuleTightened)],
        &[],
    ),
    case(
        ID,
        "message GetRequest {\n  string id = 1 [(buf.validate.field).string = { min_len: 1 max_len: 63 }];",
        &[("GetRequest.id", RuleTightened)],
        &[],
    ),
    case(
        ID,
        "message GetRequest {\n  string id = 1 [(buf.validate.field).string = { min_len: 1 max_bytes: 256 }];",
        &[],
        &[("GetRequest.id", RuleTightened)],
    ),
    case(
        ID,
        "message GetRequest {\n  string id = 1 [(buf.validate.field).string = { min_len: 1 max_len: 64 prefix: \"c\" }];",
        &[("GetRequest.id", RuleTightened)],
        &[],
    ),
    case(
        ID,
        "message GetRequest {\n  string id = 1 [(buf.validate.field) = { required: true string: { max_len: 64 } }];",
        &[],
        &[],
    ),
    case(
        "string note = 2;",
        "string note = 2 [(buf.validate.field).required = true];",
        &[("PutRequest.note", RuleTightened)],
        &[],
    ),
    case(
        "Cart cart = 1 [(buf.validate.field).required = true];",
        "Cart cart = 1;",
        &[],
        &[("PutRequest.cart", RuleTightened)],
    ),
    case(
        TAGS,
        "repeated string tags = 2 [(buf.validate.field).repeated = { max_items: 9 items: { string: { max_len: 20 } } }];",
        &[("Cart.tags", RuleTightened)],
        &[],
    ),
    case(
        TAGS,
        "repeated string tags = 2 [(buf.validate.field).repeated = { max_items: 10 items: { string: { max_len: 19 } } }];",
        &[("Cart.tags", RuleTightened)],
        &[],
    ),
    case(
        TAGS,
        "repeated string tags = 2 [(buf.validate.field).repeated = { max_items: 10 unique: true items: { string: { max_len: 20 } } }];",
        &[("Cart.tags", RuleTightened)],
        &[],
    ),
    case(
        TAGS,
        "repeated string tags = 2 [(buf.validate.field).repeated = { min_items: 1 max_items: 10 items: { string: { max_len: 20 } } }];",
        &[("Cart.tags", RuleTightened)],
        &[],
    ),
    case(
        "Size size = 7 [(buf.validate.field).enum.defined_only = true];",
        "Size size = 7;",
        &[],
        &[("Cart.size", RuleTightened)],
    ),
    case(
        "map<string, int32> amounts = 3;",
        "map<string, int32> amounts = 3 [(buf.validate.field).map.max_pairs = 9];",
        &[("Cart.amounts", RuleUnknown)],
        &[("Cart.amounts", RuleUnknown)],
    ),
    case(
        "string note = 2;",
        "string note = 2 [(buf.validate.field).string.pattern = \"x+\"];",
        &[("PutRequest.note", RuleUnknown)],
        &[("PutRequest.note", RuleUnknown)],
    ),
    // Rules of answers bind nobody who calls.
    case(
        "{ gte: 0 }];\n}\nmessage PutRequest",
        "{ gte: 1 }];\n}\nmessage PutRequest",
        &[],
        &[],
    ),
    // new fields of requests
    case(
        "string note = 2;",
        "string note = 2; string why = 3 [(buf.validate.field).string.min_len = 1];",
        &[("PutRequest.why", FieldDemanded)],
        &[("PutRequest.why", FieldRemoved)],
    ),
    case(
        "string note = 2;",
        "string note = 2; int32 many = 3 [(buf.validate.field).int32 = { gte: 1 }];",
        &[("PutRequest.many", FieldDemanded)],
        &[("PutRequest.many", FieldRemoved)],
    ),
    case(
        "string note = 2;",
        "string note = 2; repeated Owner owners = 3 [(buf.validate.field).repeated.min_items = 1]; message Owner {}",
        &[("PutRequest.owners", FieldDemanded)],
        &[
            ("PutRequest.Owner", MessageRemoved),
            ("PutRequest.owners", FieldRemoved),
        ],
    ),
    case(
        "string note = 2;",
        "string note = 2; optional string why = 3 [(buf.validate.field).required = true];",
        &[("PutRequest.why", FieldDemanded)],
        &[("PutRequest.why", FieldRemoved)],
    ),
    case(
        "string note = 2;",
        "string note = 2; optional string why = 3 [(buf.validate.field).string.min_len = 1];",
        &[],
        &[("PutRequest.why", FieldRemoved)],
    ),
    case(
        "string note = 2;",
        "string note = 2; string why = 3 [(buf.validate.field).string.email = true];",
        &[("PutRequest.why", RuleUnknown)],
        &[("PutRequest.why", FieldRemoved)],
    ),
    case(
        "double total = 2",
        "int32 items = 3 [(buf.validate.field).int32 = { gte: 1 }]; double total = 2",
        &[],
        &[("GetResponse.items", FieldRemoved)],
    ),
    // enums
    case(
        "enum Size {",
        "enum Spare { SPARE_UNSPECIFIED = 0; }\nenum Size {",
        &[],
        &[("Spare", EnumRemoved)],
    ),
    case(
        "  SIZE_LARGE = 2;\n",
        "",
        &[("SIZE_LARGE", ValueRemoved)],
        &[],
    ),
    case(
        "SIZE_LARGE = 2;",
        "SIZE_LARGE = 3;",
        &[("SIZE_LARGE", ValueRenumbered)],
        &[("SIZE_LARGE", ValueRenumbered)],
    ),
    case(
        "SIZE_LARGE = 2;",
        "SIZE_BIG = 2;",
        &[("SIZE_LARGE", ValueRenamed)],
        &[("SIZE_BIG", ValueRenamed)],
    ),
    case(
        "enum Size {",
        "enum Size {\n  option allow_alias = true;\n  SIZE_NONE = 0;",
        &[("SIZE_UNSPECIFIED", ValueRenamed)],
        &[("SIZE_NONE", ValueRenamed)],
    ),
    case(
        "SIZE_LARGE = 2;",
        "SIZE_LARGE = 2; SIZE_HUGE = 3;",
        &[],
        &[("SIZE_HUGE", ValueRemoved)],
    ),
    // what nobody notices
    case(
        "service CartService {",
        "// All that can be done with carts.\nservice CartService {",
        &[],
        &[],
    ),
];

#[test]
fn each_change_is_found_and_nothing_else() {
    let released = read(RELEASED);
    let mut wrong = Vec::new();
    for case in CASES {
        let changed = read(&with(case.part, case.by));
        for (way, before, now, expected) in [
            ("there", &released, &changed, case.breaks),
            ("back", &changed, &released, case.back),
        ] {
            let findings = compatibility::compare(before, now);
            if told(&findings) != expected {
                wrong.push(format!(
                    "{:?} to {:?}, {way}: expected {expected:?}, got {findings:#?}",
                    case.part, case.by
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_every_kind_of_change() {
    let tried: BTreeSet<Change> = CASES
        .iter()
        .flat_map(|case| case.breaks.iter().chain(case.back))
        .map(|(_, change)| *change)
        .collect();
    let missing: Vec<Change> = Change::ALL
        .into_iter()
        .filter(|change| !tried.contains(change))
        .collect();
    assert_eq!(missing, [], "no case changes these");
}

#[test]
fn a_contract_is_compatible_with_itself() {
    assert_eq!(compare(RELEASED, RELEASED), []);
}

#[test]
fn a_message_that_moves_down_its_file_is_the_same_message() {
    let moved = with("message PutResponse {}", "") + "message PutResponse {}";
    assert_eq!(compare(RELEASED, &moved), []);
}

#[test]
fn a_new_route_that_gives_way_to_released_ones_takes_nothing_from_them() {
    let rpc = r#"rpc Watch(WatchRequest) returns (stream GetResponse) {
        option (google.api.http) = { get: "/v1/{id}/{more}" };
    }"#;
    let wide = with(WATCH, rpc).replace(
        "message WatchRequest {",
        "message WatchRequest { string more = 2;",
    );
    assert_eq!(compare(RELEASED, &wide), []);
}

#[test]
fn a_route_that_moved_to_another_method_is_told_by_its_name() {
    let get = "rpc Get(GetRequest) returns (GetResponse) {\n    option idempotency_level = NO_SIDE_EFFECTS;\n    option (google.api.http) = { get: \"/v1/carts/{id}\" };\n  }";
    let moved = "rpc Get(GetRequest) returns (GetResponse) { option idempotency_level = NO_SIDE_EFFECTS; }\n  rpc Other(GetRequest) returns (GetResponse) { option (google.api.http) = { get: \"/v1/carts/{id}\" }; }";
    let findings = compare(RELEASED, &with(get, moved));
    assert_eq!(told(&findings), [("CartService.Get", RouteTaken)]);
    assert!(
        findings[0].what.contains("shop.cart.v1.CartService.Other"),
        "{}",
        findings[0]
    );
}

#[test]
fn several_changes_are_all_told_each_in_its_place() {
    let changed = with("string note = 2;", "int32 note = 2;").replace("lte: 200", "lte: 100");
    let findings = compare(RELEASED, &changed);
    assert_eq!(
        told(&findings),
        [
            ("GetRequest.page_size", RuleTightened),
            ("PutRequest.note", TypeChanged)
        ]
    );
    let line = |text: &str| {
        1 + changed
            .lines()
            .position(|line| line.contains(text))
            .unwrap()
    };
    assert_eq!(findings[0].line, line("page_size"));
    assert_eq!(findings[1].line, line("int32 note"));
}
