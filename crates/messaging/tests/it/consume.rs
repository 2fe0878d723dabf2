//! Consumers: effects made once, in order, whatever fails.

mod dead;
mod follow;
mod history;
mod life;
mod settling;
mod stage;
