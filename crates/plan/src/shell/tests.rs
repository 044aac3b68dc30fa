//! What may get lost in scripts, by example and against a real shell.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::judge::*;

fn losses(script: &str) -> Vec<(Lost, String)> {
    judge_script(script).into_iter().map(|loss| (loss.lost, loss.command)).collect()
}

#[track_caller]
fn lost(script: &str, expected: &[(Lost, &str)]) {
    let found = losses(script);
    let found: Vec<(Lost, &str)> =
        found.iter().map(|(lost, word)| (*lost, word.as_str())).collect();
    assert_eq!(found, expected, "in\n{script}");
}

#[test]
fn several_commands_lose_all_but_the_last() {
    for script in
        ["cp a b; start x", "cp a b\nstart x", "cp a b\n\n# then\nstart x\n", "cp a b ;\n start x;"]
    {
        lost(script, &[(Lost::Followed, "cp a b")]);
    }
    lost("a; b; c", &[(Lost::Followed, "a"), (Lost::Followed, "b")]);
    lost("cd /srv\nrm -rf x", &[(Lost::Followed, "cd /srv")]);
    lost("restore 'a;b' \\\n  --now; true", &[(Lost::Followed, "restore 'a;b' \\ --now")]);
    lost("echo begin; restore", &[(Lost::Followed, "echo begin")]);
    lost("x=$(read-it); use \"$x\"", &[(Lost::Followed, "x=$(read-it)")]);
    lost("test -d /srv; restore", &[(Lost::Followed, "test -d /srv")]);
}

#[test]
fn one_command_has_nothing_to_lose() {
    for script in [
        "",
        "\n# nothing\n",
        "restore",
        "restore;",
        "\nrestore\n",
        "a && b && c",
        "a &&\n b &&\n c",
        "a || b",
        "restore 'a; b\nc' \"d; e\" f\\;g # h; i",
        "restore \"$(echo \"a; b\")\" `c; d` ${e:-f;g}",
        "restore \\\n --now \\\n --all",
        "psql <<EOF\nSELECT 1;\nSELECT 2;\nEOF\n",
        "psql <<-'EOF' > out\n\tSELECT 1;\n\tEOF",
        "find /srv -name x -exec rm {} \\;",
        "awk '{ print $1; print $2 }' file",
        "A=1 B=2 restore",
        "A=1; B=2; restore \"$A\"",
        "(a && b)",
        "{ a && b; }",
        "if test -f x; then restore; else start; fi",
        "case $1 in a) restore ;; b|c) start ;; *) ;; esac",
        "[[ -f x && ! -f y ]] && restore",
        "(( 1 < 2 )) && restore",
        "exec restore > log 2>&1",
        "restore &",
    ] {
        lost(script, &[]);
    }
}

#[test]
fn what_ends_the_script_keeps_the_failure() {
    for script in [
        "set -e; a; b",
        "set -e\na\nb\n",
        "set -eu\na\nb",
        "set -euo pipefail; a | b; c",
        "set -o errexit -o pipefail; a | b; c",
        "set -u; set -e; a; b",
        "export X=1; set -e; a; b",
        "a || exit; b || exit 1; c",
        "a || { echo failed >&2; exit 1; }; b",
        "die() { echo \"$1\" >&2; exit 1; }\na || die no\nb",
        "a; rc=$?; b_ok=1; exit $rc",
        "a\nif [ $? -ne 0 ]; then exit 1; fi\nb",
        "rc=0; a || rc=1; b || rc=1; exit $rc",
        "if ! a; then exit 1; fi; b",
        "set -e; for f in a b; do restore $f; done; c",
        "for f in a b; do restore $f || exit 1; done",
        "set -e; [ -f x ] && rm x; b",
        "set -e; a || true; b",
        "until curl -f localhost; do sleep 1; done",
        "for i in 1 2 3; do curl -f localhost && exit 0; sleep 1; done; exit 1",
        "set -e; f() { a; b; }; f; c",
        "f() { a; b; }; set -e; f; c",
        "( set -e; a; b )",
        "server & pid=$!; check && kill $pid",
        "a & p=$!; b && wait $p",
        "trap 'rm -f x' EXIT; a",
    ] {
        lost(script, &[]);
    }
}

#[test]
fn set_e_does_not_count_everywhere() {
    lost("a; set -e; b; c", &[(Lost::Followed, "a")]);
    lost("set -e; set +e; a; b", &[(Lost::Followed, "a")]);
    lost("#!/bin/sh -e\na\nb", &[(Lost::Followed, "a")]);
    lost("# set -e\na\nb", &[(Lost::Followed, "a")]);
    lost("echo set -e; a", &[(Lost::Followed, "echo set -e")]);
    lost("(set -e); a; b", &[(Lost::Followed, "a")]);
    lost("set -e; a && b; c", &[(Lost::Exempt, "a")]);
    lost("set -e; ! a; c", &[(Lost::Exempt, "a")]);
    lost("set -e; { a; b; } || exit 1", &[(Lost::Followed, "a")]);
    lost("set -e; if a; b; then c; fi", &[(Lost::Followed, "a")]);
    lost("set -u; a; b", &[(Lost::Followed, "a")]);
}

