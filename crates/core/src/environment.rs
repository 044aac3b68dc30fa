//! What of the environment chooses the target of a step.
//!
//! `psql` restores the database that PGHOST and PGPORT name, `kubectl` the cluster of KUBECONFIG: who
//! resumes a run from another shell reaches another target with the same commands. So the variables
//! that choose a target are frozen when a run begins, with the ones the plan names (`pass_env`), and
//! every step sees them as they were, whoever goes on with the run. What proves who somebody is
//! (tokens, passwords, agent sockets) is renewed: it runs out, and its value is never written down.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::Digest;
use crate::plan::Plan;

/// The variables that were frozen when a run began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// What chooses a target, with its value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: BTreeMap<String, String>,
    /// What is renewed and was there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub renewed: BTreeSet<String>,
    /// Of what is renewed, or looked up by the plan itself (`env:NAME`), and is an address: the part
    /// that names the target, `db-1:5432/shop`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub addresses: BTreeMap<String, String>,
    /// Further names that the plan has frozen.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub named: BTreeSet<String>,
}

/// Families of variables by which tools choose what they talk to.
const FAMILIES: &[&str] = &[
    "ANSIBLE_",
    "ARGOCD_",
    "ARM_",
    "AWS_",
    "AZURE_",
    "BOTO_",
    "CLOUDSDK_",
    "COMPOSE_",
    "CONSUL_",
    "DOCKER_",
    "ETCDCTL_",
    "FLUX_",
    "GCLOUD_",
    "GOOGLE_",
    "HELM_",
    "KAFKA_",
    "KUBE",
    "MONGO",
    "MYSQL_",
    "NOMAD_",
    "ORACLE_",
    "OS_",
    "PG",
    "PODMAN_",
    "RABBITMQ_",
    "REDIS",
    "TF_",
    "VAULT_",
];

/// Single ones.
const NAMES: &[&str] = &[
    "ALL_PROXY",
    "CDPATH",
    "CONTAINER_HOST",
    "DATABASE_URL",
    "ENV",
    "BASH_ENV",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "MYSQL_HOST",
    "NO_PROXY",
    "PATH",
    "PYTHONPATH",
    "TNS_ADMIN",
    "TWO_TASK",
    "TZ",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// What in a name says that its value proves who somebody is.
const SECRETS: &[&str] = &[
    "APIKEY",
    "AUTH",
    "COOKIE",
    "CREDENTIAL",
    "PASS",
    "PWD_",
    "SECRET",
    "SESSION",
    "SIGNATURE",
    "TOKEN",
    "_KEY",
];

/// What a value sets, whatever its name: settings of tools hold passwords among other things. A path
/// such as `/run/secrets/kubeconfig` sets nothing.
const SECRET_VALUES: &[&str] =
    &["apikey", "api_key", "credential", "passwd", "password", "pwd", "secret", "token"];

/// Single ones.
const SECRET_NAMES: &[&str] = &["KRB5CCNAME", "MYSQL_PWD", "SSH_AGENT_PID", "SSH_AUTH_SOCK"];

/// What becomes of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It keeps the value it had when the run began.
    Kept,
    /// It has the value it has where the run goes on.
    Renewed,
    /// It chooses no target that is known.
    Free,
}

/// What becomes of a variable. `named` are the ones the plan freezes.
#[must_use]
pub fn fate(name: &str, value: &str, named: &BTreeSet<String>) -> Fate {
    let upper = name.to_uppercase();
    let proves = SECRETS.iter().any(|part| upper.contains(part)) || SECRET_NAMES.contains(&name);
    let chooses = named.contains(name)
        || NAMES.contains(&name)
        || FAMILIES.iter().any(|family| upper.starts_with(family));
    // What a plan hands to Terraform can be anything.
    let chooses = chooses && (!upper.starts_with("TF_VAR_") || named.contains(name));
    match (proves || holds_a_password(name, value), chooses) {
        (true, _) => Fate::Renewed,
        (false, true) => Fate::Kept,
        (false, false) => Fate::Free,
    }
}

/// Whether a value holds a password: an address, as `postgres://user:secret@host/db`, or a pair of a
/// user and a password, or a setting that says so.
fn holds_a_password(name: &str, value: &str) -> bool {
    let lower = value.to_lowercase();
    let sets = |word: &str| {
        let behind = lower.match_indices(word).map(|(at, _)| &lower[at + word.len()..]);
        behind.into_iter().any(|rest| rest.trim_start().starts_with(['=', ':', '"']))
    };
    if SECRET_VALUES.iter().any(|word| sets(word)) {
        return true;
    }
    match value.split_once("://") {
        // A password may hold what else ends the authority.
        Some((_, rest)) => rest.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')),
        None => name.to_uppercase().ends_with("USER") && value.contains(':'),
    }
}

