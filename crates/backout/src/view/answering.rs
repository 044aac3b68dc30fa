//! Answering what is asked, on the terminal that shows the run.
//!
//! Each answer has a number, and keeps it: a number that was on the screen never comes to
//! mean something else while somebody types it.

use backout_core::question::{Question, Reply};

/// What stands in a command where a reason has to be.
const REASON: &str = " --reason \"…\"";

/// What somebody is typing, and what became of what they typed.
#[derive(Debug, Default)]
pub(crate) struct Prompt {
    /// Every answer there ever was: the first one is number 1.
    answers: Vec<String>,
    /// Those that can be given now.
    open: Vec<String>,
    typed: String,
    /// What the last answer came to.
    said: Vec<String>,
    /// An answer is under way.
    busy: bool,
    /// Within a sequence that a key such as an arrow sends.
    sequence: bool,
}

impl Prompt {
    /// Learns what is asked now.
    pub(crate) fn asked(&mut self, questions: &[Question]) {
        let replies = questions.iter().flat_map(|question| &question.answers);
        self.open =
            replies.filter(|reply| fits(reply)).map(|reply| reply.command.clone()).collect();
        for command in &self.open {
            if !self.answers.contains(command) {
                self.answers.push(command.clone());
            }
        }
    }

    /// The number of an answer; nothing if it cannot be given here.
    pub(crate) fn number(&self, reply: &Reply) -> Option<usize> {
        let known = self.answers.iter().position(|command| *command == reply.command);
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

    /// Takes what was typed. Gives a line once it is finished.
    pub(crate) fn take(&mut self, text: &str) -> Option<String> {
        for c in text.chars() {
            if self.sequence {
                self.sequence = !(c.is_ascii_alphabetic() || c == '~');
                continue;
            }
            match c {
                '\u{1b}' => self.sequence = true,
                '\r' | '\n' if self.busy => {}
                '\r' | '\n' => {
                    let line = std::mem::take(&mut self.typed).trim().to_owned();
                    self.said.clear();
                    if !line.is_empty() {
                        return Some(line);
                    }
                }
                '\u{7f}' | '\u{8}' => drop(self.typed.pop()),
                '\u{15}' => self.typed.clear(),
                c if c.is_control() => {}
                c => self.typed.push(c),
            }
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
            return Err(format!("`{number}` is no number of an answer; nothing was done"));
        };
        if !self.open.contains(command) {
            return Err(format!("{number} is not asked any more; nothing was done"));
        }
        let (reason, who) = match rest.rsplit_once("--as ") {
            Some((reason, role)) => (reason.trim(), Some(role.trim())),
            None => (rest.trim(), who),
        };
        let words = command.strip_suffix(REASON).unwrap_or(command);
        let mut words: Vec<String> = words.split_whitespace().skip(1).map(str::to_owned).collect();
        match (command.ends_with(REASON), reason.is_empty()) {
            (true, true) => return Err(format!("say why, too: {number} because …")),
            (true, false) => words.push(format!("--reason={reason}")),
            (false, false) => return Err(format!("{number} takes no reason; nothing was done")),
            (false, true) => {}
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

/// Some answers need a file, or take more than a line.
fn fits(reply: &Reply) -> bool {
    let command = reply.command.strip_suffix(REASON).unwrap_or(&reply.command);
    !command.contains("STEP.yaml") && !command.contains('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use backout_core::question::QuestionKind;

    fn question(commands: &[&str]) -> Question {
        let answers = commands
            .iter()
            .map(|command| Reply { command: (*command).to_owned(), meaning: "so" })
            .collect();
        Question {
            step: None,
            kind: QuestionKind::Decide,
            who: "Lena".to_owned(),
            role: None,
            text: "Back?".to_owned(),
            evidence: Vec::new(),
            answers,
        }
    }

    const BACK: &str = "backout decide CHG1-1 back-out --reason \"…\"";
    const GO_ON: &str = "backout decide CHG1-1 continue --reason \"…\"";
    const ACK: &str = "backout ack CHG1-1 tell";

    #[test]
    fn a_number_is_a_command_and_stays_it() {
        let mut prompt = Prompt::default();
        prompt.asked(&[question(&[BACK, GO_ON])]);
        let said = prompt.take("1 logins fail\r").expect("a line");
        let words = prompt.command(&said, Some("lead")).expect("a command");
        assert_eq!(words, ["decide", "CHG1-1", "back-out", "--reason=logins fail", "--as=lead"]);
        // Something else is asked first now: nothing changes its number.
        prompt.asked(&[question(&[ACK]), question(&[GO_ON])]);
        assert_eq!(prompt.command("3", None).expect("a command"), ["ack", "CHG1-1", "tell"]);
        assert!(
            prompt.command("2 it is fine --as pm", Some("lead")).expect("a command")[4]
                == "--as=pm"
        );
        assert!(prompt.command("1 again", None).expect_err("gone").contains("not asked any more"));
        for (line, says) in [
            ("0 x", "is no number"),
            ("4 x", "is no number"),
            ("yes", "is no number"),
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
        prompt.asked(&[question(&[BACK])]);
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
    fn what_needs_a_file_has_no_number() {
        let mut prompt = Prompt::default();
        let replace = "backout replace CHG1-1 tell STEP.yaml --reason \"…\"";
        prompt.asked(&[question(&[replace, ACK])]);
        let reply = |command: &str| Reply { command: command.to_owned(), meaning: "so" };
        assert_eq!(prompt.number(&reply(replace)), None);
        assert_eq!(prompt.number(&reply(ACK)), Some(1));
    }
}
