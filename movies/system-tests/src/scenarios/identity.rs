//! Who asks, as the callee sees it.

use crate::Clients;
use crate::clients::rating;
use crate::probe::{LookRequest, Sight};
use backlot::core::principal::{Token, User};
use backlot::core::trace::TraceContext;
use backlot::{Code, Context, Criticality, Principal, Timestamp};
use movies_api::PickNameRequest;
use std::collections::BTreeSet;
use std::sync::Arc;

async fn sights(world: &Clients, cx: &Context, hops: i32) -> Vec<Sight> {
    world
        .worked("look", world.probe.look(cx, LookRequest { hops }).await)
        .sights
}

pub(super) async fn a_part_of_the_system_is_nobody_to_others(world: &Clients) {
    let loader = Context::system("loader");
    assert_eq!(
        sights(world, &loader, 1)
            .await
            .iter()
            .filter_map(|sight| sight.subject.as_ref())
            .count(),
        0
    );
    let outcome = world
        .rating
        .put_rating(&loader, rating("loader", "systems", 4))
        .await;
    world.refused("put", outcome, Code::Unauthenticated);
}

pub(super) async fn a_token_for_others_shows_nobody(world: &Clients) {
    let cx = world
        .nobody()
        .with_principal(world.tokens.principal("ann", &[], &["movie", "probe"]));
    let outcome = world
        .rating
        .put_rating(&cx, rating("ann", "not-meant", 4))
        .await;
    world.refused("put", outcome, Code::Unauthenticated);
    let seen = sights(world, &cx, 0).await;
    assert_eq!(seen[0].subject.as_deref(), Some("ann"));
}

pub(super) async fn a_token_that_has_ended_is_refused(world: &Clients) {
    let cx = world.nobody().with_principal(world.tokens.expired("late"));
    let outcome = world
        .rating
        .put_rating(&cx, rating("late", "too-late", 4))
        .await;
    world.refused("put", outcome, Code::Unauthenticated);
    // Even where nobody has to be anybody.
    let outcome = world.probe.look(&cx, LookRequest { hops: 0 }).await;
    world.refused("look", outcome, Code::Unauthenticated);
}

pub(super) async fn a_user_stays_the_same_from_hop_to_hop(world: &Clients) {
    let cx = world.nobody().with_principal(world.tokens.principal(
        "änn 1",
        &["editor", "critic"],
        &["probe"],
    ));
    let seen = sights(world, &cx, 3).await;
    for sight in &seen {
        assert_eq!(sight.subject.as_deref(), Some("änn 1"));
        assert_eq!(sight.roles, ["critic", "editor"]);
    }
    assert_eq!(seen.len(), 4);
}

pub(super) async fn a_picked_name_can_rate(world: &Clients) {
    let request = |name: &str| PickNameRequest {
        name: name.to_owned(),
    };
    let picked = world.worked(
        "a name",
        world
            .auth
            .pick_name(&world.nobody(), request("zoë_1-a"))
            .await,
    );
    let named = Principal::User(Arc::new(User {
        subject: "zoë_1-a".to_owned(),
        roles: BTreeSet::new(),
        audience: BTreeSet::from(["rating".to_owned()]),
        expires: Timestamp::of_seconds(picked.expires_at),
        token: Token::new(picked.token),
    }));
    let cx = world.nobody().with_principal(named);
    world.answered(
        "a rating",
        world
            .rating
            .put_rating(&cx, rating("zoë_1-a", "named", 7))
            .await,
    );
    for name in ["", "a b", "a/b", "a\0", &"x".repeat(33)] {
        let outcome = world.auth.pick_name(&world.nobody(), request(name)).await;
        let error = world.refused(
            &format!("the name {name:?}"),
            outcome,
            Code::InvalidArgument,
        );
        assert_eq!(error.violations()[0].field, "name", "{error:?}");
    }
}

pub(super) async fn trace_and_criticality_travel(world: &Clients) {
    let trace = TraceContext {
        trace_id: 0xabc,
        span_id: 0xdef,
        sampled: true,
    };
    let cx = world
        .nobody()
        .with_trace(trace)
        .with_criticality(Criticality::SheddablePlus);
    let seen = sights(world, &cx, 2).await;
    for sight in &seen {
        assert_eq!(sight.trace_id, format!("{:032x}", 0xabc));
        assert_ne!(
            sight.span_id,
            format!("{:016x}", 0xdef),
            "each hop is a span of its own"
        );
        assert_eq!(sight.criticality, "sheddable-plus");
    }
    assert!(seen[0].span_id != seen[1].span_id && seen[1].span_id != seen[2].span_id);
    // Without a trace one begins.
    let begun = sights(world, &world.nobody(), 1).await;
    assert_eq!(begun[0].trace_id, begun[1].trace_id);
    assert_ne!(begun[0].trace_id, format!("{:032x}", 0));
}
