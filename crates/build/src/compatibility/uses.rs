//! Which messages callers send: rules bind those, and JSON is refused there for members nobody
//! knows.

use crate::schema::Schema;
use prost_reflect::{Kind, MessageDescriptor};
use std::collections::BTreeSet;

/// Full names of messages by how the methods of a contract use them.
#[derive(Debug, Default)]
pub(super) struct Uses {
    requests: BTreeSet<String>,
    requests_of_routes: BTreeSet<String>,
    answers: BTreeSet<String>,
}

impl Uses {
    pub(super) fn of(schema: &Schema) -> Uses {
        let mut uses = Uses::default();
        for method in schema
            .ours()
            .flat_map(|file| file.services().collect::<Vec<_>>())
            .flat_map(|service| service.methods().collect::<Vec<_>>())
        {
            reach(&method.input(), &mut uses.requests);
            reach(&method.output(), &mut uses.answers);
            let options = method.options();
            if schema
                .options
                .http
                .as_ref()
                .is_some_and(|http| options.has_extension(http))
            {
                reach(&method.input(), &mut uses.requests_of_routes);
            }
        }
        uses
    }

    /// Whether callers may send it: in a request, or by ways that no method shows, as events are.
    pub(super) fn is_sent(&self, message: &str) -> bool {
        self.requests.contains(message) || !self.answers.contains(message)
    }

    /// Whether callers may send it as JSON.
    pub(super) fn is_sent_as_json(&self, message: &str) -> bool {
        self.requests_of_routes.contains(message)
    }
}

/// Adds a message and all that it can hold.
fn reach(message: &MessageDescriptor, found: &mut BTreeSet<String>) {
    let mut open = vec![message.clone()];
    while let Some(message) = open.pop() {
        if found.insert(message.full_name().to_owned()) {
            open.extend(message.fields().filter_map(|field| match field.kind() {
                Kind::Message(inner) => Some(inner),
                _ => None,
            }));
        }
    }
}