#[test]
fn blocks_are_several_commands() {
    lost("for f in a b; do restore $f; done", &[(Lost::Followed, "restore $f")]);
    lost("for f in a b\ndo\n restore $f\ndone\n", &[(Lost::Followed, "restore $f")]);
    lost("for f in a b; do restore $f || break; done", &[(Lost::Followed, "restore $f")]);
    lost("while read f; do restore $f; done < list", &[(Lost::Followed, "restore $f")]);
    lost("(a; b)", &[(Lost::Followed, "a")]);
    lost("{ a\nb\n}", &[(Lost::Followed, "a")]);
    lost("if x; then a; b; fi", &[(Lost::Followed, "a")]);
    lost("case x in x) a; b;; esac", &[(Lost::Followed, "a")]);
    lost("f() { a; b; }\nf", &[(Lost::Followed, "a")]);
    lost("if x; then a; fi; b", &[(Lost::Followed, "a")]);
    lost("( set -e; a; b ); c", &[(Lost::Followed, "a"), (Lost::Followed, "b")]);
    lost("( set -e; a; b ) && c", &[(Lost::Followed, "a")]);
    lost("( a || exit 1 ); c", &[(Lost::Followed, "a")]);
    lost("(a && b); c", &[(Lost::Followed, "a"), (Lost::Followed, "b")]);
    lost("psql <<EOF; start\nSELECT 1;\nEOF", &[(Lost::Followed, "psql <<EOF")]);
}

#[test]
fn pipelines_lose_their_left() {
    lost("dump db | gzip", &[(Lost::Piped, "dump db")]);
    lost("set -e; dump | gzip > x; b", &[(Lost::Piped, "dump")]);
    lost("restore |& tee log", &[(Lost::Piped, "restore")]);
    lost("cat x | sort | uniq", &[(Lost::Piped, "cat x")]);
    lost("{ a && b; } 2>&1 | tee log", &[(Lost::Piped, "a"), (Lost::Piped, "b")]);
    lost("status | grep -v bad", &[(Lost::Piped, "status")]);
    for script in
        ["echo SELECT | psql", "printf x | nc h 1", "status | grep -q ok", "set -o pipefail; a | b"]
    {
        lost(script, &[]);
    }
}

#[test]
fn what_never_fails_is_said() {
    for script in [
        "a || true",
        "a || :",
        "a || echo failed",
        "a || exit 0",
        "set -e; a || true",
        "(a || true)",
    ] {
        lost(script, &[(Lost::Always, "a")]);
    }
    lost("a; true", &[(Lost::Followed, "a")]);
    lost("a; exit 0", &[(Lost::Followed, "a")]);
    lost("a || echo no; b", &[(Lost::Followed, "a")]);
    lost("set -e; test -f x || exit 0; b", &[]);
    lost("a & b & wait", &[(Lost::Waited, "b")]);
    lost("set -e; a & wait", &[(Lost::Waited, "a")]);
}

#[test]
fn scripts_in_scripts_are_read() {
    lost("ssh app01 'a; b'", &[(Lost::Followed, "a")]);
    lost("set -e; ssh app01 'a; b'; c", &[(Lost::Followed, "a")]);
    lost("sudo bash -c \"a; b\"", &[(Lost::Followed, "a")]);
    lost("ssh app01 <<'EOF'\na\nb\nEOF\n", &[(Lost::Followed, "a")]);
    lost("bash -e <<'EOF'\na\nb\nEOF\n", &[]);
    lost("ssh app01 'set -e; a; b'", &[]);
    let argv = |words: &[&str], input| judge_argv(words, input).len();
    assert_eq!(argv(&["bash", "-c", "a; b"], None), 1);
    assert_eq!(argv(&["bash", "-ec", "a; b"], None), 0);
    assert_eq!(argv(&["bash", "-euo", "pipefail", "-c", "a | b; c"], None), 0);
    assert_eq!(argv(&["sh"], Some("a\nb\n")), 1);
    assert_eq!(argv(&["psql"], Some("a;\nb;\n")), 0);
    assert_eq!(argv(&["cp", "a;b", "c"], None), 0);
}

#[test]
fn what_cannot_be_read_is_not_taken_for_sound() {
    lost("a 'b; c", &[(Lost::Followed, "a 'b; c")]);
    lost("a ) b\nc", &[(Lost::Followed, "a ) b")]);
    lost("if a; then b; c", &[(Lost::Followed, "if a; then b; c")]);
    lost("set -e\nif a; then b; c", &[]);
    // Deeper than anybody writes.
    for (open, close) in [("(", ")"), ("{ ", "; }"), ("$(", ")"), ("if a; then ", "; fi")] {
        let deep = format!("x; {}y{}", open.repeat(50_000), close.repeat(50_000));
        assert_eq!(losses(&deep).len(), 1, "{open}");
    }
    let quoted = format!("x; echo {}", "\"$(".repeat(50_000));
    assert_eq!(losses(&quoted).len(), 1);
}

