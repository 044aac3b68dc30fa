//! The schedule as a picture, and the whole forecast as a page.

use std::fmt::Write;

use super::forecast::{Shown, chance, lines, percent, span};

/// Text that means itself in SVG and HTML.
fn escaped(text: &str) -> String {
    let text = backout_exec::terminal::printable(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const ROW: f64 = 22.0;
const LEFT: f64 = 300.0;
const WIDTH: f64 = 620.0;
const TOP: f64 = 64.0;

/// The schedule: one bar per step, the critical path filled, who does it, and the
/// sure finish.
pub(crate) fn svg(shown: &Shown<'_>) -> String {
    let outlook = &shown.outlook;
    let sure = outlook.finish.quantile(outlook.confidence).high;
    let last = if sure.is_finite() { sure } else { 0.0 };
    let total = outlook.planned_end.max(last).max(1.0);
    let x = |seconds: f64| LEFT + WIDTH * seconds.min(total) / total;
    let height = TOP + ROW * outlook.rows.len() as f64 + 40.0;
    let full = LEFT + WIDTH + 90.0;
    let mut svg = String::new();
    let title = escaped(&shown.title());
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {full:.0} {height:.0}\" width=\"{full:.0}\" height=\"{height:.0}\" role=\"img\" aria-labelledby=\"title about\" font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<title id=\"title\">{title}</title>\n<desc id=\"about\">{}</desc>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        escaped(&format!(
            "Schedule of {} steps, {} as planned; finished by {} with {:.0} % confidence.",
            outlook.rows.len(),
            span(outlook.planned_end),
            shown.end_clock(sure),
            outlook.confidence * 100.0
        ))
    );
    let _ = writeln!(
        svg,
        "<text x=\"12\" y=\"24\" font-size=\"16\" font-weight=\"600\">{title}</text>\n<text x=\"12\" y=\"42\" fill=\"#555\">{}</text>",
        escaped(&format!("{}, {} as planned", shown.way(), span(outlook.planned_end)))
    );
    let bottom = TOP + ROW * outlook.rows.len() as f64 + 6.0;
    for (at, label) in ticks(shown, total) {
        let _ = writeln!(
            svg,
            "<line x1=\"{0:.1}\" y1=\"{TOP}\" x2=\"{0:.1}\" y2=\"{bottom:.1}\" stroke=\"#ddd\"/><text x=\"{0:.1}\" y=\"{1:.1}\" text-anchor=\"middle\" fill=\"#555\">{label}</text>",
            x(at),
            TOP - 6.0
        );
    }
    for (place, row) in outlook.rows.iter().enumerate() {
        let y = TOP + ROW * place as f64;
        let step = &shown.steps[row.step];
        let who = shown.doer[row.step].as_deref().unwrap_or("-");
        let (fill, stroke) =
            if row.on_path { ("#b45309", "#7c2d12") } else { ("#93c5fd", "#1d4ed8") };
        let _ = writeln!(
            svg,
            "<text x=\"{0:.1}\" y=\"{1:.1}\" text-anchor=\"end\">{2} <tspan fill=\"#555\">{3}</tspan></text><rect x=\"{4:.1}\" y=\"{5:.1}\" width=\"{6:.1}\" height=\"14\" rx=\"2\" fill=\"{fill}\" stroke=\"{stroke}\"><title>{7}</title></rect><text x=\"{8:.1}\" y=\"{1:.1}\" fill=\"#555\">{9}</text>",
            LEFT - 8.0,
            y + 15.0,
            escaped(&super::words::one_line(step.id.as_str(), 26)),
            escaped(&super::words::one_line(who, 16)),
            x(row.start),
            y + 4.0,
            (x(row.end) - x(row.start)).max(1.5),
            escaped(&format!(
                "{}: {} to {}, on the critical path in {:.0} % of simulations",
                step.label(),
                shown.clock(shown.after(row.start)),
                shown.clock(shown.after(row.end)),
                row.critical * 100.0
            )),
            x(row.end) + 5.0,
            span(row.end - row.start),
        );
    }
    let _ = writeln!(
        svg,
        "<line x1=\"{0:.1}\" y1=\"{TOP}\" x2=\"{0:.1}\" y2=\"{bottom:.1}\" stroke=\"#15803d\" stroke-width=\"2\" stroke-dasharray=\"5 3\"/><text x=\"{0:.1}\" y=\"{1:.1}\" text-anchor=\"end\" fill=\"#15803d\">{2}</text>",
        x(sure),
        bottom + 16.0,
        escaped(&format!(
            "{:.0} % of simulations are finished by {}",
            outlook.confidence * 100.0,
            shown.end_clock(sure)
        ))
    );
    svg.push_str("</svg>\n");
    svg
}

