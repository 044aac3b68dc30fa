//! Documents as teams write them, in the spellings in which a reading went wrong once:
//! each with the steps, triggers, people and notes that it has.

use crate::care::{imported, labels, notes};
