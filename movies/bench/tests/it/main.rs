//! What is measured is right before it is fast.

mod serialization;