/// A script of commands `c 1`, `c 2`, … for the comparison with a real shell.
#[derive(Debug, Clone)]
enum Piece {
    Command,
    SetE,
    And(Box<Piece>, Box<Piece>),
    Guard(Box<Piece>),
    Pipe(Box<Piece>, Box<Piece>),
    Group(Vec<Piece>),
    Subshell(Vec<Piece>),
    Loop(Vec<Piece>),
    If(Vec<Piece>),
    Case(Vec<Piece>),
}

const WORDS: &[&str] = &[
    "a",
    "ä",
    " ",
    "\n",
    "\r\n",
    ";",
    ";;",
    "&",
    "&&",
    "|",
    "||",
    "|&",
    "(",
    ")",
    "((",
    "))",
    "{ ",
    "}",
    "[[",
    "]]",
    "!",
    "<",
    ">",
    "<<",
    "<<-E",
    "E\n",
    "<<<",
    "<(",
    "2>&1",
    "'",
    "\"",
    "`",
    "$",
    "$(",
    "${",
    "$'",
    "\\",
    "#",
    "=",
    "x=",
    "x=(",
    "if ",
    "then ",
    "elif ",
    "else ",
    "fi",
    "for ",
    "in ",
    "do ",
    "done",
    "while ",
    "case ",
    "esac",
    "function f",
    "f()",
    "set -e",
    "bash",
    "-c",
    "ssh",
    "su",
    "-o",
    "--",
    "-",
    "exit",
    "1",
    "wait",
    "trap",
    "ERR",
    "echo",
    "grep",
    "-v",
];

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let leaf = prop_oneof![5 => Just(Piece::Command), 1 => Just(Piece::SetE)];
    let piece = leaf.prop_recursive(3, 12, 3, |inner| {
        let list = || proptest::collection::vec(inner.clone(), 1..=3);
        let boxed = || inner.clone().prop_map(Box::new);
        prop_oneof![
            (boxed(), boxed()).prop_map(|(a, b)| Piece::And(a, b)),
            boxed().prop_map(Piece::Guard),
            (boxed(), boxed()).prop_map(|(a, b)| Piece::Pipe(a, b)),
            list().prop_map(Piece::Group),
            list().prop_map(Piece::Subshell),
            list().prop_map(Piece::Loop),
            list().prop_map(Piece::If),
            list().prop_map(Piece::Case),
        ]
    });
    proptest::collection::vec(piece, 1..=4)
}

fn render(pieces: &[Piece], count: &mut usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        // What is joined by an operator is a group, so that precedence is plain.
        let mut one = |piece: &Piece| match piece {
            Piece::SetE => ":".to_owned(),
            Piece::And(..) | Piece::Guard(_) | Piece::Pipe(..) => {
                format!("{{ {}\n}}", render(std::slice::from_ref(piece), count))
            }
            piece => render(std::slice::from_ref(piece), count),
        };
        lines.push(match piece {
            Piece::Command => {
                *count += 1;
                format!("c {count}")
            }
            Piece::SetE => "set -e".to_owned(),
            Piece::And(a, b) => format!("{} && {}", one(a), one(b)),
            Piece::Guard(a) => format!("{} || exit 1", one(a)),
            Piece::Pipe(a, b) => format!("{} | {}", one(a), one(b)),
            Piece::Group(list) => format!("{{ {}; }}", render(list, count)),
            Piece::Subshell(list) => format!("( {} )", render(list, count)),
            Piece::Loop(list) => format!("for i in 1 2; do {}; done", render(list, count)),
            Piece::If(list) => format!("if test 1; then {}; fi", render(list, count)),
            Piece::Case(list) => format!("case x in x) {};; esac", render(list, count)),
        });
    }
    lines.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever is written, it is read to an end.
    #[test]
    fn anything_can_be_judged(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..40)) {
        judge_script(&words.concat());
        judge_script(&words.join(" "));
        judge_argv(&words, Some(&words.concat()));
    }

    /// What is said to get lost ends with 0 in a real shell when it fails once, and
    /// what is not said to get lost does not.
    #[test]
    fn a_real_shell_agrees(pieces in pieces()) {
        let mut count = 0;
        let script = render(&pieces, &mut count);
        let said: BTreeSet<String> =
            judge_script(&script).into_iter().map(|loss| loss.command).collect();
        let folder = std::env::temp_dir().join(format!("backout-shell-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        for number in 1..=count {
            let once = folder.join("failed");
            let _ = std::fs::remove_dir(&once);
            let run = format!(
                "c() {{ if [ $1 = {number} ] && mkdir '{}' 2>&-; then return 1; fi; }}\n{script}",
                once.display()
            );
            let status = std::process::Command::new("sh").args(["-c", &run]).status();
            let ends_well = status.expect("sh runs").success();
            // What is never reached cannot fail.
            if once.exists() {
                let command = format!("c {number}");
                prop_assert_eq!(said.contains(&command), ends_well, "{} in\n{}", command, script);
            }
        }
        let _ = std::fs::remove_dir_all(&folder);
    }
}
