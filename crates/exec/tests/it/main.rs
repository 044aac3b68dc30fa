//! The hands against real servers.

mod postgres;
mod sqlite;
mod stderr;
