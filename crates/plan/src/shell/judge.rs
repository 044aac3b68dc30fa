//! What becomes of the failure of each command of a script.

use std::collections::BTreeSet;
use std::ops::Range;

use super::nested::{self, Nested};
use super::{Command, Item, Join, List, Pipeline, Simple, parser};

/// A command that may fail although its script ends with 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    /// How the failure gets lost.
    pub(crate) lost: Lost,
    /// The command, in one short line.
    pub(crate) command: String,
}

/// How a failure gets lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lost {
    /// Another command follows, and nothing ends the script before it.
    Followed,
    /// It is on the left of `&&` or behind `!`, where `set -e` does not count, and
    /// another command follows.
    Exempt,
    /// It is on the left of a `|`.
    Piped,
    /// It runs in the background, and `wait` without a process ends with 0.
    Waited,
    /// Nothing that fails shows: `… || true`.
    Always,
}

/// What becomes of a command's failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is how the script ends.
    Shown,
    /// The shell process ends with it: `|| exit`.
    Exits,
    /// The shell process ends with it, by `set -e`.
    Ends,
    /// Another command follows: `set -e` ends the shell process, or it gets lost.
    Next,
    /// It is an answer: the condition of an `if`, the left of `|| exit`.
    Asked,
    /// It is ignored on purpose: `|| true`.
    Dropped,
    Lost(Lost),
}

/// How deep scripts inside scripts are read.
const DEEPEST_SCRIPT: usize = 5;
/// The longest a command is shown, in characters.
const SHOWN: usize = 60;

/// What may get lost in a script for `sh -c`.
pub(crate) fn judge_script(text: &str) -> Vec<Loss> {
    judge(&Nested { text: text.to_owned(), errexit: false, pipefail: false }, 0)
}

/// What may get lost in the script of a command, if it is one with a script.
pub(crate) fn judge_argv(argv: &[&str], input: Option<&str>) -> Vec<Loss> {
    // A remote command of several words is a script too, with nothing to lose.
    nested::find(argv, input).map_or_else(Vec::new, |script| judge(&script, 1))
}

fn judge(script: &Nested, depth: usize) -> Vec<Loss> {
    let text = script.text.as_str();
    let Ok(list) = parser::parse(text) else { return unread(script) };
    let mut judge = Judge {
        text,
        depth,
        errexit: script.errexit,
        pipefail: script.pipefail,
        exempt: false,
        ends: Fate::Shown,
        background: None,
        exits: BTreeSet::new(),
        defined: BTreeSet::new(),
        functions: Vec::new(),
        shows: false,
        dropped: None,
        losses: Vec::new(),
    };
    judge.list(&list, Fate::Shown);
    // Called at the earliest where they are defined, usually later: `set -e` may come
    // in between.
    let mut functions = std::mem::take(&mut judge.functions);
    while let Some(body) = functions.pop() {
        judge.command(body, Fate::Shown);
        functions.append(&mut judge.functions);
    }
    if let (Some(command), false, true) =
        (judge.dropped.take(), judge.shows, judge.losses.is_empty())
    {
        judge.losses.push(Loss { lost: Lost::Always, command });
    }
    judge.losses
}

/// A script this grammar cannot read: several commands without a word about failure.
fn unread(script: &Nested) -> Vec<Loss> {
    let lines = script.text.lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(first) = lines.next() else { return Vec::new() };
    let sets = first.starts_with("set -") && first.contains('e');
    let several = first.contains(';') || lines.next().is_some();
    match several && !sets && !script.errexit {
        true => vec![Loss { lost: Lost::Followed, command: short(first) }],
        false => Vec::new(),
    }
}

struct Judge<'a> {
    text: &'a str,
    depth: usize,
    errexit: bool,
    pipefail: bool,
    /// Inside a condition or on the left of `&&` and `||`: `set -e` does not count.
    exempt: bool,
    /// What becomes of a failure with which this shell process ends: of a subshell,
    /// what becomes of the subshell's.
    ends: Fate,
    /// A command in the background that no `wait` asked about yet.
    background: Option<String>,
    /// Functions that end the script with a failure.
    exits: BTreeSet<String>,
    /// All functions of the script so far.
    defined: BTreeSet<String>,
    /// Bodies of functions, still to be judged.
    functions: Vec<&'a Command>,
    /// Whether the failure of any command shows.
    shows: bool,
    /// The first command whose failure is ignored on purpose.
    dropped: Option<String>,
    losses: Vec<Loss>,
}

