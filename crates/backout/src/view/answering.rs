//! Answering what is asked, on the terminal that shows the run.
//!
//! Each answer has a number, and keeps it: a number that was on the screen never comes to
//! mean something else while somebody types it.

use backout_core::question::Question;
use backout_core::reply::{Needs, Reply};

use super::replies;

/// How much can be typed, in bytes.
const LONGEST: usize = 4000;

/// What somebody is typing, and what became of what they typed.
#[derive(Debug, Default)]
pub(crate) struct Prompt {
    /// Every answer there ever was: the first one is number 1.
    answers: Vec<Answer>,
    /// Those that can be given now.
    open: Vec<Answer>,
    typed: String,
    /// What the last answer came to.
    said: Vec<String>,
    /// An answer is under way.
    busy: bool,
    /// What the next character belongs to.
    within: Within,
    /// What comes was pasted.
    pasted: bool,
}

/// An answer as it is given: the words of its command, and what is added to them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    words: String,
    needs: Needs,
}

/// What a character belongs to.
#[derive(Debug, Default)]
enum Within {
    #[default]
    Text,
    /// Esc alone, or the beginning of what a key such as an arrow sends.
    Escape,
    /// What such a key sends, so far.
    Sequence(String),
    /// The last character of it.
    Last,
}

impl Prompt {
    /// Learns what is asked now.
    pub(crate) fn asked(&mut self, questions: &[Question], run: &str) {
        let replies = questions.iter().flat_map(|question| &question.answers);
        self.open = replies.filter(|reply| fits(reply)).map(|reply| answer(reply, run)).collect();
        for command in &self.open {
            if !self.answers.contains(command) {
                self.answers.push(command.clone());
            }
        }
    }

    /// The number of an answer; nothing if it cannot be given here.
    pub(crate) fn number(&self, reply: &Reply, run: &str) -> Option<usize> {
        let wanted = answer(reply, run);
        let known = self.answers.iter().position(|command| *command == wanted);
        known.filter(|_| fits(reply)).map(|index| index + 1)
    }

    /// The last lines of the screen.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = self.said.clone();
        if self.busy {
            lines.push("…".to_owned());
        } else if !self.open.is_empty() || !self.typed.is_empty() {
            lines.push(format!("Number, why, Enter:  {}▏", self.typed));
        }
        lines
    }

    /// Whether anything can be answered.
    pub(crate) fn is_open(&self) -> bool {
        self.busy || !self.open.is_empty() || !self.typed.is_empty()
    }

    /// Takes what came from the keyboard at once. Gives a line once it is finished; what
    /// came behind it in the same moment was not typed, and is nothing.
    pub(crate) fn take(&mut self, text: &str) -> Option<String> {
        let mut line = None;
        for c in text.chars() {
            let Some(c) = self.key(c) else { continue };
            match c {
                _ if line.is_some() => {}
                // Enter is pressed, never pasted.
                '\r' | '\n' if self.pasted => self.typed.push(' '),
                c if self.pasted && c.is_control() => {}
                '\r' | '\n' => {
                    let typed = std::mem::take(&mut self.typed).trim().to_owned();
                    if !self.busy {
                        self.said.clear();
                        line = Some(typed);
                    }
                }
                '\u{7f}' | '\u{8}' => drop(self.typed.pop()),
                '\u{15}' => self.typed.clear(),
                c if c.is_control() => {}
                c if self.typed.len() < LONGEST => self.typed.push(c),
                _ => {}
            }
        }
        line.filter(|line| !line.is_empty())
    }

    /// A character that belongs to no sequence.
    fn key(&mut self, c: char) -> Option<char> {
        match (std::mem::take(&mut self.within), c) {
            (Within::Escape, '[') => self.within = Within::Sequence(String::new()),
            (Within::Escape, 'O') => self.within = Within::Last,
            (Within::Last, ' '..='~') => {}
            (Within::Sequence(mut so_far), ' '..='?') if so_far.len() < 16 => {
                so_far.push(c);
                self.within = Within::Sequence(so_far);
            }
            (Within::Sequence(so_far), '@'..='~') => match (so_far.as_str(), c) {
                ("200", '~') => self.pasted = true,
                ("201", '~') => self.pasted = false,
                _ => {}
            },
            (_, '\u{1b}') => self.within = Within::Escape,
            (_, c) => return Some(c),
        }
        None
    }

    /// The command of a line: the words after `backout`.
    ///
    /// # Errors
    /// What is wrong with the line, for whoever typed it.
    pub(crate) fn command(&self, line: &str, who: Option<&str>) -> Result<Vec<String>, String> {
        let (number, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let index = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let Some(command) = index.and_then(|index| self.answers.get(index)) else {
            return Err(format!("`{number}` is not one of the listed answers; nothing was done"));
        };
        if !self.open.contains(command) {
            return Err(format!("{number} is not asked any more; nothing was done"));
        }
        let (reason, who) = match as_whom(rest) {
            Some((reason, role)) => (reason, Some(role)),
            None => (rest.trim(), who),
        };
        let mut words: Vec<String> = command.words.split_whitespace().map(str::to_owned).collect();
        match (command.needs, reason.is_empty()) {
            // A bare number is typed by mistake more easily than a reason.
            (Needs::Reason | Needs::OptionalReason | Needs::File, true) => {
                return Err(format!("say why, too: {number} because …"));
            }
            (Needs::Nothing, false) => {
                return Err(format!("{number} takes no reason; nothing was done"));
            }
            (_, false) => words.push(format!("--reason={reason}")),
            (Needs::Nothing, true) => {}
        }
        words.extend(who.map(|who| format!("--as={who}")));
        Ok(words)
    }

    /// An answer is under way.
    pub(crate) fn begins(&mut self) {
        self.busy = true;
    }

    /// What an answer came to.
    pub(crate) fn ended(&mut self, said: &str) {
        self.busy = false;
        self.said = said
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
            .take(4)
            .map(str::to_owned)
            .collect();
    }
}

