//! Promises of the conductor, on a simulated world.

mod crashes;
mod decisions;
mod forward;
mod journals;
mod owners;
mod people;
mod stage;
mod transitions;
