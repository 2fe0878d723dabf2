//! `movies call`.