/// The words before a last `--as ROLE`, and the role.
fn as_whom(text: &str) -> Option<(&str, &str)> {
    let (before, role) = text.trim().rsplit_once(char::is_whitespace)?;
    let before = before.trim_end().strip_suffix("--as")?;
    let apart = before.is_empty() || before.ends_with(char::is_whitespace);
    apart.then(|| (before.trim(), role))
}

/// An answer, without who gives it.
fn answer(reply: &Reply, run: &str) -> Answer {
    Answer { words: replies::words_of(&reply.command, run), needs: reply.needs }
}

/// Some answers need a file, which cannot be typed.
fn fits(reply: &Reply) -> bool {
    reply.needs != Needs::File
}

#[cfg(test)]
mod tests {
    use super::*;
    use backout_core::choice::Verb;
    use backout_core::ids::StepId;
    use backout_core::question::Asks;
    use backout_core::reply::{Meaning, Offer};

    const RUN: &str = "CHG1-1";

    fn question(answers: &[Reply]) -> Question {
        Question {
            step: None,
            asks: Asks::Decide,
            person: None,
            roles: Vec::new(),
            due: None,
            seen: Vec::new(),
            agreement: None,
            answers: answers.to_vec(),
        }
    }

    fn decide(verb: Verb) -> Reply {
        let offer =
            Offer::Decide { verb, option: None, fix_for: None, question: None, confirmed: false };
        Reply::new(offer, Meaning::BackOut)
    }

    fn back() -> Reply {
        decide(Verb::BackOut)
    }

    fn go_on() -> Reply {
        decide(Verb::Continue)
    }

    fn tell() -> StepId {
        StepId::new("tell").expect("a name")
    }

    fn ack() -> Reply {
        Reply::new(Offer::Acknowledge { step: tell() }, Meaning::Done)
    }

    #[test]
    fn a_number_is_a_command_and_stays_it() {
        let mut prompt = Prompt::default();
        prompt.asked(&[question(&[back(), go_on()])], RUN);
        let said = prompt.take("1 logins fail\r").expect("a line");
        let words = prompt.command(&said, Some("lead")).expect("a command");
        assert_eq!(words, ["decide", "CHG1-1", "back-out", "--reason=logins fail", "--as=lead"]);
        // Something else is asked first now: nothing changes its number.
        prompt.asked(&[question(&[ack()]), question(&[go_on()])], RUN);
        assert_eq!(prompt.command("3", None).expect("a command"), ["ack", "CHG1-1", "tell"]);
        assert!(
            prompt.command("2 it is fine --as pm", Some("lead")).expect("a command")[4]
                == "--as=pm"
        );
        assert!(prompt.command("1 again", None).expect_err("gone").contains("not asked any more"));
        for (line, says) in [
            ("0 x", "is not one of"),
            ("4 x", "is not one of"),
            ("yes", "is not one of"),
            ("2", "say why"),
            ("2  --as pm", "say why"),
            ("3 because", "takes no reason"),
        ] {
            assert!(prompt.command(line, None).expect_err(line).contains(says), "{line}");
        }
    }

