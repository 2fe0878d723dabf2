//! Consumers: effects made once, in order, whatever fails.

mod dead;
mod history;
mod life;
mod stage;