impl<'a> Judge<'a> {
    fn list(&mut self, list: &'a List, last: Fate) {
        // What ends with `exit 1` in any case has nothing to lose.
        let doomed = list.last().and_then(only_command).is_some_and(|last| self.dooms(last));
        for (index, item) in list.iter().enumerate() {
            let next = list.get(index + 1);
            let asked_about = next.is_some_and(|next| self.reads_status(next));
            let fate = match next {
                None => last,
                Some(_) if asked_about => Fate::Shown,
                Some(_) if doomed => Fate::Exits,
                Some(_) => Fate::Next,
            };
            self.item(item, fate);
        }
    }

    /// What becomes of it with the options as they are now.
    fn now(&self, fate: Fate) -> Fate {
        match fate {
            Fate::Next if self.errexit && !self.exempt => Fate::Ends,
            Fate::Next => Fate::Lost(Lost::Followed),
            fate => fate,
        }
    }

    /// Whether a command looks at how the one before it ended.
    fn reads_status(&self, item: &Item) -> bool {
        let text = &self.text[item.place.clone()];
        text.contains("$?")
            || text.contains("${?}")
            || text.contains("PIPESTATUS")
            || text == "exit"
    }

    fn item(&mut self, item: &'a Item, fate: Fate) {
        if item.background {
            self.background = Some(short(&self.text[item.place.clone()]));
            return;
        }
        let pipelines: Vec<&Pipeline> =
            std::iter::once(&item.first).chain(item.rest.iter().map(|(_, next)| next)).collect();
        for (index, pipeline) in pipelines.iter().enumerate() {
            let handles = index > 0 && item.rest[index - 1].0 == Join::Or;
            let fate = if handles && only_tells(pipeline) { Fate::Asked } else { fate };
            let Some((join, next)) = item.rest.get(index) else {
                self.pipeline(pipeline, fate);
                break;
            };
            let left = match join {
                Join::Or => self.left_of_or(pipeline, next, fate),
                Join::And => {
                    // Behind `a && b || c`, `c` is what a failure of `a` leads to.
                    let or = item.rest[index..].iter().find(|(join, _)| *join == Join::Or);
                    match or {
                        Some((_, handler)) => self.left_of_or(pipeline, handler, fate),
                        None => self.left_of_and(pipeline, next, fate),
                    }
                }
            };
            let before = std::mem::replace(&mut self.exempt, true);
            self.pipeline(pipeline, left);
            self.exempt = before;
        }
    }

    /// A failure of `a` in `a || b`.
    fn left_of_or(&self, left: &Pipeline, handler: &Pipeline, fate: Fate) -> Fate {
        let [Command::Simple(handler)] = handler.commands.as_slice() else {
            // `|| { echo failed; exit 1; }`, or another way to get there.
            let [Command::Group(list)] = handler.commands.as_slice() else { return Fate::Asked };
            let mut simple = list.iter().filter_map(only_command);
            let ends = simple.any(|simple| self.ends_with_failure(simple));
            return if ends { Fate::Exits } else { Fate::Asked };
        };
        if self.ends_with_failure(handler) {
            return Fate::Exits;
        }
        let question = is_question(left);
        match handler.name() {
            // The failure is kept for later.
            "" => Fate::Shown,
            _ if question => Fate::Asked,
            "true" | ":" => Fate::Dropped,
            // What is only written down is not handled.
            "echo" | "printf" | "logger" | "exit" | "return" | "break" | "continue" => {
                match self.now(fate) {
                    Fate::Lost(lost) => Fate::Lost(lost),
                    _ => Fate::Dropped,
                }
            }
            _ => Fate::Asked,
        }
    }

    /// A failure of `a` in `a && b`: the failure of both.
    fn left_of_and(&self, left: &Pipeline, next: &Pipeline, fate: Fate) -> Fate {
        let jumps = matches!(next.commands.as_slice(), [Command::Simple(simple)]
            if matches!(simple.name(), "exit" | "return" | "break" | "continue"));
        match self.now(fate) {
            Fate::Ends | Fate::Lost(_) if jumps || is_question(left) => Fate::Asked,
            Fate::Ends => Fate::Lost(Lost::Exempt),
            fate => fate,
        }
    }

    /// Whether it ends the script with a failure, when the command before it failed.
    fn ends_with_failure(&self, simple: &Simple) -> bool {
        match simple.name() {
            "exit" | "return" => simple.arguments().next() != Some("0"),
            _ => self.dooms(simple),
        }
    }

