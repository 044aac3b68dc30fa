//! The house: which crate may lean on which, and what a pure crate may not know.

use std::collections::BTreeSet;

use cargo_metadata::MetadataCommand;

/// Crates that decide and nothing else: no runtime, no files, no network, no clock.
const PURE: [&str; 3] = ["backout-core", "backout-forecast", "backout-trigger"];
const IMPURE: [&str; 10] = [
    "tokio",
    "rusqlite",
    "ureq",
    "rustix",
    "tempfile",
    "rand",
    "tokio-postgres",
    "libc",
    "nix",
    "tiny_http",
];

/// Who may depend on whom, beside everybody on the core.
const ALLOWED: &[(&str, &[&str])] = &[
    ("backout-core", &[]),
    ("backout-forecast", &["backout-core"]),
    ("backout-trigger", &["backout-core"]),
    ("backout-plan", &["backout-core", "backout-forecast"]),
    ("backout-documents", &["backout-core", "backout-forecast", "backout-plan"]),
    ("backout-import", &["backout-core", "backout-documents", "backout-plan"]),
    ("backout-engine", &["backout-core"]),
    ("backout-exec", &["backout-core", "backout-engine"]),
    ("backout-sqlite", &["backout-core", "backout-engine"]),
    ("backout-watch", &["backout-core", "backout-engine", "backout-exec", "backout-trigger"]),
    ("backout-identity", &[]),
    ("backout-demo", &["backout-exec"]),
    ("backout-testkit", &["backout-core", "backout-engine"]),
    (
        "backout",
        &[
            "backout-core",
            "backout-forecast",
            "backout-plan",
            "backout-engine",
            "backout-exec",
            "backout-sqlite",
            "backout-demo",
            "backout-documents",
            "backout-identity",
            "backout-import",
            "backout-trigger",
            "backout-watch",
        ],
    ),
    ("backout-fuzz", &["backout-core", "backout-documents", "backout-import", "backout-plan"]),
    ("backout-bench-documents", &["backout-documents", "backout-import", "backout-plan"]),
    ("backout-bench-forecast", &["backout-core", "backout-forecast"]),
    (
        "backout-bench-trigger",
        &["backout-core", "backout-engine", "backout-trigger", "backout-watch"],
    ),
    (
        "backout-bench",
        &["backout-core", "backout-engine", "backout-exec", "backout-sqlite", "backout-testkit"],
    ),
];

#[test]
fn arrows_point_one_way() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    for package in &metadata.packages {
        let name = package.name.as_str();
        let allowed = ALLOWED.iter().find(|(crate_name, _)| *crate_name == name);
        let (_, allowed) =
            allowed.unwrap_or_else(|| panic!("{name} is not in the plan of the house"));
        let leans_on: BTreeSet<&str> = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind == cargo_metadata::DependencyKind::Normal)
            .map(|dependency| dependency.name.as_str())
            .collect();
        for other in leans_on.iter().filter(|other| other.starts_with("backout")) {
            assert!(allowed.contains(other), "{name} must not lean on {other}");
        }
        if PURE.contains(&name) {
            let bad: Vec<_> = leans_on.iter().filter(|other| IMPURE.contains(other)).collect();
            assert!(bad.is_empty(), "{name} is pure and must not know {bad:?}");
        }
    }
}

#[test]
fn the_core_asks_no_clock_and_opens_no_file() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src");
    let mut open = vec![folder];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("readable").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("readable");
            for word in [
                "Timestamp::now",
                "SystemTime",
                "Instant::now",
                "std::fs",
                "std::net",
                "std::env",
                "std::process",
            ] {
                assert!(!text.contains(word), "{} uses {word}", path.display());
            }
        }
    }
}
