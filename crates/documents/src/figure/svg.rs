//! Pictures as SVG, with text as text, a title and a description.

use std::fmt::Write;

use super::{Anchor, LINE, Look, SIZE, Scene, Shape};

/// A picture as SVG that can stand in a page or in a file of its own.
#[must_use]
pub fn svg(scene: &Scene, title: &str, description: &str) -> String {
    let mut out = String::new();
    let (width, height) = (scene.width.ceil(), scene.height.ceil());
    // Identifiers must differ between pictures of one page.
    let id: String = title.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-labelledby=\"t{id} d{id}\" font-family=\"Ubuntu, system-ui, 'Segoe UI', sans-serif\" font-size=\"{SIZE}\">\n<title id=\"t{id}\">{}</title>\n<desc id=\"d{id}\">{}</desc>\n",
        escaped(title),
        escaped(description)
    );
    for shape in &scene.shapes {
        match shape {
            Shape::Box { at: [x, y, w, h], look, lines } => {
                let (fill, stroke, text) = look.colours();
                let radius = if *look == Look::Question { h / 2.0 } else { 5.0 };
                let _ = writeln!(
                    out,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" rx=\"{radius:.1}\" fill=\"{fill}\" stroke=\"{stroke}\"/>"
                );
                let top = y + (h - LINE * lines.len() as f32) / 2.0 + LINE * 0.75;
                for (index, line) in lines.iter().enumerate() {
                    let weight = if index == 0 { " font-weight=\"600\"" } else { "" };
                    let _ = writeln!(
                        out,
                        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{text}\"{weight}>{}</text>",
                        x + w / 2.0,
                        top + LINE * index as f32,
                        escaped(line)
                    );
                }
            }
            Shape::Line { points, arrow, look } => {
                let (_, stroke, _) = look.colours();
                let path: Vec<String> =
                    points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
                let dash = if *look == Look::Good { " stroke-dasharray=\"5 3\"" } else { "" };
                let _ = writeln!(
                    out,
                    "<polyline points=\"{}\" fill=\"none\" stroke=\"{stroke}\"{dash}/>",
                    path.join(" ")
                );
                if let (true, Some((x, y))) = (*arrow, points.last()) {
                    let _ =
                        writeln!(out, "<path d=\"M{x:.1} {y:.1} l-4 -7 h8 z\" fill=\"{stroke}\"/>");
                }
            }
            Shape::Text { at: (x, y), text, anchor, look } => {
                let (_, _, colour) = look.colours();
                let anchor = match anchor {
                    Anchor::Start => "start",
                    Anchor::Middle => "middle",
                    Anchor::End => "end",
                };
                let _ = writeln!(
                    out,
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{}</text>",
                    escaped(text)
                );
            }
        }
    }
    out.push_str("</svg>\n");
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
