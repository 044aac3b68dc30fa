//! Every rule fires on its own bad example, is silent on its good one, and is
//! documented by both.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use backout_plan::rules::{ALL, Rule, page};
use backout_plan::{Diagnostic, check, starter};
use serde_json::Value;

use crate::{SOUND, must_read};

/// A merge patch (RFC 7386) in YAML on the sound plan, as plan text.
fn patched(patch: &str) -> String {
    let mut plan = serde_json::to_value(&must_read(SOUND).plan).expect("a plan is data");
    merge(&mut plan, &yaml(patch));
    plan.to_string()
}

fn yaml(text: &str) -> Value {
    backout_plan::document::to_json(text).expect("an example of a rule is YAML")
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let target = target.as_object_mut().expect("made so above");
    for (key, value) in patch {
        if value.is_null() {
            target.shift_remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

fn findings(text: &str) -> Vec<Diagnostic> {
    check::check(&must_read(text), &BTreeSet::new()).findings
}

fn fired(rule: &Rule, text: &str) -> usize {
    findings(text).iter().filter(|finding| finding.code == rule.id).count()
}

#[test]
fn the_sound_plan_has_no_findings() {
    assert_eq!(findings(SOUND), []);
}

#[test]
fn every_rule_fires_on_its_bad_example_and_not_on_its_good_one() {
    for rule in ALL.iter() {
        assert!(
            fired(rule, &patched(rule.fires)) > 0,
            "{} does not fire on\n{}",
            rule.id,
            rule.fires
        );
        assert_eq!(fired(rule, &patched(rule.silent)), 0, "{} fires on\n{}", rule.id, rule.silent);
    }
}

#[test]
fn there_are_enough_rules_and_no_two_share_an_id() {
    let ids: BTreeSet<&str> = ALL.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), ALL.len());
    assert!(ids.len() >= 35, "{} rules", ids.len());
}

/// Run with `UPDATE_DOCS=1` to write the pages.
#[test]
fn every_rule_has_its_page() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules");
    let mut pages: BTreeMap<String, String> =
        ALL.iter().map(|rule| (format!("{}.md", rule.id), page(rule))).collect();
    let mut index = String::from(
        "# Rules of `backout check`\n\n| rule | severity | the plan should be like this |\n|---|---|---|\n",
    );
    for rule in ALL.iter() {
        let level = format!("{:?}", rule.level).to_lowercase();
        index.push_str(&format!("| [{0}]({0}.md) | {level} | {1} |\n", rule.id, rule.title));
    }
    pages.insert("README.md".to_owned(), index);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("docs can be written");
        for (name, text) in &pages {
            std::fs::write(folder.join(name), text).expect("docs can be written");
        }
    }
    let found: BTreeMap<String, String> = std::fs::read_dir(&folder)
        .expect("docs/rules exists")
        .map(|entry| {
            let path = entry.expect("readable").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).expect("readable"))
        })
        .collect();
    assert!(
        found == pages,
        "docs/rules is not what the rules say: run the tests with UPDATE_DOCS=1"
    );
}

#[test]
fn the_plan_itself_can_accept_a_finding() {
    let accepted = "risks: [{risk: It rains}]\naccepted: [{rule: bop-126, because: nothing can be done about rain}]";
    let checked = check::check(&must_read(&patched(accepted)), &BTreeSet::new());
    assert_eq!((checked.findings.len(), checked.accepted), (0, 1));
}

#[test]
fn an_accepted_finding_of_one_step_does_not_hide_another() {
    let patch = "steps:\n  - {id: a, owner: lead, takes: 1m, manual: Notify x, verify: {confirm: yes it is}}\n  - {id: b, owner: lead, takes: 1m, manual: y}\n  - {id: c, owner: lead, takes: 1m, manual: z}\naccepted: [{rule: BOP-101, at: b, because: the next step looks at it}]";
    let left: Vec<_> = findings(&patched(patch))
        .into_iter()
        .filter(|finding| finding.code == "BOP-101")
        .filter_map(|finding| finding.subject)
        .collect();
    assert_eq!(left, ["c"]);
}

#[test]
fn the_starter_needs_only_what_its_author_knows() {
    let found = findings(&starter::starter(None));
    let codes: BTreeSet<&str> = found.iter().map(|finding| finding.code).collect();
    // Blanks, and what has to happen first: review, approval, rehearsal, a tried restore.
    let expected = ["BOP-010", "BOP-012", "BOP-016", "BOP-024", "BOP-105"];
    assert_eq!(codes, expected.into_iter().collect());
}

