//! Stories told to the real binary, from the outside.

mod attended;
mod contract;
mod crashes;
mod deploy;
mod documents;
mod examples;
mod first_page;
mod foresight;
mod house;
mod import_ends;
mod keys;
mod messages;
mod nights;
mod papers;
mod people;
mod rough;
mod stage;
mod usual;
