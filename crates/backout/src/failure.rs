//! Exit codes, and the one place where an error becomes text.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};

/// What a script learns from the end of a command. Documented in `docs/exit-codes.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Findings, or it failed.
    Failed,
    /// It ended, but something that matters was left out, has no check, or is not healthy.
    Partial,
    /// A release was backed out, wholly.
    BackedOut,
    /// The option is done and keeps users out; another option goes on from there.
    Holding,
    /// Only a person can go on.
    Waiting,
    /// Refused: by authority, or because something that must come first has not.
    Refused,
    /// The command line or a file named on it cannot be used.
    Usage,
    /// A mistake in this program.
    Bug,
}

impl Exit {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Partial => 10,
            Self::BackedOut => 11,
            Self::Holding => 12,
            Self::Waiting => 20,
            Self::Refused => 30,
            Self::Usage => 64,
            Self::Bug => 70,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    label: Label,
    message: String,
    hints: Vec<String>,
}

/// What stands before the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Error,
    Question,
    Note,
    Warning,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, label: Label::Error, message: message.into(), hints: Vec::new() }
    }

    /// Nothing was done, and an answer is needed.
    pub(crate) fn question(message: impl Into<String>) -> Self {
        Self { label: Label::Question, ..Self::new(Exit::Waiting, message) }
    }

    /// Nothing was done, because it is so already.
    pub(crate) fn note(message: impl Into<String>) -> Self {
        Self { label: Label::Note, ..Self::new(Exit::Done, message) }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// An error of a library, with everything that caused it.
    pub(crate) fn of(error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Self::new(Exit::Failed, message)
    }

    /// Whether something failed that is neither a refusal nor a question.
    pub(crate) fn is_of_the_system(&self) -> bool {
        self.exit == Exit::Failed
    }

    /// What went wrong.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Prints it as a warning; the command goes on.
    pub(crate) fn warn(self) {
        let _ = Self { label: Label::Warning, ..self }.print();
    }

    pub(crate) fn print(self) -> ExitCode {
        let (label, colour) = match self.label {
            Label::Warning => ("warning", AnsiColor::Yellow),
            Label::Error => ("error", AnsiColor::Red),
            Label::Question => ("question", AnsiColor::Yellow),
            Label::Note => ("note", AnsiColor::Green),
        };
        let bold = Style::new().bold().fg_color(Some(colour.into()));
        crate::warn!("{bold}{label}:{bold:#} {}", self.message);
        let cyan = Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()));
        for hint in &self.hints {
            crate::warn!("{cyan}hint:{cyan:#} {}", as_given(hint));
        }
        self.exit.into()
    }
}

macro_rules! from_library {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of(&error)
            }
        })*
    };
}

from_library!(
    std::io::Error,
    serde_json::Error,
    backout_core::record::BrokenChain,
    backout_core::state::Illegal,
);

/// What leads out where a journal cannot be read.
const REBUILD: &str = "nothing was changed; `backout recover RUN --reason \"…\"` rebuilds the log of a run from what is proven, or put the journal back from a copy";

impl From<backout_engine::ReadError> for Failure {
    fn from(error: backout_engine::ReadError) -> Self {
        Self::of(&error).hint(REBUILD)
    }
}

impl From<backout_sqlite::OpenError> for Failure {
    fn from(error: backout_sqlite::OpenError) -> Self {
        let failure = Self::of(&error);
        match error {
            backout_sqlite::OpenError::Network { .. } => {
                failure.hint("keep it on a local disk: `--state DIR` or BACKOUT_STATE")
            }
            backout_sqlite::OpenError::Folder { .. } => {
                failure.hint("`--state DIR` or BACKOUT_STATE names another folder")
            }
            backout_sqlite::OpenError::Sqlite { .. }
            | backout_sqlite::OpenError::Foreign { .. } => failure.hint(REBUILD),
            backout_sqlite::OpenError::Full { .. } => {
                failure.hint("nothing was lost; make room and do it again")
            }
            _ => failure,
        }
    }
}

impl From<backout_engine::log::OpenError> for Failure {
    fn from(error: backout_engine::log::OpenError) -> Self {
        use backout_engine::log::OpenError;
        let failure = Self::of(&error);
        match error {
            OpenError::NoRun(_) => failure.hint("`backout runs` lists them"),
            OpenError::Broken(_) | OpenError::Illegal { .. } | OpenError::Shrunk { .. } => failure.hint(
                "the log was damaged or changed; nothing more is done on it. `backout verify RUN` says where, `backout recover RUN --reason \"…\"` rebuilds it from what is proven",
            ),
            OpenError::Read(_) => failure.hint(REBUILD),
        }
    }
}

impl From<backout_engine::log::WriteError> for Failure {
    fn from(error: backout_engine::log::WriteError) -> Self {
        use backout_engine::AppendError;
        use backout_engine::log::WriteError;
        match error {
            WriteError::Illegal(other @ backout_core::state::Illegal::NotAsked { .. }) => {
                Self::refused(other.to_string())
                    .hint("nothing was decided; `backout status` shows what is asked now")
            }
            WriteError::Illegal(other @ backout_core::state::Illegal::Replaced(_)) => {
                Self::refused(other.to_string())
                    .hint("nothing was approved; `backout status` shows what would run now")
            }
            WriteError::Illegal(illegal) => Self::of(&illegal),
            WriteError::Open(error) => error.into(),
            WriteError::Append(error) => {
                let failure = Self::of(&error);
                match error {
                    AppendError::Unknown(_) => failure.hint(
                        "the run is safe: free the disk or mend the folder, then `backout resume RUN` goes on from what is written",
                    ),
                    AppendError::Refused(_) => {
                        failure.hint("nothing was lost; mend the cause and do it again")
                    }
                    AppendError::Moved => failure,
                }
            }
        }
    }
}

