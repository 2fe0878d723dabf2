//! The contracts of Movies: messages, service traits, clients, rules and REST routes, all written
//! from the .proto files in `proto/`.
//!
//! | service | implement | mount with | call through |
//! |---|---|---|---|
//! | what is known of films | [`trait@Metadata`] | [`fn@metadata`] | [`MetadataClient`] |
//! | ratings of any record | [`trait@Rating`] | [`fn@rating`] | [`RatingClient`] |
//! | films with their ratings | [`trait@Movie`] | [`fn@movie`] | [`MovieClient`] |
//! | who asks | [`trait@Auth`] | [`fn@auth`] | [`AuthClient`] |
//! | mail to people | [`trait@Mail`] | [`fn@mail`] | [`MailClient`] |
//!
//! What is published, and on which topic, is in [`events`].
//!
//! Where a service and a message share a name, the plain name is the service and the message is
//! reached through its package: [`metadata::v1::Metadata`].

pub mod events;

include!(concat!(env!("OUT_DIR"), "/contract.rs"));
