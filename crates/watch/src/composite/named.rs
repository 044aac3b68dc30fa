//! Whom a condition looks at.

use std::collections::{BTreeMap, BTreeSet};

use backout_core::watch::State;
use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};

use super::MIGHT_BE;

/// The triggers a condition looks at, by the names it calls them.
#[derive(Default)]
pub(super) struct Named {
    /// Of which it asks whether they fire.
    firing: BTreeSet<String>,
    /// Of which it asks where they stand.
    state: BTreeSet<String>,
    /// What it looks at as a whole, and not by a name.
    whole: BTreeSet<String>,
}

impl Named {
    /// Whom an expression looks at. Whoever asks whether a trigger nobody can see stands
    /// where it stands, is told so at once, and does not look at it any more.
    pub(super) fn of(expression: &mut IdedExpr, unseen: &BTreeMap<String, String>) -> Self {
        let mut named = Self::default();
        named.walk(expression, unseen);
        named
    }

    /// Where a trigger nobody can see might stand, as far as that matters; nothing if it is
    /// not looked at.
    pub(super) fn might_be(&self, id: &str, stands: State) -> Option<Vec<State>> {
        if self.state.contains(id) || self.whole.contains("state") {
            return Some(MIGHT_BE.into_iter().chain([stands]).collect());
        }
        let fires = self.firing.contains(id) || self.whole.contains("firing");
        fires.then(|| vec![State::Ok, State::Firing])
    }

    /// Whether it asks how a trigger stands, and not only whether it fires.
    pub(super) fn asks_how_stands(&self, id: &str) -> bool {
        self.state.contains(id) || self.whole.contains("state")
    }

    fn walk(&mut self, node: &mut IdedExpr, unseen: &BTreeMap<String, String>) {
        if let Expr::Call(call) = &node.expr
            && let Some(answer) = told(call, unseen)
        {
            node.expr = Expr::Literal(LiteralValue::Boolean(answer.into()));
            return;
        }
        if let Some((variable, key)) = looked_up(&node.expr) {
            match variable {
                "firing" => self.firing.insert(key.to_owned()),
                "state" => self.state.insert(key.to_owned()),
                _ => false,
            };
            return;
        }
        if let Expr::Ident(name) = &node.expr {
            self.whole.insert(name.clone());
        }
        for part in parts(&mut node.expr) {
            self.walk(part, unseen);
        }
    }
}

/// What a comparison with the very state gives in which a trigger is that nobody can see.
fn told(call: &CallExpr, unseen: &BTreeMap<String, String>) -> Option<bool> {
    let [one, other] = call.args.as_slice() else { return None };
    let is = |trigger: &IdedExpr, words: &[IdedExpr]| match looked_up(&trigger.expr) {
        Some(("state", key)) => {
            unseen.get(key).is_some_and(|real| words.iter().any(|it| text(it) == Some(real)))
        }
        _ => false,
    };
    let equal = || is(one, std::slice::from_ref(other)) || is(other, std::slice::from_ref(one));
    match (call.func_name.as_str(), &other.expr) {
        (operators::EQUALS, _) => equal().then_some(true),
        (operators::NOT_EQUALS, _) => equal().then_some(false),
        (operators::IN, Expr::List(list)) => is(one, &list.elements).then_some(true),
        _ => None,
    }
}

/// `firing["logins"]`, `firing.logins` and `"logins" in firing`, as the variable and the name.
fn looked_up(node: &Expr) -> Option<(&str, &str)> {
    let (variable, key) = match node {
        Expr::Select(select) => (&*select.operand, select.field.as_str()),
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT, [of, key]) => {
                (of, text(key)?)
            }
            (operators::IN, [key, of]) => (of, text(key)?),
            _ => return None,
        },
        _ => return None,
    };
    match &variable.expr {
        Expr::Ident(name) => Some((name, key)),
        _ => None,
    }
}

fn text(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// The expressions an expression is made of.
fn parts(node: &mut Expr) -> Vec<&mut IdedExpr> {
    match node {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => Vec::new(),
        Expr::Select(select) => vec![&mut *select.operand],
        Expr::Call(call) => {
            call.target.iter_mut().map(|target| &mut **target).chain(&mut call.args).collect()
        }
        Expr::List(list) => list.elements.iter_mut().collect(),
        Expr::Map(map) => map.entries.iter_mut().flat_map(|it| of_entry(&mut it.expr)).collect(),
        Expr::Struct(it) => it.entries.iter_mut().flat_map(|it| of_entry(&mut it.expr)).collect(),
        Expr::Comprehension(it) => vec![
            &mut it.iter_range,
            &mut it.accu_init,
            &mut it.loop_cond,
            &mut it.loop_step,
            &mut it.result,
        ],
    }
}

fn of_entry(entry: &mut EntryExpr) -> Vec<&mut IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&mut field.value],
        EntryExpr::MapEntry(entry) => vec![&mut entry.key, &mut entry.value],
    }
}
