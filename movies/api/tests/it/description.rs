use crate::subject::{Ratings, get};
use backlot::rpc::{Edge, rest};
use movies_api::{AUTH_SERVICE, METADATA_SERVICE, MOVIE_SERVICE, RATING_SERVICE};

#[tokio::test]
async fn one_document_describes_all_that_is_mounted() {
    let answer = get("/openapi.json").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let json = answer.json();
    assert_eq!(json["openapi"], "3.1.0");
    let paths = json["paths"].as_object().unwrap();
    assert!(paths.contains_key("/v1/ratings/{record_type}:batchGet"));
    let metadata = paths["/v1/metadata/{metadata.id}"].as_object().unwrap();
    assert!(metadata.contains_key("put"));
    let stars = &paths["/v1/ratings/{record_type}/{record_id}/users/{user_id}"]["put"]["requestBody"]
        ["content"]["application/json"]["schema"]["properties"]["value"];
    assert_eq!(
        (stars["multipleOf"].as_f64(), stars["minimum"].as_f64()),
        (Some(0.5), Some(0.5))
    );
}

#[test]
fn every_reference_of_a_document_leads_somewhere() {
    for service in [
        &RATING_SERVICE,
        &METADATA_SERVICE,
        &MOVIE_SERVICE,
        &AUTH_SERVICE,
    ] {
        let document: serde_json::Value = serde_json::from_str(service.openapi).unwrap();
        for part in service.openapi.split("\"$ref\": \"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(
                document
                    .pointer(pointer)
                    .is_some_and(|found| !found.is_null()),
                "{}: {pointer}",
                service.name
            );
        }
    }
}

#[test]
fn services_are_found_by_the_name_of_their_package() {
    let targets = [
        &RATING_SERVICE,
        &METADATA_SERVICE,
        &MOVIE_SERVICE,
        &AUTH_SERVICE,
    ]
    .map(|service| service.target);
    assert_eq!(targets, ["rating", "metadata", "movie", "auth"]);
}

#[test]
fn two_mounts_of_one_route_are_refused_by_name() {
    let mounts = [movies_api::rating(Ratings), movies_api::rating(Ratings)];
    let error = rest::routes(&mounts, &Edge::anonymous()).unwrap_err();
    assert!(
        error.message().contains("is claimed by two mounts"),
        "{error}"
    );
    assert!(
        error
            .message()
            .contains("/movies.rating.v1.RatingService/PutRating"),
        "{error}"
    );
}