    /// Whether it ends the script with a failure in any case.
    fn dooms(&self, simple: &Simple) -> bool {
        match simple.name() {
            "exit" | "return" => {
                let code = simple.arguments().next().and_then(|code| code.parse::<u32>().ok());
                code.is_some_and(|code| code != 0)
            }
            "false" => true,
            name if self.defined.contains(name) => self.exits.contains(name),
            // By their names, from a file of functions.
            "die" | "fail" | "abort" | "bail" | "fatal" => true,
            _ => false,
        }
    }

    fn pipeline(&mut self, pipeline: &'a Pipeline, fate: Fate) {
        let Some((last, left)) = pipeline.commands.split_last() else { return };
        let fate = match (pipeline.negated, fate) {
            (true, Fate::Next) if self.now(fate) == Fate::Ends => Fate::Lost(Lost::Exempt),
            (true, Fate::Ends) => Fate::Lost(Lost::Exempt),
            (true, Fate::Shown | Fate::Exits) => {
                self.shows = true;
                Fate::Asked
            }
            (_, fate) => fate,
        };
        let before = self.exempt;
        self.exempt |= pipeline.negated;
        let judges =
            matches!(last, Command::Simple(simple) if is_judge(simple)) && !pipeline.negated;
        for (index, command) in left.iter().enumerate() {
            let fate = match (self.pipefail, fate) {
                (true, fate) => fate,
                // A filter that finds nothing fails, so it shows.
                (false, _) if judges => Fate::Asked,
                (false, Fate::Asked | Fate::Dropped) => fate,
                (false, _) => Fate::Lost(Lost::Piped),
            };
            let harmless = matches!(command, Command::Simple(simple)
                if ["echo", "printf", "yes", "seq"].contains(&simple.name())
                    || (index > 0 && is_filter(simple)));
            if !harmless {
                self.alone(fate, |judge, fate| judge.command(command, fate));
            }
        }
        match left.is_empty() {
            true => self.command(last, fate),
            false => self.alone(fate, |judge, fate| judge.command(last, fate)),
        }
        self.exempt = before;
    }

    /// In a process of its own: its options are its own, and it is what an `exit` ends.
    fn alone(&mut self, fate: Fate, judge: impl FnOnce(&mut Self, Fate)) {
        let before = (self.errexit, self.pipefail, self.ends);
        let fate = self.resolve(self.now(fate));
        self.ends = fate;
        judge(self, fate);
        (self.errexit, self.pipefail, self.ends) = before;
    }

    fn resolve(&self, fate: Fate) -> Fate {
        match fate {
            Fate::Exits | Fate::Ends => self.ends,
            fate => fate,
        }
    }

    fn command(&mut self, command: &'a Command, fate: Fate) {
        match command {
            Command::Simple(simple) => self.simple(simple, fate),
            Command::Test(place) => self.settle(place, fate),
            Command::Group(list) => self.list(list, fate),
            Command::Subshell(list) => self.alone(fate, |judge, fate| judge.list(list, fate)),
            Command::If(branches, otherwise) => {
                for (asked, body) in branches {
                    self.condition(asked);
                    self.list(body, fate);
                }
                self.list(otherwise, fate);
            }
            Command::Loop(asked, body) => {
                self.condition(asked);
                // The next time round follows.
                let fate = match fate {
                    Fate::Asked | Fate::Dropped => fate,
                    _ => Fate::Next,
                };
                self.list(body, fate);
            }
            Command::Case(branches) => branches.iter().for_each(|body| self.list(body, fate)),
            Command::Function(name, body) => {
                self.defined.insert(name.clone());
                if self.always_exits(body) {
                    self.exits.insert(name.clone());
                }
                self.functions.push(body);
            }
        }
    }

    fn condition(&mut self, asked: &'a List) {
        let before = std::mem::replace(&mut self.exempt, true);
        self.list(asked, Fate::Asked);
        self.exempt = before;
    }

    /// Whether the last command of a function ends the script with a failure.
    fn always_exits(&self, body: &Command) -> bool {
        let (Command::Group(list) | Command::Subshell(list)) = body else { return false };
        list.last().and_then(only_command).is_some_and(|last| self.ends_with_failure(last))
    }

