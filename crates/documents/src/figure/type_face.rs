//! How wide text is. One typeface is built in, so that a picture has the same
//! layout on every machine.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, ScaleFont};

pub(crate) static FACE: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT)
        .expect("the built-in typeface is one")
});

/// The width of a line of text at a size, in pixels.
#[must_use]
pub fn width_of(text: &str, size: f32) -> f32 {
    let face = FACE.as_scaled(size);
    text.chars().map(|c| face.h_advance(face.glyph_id(c))).sum()
}
