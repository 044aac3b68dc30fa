//! Pictures as PNG, for programs that show no SVG.

use ab_glyph::{Font, OutlineCurve, ScaleFont};
use tiny_skia::{Color, FillRule, Paint, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform};

use super::type_face::FACE;
use super::{Anchor, LINE, Look, SIZE, Scene, Shape, width_of};

/// The most pixels a picture may have.
const MOST: f32 = 24_000_000.0;

/// A picture as PNG, in twice its size so that it prints well; nothing if it is
/// too large for one.
#[must_use]
pub fn png(scene: &Scene) -> Option<Vec<u8>> {
    let mut scale = 2.0;
    while scene.width * scene.height * scale * scale > MOST {
        scale /= 2.0;
        if scale < 0.5 {
            return None;
        }
    }
    let size = |length: f32| (length * scale).ceil().max(1.0) as u32;
    let mut map = Pixmap::new(size(scene.width), size(scene.height))?;
    map.fill(Color::WHITE);
    let mut canvas = Canvas { map, transform: Transform::from_scale(scale, scale) };
    for shape in &scene.shapes {
        canvas.draw(shape);
    }
    canvas.map.encode_png().ok()
}

struct Canvas {
    map: Pixmap,
    transform: Transform,
}

fn paint(colour: &str) -> Paint<'static> {
    let part = |at: usize| {
        colour.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or(0)
    };
    let mut paint = Paint::default();
    paint.set_color_rgba8(part(1), part(3), part(5), 255);
    paint.anti_alias = true;
    paint
}

impl Canvas {
    fn draw(&mut self, shape: &Shape) {
        match shape {
            Shape::Box { at: [x, y, w, h], look, lines } => {
                let (fill, stroke, text) = look.colours();
                let radius = if *look == Look::Question { h / 2.0 } else { 5.0 };
                if let Some(path) = rounded(*x, *y, *w, *h, radius) {
                    self.map.fill_path(
                        &path,
                        &paint(fill),
                        FillRule::Winding,
                        self.transform,
                        None,
                    );
                    self.map.stroke_path(
                        &path,
                        &paint(stroke),
                        &Stroke::default(),
                        self.transform,
                        None,
                    );
                }
                let top = y + (h - LINE * lines.len() as f32) / 2.0 + LINE * 0.75;
                for (index, line) in lines.iter().enumerate() {
                    let at = (x + w / 2.0, top + LINE * index as f32);
                    self.text(line, at, Anchor::Middle, text, index == 0);
                }
            }
            Shape::Line { points, arrow, look } => {
                let (_, colour, _) = look.colours();
                let mut path = PathBuilder::new();
                for (index, (x, y)) in points.iter().enumerate() {
                    if index == 0 { path.move_to(*x, *y) } else { path.line_to(*x, *y) }
                }
                let dash =
                    if *look == Look::Good { StrokeDash::new(vec![5.0, 3.0], 0.0) } else { None };
                let stroke = Stroke { width: 1.2, dash, ..Stroke::default() };
                if let Some(path) = path.finish() {
                    self.map.stroke_path(&path, &paint(colour), &stroke, self.transform, None);
                }
                if let (true, Some((x, y))) = (*arrow, points.last()) {
                    let mut head = PathBuilder::new();
                    head.move_to(*x, *y);
                    head.line_to(x - 4.0, y - 7.0);
                    head.line_to(x + 4.0, y - 7.0);
                    head.close();
                    if let Some(head) = head.finish() {
                        self.map.fill_path(
                            &head,
                            &paint(colour),
                            FillRule::Winding,
                            self.transform,
                            None,
                        );
                    }
                }
            }
            Shape::Text { at, text, anchor, look } => {
                self.text(text, *at, *anchor, look.colours().2, false);
            }
        }
    }

    fn text(&mut self, text: &str, at: (f32, f32), anchor: Anchor, colour: &str, bold: bool) {
        let width = width_of(text, SIZE);
        let mut x = match anchor {
            Anchor::Start => at.0,
            Anchor::Middle => at.0 - width / 2.0,
            Anchor::End => at.0 - width,
        };
        let face = FACE.as_scaled(SIZE);
        // The scale of `as_scaled`: pixels per unit, for a size that is the height of the face.
        let scale = SIZE / FACE.height_unscaled();
        let mut path = PathBuilder::new();
        for c in text.chars() {
            let glyph = face.glyph_id(c);
            if let Some(outline) = FACE.outline(glyph) {
                let mut last = None;
                for curve in &outline.curves {
                    let point = |p: ab_glyph::Point| (x + p.x * scale, at.1 - p.y * scale);
                    let (start, end) = match curve {
                        OutlineCurve::Line(a, b) => (point(*a), point(*b)),
                        OutlineCurve::Quad(a, _, b) => (point(*a), point(*b)),
                        OutlineCurve::Cubic(a, _, _, b) => (point(*a), point(*b)),
                    };
                    if last != Some(start) {
                        path.move_to(start.0, start.1);
                    }
                    match curve {
                        OutlineCurve::Line(..) => path.line_to(end.0, end.1),
                        OutlineCurve::Quad(_, b, _) => {
                            let b = point(*b);
                            path.quad_to(b.0, b.1, end.0, end.1);
                        }
                        OutlineCurve::Cubic(_, b, c, _) => {
                            let (b, c) = (point(*b), point(*c));
                            path.cubic_to(b.0, b.1, c.0, c.1, end.0, end.1);
                        }
                    }
                    last = Some(end);
                }
            }
            x += face.h_advance(glyph);
        }
        let Some(path) = path.finish() else { return };
        self.map.fill_path(&path, &paint(colour), FillRule::Winding, self.transform, None);
        if bold {
            let stroke = Stroke { width: 0.5, ..Stroke::default() };
            self.map.stroke_path(&path, &paint(colour), &stroke, self.transform, None);
        }
    }
}

fn rounded(x: f32, y: f32, w: f32, h: f32, radius: f32) -> Option<tiny_skia::Path> {
    let r = radius.min(w / 2.0).min(h / 2.0);
    Rect::from_xywh(x, y, w, h)?;
    // A quarter of a circle as a cubic curve.
    let k = r * 0.447_715;
    let mut path = PathBuilder::new();
    path.move_to(x + r, y);
    path.line_to(x + w - r, y);
    path.cubic_to(x + w - k, y, x + w, y + k, x + w, y + r);
    path.line_to(x + w, y + h - r);
    path.cubic_to(x + w, y + h - k, x + w - k, y + h, x + w - r, y + h);
    path.line_to(x + r, y + h);
    path.cubic_to(x + k, y + h, x, y + h - k, x, y + h - r);
    path.line_to(x, y + r);
    path.cubic_to(x, y + k, x + k, y, x + r, y);
    path.close();
    path.finish()
}
