//! Pictures, as shapes with text.
#[derive(Debug, Clone, PartialEq, Default)]
/// A picture.
pub struct Scene {}
