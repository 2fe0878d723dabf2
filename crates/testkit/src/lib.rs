//! For tests alone: processes, ports, waiting for a condition.