impl From<backout_engine::Stopped> for Failure {
    fn from(error: backout_engine::Stopped) -> Self {
        match error {
            backout_engine::Stopped::Write(error) => error.into(),
            backout_engine::Stopped::Open(error) => error.into(),
            fenced @ backout_engine::Stopped::Fenced(_) => Self::refused(fenced.to_string())
                .hint("nothing more was started from here; `backout status RUN` shows the run"),
            // Another coordinator took it elsewhere between the question and now.
            relocated @ backout_engine::Stopped::Relocated(_) => Self::refused(relocated.to_string())
                .hint("`backout resume RUN` asks"),
            other @ backout_engine::Stopped::OtherTarget(_) => Self::refused(other.to_string())
                .hint("nothing was started: set the variable as it was, then `backout resume RUN`"),
            suspect @ backout_engine::Stopped::Suspect(_) => Self::refused(suspect.to_string()),
            unreadable @ backout_engine::Stopped::Hands(_) => Self::of(&unreadable).hint(
                "nothing was decided about the step; free the disk or mend the folder, then `backout resume RUN`",
            ),
        }
    }
}

/// The folder that `--state` named on this command line, as a shell takes it. A command that is
/// shown works on the same runs only with the same folder.
static STATE: OnceLock<String> = OnceLock::new();

/// Who `--as` named. A command that is shown is refused without it where the account tells no role.
static WHO: OnceLock<String> = OnceLock::new();

/// The commands that a person gives to a run.
const OF_A_PERSON: &[&str] = &[
    "resume",
    "recover",
    "hold",
    "abandon",
    "invoke",
    "deploy",
    "decide",
    "skip",
    "retry",
    "stop",
    "fail",
    "ack",
    "resolve",
    "check-again",
    "replace",
    "add",
    "assign",
    "switch-option",
    "baseline",
];

/// Remembers what `--state` and `--as` named, where they stood on the command line.
pub(crate) fn note_given(words: impl Iterator<Item = std::ffi::OsString>) {
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let given = |flag: &str| {
        let at = words.iter().position(|word| {
            word == flag || word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('='))
        })?;
        let inline = words[at].split_once('=').map(|(_, value)| value.to_owned());
        inline.or_else(|| words.get(at + 1).cloned())
    };
    let quoted = |value: String| crate::view::replies::shell_word(&value);
    if let Some(folder) = given("--state") {
        let _ = STATE.set(quoted(folder));
    }
    if let Some(who) = given("--as") {
        let _ = WHO.set(quoted(who));
    }
}

/// A text with commands, each on the state folder of this one, by the same person.
pub(crate) fn as_given(text: &str) -> String {
    let mut parts = text.split('`');
    let mut out = parts.next().unwrap_or_default().to_owned();
    let mut is_command = true;
    for part in parts {
        out.push('`');
        out.push_str(&if is_command { with_given(part) } else { part.to_owned() });
        is_command = !is_command;
    }
    out
}

fn with_given(command: &str) -> String {
    let Some(rest) = command.strip_prefix("backout ") else { return command.to_owned() };
    let verb = rest.split(' ').next().unwrap_or_default();
    let says_who = rest.contains(" --as ");
    let who = WHO.get().filter(|_| OF_A_PERSON.contains(&verb) && !says_who);
    let who = who.map_or_else(String::new, |who| format!(" --as {who}"));
    format!("backout {}{rest}{who}", state_words())
}

/// What stands between the program's name and the command, so that it works on the same runs.
pub(crate) fn state_words() -> String {
    STATE.get().map_or_else(String::new, |state| format!("--state {state} "))
}

/// Whether to colour what goes to standard error, by the rules people know.
pub(crate) fn colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every exit code, as scripts know it, and each is in the manual and in the help.
    #[test]
    fn exit_codes_are_documented() {
        let all = [
            (Exit::Done, 0),
            (Exit::Failed, 1),
            (Exit::Partial, 10),
            (Exit::BackedOut, 11),
            (Exit::Holding, 12),
            (Exit::Waiting, 20),
            (Exit::Refused, 30),
            (Exit::Usage, 64),
            (Exit::Bug, 70),
        ];
        let manual = include_str!("../../../docs/exit-codes.md");
        let help = crate::cli::definition().render_long_help().to_string();
        let codes = help.split("Exit codes:").nth(1).expect("the help lists them");
        for (exit, number) in all {
            assert_eq!(exit.number(), number);
            assert!(manual.contains(&format!("\n| {number} | ")), "{number} is not in the manual");
            let named =
                codes.split(|c: char| !c.is_ascii_digit()).any(|word| word == number.to_string());
            assert!(named, "{number} is not in the help: {codes}");
        }
    }
}
