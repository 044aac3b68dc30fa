//! Who is meant: `PM`, `Project Manager` and `John Smith (PM)` are one role.

use backout_core::ids::RoleId;
use backout_core::plan::{Plan, Reach, Role};
use backout_documents::Place;

use crate::report::Report;
use crate::words::{plain, slug, unique};

/// Short forms that are no initials.
const SHORT: [(&str, &str); 12] = [
    ("ops", "operations"),
    ("devs", "developer"),
    ("dev", "developer"),
    ("dba", "database administrator"),
    ("qa", "quality assurance"),
    ("sre", "site reliability engineer"),
    ("sec", "security"),
    ("admin", "administrator"),
    ("mgr", "manager"),
    ("eng", "engineer"),
    ("comms", "communications"),
    ("infra", "infrastructure"),
];

/// Words that name nobody in particular.
const NOBODY: [&str; 14] = [
    "all",
    "everyone",
    "everybody",
    "anyone",
    "n/a",
    "na",
    "none",
    "tbd",
    "tba",
    "team",
    "the team",
    "various",
    "auto",
    "automated",
];

/// With more roles than this, only the same words are the same role.
const MOST_COMPARED: usize = 200;

/// The role a text names. A new role is added when nobody known is meant.
pub(crate) fn role(
    text: &str,
    field: &str,
    place: &Place,
    plan: &mut Plan,
    report: &mut Report,
) -> Option<RoleId> {
    let text = text.trim().trim_start_matches('@').trim();
    // `John Smith (PM)`: a person, and the role in brackets.
    if let Some((name, rest)) = text.split_once('(')
        && let Some((inside, _)) = rest.split_once(')')
        && !name.trim().is_empty()
        && is_person(name.trim())
    {
        let id = role(inside, field, place, plan, report)?;
        let holder = plan.roles.entry(id.clone()).or_default();
        if holder.name.is_none() {
            holder.name = Some(name.trim().to_owned());
            report.found(format!("roles[{id}].name"), place);
        }
        return Some(id);
    }
    let said = plain(text);
    let open = ["to be ", "tbc", "tbd", "not yet", "?"].iter().any(|word| said.starts_with(word));
    let id = said.len() >= 24 && said.chars().all(|c| c.is_ascii_hexdigit());
    if said.is_empty() || open || id || NOBODY.contains(&said.as_str()) || text.chars().count() > 60
    {
        return None;
    }
    // Several names: the first one answers for it, and it is said.
    let several =
        [", ", " / ", "/", " & ", " and ", ";"].iter().find_map(|sign| text.split_once(sign));
    if let Some((first, _)) = several
        && same(&said, plan).is_none()
        && !plan.roles.keys().any(|id| id.as_str() == text)
    {
        let found = role(first, field, place, plan, report)?;
        report.guessed(field, place, format!("`{text}` names several; the first one was taken"));
        return Some(found);
    }
    // An id of the plan, as our own documents write it.
    let known = plan.roles.keys().find(|id| id.as_str() == text).cloned();
    if let Some(id) = known.or_else(|| same(&said, plan)) {
        report.found(field, place);
        return Some(id);
    }
    let by_name = plan.roles.iter().find(|(_, role)| {
        let few = plan.roles.len() <= MOST_COMPARED;
        role.name.as_deref().is_some_and(|name| name == text || few && plain(name) == said)
    });
    if let Some((id, _)) = by_name {
        let id = id.clone();
        report.guessed(field, place, format!("`{text}` is the name of whoever is {id}"));
        return Some(id);
    }
    if let Some((id, why)) = alike(&said, plan) {
        report.guessed(field, place, format!("`{text}` is taken for {id}: {why}"));
        return Some(id);
    }
    let id = add(text, plan);
    if is_person(text) {
        plan.roles.entry(id.clone()).or_default().name = Some(text.to_owned());
        let why = format!("`{text}` looks like a person where a role belongs");
        report.guessed(format!("roles[{id}].name"), place, why.clone());
        report.guessed(field, place, why);
    } else {
        report.found(field, place);
    }
    Some(id)
}

/// Several roles in one text: `PM, Sponsor and DBA`.
pub(crate) fn roles(
    text: &str,
    field: &str,
    place: &Place,
    plan: &mut Plan,
    report: &mut Report,
) -> Vec<RoleId> {
    let mut found = Vec::new();
    for part in text.split([',', ';', '/', '\n', '+', '&']).flat_map(|part| part.split(" and ")) {
        if let Some(id) = role(part, field, place, plan, report)
            && !found.contains(&id)
        {
            found.push(id);
        }
    }
    found
}

/// Adds a role of this name, which nobody has yet.
pub(crate) fn add(name: &str, plan: &mut Plan) -> RoleId {
    let free =
        unique(&slug(name), "role", |id| plan.roles.keys().any(|known| known.as_str() == id));
    // A slug is a name by its making; `role` is one by itself.
    let id = RoleId::new(free).or_else(|_| RoleId::new("role")).unwrap_or_else(|_| unreachable!());
    // A name that the id does not hold in full stands beside it.
    let words = |text: &str| {
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).count()
    };
    let whole = plain(name).chars().all(|c| !c.is_alphabetic() || c.is_ascii())
        && words(name) == words(&slug(name));
    let name = (!whole).then(|| name.trim().to_owned());
    plan.roles.insert(id.clone(), Role { name, ..Role::default() });
    id
}

/// The role of exactly this name.
pub(crate) fn same(said: &str, plan: &Plan) -> Option<RoleId> {
    let spelled = |id: &RoleId| {
        let name = plan.roles.get(id).and_then(|role| role.name.as_deref());
        said.is_ascii() || name.is_none_or(|name| plain(name) == said)
    };
    let made = RoleId::new(slug(said)).ok().filter(|id| plan.roles.contains_key(id));
    if plan.roles.len() > MOST_COMPARED {
        return made.filter(spelled);
    }
    made.filter(spelled)
        .or_else(|| plan.roles.keys().find(|id| plain(id.as_str()) == *said).cloned())
}

