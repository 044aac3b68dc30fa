//! A plan as text: the keys in the order of the format, short mappings on one
//! line, longer text in blocks. The same plan always gives the same bytes, and
//! reading them gives the same plan.

use serde_json::Value;

use backout_core::plan::Plan;

/// The longest line of a mapping that is written on one line.
const WIDTH: usize = 96;

/// A plan as a plan file, with the line that gives editors the schema where
/// `schema` says where that is.
///
/// # Errors
/// None that a plan can cause; serialisation is fallible by its signature.
pub fn emit(plan: &Plan, schema: Option<&str>) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    if let Some(schema) = schema {
        text.push_str(&format!("# yaml-language-server: $schema={schema}\n"));
    }
    let Value::Object(sections) = serde_json::to_value(plan)? else { return Ok(text) };
    for (key, value) in &sections {
        if key != "backout" {
            text.push('\n');
        }
        entry(key, value, 0, &mut text);
    }
    Ok(text)
}

/// Any value of a plan as the YAML of a plan file, without a trailing line end.
#[must_use]
pub fn fragment(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(entries) => {
            entries.iter().for_each(|(key, value)| entry(key, value, 0, &mut text));
        }
        Value::Array(items) => items.iter().for_each(|value| item(value, 0, &mut text)),
        scalar => text.push_str(&flow(scalar)),
    }
    text.truncate(text.trim_end().len());
    text
}

fn entry(key: &str, value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    text.push_str(&format!("{indent}{}:", word(key)));
    // A section is spread out: people edit its parts.
    let spread = depth == 0 || matches!(key, "steps" | "stages");
    after_colon(value, depth, spread, text);
}

fn after_colon(value: &Value, depth: usize, spread: bool, text: &mut String) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            if !spread && fits(value, depth) {
                text.push_str(&format!(" {}\n", flow(value)));
                return;
            }
            text.push('\n');
            for (key, value) in entries {
                entry(key, value, depth + 1, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let plain = items.iter().all(|item| !item.is_object() && !item.is_array());
            if plain && fits(value, depth) {
                text.push_str(&format!(" {}\n", flow(value)));
                return;
            }
            text.push('\n');
            items.iter().for_each(|value| item(value, depth + 1, text));
        }
        Value::String(line) if block_fits(line) => block(line, depth + 1, text),
        scalar => text.push_str(&format!(" {}\n", flow(scalar))),
    }
}

fn item(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(entries)
            if !entries.is_empty() && (entries.contains_key("id") || !fits(value, depth)) =>
        {
            let mut inner = String::new();
            for (key, value) in entries {
                entry(key, value, depth + 1, &mut inner);
            }
            let (first, rest) = inner.split_once('\n').unwrap_or((&inner, ""));
            text.push_str(&format!("{indent}- {}\n{rest}", first.trim_start()));
        }
        Value::String(line) if block_fits(line) => {
            text.push_str(&format!("{indent}-"));
            block(line, depth + 1, text);
        }
        value => text.push_str(&format!("{indent}- {}\n", flow(value))),
    }
}

/// Whether a value reads well on one line.
fn fits(value: &Value, depth: usize) -> bool {
    let nested = match value {
        Value::Object(entries) => entries.len() <= 6 && entries.values().all(shallow),
        Value::Array(items) => items.iter().all(shallow),
        _ => true,
    };
    nested && depth * 2 + flow(value).chars().count() + 20 <= WIDTH
}

fn shallow(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains('\n'),
        Value::Object(entries) => entries.len() <= 4 && entries.values().all(shallow),
        Value::Array(items) => items.iter().all(|item| !item.is_object() && shallow(item)),
        _ => true,
    }
}

/// Text of several lines that a block keeps as it is.
fn block_fits(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && !text.trim().is_empty()
        && text.chars().all(|c| c == '\n' || printable(c))
        && !text.lines().any(|line| line.ends_with(' '))
}

fn block(text: &str, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    out.push_str(match ends {
        0 => " |-\n",
        1 => " |\n",
        _ => " |+\n",
    });
    for line in body.split('\n') {
        if line.is_empty() {
            out.push('\n');
        } else {
            out.push_str(&format!("{indent}{line}\n"));
        }
    }
    (1..ends).for_each(|_| out.push('\n'));
}

/// A value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let inside: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", word(key), flow(value)))
                .collect();
            format!("{{{}}}", inside.join(", "))
        }
        Value::Array(items) => {
            let inside: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", inside.join(", "))
        }
        Value::String(text) => word(text),
        other => other.to_string(),
    }
}

/// Text on one line: plain where nothing in it means anything to YAML, else in quotes.
fn word(text: &str) -> String {
    const SAID: [&str; 16] = [
        "null", "~", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", "-.inf", ".nan",
        "=", "<<", "-",
    ];
    let lower = text.to_lowercase();
    let first = text.chars().next();
    let number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text.chars().all(|c| c.is_ascii_hexdigit() || "+-._xo:".contains(c));
    let safe_first = first.is_some_and(|c| c.is_alphanumeric() || "/.$(_".contains(c));
    let plain = safe_first
        && !number
        && !SAID.contains(&lower.as_str())
        && !text.ends_with([' ', ':'])
        && text.chars().all(|c| printable(c) && !"{}[],#&*!|>'\"%@`\\".contains(c))
        && !text.contains(": ")
        && !text.contains("  ");
    // A date with its time reads better bare, and is text in this format.
    let date = text.len() >= 10
        && text.is_char_boundary(10)
        && text[..10].parse::<jiff::civil::Date>().is_ok()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-:/ ".contains(c))
        && !text.contains(": ")
        && !text.ends_with([' ', ':']);
    if plain || date { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if printable(c) => out.push(c),
            c if u32::from(c) <= 0xff => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) <= 0xffff => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Characters that YAML and the reader take as they are.
fn printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{85}')
        && !crate::yaml::is_invisible(c)
}
