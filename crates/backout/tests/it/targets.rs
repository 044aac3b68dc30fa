//! What chooses the target of a step is what it was when the run began, whoever goes on from whatever
//! shell; what proves who somebody is is renewed, and is written down nowhere.

use std::process::Command;

use crate::stage::{Stage, Told, told};

const SHOWS: &str = "echo \"port=$PGPORT host=$PGHOST profile=$AWS_PROFILE app=$APP_ENV free=$EDITOR password=$PGPASSWORD\" >> effects";

fn shell(stage: &Stage, line: &str, variables: &[(&str, &str)]) -> Told {
    told(in_shell(stage, line, variables))
}

fn in_shell(stage: &Stage, line: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = stage.command(&line.split_whitespace().collect::<Vec<_>>());
    command.envs(variables.iter().copied());
    command
}

fn plan(stage: &Stage) {
    stage.plan_with(
        &format!("  - {{id: m, owner: ann, manual: wait}}\n  - {{id: a, owner: ann, run: {{shell: '{SHOWS}'}}, verify: {{run: {{shell: 'test \"$PGPORT\" = 5432'}}}}}}\n"),
        "pass_env: [APP_ENV]\n",
    );
}

#[test]
fn another_shell_reaches_the_same_target() {
    let stage = Stage::new();
    plan(&stage);
    let began =
        [("PGPORT", "5432"), ("APP_ENV", "prod"), ("PGPASSWORD", "old-secret"), ("EDITOR", "vi")];
    shell(&stage, "invoke plan.backout.yaml --as lead --reason x", &began).expect(20);
    stage.say("ack CHG7 m --as ann").expect(0);
    let now = [
        ("PGPORT", "5433"),
        ("PGHOST", "other"),
        ("AWS_PROFILE", "staging"),
        ("APP_ENV", "staging"),
        ("PGPASSWORD", "new-secret"),
        ("EDITOR", "ed"),
    ];
    let resumed = shell(&stage, "resume CHG7 --as lead", &now).expect(0);
    resumed.says("its steps keep").says("PGPORT=5432").says("no PGHOST");
    assert_eq!(
        stage.read("effects"),
        "port=5432 host= profile= app=prod free=ed password=new-secret\n"
    );
    // No secret is in the log, the ledger, or what was said.
    for secret in ["old-secret", "new-secret"] {
        let found = Command::new("grep").args(["-r", secret]).arg(&stage.state).output();
        assert!(found.is_ok_and(|found| found.stdout.is_empty()), "{secret} is on disk");
        assert!(!resumed.err.contains(secret) && !resumed.out.contains(secret));
    }
}

/// An address with a password in it is renewed, and has to name the same target.
#[test]
fn an_address_that_names_another_target_starts_nothing() {
    let stage = Stage::new();
    stage.plan("  - {id: m, owner: ann, manual: wait}\n  - {id: a, owner: ann, run: {shell: 'echo \"$DATABASE_URL\" >> effects'}, verify: {file: {path: effects}}}\n");
    let url = |host: &str, password: &str| format!("postgres://me:{password}@{host}:5432/shop");
    let began = url("db-1", "old");
    shell(&stage, "invoke plan.backout.yaml --as lead --reason x", &[("DATABASE_URL", &began)])
        .expect(20);
    stage.say("ack CHG7 m --as ann").expect(0);
    let other = url("db-2", "old");
    let refused = shell(&stage, "resume CHG7 --as lead", &[("DATABASE_URL", &other)]).expect(30);
    refused.says("DATABASE_URL named db-1:5432/shop").says("names db-2:5432/shop");
    assert_eq!(stage.lines("effects"), 0);
    let renewed = url("db-1", "new");
    shell(&stage, "resume CHG7 --as lead", &[("DATABASE_URL", &renewed)]).expect(0);
    assert_eq!(stage.read("effects"), format!("{renewed}\n"));
}

/// What let the steps in is missed where it is gone.
#[test]
fn a_credential_that_is_gone_is_said() {
    let stage = Stage::new();
    plan(&stage);
    let began = [("PGPORT", "5432"), ("AWS_SESSION_TOKEN", "x")];
    shell(&stage, "invoke plan.backout.yaml --as lead --reason x", &began).expect(20);
    stage.say("ack CHG7 m --as ann").expect(0);
    shell(&stage, "resume CHG7 --as lead", &[("PGPORT", "5432")])
        .expect(0)
        .says("AWS_SESSION_TOKEN was set when the run began, and is not now");
}

/// What a source looks up itself (`env:NAME`) has to name the same target, too: no command stands
/// between, so nothing could be frozen for it.
#[test]
fn a_source_that_names_another_target_starts_nothing() {
    let stage = Stage::new();
    stage.plan_with(
        "  - {id: m, owner: ann, manual: wait}\n  - {id: a, owner: ann, sql: {source: db, execute: 'delete from orders'}, effect: idempotent, verify: {file: {path: plan.backout.yaml}}}\n",
        "sources: {db: {postgres: 'env:SHOP'}}\n",
    );
    let began = [("SHOP", "postgres://127.0.0.1:1/shop")];
    shell(&stage, "invoke plan.backout.yaml --as lead --reason x", &began).expect(20);
    stage.say("ack CHG7 m --as ann").expect(0);
    let other = [("SHOP", "postgres://127.0.0.1:2/other")];
    shell(&stage, "resume CHG7 --as lead", &other)
        .expect(30)
        .says("SHOP named 127.0.0.1:1/shop")
        .says("names 127.0.0.1:2/other");
    assert_eq!(stage.step("a")["attempts"], 0);
}

/// A path that only looks like a secret chooses a cluster, and is frozen like any other.
#[test]
fn a_mounted_kubeconfig_is_frozen() {
    let stage = Stage::new();
    stage.plan("  - {id: m, owner: ann, manual: wait}\n  - {id: a, owner: ann, run: {shell: 'echo \"$KUBECONFIG $DATABASE_URL\" >> effects'}, verify: {file: {path: effects}}}\n");
    let began = [("KUBECONFIG", "/run/secrets/kubeconfig")];
    shell(&stage, "invoke plan.backout.yaml --as lead --reason x", &began).expect(20);
    stage.say("ack CHG7 m --as ann").expect(0);
    let now =
        [("KUBECONFIG", "/run/secrets/other"), ("DATABASE_URL", "postgres://me:secret@db-2/shop")];
    shell(&stage, "resume CHG7 --as lead", &now).expect(0);
    assert_eq!(stage.read("effects"), "/run/secrets/kubeconfig \n");
}