/// Things that look like what a rule is after and are not.
#[test]
fn rules_are_not_fooled_by_look_alikes() {
    let quiet = [
        // Redirection is not a blank, an error class is not one either.
        (
            "BOP-105",
            "steps: [{id: a, owner: dba, takes: 1m, run: {shell: \"sort < in > out && echo [OK]\"}, verify: {confirm: done}}]",
        ),
        // A host and a port are not a user and a password.
        (
            "BOP-118",
            "sources: {portal-db: null, web: {http: \"http://db:5432/x@y\"}}\nbaselines: null\nsteps: [{id: a, owner: dba, takes: 1m, manual: x, verify: {confirm: done}}]",
        ),
        (
            "BOP-118",
            "steps: [{id: a, owner: dba, takes: 1m, run: {shell: \"psql --password=$PW\"}, verify: {confirm: done}}]",
        ),
        (
            "BOP-114",
            "steps: [{id: a, owner: dba, takes: 1m, run: {shell: \"echo the farm -r is fine\"}, verify: {confirm: done}}]",
        ),
        (
            "BOP-115",
            "steps: [{id: a, owner: dba, takes: 1m, run: {argv: [kubectl, rollout, undo, deploy/web, --to-revision=7]}, verify: {confirm: done}}]",
        ),
        (
            "BOP-115",
            "steps: [{id: a, owner: dba, takes: 1m, run: {argv: [pg_restore, --clean, --if-exists, -d, portal, dump]}, verify: {confirm: done}}]",
        ),
    ];
    for (rule, patch) in quiet {
        let rule = ALL.iter().find(|found| found.id == rule).expect("a rule");
        assert_eq!(fired(rule, &patched(patch)), 0, "{} fires on {patch}", rule.id);
    }
    // Commands that are innocent, or right, however they look.
    let innocent = [
        ("BOP-114", "kubectl get pods | grep delete"),
        ("BOP-114", "terraform show; echo 'nothing to destroy'"),
        ("BOP-114", "docker run --rm -r x"),
        ("BOP-114", "ls # rm -rf would be wrong"),
        ("BOP-114", "test -d /backup/db && rm -rf /var/db"),
        ("BOP-115", "pg_restore --clean -Fc -d portal dump"),
        ("BOP-115", "pg_restore \\\n  --clean dump"),
        ("BOP-115", "helm rollback --wait --timeout 5m portal 3"),
        ("BOP-115", "helm -n prod rollback portal 3"),
        ("BOP-115", "scp host:current/file ."),
        ("BOP-115", "git checkout main -- file"),
        ("BOP-115", "rman <<< 'RECOVER DATABASE NOREDO;'"),
        ("BOP-118", "PGPASSWORD=`cat f` psql"),
        ("BOP-118", "echo 'Password: ask the DBA'"),
        ("BOP-105", "if a<b and c>d"),
    ];
    for (rule, command) in innocent {
        let rule = ALL.iter().find(|found| found.id == rule).expect("a rule");
        assert_eq!(fired(rule, &with_command(command)), 0, "{} fires on `{command}`", rule.id);
    }
    let loud = [
        ("BOP-114", "rm --recursive --force /var/db"),
        ("BOP-114", "rm -rf /var/db; test -d /var/db"),
        ("BOP-114", "git -C x reset --hard v1"),
        ("BOP-114", "psql -c 'DELETE FROM x' -d portal"),
        ("BOP-114", "dropdb portal"),
        ("BOP-114", "aws s3 sync --delete a b"),
        ("BOP-114", "curl -X DELETE http://x"),
        ("BOP-115", "pg_restore -d portal -Fc dump"),
        ("BOP-115", "pg_restore -d portal dump # todo --clean"),
        ("BOP-115", "pg_restore dump && psql -c vacuum"),
        ("BOP-115", "rman <<< 'RECOVER DATABASE; -- until time is not needed'"),
        ("BOP-115", "helm rollback a; helm rollback b 3"),
        ("BOP-115", "kubectl rollout undo d --to-revision=0"),
        ("BOP-115", "git pull"),
        ("BOP-115", "git revert -m 1 HEAD"),
        ("BOP-118", "mysql -u root -phunter2 x"),
        ("BOP-118", "sqlplus system/manager1@db"),
        ("BOP-118", "export MYSQL_PWD=abc"),
        ("BOP-118", "x --password='s3cret'"),
        ("BOP-105", "cp /backup/portal_yyyymmdd x"),
        ("BOP-105", "ALTER SYSTEM KILL SESSION 'sid, serial#'"),
        ("BOP-105", "call 555-xxxx"),
        ("BOP-115", "pg_restore -d portal dump"),
        ("BOP-115", "git revert --no-edit HEAD"),
        ("BOP-115", "kubectl rollout undo deploy/web"),
        ("BOP-115", "helm rollback web"),
        ("BOP-115", "docker run portal:latest"),
        ("BOP-115", "pgbackrest --stanza=main restore"),
        ("BOP-114", "rm -rf /opt/portal/current/*"),
        ("BOP-114", "sqlplus <<< 'ALTER DATABASE OPEN RESETLOGS'"),
        ("BOP-114", "terraform -chdir=infra destroy"),
        ("BOP-114", "git push --force origin v1.9:main"),
        ("BOP-114", "dd if=backup.img of=/dev/sda"),
        ("BOP-118", "PGPASSWORD=hunter22 psql"),
        ("BOP-118", "curl -H 'Authorization: Bearer abcdefgh12345678' x"),
    ];
    for (rule, command) in loud {
        let rule = ALL.iter().find(|found| found.id == rule).expect("a rule");
        assert!(fired(rule, &with_command(command)) > 0, "{} misses `{command}`", rule.id);
    }
}

