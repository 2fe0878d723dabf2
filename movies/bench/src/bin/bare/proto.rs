//! Stock tonic code of the contracts of Movies.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::clone_on_ref_ptr,
    clippy::let_underscore_must_use,
    missing_debug_implementations,
    reason = "generated"
)]

include!(concat!(env!("OUT_DIR"), "/bare.rs"));
