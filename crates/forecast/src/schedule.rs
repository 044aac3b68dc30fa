//! Who does what when: steps under the limits of owners and lanes.
//!
//! This is the resource-constrained project scheduling problem. It is hard in
//! general, so the answer comes in layers, each better and later than the one
//! before, and the result says how good it is:
//!
//! 1. a list schedule by latest start times, at once ([`serial`]);
//! 2. forward–backward improvement and a genetic search over orders
//!    ([`search`]), deterministic by seed and by number of schedules, never by
//!    the clock;
//! 3. lower bounds ([`bound`]), so that a gap can be stated;
//! 4. the question whether anything ends sooner, put to a solver that can say no
//!    and mean it ([`proof`]).
//!
//! [`check`] looks at any schedule with none of the code that made it.

pub mod bound;
pub mod check;
pub mod problem;
mod profile;
pub mod proof;
pub mod search;
pub mod serial;

pub use problem::{BadProblem, Need, Problem, Task};
pub use search::{Budget, Solution, solve};
