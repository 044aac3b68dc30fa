//! Promises of the conductor, on a simulated world.

mod crashes;
mod journals;
mod owners;
mod people;
mod stage;
mod transitions;
