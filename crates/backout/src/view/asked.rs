//! What is asked, as it fits on the screen: the answers first, then all that helps to
//! give one, then the words for another terminal.

use backout_core::question::Question;
use backout_core::reply::Reply;
use backout_core::state::RunState;

use super::questions::{evidence, is_decision, text, title};
use super::replies;
use super::words::one_line;

/// How much is said of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Everything.
    Full,
    /// No command of an answer that has a number.
    Short,
    /// What is asked in a line or two, and the answers.
    Bare,
}

impl Detail {
    /// From the most to the least, with how many rows it must leave for the run itself.
    const ALL: [(Self, usize); 3] = [(Self::Full, 4), (Self::Short, 3), (Self::Bare, 1)];
}

/// How many rows the words of a question have where there is little room.
const FEW: usize = 2;

/// What is asked in so many columns and rows, a heading before it where there is room.
pub(crate) fn fitting(
    state: &RunState,
    questions: &[Question],
    number: &dyn Fn(&Reply) -> Option<usize>,
    heading: &str,
    (width, rows): (usize, usize),
) -> Vec<String> {
    if questions.is_empty() {
        return Vec::new();
    }
    // Somebody waits for a decision, and everything waits for it.
    let mut questions: Vec<&Question> = questions.iter().collect();
    questions.sort_by_key(|question| !is_decision(question));
    for (detail, left) in Detail::ALL {
        let mut lines = match detail {
            Detail::Bare => Vec::new(),
            _ => vec![String::new(), heading.to_owned()],
        };
        let blocks = questions.iter().map(|asked| block(state, asked, number, width, detail));
        lines.extend(blocks.flatten());
        if lines.len() <= rows.saturating_sub(left) {
            return lines;
        }
    }
    // Whole questions, as many as there is room for; the first one in any case.
    let rows = rows.saturating_sub(2);
    let mut lines = Vec::new();
    for (index, question) in questions.iter().enumerate() {
        let block = block(state, question, number, width, Detail::Bare);
        if index > 0 && lines.len() + block.len() > rows {
            let more = questions.len() - index;
            lines.push(format!("… and {more} more: `backout status` shows everything"));
            break;
        }
        lines.extend(block);
    }
    lines
}

fn block(
    state: &RunState,
    question: &Question,
    number: &dyn Fn(&Reply) -> Option<usize>,
    width: usize,
    detail: Detail,
) -> Vec<String> {
    let mut lines = wrapped(&title(state, question), width, 0, 2);
    let text = backout_exec::terminal::printable(&text(state, question));
    let mut words: Vec<String> = text.lines().flat_map(|line| wrapped(line, width, 4, 4)).collect();
    if detail == Detail::Bare && words.len() > FEW {
        words.truncate(FEW);
        words.iter_mut().skip(FEW - 1).for_each(|last| last.push_str(" …"));
    }
    lines.append(&mut words);
    if detail != Detail::Bare {
        for known in evidence(state, question) {
            lines.extend(wrapped(&one_line(&known, 200), width, 4, 6));
        }
    }
    let means = |reply: &Reply| replies::meaning(reply.meaning);
    let meanings = question.answers.iter().map(|reply| means(reply).chars().count());
    let meaning = meanings.max().unwrap_or(0);
    for reply in &question.answers {
        let command = replies::command(reply, state.run().as_str());
        let Some(number) = number(reply) else {
            let mut answer = wrapped(&format!("{command}   {}", means(reply)), width, 4, 6);
            if let Some(first) = answer.first_mut() {
                first.replace_range(..4, "  > ");
            }
            lines.append(&mut answer);
            continue;
        };
        let said = format!("{number:>3}  {:<meaning$}", means(reply));
        let indent = said.chars().count() + 2;
        if detail != Detail::Full {
            lines.extend(wrapped(said.trim_end(), width, 0, 5));
        } else if width >= indent + MOST_OF_A_COMMAND {
            let mut command = wrapped(&command, width, indent, indent);
            if let Some(first) = command.first_mut() {
                first.replace_range(..indent, &format!("{said}  "));
            }
            lines.append(&mut command);
        } else {
            lines.push(said.trim_end().to_owned());
            lines.extend(wrapped(&command, width, 5, 7));
        }
    }
    lines
}

/// How many columns a command needs to stand beside what it means.
const MOST_OF_A_COMMAND: usize = 38;

/// A text in lines of so many columns, the first with one indent, the others with another.
pub(crate) fn wrapped(text: &str, width: usize, first: usize, then: usize) -> Vec<String> {
    if first + text.chars().count() <= width {
        return vec![format!("{}{text}", " ".repeat(first))];
    }
    // Nothing can be read in less.
    let width = width.max(then.max(first) + 10);
    let mut lines = Vec::new();
    let mut line = " ".repeat(first);
    let (mut used, mut begun) = (first, false);
    // What stands before the text stands before its first line.
    let lead = text.len() - text.trim_start_matches(' ').len();
    line.push_str(&text[..lead.min(width / 2)]);
    used += lead.min(width / 2);
    for word in text.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let gap = usize::from(begun);
            if used + gap + rest.len() <= width {
                line.push_str(&" ".repeat(gap));
                line.extend(rest.iter());
                used += gap + rest.len();
                begun = true;
                break;
            }
            if !begun {
                // Longer than a whole line.
                let part = rest.drain(..(width - used).min(rest.len()));
                line.extend(part);
            }
            lines.push(std::mem::replace(&mut line, " ".repeat(then)));
            (used, begun) = (then, false);
        }
    }
    if begun || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_wide_as_they_may_be() {
        let text = "  1  go back and tell everybody";
        assert_eq!(
            wrapped(text, 20, 0, 5),
            ["  1 go back and tell", "     everybody"],
            "the lead stays"
        );
        assert_eq!(
            wrapped("abcdefghijklmnopqrstuvwxyz", 12, 2, 2),
            ["  abcdefghij", "  klmnopqrst", "  uvwxyz"]
        );
        assert_eq!(wrapped("", 80, 4, 4), ["    "]);
        for width in 0..40 {
            for line in wrapped("some words and a quitelongwordwithoutanyspaces", width, 1, 3) {
                assert!(line.chars().count() <= width.max(13), "{width}: {line}");
            }
        }
    }
}