    fn simple(&mut self, simple: &Simple, fate: Fate) {
        let words: Vec<&str> = simple.words.iter().map(|word| word.text.as_str()).collect();
        if self.depth < DEEPEST_SCRIPT
            && let Some(script) = nested::find(&words, simple.documents.last().map(String::as_str))
        {
            self.losses.extend(judge(&script, self.depth + 1));
        }
        match simple.name() {
            "" if !simple.assignments.iter().any(|word| word.substitutes) => return,
            "set" => return self.options(simple),
            "trap" if simple.arguments().any(|word| word == "ERR") => {
                self.errexit = true;
                return;
            }
            "wait" if simple.arguments().next().is_none() => {
                if let Some(command) = self.background.take() {
                    self.losses.push(Loss { lost: Lost::Waited, command });
                }
                return;
            }
            "wait" => self.background = None,
            "exit" | "return" => {
                self.shows |= self.ends_with_failure(simple);
                return;
            }
            // They do not fail, or end the shell where they do.
            ":" | "true" | "export" | "readonly" | "local" | "declare" | "typeset" | "unset"
            | "shift" | "trap" | "umask" | "sleep" | "exec" | "break" | "continue" | "shopt" => {
                return;
            }
            _ if self.dooms(simple) => {
                self.shows = true;
                return;
            }
            _ => {}
        }
        self.settle(&simple.place, fate);
    }

    /// A command that may fail.
    fn settle(&mut self, place: &Range<usize>, fate: Fate) {
        let command = short(&self.text[place.clone()]);
        match self.resolve(self.now(fate)) {
            Fate::Shown | Fate::Exits | Fate::Ends | Fate::Next => self.shows = true,
            Fate::Asked => {}
            Fate::Dropped => self.dropped = self.dropped.take().or(Some(command)),
            Fate::Lost(lost) => self.losses.push(Loss { lost, command }),
        }
    }

    /// `set -euo pipefail`, `set +e`, `set -o errexit`.
    fn options(&mut self, simple: &Simple) {
        let mut words = simple.arguments();
        while let Some(word) = words.next() {
            let Some(letters) = word.strip_prefix(['-', '+']).filter(|_| word != "--") else {
                return;
            };
            let on = word.starts_with('-');
            for letter in letters.chars() {
                match letter {
                    'e' => self.errexit = on,
                    'o' => match words.next() {
                        Some("errexit") => self.errexit = on,
                        Some("pipefail") => self.pipefail = on,
                        _ => {}
                    },
                    _ => {}
                }
            }
        }
    }
}

/// The one plain command of an item that has no more.
fn only_command(item: &Item) -> Option<&Simple> {
    match item.first.commands.as_slice() {
        [Command::Simple(simple)] if item.rest.is_empty() && !item.background => Some(simple),
        _ => None,
    }
}

/// Whether all it does is to write that something failed.
fn only_tells(pipeline: &Pipeline) -> bool {
    matches!(pipeline.commands.as_slice(), [Command::Simple(simple)]
        if matches!(simple.name(), "echo" | "printf" | "logger"))
}

/// Whether it is there to be answered with yes or no.
fn is_question(pipeline: &Pipeline) -> bool {
    let Some(last) = pipeline.commands.last() else { return false };
    pipeline.negated
        || match last {
            Command::Test(_) => true,
            Command::Simple(simple) => match simple.name() {
                "[" | "test" | "grep" | "egrep" | "fgrep" | "rg" | "pgrep" | "command" | "type"
                | "which" | "id" | "getent" | "mountpoint" | "cmp" | "diff" | "true" | "false" => {
                    true
                }
                "systemctl" => simple.arguments().any(|word| word.starts_with("is-")),
                _ => false,
            },
            _ => false,
        }
}

/// Whether it fails when it is given nothing to find.
fn is_judge(simple: &Simple) -> bool {
    let finds = matches!(simple.name(), "grep" | "egrep" | "fgrep" | "rg");
    let inverted = |word: &str| {
        word == "--invert-match"
            || (word.starts_with('-') && !word.starts_with("--") && word.contains('v'))
    };
    finds && !simple.arguments().any(inverted)
}

/// Whether it fails only where its own arguments are wrong, which shows each time.
fn is_filter(simple: &Simple) -> bool {
    matches!(
        simple.name(),
        "awk"
            | "cat"
            | "cut"
            | "grep"
            | "egrep"
            | "head"
            | "nl"
            | "rev"
            | "sed"
            | "sort"
            | "tac"
            | "tail"
            | "tee"
            | "tr"
            | "uniq"
            | "wc"
            | "column"
    )
}

/// A command in one short line.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.chars().count() > SHOWN {
        true => line.chars().take(SHOWN - 1).chain(['…']).collect(),
        false => line,
    }
}