/// A role that is very likely the one meant, and why.
fn alike(said: &str, plan: &Plan) -> Option<(RoleId, String)> {
    let long = |text: &str| -> String {
        let words = text.split(' ').map(|word| {
            SHORT.iter().find(|(short, _)| *short == word).map_or(word, |(_, long)| long).to_owned()
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let initials =
        |text: &str| -> String { text.split(' ').filter_map(|word| word.chars().next()).collect() };
    let mut found: Vec<(RoleId, String)> = Vec::new();
    if plan.roles.len() > MOST_COMPARED {
        return None;
    }
    for id in plan.roles.keys() {
        let known = plain(id.as_str());
        let (short, whole) =
            if said.len() < known.len() { (said, known.as_str()) } else { (known.as_str(), said) };
        if whole.contains(' ') && short.len() >= 2 && initials(whole) == short {
            found.push((id.clone(), format!("{short} are its initials")));
            continue;
        }
        let (mine, theirs) = (long(said), long(&known));
        if mine == theirs {
            found.push((id.clone(), "one is the short form of the other".to_owned()));
            continue;
        }
        let (few, many) = if mine.split(' ').count() <= theirs.split(' ').count() {
            (&mine, &theirs)
        } else {
            (&theirs, &mine)
        };
        let many: Vec<&str> = many.split(' ').collect();
        let stem = |word: &str| word.trim_end_matches('s').to_owned();
        let inside = few.split(' ').all(|word| many.iter().any(|other| stem(other) == stem(word)));
        // `lead` is in every lead's title; such words alone say nothing.
        const COMMON: [&str; 8] =
            ["lead", "manager", "engineer", "team", "owner", "administrator", "it", "the"];
        let telling = few.split(' ').any(|word| !COMMON.contains(&word));
        if inside && telling {
            found.push((id.clone(), "the words of one are in the other".to_owned()));
        }
    }
    // Two that fit equally well are no answer.
    match found.len() {
        1 => found.pop(),
        _ => None,
    }
}

/// Words of jobs and teams.
const JOBS: [&str; 38] = [
    "manager",
    "lead",
    "engineer",
    "admin",
    "administrator",
    "owner",
    "team",
    "operations",
    "ops",
    "support",
    "sponsor",
    "analyst",
    "architect",
    "officer",
    "director",
    "developer",
    "dev",
    "commander",
    "desk",
    "board",
    "technician",
    "coordinator",
    "head",
    "dba",
    "qa",
    "sre",
    "noc",
    "pm",
    "middleware",
    "platform",
    "network",
    "security",
    "release",
    "communications",
    "helpdesk",
    "operator",
    "staff",
    "crew",
];

/// Words of what jobs and teams are for.
const AREAS: [&str; 25] = [
    "group",
    "database",
    "service",
    "change",
    "incident",
    "project",
    "on",
    "call",
    "app",
    "apps",
    "web",
    "data",
    "business",
    "batch",
    "storage",
    "cloud",
    "payments",
    "product",
    "quality",
    "assurance",
    "infrastructure",
    "site",
    "reliability",
    "vendor",
    "it",
];

/// Whether a text names a job or a team.
pub(crate) fn is_title(text: &str) -> bool {
    let said = plain(text);
    said.split(' ').count() <= 5 && said.split(' ').any(|word| JOBS.contains(&word))
}

/// Two or three words that begin with capitals and are no title.
pub(crate) fn is_person(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    (2..=3).contains(&words.len())
        && words.iter().all(|word| {
            word.chars().next().is_some_and(char::is_uppercase)
                && word.chars().skip(1).any(char::is_lowercase)
                && word.chars().all(|c| c.is_alphabetic() || "-'.".contains(c))
                && ![&JOBS[..], &AREAS[..]].concat().contains(&word.to_lowercase().as_str())
        })
}

/// Adds a way to reach somebody, by what it looks like. Whether it was one.
pub(crate) fn reach(text: &str, reach: &mut Reach) -> bool {
    let mut some = false;
    let parts = text.split(['\n', ';', ',']).flat_map(|part| part.split(" / "));
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        let digits = part.chars().filter(char::is_ascii_digit).count();
        let blank = part.to_lowercase().matches('x').count() >= 3;
        let bare = without_word(part);
        if bare.contains('@') && bare.contains('.') && !bare.contains(' ') {
            more(&mut reach.email, bare);
        } else if bare.starts_with(['#', '@']) && bare.len() > 1 {
            more(&mut reach.chat, bare);
        } else if digits >= 3 || blank {
            more(&mut reach.phone, bare);
        } else {
            continue;
        }
        some = true;
    }
    some
}

/// Somebody with two numbers has two numbers.
fn more(known: &mut Option<String>, another: &str) {
    match known {
        Some(all) if all.split(", ").any(|one| one == another) => {}
        Some(all) => {
            all.push_str(", ");
            all.push_str(another);
        }
        None => *known = Some(another.to_owned()),
    }
}

/// A way to reach somebody without the word for it.
fn without_word(text: &str) -> &str {
    let words = [
        "mailto:", "phone:", "phone", "tel.:", "tel:", "tel.", "tel", "mobile:", "mobile", "cell:",
        "cell", "e-mail:", "email:",
    ];
    let lower = text.to_lowercase();
    let found = words.iter().find(|word| lower.starts_with(**word));
    found.map_or(text, |word| text.get(word.len()..).unwrap_or(text)).trim()
}
