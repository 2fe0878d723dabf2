//! `/name`: picks, shows and forgets the visitor's name.

use crate::name::{Name, RULE};
use crate::page::Page;
use crate::view::name::PickName;
use crate::view::{Frame, html};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use backlot::Code;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Picked {
    #[serde(default)]
    name: String,
    /// Where to go from here.
    #[serde(default)]
    back: String,
}

pub(crate) async fn ask(
    State(page): State<Page>,
    Query(picked): Query<Picked>,
    headers: HeaderMap,
) -> Response {
    let name = Name::of_visitor(&headers);
    let back = inside(&picked.back);
    let frame = Frame::new(&page, name.as_ref(), back);
    let typed = name.as_ref().map_or("", Name::as_str);
    html(
        StatusCode::OK,
        &PickName {
            frame,
            back,
            typed,
            problem: "",
        },
    )
}

pub(crate) async fn pick(
    State(page): State<Page>,
    headers: HeaderMap,
    form: Result<Form<Picked>, FormRejection>,
) -> Response {
    let Form(picked) = form.unwrap_or_default();
    let back = inside(&picked.back);
    let refuse = |problem: &str| {
        let visitor = Name::of_visitor(&headers);
        let frame = Frame::new(&page, visitor.as_ref(), back);
        html(
            StatusCode::UNPROCESSABLE_ENTITY,
            &PickName {
                frame,
                back,
                typed: &picked.name,
                problem,
            },
        )
    };
    let Some(name) = Name::parse(&picked.name) else {
        return refuse(RULE);
    };
    match page.names().principal(&page.context(&headers), &name).await {
        Err(error) if error.code() == Code::InvalidArgument => refuse(error.message()),
        // A token is needed to rate, not to look around: who cannot get one now gets it then.
        Ok(_) | Err(_) => go(back, name.cookie(page.config().secure_cookie)),
    }
}

pub(crate) async fn forget(
    State(page): State<Page>,
    form: Result<Form<Picked>, FormRejection>,
) -> Response {
    let Form(picked) = form.unwrap_or_default();
    go(
        inside(&picked.back),
        Name::forget(page.config().secure_cookie),
    )
}

fn go(back: &str, cookie: HeaderValue) -> Response {
    ([(SET_COOKIE, cookie)], Redirect::to(back)).into_response()
}

/// A path of this site, or the start: nobody is led elsewhere.
pub(super) fn inside(back: &str) -> &str {
    let is_path = back.starts_with('/') && !back.starts_with("//");
    // Browsers read a backslash as a slash.
    let plain = back
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_path && plain { back } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        assert_eq!(inside("/movies/alien-1979?x=1"), "/movies/alien-1979?x=1");
        for elsewhere in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\nb",
            "movies",
        ] {
            assert_eq!(inside(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
