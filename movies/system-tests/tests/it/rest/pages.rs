//! Each service explains itself: a page to try it, and its contract.

use super::Site;
use backlot_testkit::http::get;

#[tokio::test]
async fn each_service_has_a_page_to_try_it() {
    let site = Site::start().await;
    for address in [&site.movie, &site.rating, &site.metadata, &site.probe] {
        let root = get(address, "/").await.unwrap();
        assert_eq!(
            (root.status.as_u16(), root.header("location")),
            (307, "/docs")
        );
        let page = get(address, "/docs").await.unwrap();
        assert_eq!(page.status.as_u16(), 200);
        assert!(
            page.header("content-security-policy")
                .contains("default-src 'none'")
        );
    }
    site.running.stop().await;
}

#[tokio::test]
async fn the_contract_is_told() {
    let site = Site::start().await;
    let answer = get(&site.rating, "/openapi.json").await.unwrap();
    let document = answer.json();
    assert_eq!(answer.status.as_u16(), 200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(
        document["paths"]["/v1/ratings/{record_type}/{record_id}/users/{user_id}"]["put"]
            .is_object()
            || document["paths"]["/v1/ratings/{recordType}/{recordId}/users/{userId}"]["put"]
                .is_object(),
        "{document}"
    );
    site.running.stop().await;
}
