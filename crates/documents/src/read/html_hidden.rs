//! What a web page holds and a browser does not show: elements that say so
//! themselves, and those that a rule of the page's own style sheet hides.

use std::collections::HashSet;

use scraper::node::Element;
use scraper::{ElementRef, Html, Node, Selector};

/// A page's own style sheets are read as far as this, in bytes.
const LONGEST_SHEET: usize = 256 * 1024;
/// No more rules of them than this are looked at.
const MOST_RULES: usize = 256;

/// The elements of a page that are hidden themselves, by where they are in memory;
/// what is inside them is hidden too.
#[derive(Debug, Default)]
pub(super) struct Unseen(HashSet<*const Element>);

fn key(element: ElementRef<'_>) -> *const Element {
    std::ptr::from_ref(element.value())
}

impl Unseen {
    pub(super) fn has(&self, element: ElementRef<'_>) -> bool {
        self.0.contains(&key(element))
    }

    /// The texts that are hidden in an element, or the whole of it, one each.
    pub(super) fn texts(&self, element: ElementRef<'_>) -> Vec<String> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut left = vec![element];
        while let Some(next) = left.pop() {
            if self.has(next) {
                let text = text(next);
                found.extend((!text.is_empty()).then_some(text));
            } else {
                let from = left.len();
                left.extend(next.child_elements());
                left[from..].reverse();
            }
        }
        found
    }
}

/// What an element says, a line for each part of it.
fn text(element: ElementRef<'_>) -> String {
    let mut lines: Vec<String> = vec![String::new()];
    for node in element.descendants() {
        match node.value() {
            Node::Text(text) => {
                let skipped = node.parent().and_then(ElementRef::wrap).is_some_and(|parent| {
                    matches!(parent.value().name(), "script" | "style" | "template")
                });
                if let Some(line) = lines.last_mut().filter(|_| !skipped) {
                    line.push_str(&text.replace(['\n', '\r', '\t'], " "));
                }
            }
            Node::Element(element)
                if matches!(
                    element.name(),
                    "p" | "div"
                        | "li"
                        | "tr"
                        | "br"
                        | "h1"
                        | "h2"
                        | "h3"
                        | "h4"
                        | "h5"
                        | "h6"
                        | "pre"
                        | "dt"
                        | "dd"
                ) =>
            {
                lines.push(String::new());
            }
            Node::Element(element) if matches!(element.name(), "td" | "th") => {
                if let Some(line) = lines.last_mut().filter(|line| !line.trim().is_empty()) {
                    line.push_str(" | ");
                }
            }
            _ => {}
        }
    }
    let lines = lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Finds what is hidden.
pub(super) fn unseen(page: &Html) -> Unseen {
    let mut found: HashSet<*const Element> = HashSet::new();
    let elements = || page.tree.nodes().filter_map(ElementRef::wrap);
    let sheets = elements().filter(|element| element.value().name() == "style");
    let css: String = sheets.flat_map(|sheet| sheet.text()).take(1000).collect();
    for (selector, hides) in rules(&css).into_iter().take(MOST_RULES) {
        let Ok(selector) = Selector::parse(&selector) else { continue };
        for element in page.select(&selector) {
            // Of two rules the later one holds.
            if hides {
                found.insert(key(element));
            } else {
                found.remove(&key(element));
            }
        }
    }
    for element in elements() {
        match hides_itself(element.value()) {
            Some(true) => drop(found.insert(key(element))),
            Some(false) => drop(found.remove(&key(element))),
            None => {}
        }
    }
    Unseen(found)
}

/// Whether an element says of itself that it is hidden, or shown.
fn hides_itself(element: &Element) -> Option<bool> {
    let style = element.attr("style").and_then(hides);
    style.or_else(|| element.attr("hidden").map(|_| true))
}

/// Whether declarations hide what they are of; nothing if they do not say.
fn hides(declarations: &str) -> Option<bool> {
    let mut said = None;
    for declaration in declarations.split(';') {
        let Some((name, value)) = declaration.split_once(':') else { continue };
        let value = value.to_lowercase();
        let value = value.split('!').next().unwrap_or_default().trim();
        let hidden = match name.trim().to_lowercase().as_str() {
            "display" => value == "none",
            "visibility" => matches!(value, "hidden" | "collapse"),
            // How Word says it in a page.
            "mso-hide" => value == "all",
            "opacity" => matches!(value, "0" | "0.0" | "0%"),
            "font-size" => matches!(value, "0" | "0px" | "0pt" | "0em" | "0rem" | "0%"),
            _ => continue,
        };
        if hidden {
            return Some(true);
        }
        said = said.or((name.trim().eq_ignore_ascii_case("display")).then_some(false));
    }
    said
}

/// The simple rules of a style sheet that hide something or show it again; those for
/// paper, small screens and the like are left out.
fn rules(css: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let css: String = css.chars().take(LONGEST_SHEET).collect();
    let mut rest = css.as_str();
    let mut bare = String::with_capacity(css.len());
    while let Some((before, comment)) = rest.split_once("/*") {
        bare.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    bare.push_str(rest);
    let mut depth = 0_usize;
    let mut selector = String::new();
    let mut body = String::new();
    for c in bare.chars() {
        match c {
            '{' => depth += 1,
            '}' => {
                if depth == 1 && !selector.trim_start().starts_with('@') {
                    let simple = |one: &&str| {
                        !one.is_empty()
                            && one.split_whitespace().count() <= 3
                            && one.chars().all(|c| c.is_alphanumeric() || " .#_-".contains(c))
                    };
                    if let Some(hides) = hides(&body) {
                        let each = selector.split(',').map(str::trim).filter(simple);
                        found.extend(each.map(|one| (one.to_owned(), hides)));
                    }
                }
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    selector.clear();
                    body.clear();
                }
            }
            ';' if depth == 0 => selector.clear(),
            c if depth == 0 => selector.push(c),
            c => body.push(c),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_hide_or_do_not() {
        for (said, expected) in [
            ("display:none", Some(true)),
            ("color: red; DISPLAY : None !important;", Some(true)),
            ("visibility: hidden", Some(true)),
            ("mso-hide:all", Some(true)),
            ("font-size:0", Some(true)),
            ("font-size:0.9em", None),
            ("display: block", Some(false)),
            ("color: red", None),
            ("", None),
        ] {
            assert_eq!(hides(said), expected, "{said}");
        }
    }

    #[test]
    fn rules_for_paper_do_not_count() {
        let css = "/* a { } */ .old, #gone { display: none } @media print { .menu { display: none } } p > a { display: none } .old.now { display: block }";
        let found = rules(css);
        let found: Vec<(&str, bool)> =
            found.iter().map(|(one, hides)| (one.as_str(), *hides)).collect();
        assert_eq!(found, [(".old", true), ("#gone", true), (".old.now", false)]);
    }
}
