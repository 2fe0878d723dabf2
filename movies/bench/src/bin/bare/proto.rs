//! Stock tonic code of the contracts of Movies.
#![allow(missing_docs, unreachable_pub, dead_code, clippy::all, reason = "generated")]

include!(concat!(env!("OUT_DIR"), "/bare.rs"));
