//! Tables that a service has for its operators, who see them on the console.

use super::access::Access;
use super::refused;
use async_trait::async_trait;
use axum::extract::{OriginalUri, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use backlot_core::{Context, Error};
use http::{HeaderMap, Method, Uri};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long a table may take.
const PATIENCE: Duration = Duration::from_millis(500);
/// The most rows that are shown.
const MAX_ROWS: usize = 20;
/// The most columns that are shown.
const MAX_COLUMNS: usize = 12;
/// The most characters of a cell that are shown.
const MAX_CELL: usize = 200;

/// A table for operators: the latest few of something, and where there is more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Panel {
    /// What it is called, for example `Mailbox`.
    pub title: String,
    /// A page with more, as an absolute `http` or `https` address; empty if there is none.
    pub page: String,
    /// What is said where there are no rows.
    pub empty: String,
    /// The heads of the columns.
    pub head: Vec<String>,
    /// The rows, each as many cells as there are heads.
    pub rows: Vec<Vec<String>>,
}

impl Panel {
    /// The same within bounds: as many rows as are shown, each of as many cells as there are heads.
    pub(super) fn bounded(mut self) -> Self {
        self.head.truncate(MAX_COLUMNS);
        self.rows.truncate(MAX_ROWS);
        for row in &mut self.rows {
            row.resize(self.head.len(), String::new());
            row.iter_mut().for_each(cut);
        }
        self.head.iter_mut().for_each(cut);
        cut(&mut self.title);
        cut(&mut self.empty);
        // An address that is cut leads elsewhere.
        if self.page.len() > MAX_CELL {
            self.page.clear();
        }
        self
    }
}

/// Shortens what is too long to be shown, and makes one line of several.
pub(super) fn cut(text: &mut String) {
    if text.chars().count() > MAX_CELL || text.contains(char::is_control) {
        let plain = |sign: char| if sign.is_control() { ' ' } else { sign };
        let is_long = text.chars().count() > MAX_CELL;
        let shown = text.chars().take(MAX_CELL).map(plain);
        *text = shown.chain(is_long.then_some('…')).collect();
    }
}

/// Whoever has a table to show.
#[async_trait]
pub trait Show: Send + Sync + 'static {
    /// The table as it is now; it is asked for twice a second while somebody looks.
    async fn show(&self, cx: &Context) -> Result<Panel, Error>;
}

impl fmt::Debug for dyn Show {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Show")
    }
}

type Panels = Vec<(&'static str, Arc<dyn Show>)>;

#[derive(Clone)]
struct Room {
    panels: Arc<Panels>,
    access: Arc<Access>,
}

pub(super) fn router(panels: Panels, access: Arc<Access>) -> Router {
    Router::new()
        .route("/panels/{name}", get(show))
        .with_state(Room {
            panels: Arc::new(panels),
            access,
        })
}

async fn show(
    State(room): State<Room>,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    match room.show(&name, &uri, &headers).await {
        Ok(panel) => Json(panel.bounded()).into_response(),
        Err(error) => refused(error, uri.path()),
    }
}

impl Room {
    async fn show(&self, name: &str, uri: &Uri, headers: &HeaderMap) -> Result<Panel, Error> {
        self.access.check(&Method::GET, uri, headers).await?;
        let panel = self.panels.iter().find(|(known, _)| *known == name);
        let (_, panel) =
            panel.ok_or_else(|| Error::not_found(format!("there is no panel {name:?} here")))?;
        let cx = Context::system("operators").with_timeout(PATIENCE);
        cx.deadline().run(panel.show(&cx)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_as_large_as_can_be_shown() {
        let panel = Panel {
            head: vec!["A".into(), "B".into()],
            rows: vec![vec!["\ré".repeat(500)]; 50],
            ..Panel::default()
        };
        let bounded = panel.bounded();
        assert_eq!(bounded.rows.len(), MAX_ROWS);
        assert_eq!(bounded.rows[0][0].chars().count(), MAX_CELL + 1);
        assert_eq!(bounded.rows[0][1], "");
        assert!(!bounded.rows[0][0].contains('\r'));
    }
}
