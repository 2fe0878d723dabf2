//! The whole system under test: in process and as processes.