fn ticks(shown: &Shown<'_>, total: f64) -> Vec<(f64, String)> {
    const GRIDS: [f64; 12] =
        [1.0, 5.0, 15.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 43_200.0, 86_400.0];
    let grid = GRIDS.into_iter().find(|grid| total / grid <= 8.0).unwrap_or(total / 8.0);
    let clock = |seconds: f64| {
        let format = if grid < 60.0 { "%H:%M:%S" } else { "%H:%M" };
        shown.after(seconds).to_zoned(shown.zone.clone()).strftime(format).to_string()
    };
    let mut ticks = Vec::new();
    let mut at = 0.0;
    while at <= total {
        ticks.push((at, clock(at)));
        at += grid;
    }
    ticks
}

/// Everything on one page that needs nothing else.
pub(crate) fn html(shown: &Shown<'_>) -> String {
    let outlook = &shown.outlook;
    let mut page = String::new();
    let title = escaped(&shown.title());
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Forecast: {title}</title>\n<style>\nbody {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; color: #111; }}\nh1 {{ font-size: 1.5rem; margin-bottom: 0; }}\n.facts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1rem; margin: 1.5rem 0; }}\n.facts div {{ border: 1px solid #ccc; border-radius: 6px; padding: .75rem 1rem; }}\n.facts strong {{ display: block; font-size: 1.4rem; }}\nfigure {{ margin: 1rem 0; overflow-x: auto; }}\nfigure svg {{ max-width: 100%; height: auto; min-width: 40rem; }}\npre {{ overflow-x: auto; background: #f6f6f6; padding: 1rem; font-size: .8rem; line-height: 1.35; }}\n@media print {{ body {{ margin: 0; max-width: none; }} }}\n</style>\n</head>\n<body>\n<h1>{title}</h1>\n<p>{}</p>\n<div class=\"facts\">\n",
        escaped(&shown.way())
    );
    let mut fact = |label: &str, value: String, about: String| {
        let _ = writeln!(
            page,
            "<div>{}<strong>{}</strong>{}</div>",
            escaped(label),
            escaped(&value),
            escaped(&about)
        );
    };
    let at = |share: f64| shown.end_clock(outlook.finish.quantile(share).high);
    fact("Finished by (P95)", at(0.95), format!("P50 {}, P80 {}", at(0.5), at(0.8)));
    if let (Some(by), Some(figure)) = (outlook.deadline, outlook.in_time) {
        let wanted = format!("the plan wants {} %", percent(outlook.confidence));
        fact(&format!("In time for {}", shown.clock(by)), chance(figure), wanted);
    }
    if let Some([_, low, _]) = outlook.point_of_no_return {
        fact("Point of no return", shown.clock(low), "the latest invocation".to_owned());
    }
    if let Some(decide) = outlook.decide_by {
        fact("Ask for the decision by", shown.clock(decide), String::new());
    }
    let _ = write!(page, "</div>\n<figure>\n{}</figure>\n<pre>", svg(shown));
    for line in lines(shown, 110) {
        let plain = anstream::adapter::strip_str(&line).to_string();
        let _ = writeln!(page, "{}", escaped(&plain));
    }
    page.push_str("</pre>\n</body>\n</html>\n");
    page
}