/// The variables that a plan looks up itself: what stands in it as `env:NAME`.
#[must_use]
pub fn referred(plan: &Plan) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut open = vec![serde_json::to_value(plan).unwrap_or_default()];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => {
                names.extend(text.strip_prefix("env:").map(|name| name.trim().to_owned()));
            }
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    names
}

/// What an address names, without who asks and how: `db-1:5432/shop`.
fn target(value: &str) -> Option<String> {
    let (_, rest) = value.split_once("://")?;
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    Some(rest.split(['?', '#', ';']).next().unwrap_or_default().to_owned())
}

/// An address that names another target than when the run began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherTarget {
    /// The variable.
    pub name: String,
    /// What it named.
    pub was: String,
    /// What it names now; `None` where it is gone, or is no address any more.
    pub now: Option<String>,
}

/// What a command's environment becomes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Set to the value it had when the run began.
    pub set: BTreeMap<String, String>,
    /// Not set then.
    pub unset: BTreeSet<String>,
}

impl Environment {
    /// What is frozen of these variables: `named` are the ones the plan freezes, `referred` the ones
    /// it looks up itself.
    #[must_use]
    pub fn frozen(
        vars: &BTreeMap<String, String>,
        named: BTreeSet<String>,
        referred: &BTreeSet<String>,
    ) -> Self {
        let of = |wanted: Fate| -> Vec<(&String, &String)> {
            let is_wanted =
                |(name, value): &(&String, &String)| fate(name, value, &named) == wanted;
            vars.iter().filter(is_wanted).collect()
        };
        let owned = |(name, value): (&String, &String)| (name.clone(), value.clone());
        let kept = of(Fate::Kept).into_iter().map(owned).collect();
        let renewed = of(Fate::Renewed);
        let address = |(name, value): &(&String, &String)| Some(((*name).clone(), target(value)?));
        let looked_up = vars.iter().filter(|(name, _)| referred.contains(*name));
        let addresses = renewed.iter().copied().chain(looked_up);
        let addresses = addresses.filter_map(|it| address(&it)).collect();
        let renewed = renewed.into_iter().map(|(name, _)| name.clone()).collect();
        Self { kept, renewed, addresses, named }
    }

    /// How a command started among these variables sees the frozen ones.
    #[must_use]
    pub fn changes(&self, vars: &BTreeMap<String, String>) -> Changes {
        let differs = |name: &String, value: &String| vars.get(name) != Some(value);
        let set = self.kept.iter().filter(|(name, value)| differs(name, value));
        // A credential may be new; an address names a target that the run never had.
        let unset = vars.iter().filter(|(name, value)| {
            let was_there = self.kept.contains_key(*name) || self.renewed.contains(*name);
            let chooses = match fate(name, value, &self.named) {
                Fate::Kept => true,
                Fate::Renewed => target(value).is_some(),
                Fate::Free => false,
            };
            chooses && !was_there
        });
        Changes {
            set: set.map(|(name, value)| (name.clone(), value.clone())).collect(),
            unset: unset.map(|(name, _)| name.clone()).collect(),
        }
    }

    /// What proved who somebody is when the run began, and is not there now.
    #[must_use]
    pub fn missing(&self, vars: &BTreeMap<String, String>) -> Vec<&str> {
        self.renewed.iter().filter(|name| !vars.contains_key(*name)).map(String::as_str).collect()
    }

    /// The addresses that name another target now. One that is gone names none, and a step that needs
    /// it says so.
    #[must_use]
    pub fn other_targets(&self, vars: &BTreeMap<String, String>) -> Vec<OtherTarget> {
        let others = self.addresses.iter().filter_map(|(name, was)| {
            let now = target(vars.get(name)?);
            let is_same = now.as_ref() == Some(was);
            (!is_same).then(|| OtherTarget { name: name.clone(), was: was.clone(), now })
        });
        others.collect()
    }

