//! The examples, from end to end, as somebody who tries them would see them.

use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn has(program: &str) -> bool {
    let path = format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default());
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}

fn try_it(name: &str, needs: &[&str]) {
    for program in needs.iter().chain(&["python3"]) {
        if !has(program) {
            println!("NOT RUN: the example {name}: {program}");
            return;
        }
    }
    let work = tempfile::tempdir().expect("a folder");
    let done = Command::new(folder().join(name).join("try"))
        .arg(work.path())
        .env("BACKOUT", env!("CARGO_BIN_EXE_backout"))
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&done.stdout);
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}\n{err}");
    // What the story says it looked at.
    assert!(said.matches("\nok: ").count() >= 5, "{said}");
}

#[test]
fn blue_green() {
    try_it("blue-green", &["haproxy"]);
}

#[test]
fn canary() {
    try_it("canary", &["haproxy"]);
}

#[test]
fn flag_first() {
    try_it("flag-first", &[]);
}

#[test]
fn expand_contract() {
    try_it("expand-contract", &[]);
}

#[test]
fn two_services() {
    try_it("two-services", &[]);
}

/// No example without its story, and none in the table that is not there.
#[test]
fn each_example_is_tried() {
    let told = std::fs::read_to_string(folder().join("README.md")).expect("the list");
    for entry in std::fs::read_dir(folder()).expect("examples").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().join("plan.backout.yaml").exists() {
            assert!(told.contains(&format!("({name})")), "{name} is not in the list");
            let tried = include_str!("examples.rs").contains(&format!("try_it(\"{name}\""));
            assert!(tried || name == "customer-portal", "{name} is not tried");
        }
    }
}
