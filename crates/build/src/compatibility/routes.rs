//! REST routes: whether each that was released still answers, with the same method, from the same
//! fields.

use super::finding::Place;
use super::services::method_place;
use super::template::Template;
use super::{Change, Comparison};
use crate::error::Problems;
use crate::route::{self, Body, Route, Verb};
use crate::schema::Schema;
use prost_reflect::prost::Message;
use prost_reflect::{Kind, MethodDescriptor};

/// What is asked for: a verb and a path.
type Ask = (Verb, Template);

impl Comparison<'_> {
    pub(super) fn routes(&mut self, released: &MethodDescriptor, today: &MethodDescriptor) {
        let (Some(before), Some(now)) = (read(self.released, released), read(self.today, today))
        else {
            if raw(self.released, released) != raw(self.today, today) {
                let what = "its HTTP rule changed, and is none that can be compared";
                self.findings
                    .push(method_place(today).finding(Change::RouteUnknown, what));
            }
            return;
        };
        for route in &before {
            let ask = ask(route);
            match now.iter().find(|other| self::ask(other) == ask) {
                None => {
                    let answering = self.answering(&ask);
                    let (change, what) = match answering {
                        Some(other) => (
                            Change::RouteTaken,
                            format!("{} is answered by {other} now", shown(route)),
                        ),
                        None => (
                            Change::RouteRemoved,
                            format!("nothing answers {} any more", shown(route)),
                        ),
                    };
                    self.findings
                        .push(method_place(today).finding(change, what));
                }
                Some(other) => {
                    if let Some(what) = difference((route, released), (other, today)) {
                        self.findings
                            .push(method_place(today).finding(Change::RouteChanged, what));
                    }
                }
            }
        }
    }

    /// The method of today that is asked so.
    fn answering(&self, wanted: &Ask) -> Option<String> {
        methods(self.today)
            .into_iter()
            .find(|method| {
                read(self.today, method)
                    .unwrap_or_default()
                    .iter()
                    .any(|route| ask(route) == *wanted)
            })
            .map(|method| method.full_name().to_owned())
    }

    /// Routes that are new and get some of the paths of one that was released.
    pub(super) fn taken_routes(&mut self) {
        let released: Vec<(MethodDescriptor, Route)> = routes(self.released);
        for (method, route) in routes(self.today) {
            let (verb, template) = ask(&route);
            if released
                .iter()
                .any(|(_, other)| ask(other) == (verb, template.clone()))
            {
                continue;
            }
            for (owner, old) in &released {
                let (old_verb, old_template) = ask(old);
                // A method may answer its own paths by another route, from the same fields or not:
                // those who see to the route it had see to that.
                if verb == old_verb && template.takes_from(&old_template) {
                    let what = format!(
                        "the new route {} gets paths of {} of {}",
                        shown(&route),
                        shown(old),
                        owner.full_name()
                    );
                    let place: Place = method_place(&method);
                    self.findings.push(place.finding(Change::RouteTaken, what));
                }
            }
        }
    }
}

fn methods(schema: &Schema) -> Vec<MethodDescriptor> {
    schema
        .ours()
        .flat_map(|file| file.services().collect::<Vec<_>>())
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect()
}

fn routes(schema: &Schema) -> Vec<(MethodDescriptor, Route)> {
    methods(schema)
        .into_iter()
        .flat_map(|method| {
            let routes = read(schema, &method).unwrap_or_default();
            routes.into_iter().map(move |route| (method.clone(), route))
        })
        .collect()
}

/// The routes of a method; nothing when they cannot all be read.
fn read(schema: &Schema, method: &MethodDescriptor) -> Option<Vec<Route>> {
    let mut problems = Problems::default();
    let routes = route::read(schema, method, &mut problems);
    problems.or(routes).ok()
}

/// The HTTP rule as it is written in the descriptor.
fn raw(schema: &Schema, method: &MethodDescriptor) -> Vec<u8> {
    let Some(http) = &schema.options.http else {
        return Vec::new();
    };
    let options = method.options();
    let rule = options.get_extension(http);
    rule.as_message()
        .map(Message::encode_to_vec)
        .unwrap_or_default()
}

fn ask(route: &Route) -> Ask {
    (route.verb, Template::of(&route.template))
}

fn shown(route: &Route) -> String {
    format!("{} {}", route.verb.lower().to_uppercase(), route.template)
}

/// What one route takes from elsewhere than the other, if anything.
fn difference(
    (released, before): (&Route, &MethodDescriptor),
    (today, now): (&Route, &MethodDescriptor),
) -> Option<String> {
    let numbers = |route: &Route, method: &MethodDescriptor| -> Vec<Vec<u32>> {
        let variables = route.variables.iter();
        variables.map(|(path, _)| numbers(method, path)).collect()
    };
    if numbers(released, before) != numbers(today, now) {
        return Some(format!(
            "{} puts its variables into other fields: it is {} now",
            shown(released),
            shown(today)
        ));
    }
    let body = |body: &Body| match body {
        Body::None => "no body".to_owned(),
        Body::All => "the whole request in the body".to_owned(),
        Body::Field(field) => format!("field {} in the body", field.number()),
    };
    let (before, now) = (body(&released.body), body(&today.body));
    (before != now).then(|| format!("{} took {before}, and now {now}", shown(released)))
}

/// The numbers of the fields on the way to the one a variable names.
fn numbers(method: &MethodDescriptor, path: &str) -> Vec<u32> {
    let mut message = Some(method.input());
    path.split('.')
        .map_while(|name| {
            let field = message.as_ref()?.get_field_by_name(name)?;
            message = match field.kind() {
                Kind::Message(inner) => Some(inner),
                _ => None,
            };
            Some(field.number())
        })
        .collect()
}
