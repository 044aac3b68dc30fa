//! Whose account it is: what the name service says, and what it does not.

use std::path::PathBuf;
use std::process::Command;

use crate::stage::{Stage, told};

/// Roles that belong to accounts.
const ROLES: &str = "\
backout: 1
change: {id: CHG5, title: A change, owner: lead}
roles:
  lead: {name: Lena Lead, user: lena}
  dba: {name: Dan Base}
authority: {invoke: {by: [lead, dba]}}
steps:
  - {id: a, owner: lead, manual: Do it.}
";

fn uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// A library that gives a process another file of accounts, behind the functions of
/// the C library and in no place where a program could read it by hand.
fn nss_wrapper() -> Option<PathBuf> {
    let named = std::env::var_os("BACKOUT_TEST_NSS_WRAPPER").map(PathBuf::from);
    let usual = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"];
    let usual = usual.iter().map(|folder| PathBuf::from(folder).join("libnss_wrapper.so"));
    let found = named.into_iter().chain(usual).find(|path| path.is_file());
    if found.is_none() {
        println!("NOT RUN: accounts of a name service: libnss-wrapper");
    }
    found
}

/// `backout` on a machine whose name service knows only these accounts.
fn with_accounts(stage: &Stage, words: &[&str], accounts: &str) -> Option<Command> {
    let wrapper = nss_wrapper()?;
    let passwd = stage.write("directory/passwd", accounts);
    let group = stage.write("directory/group", "");
    let mut command = stage.command(words);
    command
        .env("LD_PRELOAD", wrapper)
        .env("NSS_WRAPPER_PASSWD", passwd)
        .env("NSS_WRAPPER_GROUP", group);
    Some(command)
}

/// `backout` with a C library whose look-up of accounts is this.
fn with_lookup(stage: &Stage, words: &[&str], body: &str) -> Command {
    let source = format!(
        "#include <errno.h>\n#include <pwd.h>\n#include <unistd.h>\n\
         int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size,\n\
         struct passwd **found) {{ *found = 0; {body} }}\n"
    );
    stage.write("lookup.c", &source);
    let library = stage.path("lookup.so");
    // Rust needs this compiler as its linker, so it is there.
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-w", "-o"]).arg(&library).arg(stage.path("lookup.c"));
    assert!(compiler.status().expect("cc starts").success(), "it compiles");
    let mut command = stage.command(words);
    command.env("LD_PRELOAD", library);
    command
}

const INVOKE: [&str; 2] = ["invoke", "plan.backout.yaml"];
const AS_LEAD: [&str; 4] = ["invoke", "plan.backout.yaml", "--as", "lead"];
const AS_DBA: [&str; 4] = ["invoke", "plan.backout.yaml", "--as", "dba"];

#[test]
fn an_account_of_the_name_service_has_its_roles() {
    let accounts = format!("lena:x:{}:100:Lena Lead:/home/lena:/bin/sh\n", uid());
    for words in [&INVOKE[..], &AS_LEAD[..]] {
        let stage = Stage::new();
        stage.write("plan.backout.yaml", ROLES);
        let Some(command) = with_accounts(&stage, words, &accounts) else { return };
        told(command).expect(20);
        let log = stage.say("log --json").expect(0).out;
        let account = format!(r#""account":{{"uid":{},"name":"lena"}}"#, uid());
        assert!(log.contains(&account), "{log}");
    }
}

#[test]
fn an_account_of_the_name_service_has_no_roles_of_others() {
    let accounts = format!("mallory:x:{}:100::/:/bin/sh\nlena:x:4242:100::/:/bin/sh\n", uid());
    let stage = Stage::new();
    stage.write("plan.backout.yaml", ROLES);
    let Some(command) = with_accounts(&stage, &AS_LEAD, &accounts) else { return };
    told(command).expect(30).says("this is `mallory`");
    let Some(command) = with_accounts(&stage, &INVOKE, &accounts) else { return };
    told(command).expect(30).says("account `mallory`");
}

#[test]
fn an_account_without_a_name_is_a_number() {
    let stage = Stage::new();
    stage.write("plan.backout.yaml", ROLES);
    let told = told(with_lookup(&stage, &INVOKE, "return 0;")).expect(30);
    told.says(&format!("account `uid {}`", uid()));
    assert!(!told.err.contains("could not be looked up"), "{}", told.err);
}

#[test]
fn a_name_service_that_fails_is_said_and_gives_no_roles() {
    let fails = "return errno = EIO;";
    let says = format!("the name of uid {} could not be looked up: the name service failed", uid());
    let stage = Stage::new();
    stage.write("plan.backout.yaml", ROLES);
    // No role comes of an account that is not known.
    told(with_lookup(&stage, &INVOKE, fails)).expect(30).says(&says).says("name service");
    // An unknown account is no other account: a role that is named goes on, with what is not
    // known in the log.
    for words in [&AS_LEAD, &AS_DBA] {
        let stage = Stage::new();
        stage.write("plan.backout.yaml", ROLES);
        told(with_lookup(&stage, words, fails)).expect(20).says(&says);
        let log = stage.say("log --json").expect(0).out;
        let first: serde_json::Value =
            serde_json::from_str(log.lines().next().expect("a line")).expect("JSON");
        let account = &first["actor"]["account"];
        assert_eq!((&account["uid"], &account["name"]), (&uid().into(), &().into()), "{account}");
        assert_eq!(account["lookup_failed"], true, "{account}");
    }
}

#[test]
fn a_directory_that_cannot_be_reached_is_no_missing_name() {
    let stage = Stage::new();
    stage.write("plan.backout.yaml", ROLES);
    for errno in ["ENOENT", "ECONNREFUSED", "EAGAIN"] {
        told(with_lookup(&stage, &INVOKE, &format!("return errno = {errno};")))
            .expect(30)
            .says("could not be looked up");
    }
}

#[test]
fn a_name_service_that_does_not_answer_is_not_waited_for() {
    let stage = Stage::new();
    stage.write("plan.backout.yaml", ROLES);
    told(with_lookup(&stage, &AS_DBA, "for (;;) pause();"))
        .expect(20)
        .says("no answer from the name service within 10 s");
}

/// Who claims a role of another account is denied, and the attempt is in the log.
#[test]
fn a_claimed_role_of_another_account_is_in_the_log() {
    let stage = Stage::new();
    stage.write("plan.backout.yaml", ROLES);
    stage.say("invoke plan.backout.yaml --as dba --reason why").expect(20);
    let denied = stage.say("skip CHG5 a --as lead --reason mine").expect(30);
    denied.says("belongs to another account").says("this was logged");
    let log = stage.say("log CHG5 --json").expect(0).out;
    assert!(log.contains("command_refused") && log.contains("other_account"), "{log}");
}
