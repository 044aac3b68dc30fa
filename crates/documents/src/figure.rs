//! Pictures, as shapes with text: drawn as SVG for pages, as PNG for Word.
//!
//! The step graph and the decision flow are our own graphs, so they are laid out
//! here (`layered`); no drawing language stands between.

mod layered;
mod png;
mod svg;
mod type_face;

pub use layered::{Edge, Node, layered};
pub use png::png;
pub use svg::svg;
pub use type_face::width_of;

/// A picture: shapes on a plane whose origin is the top left corner, in pixels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scene {
    /// Its width.
    pub width: f32,
    /// Its height.
    pub height: f32,
    /// What is on it, from back to front.
    pub shapes: Vec<Shape>,
}

/// Something on a picture.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A box with lines of text in its middle.
    Box {
        /// Left, top, width, height.
        at: [f32; 4],
        /// What it stands for.
        look: Look,
        /// The text; the first line is the loudest.
        lines: Vec<String>,
    },
    /// A line through points.
    Line {
        /// The points.
        points: Vec<(f32, f32)>,
        /// Whether it ends in an arrow.
        arrow: bool,
        /// What it stands for.
        look: Look,
    },
    /// A line of text.
    Text {
        /// Where its baseline begins, or its middle or end.
        at: (f32, f32),
        /// What it says.
        text: String,
        /// Which part of it is at that point.
        anchor: Anchor,
        /// What it stands for.
        look: Look,
    },
}

/// Which part of a text is at its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// What a shape stands for; each has colours that differ in brightness too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing in particular.
    Plain,
    /// What decides when it is done.
    Critical,
    /// A question to somebody.
    Question,
    /// Going back.
    Back,
    /// All is well.
    Good,
    /// Lines and labels behind the rest.
    Quiet,
}

impl Look {
    /// Fill, line, and text, as `#rrggbb`.
    pub(crate) fn colours(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Plain => ("#eef2f7", "#475569", "#0f172a"),
            Self::Critical => ("#fde6c8", "#9a3412", "#431407"),
            Self::Question => ("#e0e7ff", "#3730a3", "#1e1b4b"),
            Self::Back => ("#fde2e2", "#991b1b", "#450a0a"),
            Self::Good => ("#dcfce7", "#166534", "#052e16"),
            Self::Quiet => ("#f8fafc", "#94a3b8", "#475569"),
        }
    }
}

/// Height of a line of text, and its size.
pub(crate) const LINE: f32 = 17.0;
pub(crate) const SIZE: f32 = 13.0;
