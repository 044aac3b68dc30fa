//! The hands against real servers.

mod postgres;
