//! Stories told to the real binary, from the outside.

mod attended;
mod contract;
mod crashes;
mod deploy;
mod documents;
mod examples;
mod foresight;
mod house;
mod keys;
mod messages;
mod nights;
mod papers;
mod people;
mod rough;
mod stage;
mod time_outs;
mod usual;
