//! Shell scripts, as far as a reviewer of a plan reads them: which of their commands
//! may fail although the script ends with 0.
//!
//! The grammar is that of the POSIX shell (IEEE 1003.1-2017, 2.10) with what people
//! take from bash: `[[ ]]`, `(( ))`, `function`, `|&`, `<<<`, `<( )`. Nothing is
//! expanded; a word is its text without quotes.

mod judge;
mod lexer;
mod nested;
mod parser;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub(crate) use judge::{Loss, Lost, judge_argv, judge_script};

/// How deep a script may nest before it counts as unreadable.
const DEEPEST: usize = 60;

/// A script that this grammar cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unreadable;

/// A word, or the target of a redirection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Word {
    /// Without quotes; substitutions as they are written.
    text: String,
    /// Whether nothing of it is quoted, so that it may be a word of the grammar.
    bare: bool,
    /// Whether it runs a command: `$(…)` or backquotes.
    substitutes: bool,
}

/// Commands one after another.
type List = Vec<Item>;

/// Pipelines joined by `&&` and `||`, up to `;`, `&` or the end of a line.
#[derive(Debug)]
struct Item {
    first: Pipeline,
    rest: Vec<(Join, Pipeline)>,
    background: bool,
    /// Where it stands in the script.
    place: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    And,
    Or,
}

#[derive(Debug)]
struct Pipeline {
    negated: bool,
    commands: Vec<Command>,
}

#[derive(Debug)]
enum Command {
    Simple(Simple),
    Group(List),
    Subshell(List),
    /// Conditions with their branches, and what is done where none holds.
    If(Vec<(List, List)>, List),
    /// `for` has no condition.
    Loop(List, List),
    Case(Vec<List>),
    Function(String, Box<Command>),
    /// `[[ … ]]` or `(( … ))`.
    Test(Range<usize>),
}

#[derive(Debug, Default)]
struct Simple {
    assignments: Vec<Word>,
    words: Vec<Word>,
    /// The bodies of its here-documents and here-strings.
    documents: Vec<String>,
    /// Where it stands in the script.
    place: Range<usize>,
}

impl Simple {
    /// The command, without the folder it is in.
    fn name(&self) -> &str {
        self.words.first().map_or("", |word| base_name(&word.text))
    }

    fn arguments(&self) -> impl Iterator<Item = &str> {
        self.words.iter().skip(1).map(|word| word.text.as_str())
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
