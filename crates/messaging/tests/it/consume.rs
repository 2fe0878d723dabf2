//! Consumers: effects made once, in order, whatever fails.

mod dead;
mod follow;
mod history;
mod life;
mod pulling;
mod settling;
mod stage;
mod working;