    #[test]
    fn a_reason_is_one_word_of_the_command_whatever_is_in_it() {
        let mut prompt = Prompt::default();
        prompt.asked(&[question(&[back()])], RUN);
        let words = prompt.command("1 --option all; rm -rf $HOME \"x\"", None).expect("a command");
        assert_eq!(words[3], "--reason=--option all; rm -rf $HOME \"x\"");
        assert_eq!(words.len(), 4);
    }

    #[test]
    fn keys_that_are_no_text_are_none() {
        let mut prompt = Prompt::default();
        assert_eq!(prompt.take("1x\u{7f} ü\u{1b}[A\u{1b}[3~b\u{3}"), None);
        assert_eq!(prompt.take("\n"), Some("1 üb".to_owned()));
        assert_eq!(prompt.take("junk\u{15}\n"), None);
        prompt.begins();
        assert_eq!(prompt.take("2 y\n"), None, "one after the other");
    }

    #[test]
    fn esc_alone_swallows_nothing() {
        let mut prompt = Prompt::default();
        assert_eq!(prompt.take("\u{1b}"), None);
        assert_eq!(
            prompt.take("2 we\u{1b}\u{1b} go\u{1b}OA\u{1b}[1;5C on\r"),
            Some("2 we go on".to_owned())
        );
    }

    #[test]
    fn what_comes_behind_enter_at_once_is_nothing() {
        let mut prompt = Prompt::default();
        let text = format!("1 so\r2 no {}\r2 no\r3 n", "x".repeat(400));
        assert_eq!(prompt.take(&text), Some("1 so".to_owned()));
        assert_eq!(prompt.take("\r"), None);
        // What is finished while an answer is under way is nothing either.
        prompt.begins();
        assert_eq!(prompt.take("2 no\r"), None);
        prompt.ended("done");
        assert_eq!(prompt.take("\r"), None);
    }

    #[test]
    fn what_is_pasted_never_presses_enter() {
        let mut prompt = Prompt::default();
        assert_eq!(prompt.take("1 "), None);
        assert_eq!(prompt.take("\u{1b}[200~they say\r\n2 all"), None);
        assert_eq!(prompt.take("\u{15}\u{7f} is well\r\u{1b}[201~"), None);
        assert_eq!(prompt.take("\r"), Some("1 they say  2 all is well".to_owned()));
        // Its end counts also where nothing else does.
        assert_eq!(prompt.take("1 x\r\u{1b}[200~2 y\r\u{1b}[201~"), Some("1 x".to_owned()));
        assert_eq!(prompt.take("1 z\r"), Some("1 z".to_owned()));
    }

    #[test]
    fn only_the_last_two_words_say_who_answers() {
        let mut prompt = Prompt::default();
        prompt.asked(&[question(&[back()])], RUN);
        let words = |line| prompt.command(line, Some("lead")).expect("a command");
        let said = words("1 they log in --as admin and it fails");
        assert_eq!(said[3..], ["--reason=they log in --as admin and it fails", "--as=lead"]);
        let said = words("1 they log in --as admin --as  pm");
        assert_eq!(said[3..], ["--reason=they log in --as admin", "--as=pm"]);
        assert_eq!(words("1 x--as pm")[3..], ["--reason=x--as pm", "--as=lead"]);
    }

    #[test]
    fn what_needs_a_file_has_no_number() {
        let mut prompt = Prompt::default();
        let replace = Reply::new(Offer::Replace { step: tell() }, Meaning::DoOtherwise);
        prompt.asked(&[question(&[replace.clone(), ack()])], RUN);
        assert_eq!(prompt.number(&replace, RUN), None);
        assert_eq!(prompt.number(&ack(), RUN), Some(1));
    }
}