    /// The digest of what is kept.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(&self.kept).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_chooses_a_target_is_kept_and_what_proves_somebody_is_renewed() {
        use Fate::{Free, Kept, Renewed};
        let named = BTreeSet::from(["APP_ENV".to_owned()]);
        for (name, value, want) in [
            ("PGPORT", "5432", Kept),
            ("PGPASSWORD", "x", Renewed),
            ("PGPASSFILE", "/home/a/.pgpass", Renewed),
            ("KUBECONFIG", "/etc/kube", Kept),
            ("AWS_PROFILE", "prod", Kept),
            ("AWS_SECRET_ACCESS_KEY", "x", Renewed),
            ("AWS_SESSION_TOKEN", "x", Renewed),
            ("SSH_AUTH_SOCK", "/tmp/a", Renewed),
            ("DATABASE_URL", "postgres://db/shop", Kept),
            ("DATABASE_URL", "postgres://me:p/w@db:5432/shop", Renewed),
            ("PATH", "/bin", Kept),
            ("HOME", "/root", Free),
            ("EDITOR", "vi", Free),
            ("APP_ENV", "prod", Kept),
            ("https_proxy", "http://me:x@proxy:3128", Renewed),
            ("REDIS_URL", "redis://:x@cache:6379", Renewed),
            ("ETCDCTL_USER", "root:x", Renewed),
            ("ETCDCTL_ENDPOINTS", "https://etcd:2379", Kept),
            ("KAFKA_OPTS", "sasl.jaas.config=ScramLogin username=a password=x", Renewed),
            ("DATABASE_URL", "sqlserver://db;user=sa;password=x", Renewed),
            ("DATABASE_URL", "postgres://db/shop?user=a&password=x", Renewed),
            ("TF_VAR_db", "x", Free),
            ("TF_WORKSPACE", "prod", Kept),
            ("OS_AUTH_URL", "https://cloud:5000/v3", Renewed),
            ("PGSSLKEY", "/etc/key.pem", Kept),
            ("KUBECONFIG", "/run/secrets/kubeconfig", Kept),
            ("PGSERVICEFILE", "/etc/tokens/password.conf", Kept),
            ("PGOPTIONS", "-c my.password = x", Renewed),
            ("KAFKA_OPTS", "{\"password\": \"x\"}", Renewed),
        ] {
            assert_eq!(fate(name, value, &named), want, "{name}={value}");
        }
    }

    #[test]
    fn a_command_sees_what_was_frozen_in_any_shell() {
        let began = vars(&[("PGPORT", "5432"), ("PGPASSWORD", "old"), ("EDITOR", "vi")]);
        let frozen = Environment::frozen(&began, BTreeSet::new(), &BTreeSet::new());
        assert!(!serde_json::to_string(&frozen).expect("JSON").contains("old"));
        assert_eq!(frozen.changes(&began), Changes::default());
        let now = vars(&[("PGPORT", "5433"), ("PGHOST", "other"), ("EDITOR", "ed")]);
        let changes = frozen.changes(&now);
        assert_eq!(changes.set, vars(&[("PGPORT", "5432")]));
        assert_eq!(changes.unset, BTreeSet::from(["PGHOST".to_owned()]));
        assert_eq!(frozen.missing(&now), ["PGPASSWORD"]);
    }

    #[test]
    fn an_address_with_a_password_is_compared_by_what_it_names() {
        let url = |text: &str| vars(&[("DATABASE_URL", text)]);
        let frozen = Environment::frozen(
            &url("postgres://a:old@db-1:5432/shop?x=1"),
            BTreeSet::new(),
            &BTreeSet::new(),
        );
        assert!(!serde_json::to_string(&frozen).expect("JSON").contains("old"));
        assert!(frozen.other_targets(&url("postgres://b:new@db-1:5432/shop")).is_empty());
        let others = frozen.other_targets(&url("postgres://a:old@db-2:5432/shop"));
        assert_eq!(others[0].was, "db-1:5432/shop");
        assert_eq!(others[0].now.as_deref(), Some("db-2:5432/shop"));
        assert!(frozen.other_targets(&vars(&[])).is_empty());
    }

    /// What was not there is not there afterwards, with a password in it or without; what was there
    /// is not lost because it has none any more.
    #[test]
    fn an_address_that_is_new_reaches_no_step() {
        let url = |text: &str| vars(&[("DATABASE_URL", text)]);
        let nothing = Environment::frozen(&vars(&[]), BTreeSet::new(), &BTreeSet::new());
        for text in ["postgres://db-2/shop", "postgres://a:x@db-2/shop"] {
            assert!(nothing.changes(&url(text)).unset.contains("DATABASE_URL"), "{text}");
        }
        assert_eq!(nothing.changes(&vars(&[("VAULT_TOKEN", "x")])), Changes::default());
        let began = url("postgres://a:x@db-1/shop");
        let frozen = Environment::frozen(&began, BTreeSet::new(), &BTreeSet::new());
        assert_eq!(frozen.changes(&url("postgres://db-1/shop")), Changes::default());
    }

    /// What the plan looks up itself is not seen through a command: another target is refused.
    #[test]
    fn what_the_plan_looks_up_has_to_name_the_same_target() {
        let plan: Plan = serde_json::from_value(serde_json::json!({
            "backout": 1,
            "change": {"id": "CHG1", "title": "A change", "owner": "lead"},
            "sources": {"db": {"postgres": "env:SHOP"}},
        }))
        .expect("a plan");
        let referred = referred(&plan);
        assert_eq!(referred, BTreeSet::from(["SHOP".to_owned()]));
        let shop = |text: &str| vars(&[("SHOP", text)]);
        let began = shop("postgres://db-1/shop");
        let frozen = Environment::frozen(&began, BTreeSet::new(), &referred);
        assert!(frozen.other_targets(&began).is_empty());
        assert_eq!(frozen.other_targets(&shop("postgres://db-2/shop")).len(), 1);
    }
}
