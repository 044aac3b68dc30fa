//! The law: what a plan is, what may happen in a run, and what must happen next.
//!
//! Everything here is a pure function over data. There is no file, socket,
//! clock, thread or random number in this crate; time is always an argument.
//! The one idea to hold on to:
//!
//! ```text
//!   plan ──freeze──► RunState ◄──apply── Event ◄── append-only log
//!                        │
//!                        └──decide──► Intent ──► (the engine carries it out)
//! ```
//!
//! [`RunState::apply`](state::RunState::apply) is the only way a run changes,
//! and it is total: an event that is not legal in the present state is an error,
//! never ignored. [`decide`](decide::decide) looks at a state and says what has
//! to happen next. The engine is the only writer of effects; it does what
//! `decide` says and reports back as events.

pub mod act;
pub mod attempt;
pub mod authority;
pub mod cause;
pub mod choice;
pub mod command;
pub mod decide;
pub mod decision;
pub mod doubt;
pub mod duration;
pub mod environment;
pub mod event;
pub mod evidence;
pub mod graph;
pub mod handle;
pub mod ids;
pub mod illegal;
pub mod intent;
pub mod location;
pub mod mark;
pub mod moment;
pub mod parallel;
pub mod part;
pub mod people;
pub mod plan;
pub mod policy;
pub mod proof;
pub mod question;
pub mod rebuild;
pub mod record;
pub mod refusal;
pub mod release;
pub mod reply;
pub mod schedule;
pub mod silence;
pub mod state;
pub mod status;
pub mod upgrade;
pub mod watch;
