//! Scripts inside commands: `bash -c '…'`, `ssh host '…'`, `sudo sh <<EOF`.

use super::base_name;

/// A script that a command hands to a shell.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Nested {
    pub(super) text: String,
    /// Whether the shell is started with `-e`.
    pub(super) errexit: bool,
    /// Whether the shell is started with `-o pipefail`.
    pub(super) pipefail: bool,
}

const SHELLS: [&str; 8] = ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "rbash"];
/// Options of ssh(1) that take a value.
const SSH_VALUES: &str = "BbcDEeFIiJLlmOoPpQRSWw";

/// The script of a command, if it is one that runs a script: as an argument, else what
/// it reads (`input`).
pub(super) fn find(words: &[&str], input: Option<&str>) -> Option<Nested> {
    for (index, word) in words.iter().enumerate() {
        let rest = &words[index + 1..];
        let found = match base_name(word) {
            name if SHELLS.contains(&name) => of_shell(rest, input),
            "su" | "runuser" => of_su(rest),
            "ssh" => of_ssh(rest, input),
            _ => continue,
        };
        // What comes behind a shell is the shell's.
        return found;
    }
    None
}

fn of_shell(words: &[&str], input: Option<&str>) -> Option<Nested> {
    let (mut errexit, mut pipefail, mut inline) = (false, false, false);
    let mut words = words.iter();
    let script = loop {
        let Some(word) = words.next() else { break None };
        if word.starts_with("--") && *word != "--" {
            continue;
        }
        let Some(letters) = word.strip_prefix(['-', '+']).filter(|_| *word != "--") else {
            break if *word == "--" { words.next() } else { Some(word) };
        };
        let on = word.starts_with('-');
        for letter in letters.chars() {
            match letter {
                'e' => errexit = on,
                'c' => inline = true,
                'o' | 'O' => match words.next() {
                    Some(&"errexit") => errexit = on,
                    Some(&"pipefail") => pipefail = on,
                    _ => {}
                },
                _ => {}
            }
        }
    };
    let text = match (inline, script) {
        (true, Some(script)) => (*script).to_owned(),
        // A file: nothing is known of it.
        (false, Some(_)) | (true, None) => return None,
        (false, None) => input?.to_owned(),
    };
    Some(Nested { text, errexit, pipefail })
}

fn of_su(words: &[&str]) -> Option<Nested> {
    let at = words.iter().position(|word| matches!(*word, "-c" | "--command" | "-lc"))?;
    let text = (*words.get(at + 1)?).to_owned();
    Some(Nested { text, errexit: false, pipefail: false })
}

/// ssh joins its arguments with blanks and hands them to the shell over there.
fn of_ssh(words: &[&str], input: Option<&str>) -> Option<Nested> {
    let mut at = 0;
    while let Some(letters) = words.get(at)?.strip_prefix('-') {
        at += match letters.chars().next_back() {
            Some(last) if letters.len() == 1 && SSH_VALUES.contains(last) => 2,
            _ => 1,
        };
    }
    let command = words.get(at + 1..).unwrap_or_default();
    let text = match command {
        [] => input?.to_owned(),
        // `ssh host bash -s <<EOF`
        [shell, ..] if SHELLS.contains(&base_name(shell)) && input.is_some() => {
            return of_shell(&command[1..], input);
        }
        command => command.join(" "),
    };
    Some(Nested { text, errexit: false, pipefail: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str], input: Option<&str>) -> Option<(String, bool, bool)> {
        find(words, input).map(|found| (found.text, found.errexit, found.pipefail))
    }

    #[test]
    fn scripts_are_found_wherever_a_shell_is() {
        let plain = |text: &str| Some((text.to_owned(), false, false));
        for words in [
            &["bash", "-c", "a; b"][..],
            &["/bin/sh", "-uc", "a; b", "name"],
            &["sudo", "-u", "postgres", "bash", "--norc", "-c", "a; b"],
            &["docker", "exec", "db", "sh", "-c", "a; b"],
            &["su", "-", "postgres", "-c", "a; b"],
            &["ssh", "-o", "BatchMode=yes", "-p22", "-p", "22", "ops@app01", "a;", "b"],
        ] {
            assert_eq!(of(words, None), plain("a; b"), "{words:?}");
        }
        let read =
            [&["bash"][..], &["sh", "-s"], &["ssh", "app01"], &["ssh", "app01", "bash", "-s"]];
        for words in read {
            assert_eq!(of(words, Some("a\nb\n")), plain("a\nb\n"), "{words:?}");
            assert_eq!(of(words, None).filter(|(text, ..)| text != "bash -s"), None, "{words:?}");
        }
        for words in
            [&["bash", "restore.sh", "-c", "x"][..], &["psql", "-c", "a; b"], &["ssh"], &[]]
        {
            assert_eq!(of(words, None), None, "{words:?}");
        }
    }

    #[test]
    fn options_of_the_shell_count() {
        let of = |words: &[&str]| of(words, None).map(|(_, errexit, pipefail)| (errexit, pipefail));
        assert_eq!(of(&["bash", "-ec", "a"]), Some((true, false)));
        assert_eq!(of(&["bash", "-euo", "pipefail", "-c", "a"]), Some((true, true)));
        assert_eq!(of(&["bash", "-o", "errexit", "-c", "a"]), Some((true, false)));
        assert_eq!(of(&["bash", "-e", "+e", "-c", "a"]), Some((false, false)));
    }
}
