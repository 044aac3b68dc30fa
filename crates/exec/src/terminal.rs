//! Text from outside on somebody's terminal.

/// Text from outside, without anything that moves a cursor, rings a bell,
/// colours a screen or turns the reading direction around.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // An escape sequence: ESC [ … letter, or ESC ] … BEL.
            '\u{1b}' => match chars.peek() {
                Some('[') => {
                    chars.next();
                    while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
                }
                Some(']') => while chars.next().is_some_and(|c| c != '\u{7}' && c != '\\') {},
                _ => {}
            },
            '\t' => shown.push_str("    "),
            '\n' => shown.push('\n'),
            c if c.is_control() => {}
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c => shown.push(c),
        }
    }
    shown
}

/// How much is quoted of what somebody else said: it may be megabytes, and customers' data.
pub const QUOTED: usize = 80;

/// The first line of a text from outside, and so many characters of it at most.
#[must_use]
pub fn short(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    // What moves a cursor is no character of it; nobody needs more than this to find as many.
    let near: String = line.chars().take(most.saturating_mul(4)).collect();
    let line = printable(&near);
    match line.chars().count() > most {
        true => line.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
        false => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_is_short() {
        assert_eq!(short("many\nlines", 80), "many");
        assert_eq!(short("\u{1b}[31mred", 80), "red");
        assert_eq!(short(&"ä".repeat(80), 80), "ä".repeat(80));
        let cut = short(&"ä".repeat(5_000_000), QUOTED);
        assert_eq!((cut.chars().count(), cut.ends_with("ä…")), (80, true));
    }

    #[test]
    fn terminals_are_not_at_the_mercy_of_output() {
        assert_eq!(
            printable("\u{1b}[31mred\u{1b}[0m \u{7}\u{8}bell\u{1b}]0;title\u{7}!"),
            "red bell!"
        );
        assert_eq!(printable("a\u{202e}b\tc"), "ab    c");
        assert_eq!(printable("cut \u{1b}"), "cut ");
    }
}