fn with_command(command: &str) -> String {
    let step = serde_json::json!({"steps": [{
        "id": "a", "component": "database", "owner": "dba", "takes": "1m",
        "run": {"shell": command}, "verify": {"confirm": "Somebody looked"},
    }]});
    patched(&step.to_string())
}

#[test]
fn a_ratio_counts_what_is_new_since_the_last_look() {
    let with = |every: &str, bad: &str| {
        let patch = format!(
            "{{sources: {{metrics: {{prometheus: \"http://prometheus:9090\"}}}}, triggers: {{logins: {{severity: critical, {every} ratio: {{source: metrics, limit: 5%, bad: '{bad}', total: 'sum(increase(attempts[1s]))'}}}}}}}}"
        );
        let found = findings(&patched(&patch));
        found.into_iter().find(|finding| finding.code == "BOP-154").map(|finding| finding.message)
    };
    for (every, bad) in [
        ("", "sum(increase(failures[15s]))"),
        ("every: 5m,", "sum(increase(failures[5m]))"),
        ("every: 2s,", "sum(increase(failures{path=~\"[a-z]{2}|rate(x)\"}[2s])) or vector(0)"),
        ("", "sum(increase(error_rate[15s]))"),
    ] {
        assert_eq!(with(every, bad), None, "{bad}");
    }
    for (every, bad, says) in [
        ("", "sum(increase(failures[5m]))", "longer than the 15s"),
        ("every: 2s,", "sum(increase(failures[15s]))", "longer than the 2s"),
        ("", "sum(increase(failures[1w]))", "longer"),
        ("", "sum(increase(failures[5m:15s]))", "longer"),
        ("", "sum(rate(failures[15s]))", "`rate` gives a speed"),
        ("", "sum(irate (failures[15s]))", "`irate` gives a speed"),
        ("", "sum(failures{path=~\"[a-z]\"})", "without a range"),
    ] {
        let said = with(every, bad).unwrap_or_default();
        assert!(said.contains(says), "{bad}: {said}");
    }
}

#[test]
fn times_that_do_not_fit_and_what_nobody_carries_out_are_found() {
    for (patch, rule, says) in [
        ("watch: {window: 2m}", "BOP-152", "missing for 3m"),
        (
            "decision: {major: {action: back-out-unless-fixable, by: lead, within: 20m, fix_window: 10m}}",
            "BOP-152",
            "over after 10m",
        ),
        (
            "decision: {minor: {action: log, quorum: 2, escalate: owner, if_unanswered: back-out}}",
            "BOP-153",
            "`quorum` or `escalate` or `if_unanswered` says",
        ),
        (
            "decision: {critical: {automatic: true, quorum: 2}}",
            "BOP-153",
            "`automatic: true` waits for nobody",
        ),
    ] {
        let found = findings(&patched(patch));
        let said = found.iter().find(|finding| finding.code == rule).map(|f| f.message.as_str());
        assert!(said.is_some_and(|said| said.contains(says)), "{patch}: {found:#?}");
    }
}

#[test]
fn scripts_are_found_wherever_a_plan_runs_one() {
    let script = "{shell: \"a; b\"}";
    let places = [
        ("restore", format!("steps: [{{id: restore, owner: dba, takes: 1m, run: {script}}}]")),
        (
            "restore",
            format!("steps: [{{id: restore, owner: dba, takes: 1m, manual: x, verify: [{{confirm: yes}}, {{run: {script}}}]}}]"),
        ),
        (
            "restore",
            "steps: [{id: restore, owner: dba, takes: 1m, run: {argv: [ssh, app01, \"a; b\"]}}]".to_owned(),
        ),
        (
            "restore",
            "steps: [{id: restore, owner: dba, takes: 1m, run: {argv: [sh], stdin: {text: \"a\\nb\"}}}]".to_owned(),
        ),
        ("install", format!("stages: [{{id: install, owner: dba, takes: 1m, run: {script}, undone_by: [restore]}}]")),
        ("version", format!("baselines: {{version: {{run: {script}}}}}")),
        ("health", format!("triggers: {{health: {{severity: major, probe: {{run: {script}}}}}}}")),
    ];
    for (subject, patch) in places {
        let found: Vec<_> = findings(&patched(&patch))
            .into_iter()
            .filter(|finding| finding.code == "BOP-156")
            .map(|finding| finding.subject)
            .collect();
        assert_eq!(found, [Some(subject.to_owned())], "{patch}");
    }
    let quiet = "steps: [{id: restore, owner: dba, takes: 1m, run: {argv: [./x.sh], env: {shell: \"a; b\"}}}]";
    assert_eq!(findings(&patched(quiet)).iter().filter(|found| found.code == "BOP-156").count(), 0);
}

/// What stops a deployment is an error, and a rule there is.
#[test]
fn what_closes_the_way_back_is_an_error() {
    for id in check::CLOSES_WAY_BACK {
        let rule = backout_plan::rules::find(id).expect("a rule");
        assert_eq!(rule.level, backout_plan::Level::Error, "{id}");
    }
}
