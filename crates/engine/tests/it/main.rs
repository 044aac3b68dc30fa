//! Promises of the conductor, on a simulated world.

mod attacks;
mod clocks;
mod crashes;
mod decisions;
mod forward;
mod greens;
mod hollow;
mod journals;
mod night;
mod owners;
mod people;
mod ripe;
mod stage;
mod transitions;
mod turning;
