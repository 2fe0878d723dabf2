//! Where log lines go and in which form. Messages are lower case, without a full stop, readable
//! alone, with fields for queries beside them.

use std::io::Write;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// What is logged when nobody says otherwise.
pub const DEFAULT_FILTER: &str = "info";

/// The target of lines that say who did what.
pub const AUDIT: &str = "audit";

/// A filter nobody can read.
#[derive(Debug, thiserror::Error)]
#[error(
    "the log filter {filter:?} is malformed: write a level (error, warn, info, debug, trace), or parts such as \"info,backlot_rpc=debug\""
)]
pub struct BadFilter {
    filter: String,
    #[source]
    source: tracing_subscriber::filter::ParseError,
}

/// Sends log lines to standard error from now on. The first call of a process wins; later ones
/// change nothing.
///
/// `filter` is a level, or parts such as `info,backlot_rpc=debug`; empty means
/// [`DEFAULT_FILTER`]. Lines of the target [`AUDIT`] pass at `info` unless it names that target.
///
/// # Errors
/// When the filter is malformed.
pub fn init(format: Format, filter: &str) -> Result<(), BadFilter> {
    // Colour is for people at a terminal.
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let subscriber = subscriber(format, filter, colour, std::io::stderr)?;
    // Whoever came first has set it already.
    drop(tracing::subscriber::set_global_default(subscriber));
    Ok(())
}

/// The same lines into a writer of the caller's own, for tests and for `tracing`'s scoped use.
///
/// # Errors
/// When the filter is malformed.
pub fn subscriber<W>(
    format: Format,
    filter: &str,
    colour: bool,
    writer: W,
) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, BadFilter>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter = if filter.trim().is_empty() {
        DEFAULT_FILTER
    } else {
        filter.trim()
    };
    // Who did what is not for a filter to lose, unless it says so.
    let filter = &match filter.contains(AUDIT) {
        true => filter.to_owned(),
        false => format!("{filter},{AUDIT}=info"),
    };
    let parsed = EnvFilter::builder()
        .parse(filter)
        .map_err(|source| BadFilter {
            filter: filter.to_owned(),
            source,
        })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_ansi(colour)
        .with_writer(writer);
    Ok(match format {
        Format::Text => Box::new(builder.with_target(true).compact().finish()),
        Format::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

/// Flushes standard error: the last step of a drain.
pub fn flush() {
    // Nobody is left to tell.
    drop(std::io::stderr().flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, filter: &str) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(format, filter, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!("too quiet");
            tracing::info!(films = 3, "films found");
        });
        String::from_utf8(lines.0.lock().clone()).unwrap()
    }

    #[test]
    fn text_and_json_say_the_same() {
        let text = logged(Format::Text, "");
        assert!(
            text.contains("films found") && text.contains("films=3"),
            "{text}"
        );
        let json: serde_json::Value = serde_json::from_str(&logged(Format::Json, "")).unwrap();
        assert_eq!(json["message"], "films found");
        assert_eq!(json["films"], 3);
    }

    #[test]
    fn the_default_is_info() {
        assert!(!logged(Format::Text, "").contains("too quiet"));
        assert!(logged(Format::Text, "debug").contains("too quiet"));
    }

    #[test]
    fn a_malformed_filter_names_the_cure() {
        let Err(error) = init(Format::Text, "info,=,x=loud") else {
            panic!("accepted")
        };
        assert!(
            error.to_string().contains("info,backlot_rpc=debug"),
            "{error}"
        );
    }

    #[test]
    fn a_second_start_changes_nothing() {
        init(Format::Text, "error").unwrap();
        init(Format::Json, "error").unwrap();
    }

    #[test]
    fn who_did_what_is_logged_whatever_the_filter_unless_it_says_so() {
        let audited = |filter| {
            let lines = Lines::default();
            let writer = lines.clone();
            let subscriber = subscriber(Format::Text, filter, false, move || writer.clone());
            tracing::subscriber::with_default(subscriber.unwrap(), || {
                tracing::info!(target: "audit", who = "olga", "purge by olga");
            });
            let text = String::from_utf8(lines.0.lock().clone()).unwrap();
            text.contains("who=\"olga\"")
        };
        for filter in ["", "error", "warn,movies=info"] {
            assert!(audited(filter), "{filter}");
        }
        assert!(!audited("info,audit=off"));
    }
}
