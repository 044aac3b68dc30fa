//! The tree in every format. The same tree always gives the same bytes.

mod html;
mod markdown;
mod word;

pub use html::{Page, html};
pub use markdown::markdown;
pub use word::word;
