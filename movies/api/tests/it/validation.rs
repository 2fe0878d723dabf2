use backlot::rpc::{Validate, Violations};
use movies_api::{
    BatchGetAggregatedRatingsRequest, ListMetadataRequest, PickNameRequest, PutMetadataRequest,
    PutRatingRequest, metadata::v1::Metadata,
};

fn rating() -> PutRatingRequest {
    PutRatingRequest {
        record_type: "movie".into(),
        record_id: "tt1".into(),
        user_id: "ann".into(),
        half_stars: 9,
    }
}

#[track_caller]
fn refused(request: &impl Validate, field: &str, description: &str) {
    let error = Violations::check(request).unwrap_err();
    let found = error
        .violations()
        .iter()
        .find(|violation| violation.field == field);
    assert_eq!(
        found.map(|violation| violation.description.as_str()),
        Some(description),
        "{error}"
    );
}

#[test]
fn every_half_star_from_one_to_ten_is_a_rating() {
    for half_stars in 1..=10 {
        assert!(
            Violations::check(&PutRatingRequest {
                half_stars,
                ..rating()
            })
            .is_ok(),
            "{half_stars}"
        );
    }
}

#[test]
fn other_half_stars_are_refused_in_stars() {
    for (half_stars, got) in [(0, "0"), (11, "5.5"), (-1, "-0.5"), (12, "6")] {
        let description = format!("must be 0.5 to 5 by halves, got {got}");
        refused(
            &PutRatingRequest {
                half_stars,
                ..rating()
            },
            "value",
            &description,
        );
    }
}

#[test]
fn texts_are_measured_in_characters() {
    assert!(
        Violations::check(&PutRatingRequest {
            record_id: "é".repeat(64),
            ..rating()
        })
        .is_ok()
    );
    refused(
        &PutRatingRequest {
            record_id: "é".repeat(65),
            ..rating()
        },
        "recordId",
        "must be 1 to 64 characters, got 65",
    );
    refused(
        &PickNameRequest {
            name: String::new(),
        },
        "name",
        "must be 1 to 32 characters, got 0",
    );
}

#[test]
fn the_items_of_a_list_are_named_by_their_place() {
    let request = BatchGetAggregatedRatingsRequest {
        record_type: "movie".into(),
        record_ids: vec!["tt1".into(), String::new()],
    };
    refused(
        &request,
        "recordIds[1]",
        "must be 1 to 64 characters, got 0",
    );
    let request = BatchGetAggregatedRatingsRequest {
        record_type: "movie".into(),
        record_ids: vec!["tt1".into(); 201],
    };
    refused(
        &request,
        "recordIds",
        "must hold at most 200 items, got 201",
    );
}

#[test]
fn what_is_inside_is_checked_too() {
    refused(
        &PutMetadataRequest { metadata: None },
        "metadata",
        "is required",
    );
    let metadata = Metadata {
        id: "tt1".into(),
        year: 3000,
        ..Metadata::default()
    };
    let request = PutMetadataRequest {
        metadata: Some(metadata),
    };
    refused(&request, "metadata.year", "must be 0 to 2200, got 3000");
    refused(
        &request,
        "metadata.title",
        "must be 1 to 500 characters, got 0",
    );
}

#[test]
fn zero_may_stand_for_a_default() {
    assert!(Violations::check(&ListMetadataRequest::default()).is_ok());
}
