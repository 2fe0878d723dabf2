//! Mail: what visitors ask for is kept, whether or not mail is there.

use super::Site;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use movies_api::GetSubscriptionResponse;
use std::sync::atomic::Ordering;

const ANN: (&str, &str) = ("cookie", "movies_name=ann");

fn wishes(site: &Site) -> Vec<String> {
    site.house.wishes.lock().unwrap().clone()
}

#[tokio::test]
async fn a_visitor_with_a_name_asks_for_mail_and_takes_it_back() {
    let site = Site::new();
    let page = site.get("/mail").await.text;
    assert!(page.contains("pick one first") && !page.contains("type=\"email\""));
    let nobody = site.post(&[], "/mail", "address=ann@example.com").await;
    assert_eq!(nobody.header("location"), "/name?back=%2Fmail");
    assert!(
        site.get_as("ann", "/mail")
            .await
            .text
            .contains("Send it to me")
    );
    let asked = site.post(&[ANN], "/mail", "address=+Ann@Example.com").await;
    assert_eq!(
        (asked.status, asked.header("location")),
        (StatusCode::SEE_OTHER, "/mail?asked=mail")
    );
    let page = site.get_as("ann", "/mail?asked=mail").await.text;
    assert!(page.contains("A message is on its way"));
    let stopped = site.post(&[ANN], "/mail/stop", "").await;
    assert_eq!(stopped.header("location"), "/mail?asked=none");
    assert_eq!(wishes(&site), ["ann: Ann@example.com", "ann: none"]);
}

#[tokio::test]
async fn the_page_says_how_it_stands() {
    let site = Site::new();
    let stands = |address: &str, asked: &str, note: &str| {
        let known = GetSubscriptionResponse {
            address: address.into(),
            asked: asked.into(),
            note: note.into(),
        };
        site.house
            .subscribers
            .lock()
            .unwrap()
            .insert("ann".into(), known);
    };
    stands("", "a…@b….example", "");
    let page = site.get_as("ann", "/mail").await.text;
    assert!(page.contains("Say yes there") && page.contains("<b>a…@b….example</b>"));
    stands("a…@b….example", "", "");
    let page = site.get_as("ann", "/mail").await.text;
    assert!(page.contains("come to <b>a…@b….example</b> every Monday"));
    stands("", "", "try again tomorrow");
    assert!(
        site.get_as("ann", "/mail")
            .await
            .text
            .contains("try again tomorrow")
    );
    // While mail is away it takes what is asked for all the same.
    site.house.ratings_away.store(true, Ordering::SeqCst);
    let page = site.get_as("ann", "/mail").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("Mail is away") && page.text.contains("type=\"email\""));
    site.post(&[ANN], "/mail", "address=a@b.example").await;
    assert_eq!(wishes(&site), ["ann: a@b.example"]);
}

#[tokio::test]
async fn what_is_no_address_is_answered_beside_the_field() {
    let site = Site::new();
    for wrong in ["", "ann", "a%0d%0ab@example.com", "%22%3E%3Cscript%3E@x"] {
        let answer = site
            .post(&[ANN], "/mail", &format!("address={wrong}"))
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(
            answer.text.contains("must be a mail address") && !answer.text.contains("><script")
        );
    }
    site.house.log_away.store(true, Ordering::SeqCst);
    let answer = site.post(&[ANN], "/mail", "address=a@b.example").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(wishes(&site).is_empty());
}

#[tokio::test]
async fn links_in_messages_do_nothing_until_somebody_says_so() {
    let site = Site::new();
    let token = "0f".repeat(16);
    for (path, words) in [("confirm", "Yes, please"), ("leave", "No more")] {
        let page = site.get(&format!("/mail/{path}/{token}")).await;
        assert!(page.text.contains(words), "{path}");
        let broken = site.get(&format!("/mail/{path}/x")).await;
        assert_eq!(broken.status, StatusCode::NOT_FOUND);
    }
    assert!(wishes(&site).is_empty());
    let yes = site.post(&[], &format!("/mail/confirm/{token}"), "").await;
    assert!(yes.text.contains("every Monday"));
    // Mail programs leave by themselves, from nowhere; no page of others says yes.
    let post = async |path: &str| {
        let request = Request::post(format!("/mail/{path}/{token}"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let body = Body::from("List-Unsubscribe=One-Click");
        site.send(request.body(body).unwrap()).await
    };
    assert_eq!(post("confirm").await.status, StatusCode::FORBIDDEN);
    assert!(post("leave").await.text.contains("Nothing more comes"));
    assert_eq!(
        wishes(&site),
        [format!("{token} true"), format!("{token} false")]
    );
}
