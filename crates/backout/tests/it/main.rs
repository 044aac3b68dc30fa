//! Stories told to the real binary, from the outside.

mod accounts;
mod attended;
mod contract;
mod crashes;
mod deploy;
mod documents;
mod examples;
mod foresight;
mod grace;
mod house;
mod keys;
mod low_traffic;
mod messages;
mod nights;
mod papers;
mod people;
mod rough;
mod stage;
mod stderr;
mod usual;
