//! Stories told to the real binary, from the outside.

mod accounts;
mod acts;
mod attended;
mod begin;
mod contract;
mod crashes;
mod deploy;
mod documents;
mod ends;
mod examples;
mod first_page;
mod foresight;
mod grace;
mod house;
mod import_ends;
mod keys;
mod low_traffic;
mod messages;
mod nights;
mod papers;
mod people;
mod rough;
mod stage;
mod stderr;
mod time_outs;
mod usual;
