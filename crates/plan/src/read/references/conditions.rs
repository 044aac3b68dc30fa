//! Conditions in CEL. They are tried out when the plan is read: one that sees what does not
//! exist, or gives neither true nor false, would only say so in the night it is needed.

use std::collections::{BTreeMap, BTreeSet};

use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};
use cel::{Context, ExecutionError, IdedExpr, Program, Value};

/// What an expression has to give.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    Truth,
    Figure,
}

/// What is seen where an expression stands.
pub(super) struct Sight<'a> {
    /// The variables there are.
    pub variables: &'a [&'a str],
    /// What it has to give.
    pub gives: Gives,
    /// What to do, if nothing better is known.
    pub hint: &'a str,
}

/// What is wrong with an expression, and what to do.
pub(super) type Wrong = (String, Option<String>);

const FUNCTIONS: &str = "there are `size`, `contains`, `startsWith`, `endsWith`, `int`, `double`, `string`, `has`, `all`, `exists`, `map` and `filter`";

/// More loops inside each other than this are not tried out: a file must not be able to
/// keep its reader busy.
const MOST_LOOPS: usize = 2;

/// Nobody reads a condition that is nested deeper.
const DEEPEST: usize = 100;

/// Whether an expression is nested deeper than is walked and tried out, which takes stack.
/// A long chain, `a + b + …`, is as deep as it has links.
pub(super) fn is_deep(program: &Program) -> bool {
    let mut open = vec![(program.expression(), 0)];
    while let Some((node, depth)) = open.pop() {
        if depth > DEEPEST {
            return true;
        }
        let mut inside = |node| open.push((node, depth + 1));
        match &node.expr {
            Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => {}
            Expr::Select(select) => inside(&select.operand),
            Expr::Call(call) => {
                call.target.iter().map(|target| &**target).chain(&call.args).for_each(inside);
            }
            Expr::List(list) => list.elements.iter().for_each(inside),
            Expr::Map(map) => map.entries.iter().flat_map(|e| parts(&e.expr)).for_each(inside),
            Expr::Struct(it) => it.entries.iter().flat_map(|e| parts(&e.expr)).for_each(inside),
            Expr::Comprehension(it) => {
                [&it.iter_range, &it.accu_init, &it.loop_cond, &it.loop_step, &it.result]
                    .into_iter()
                    .for_each(inside);
            }
        }
    }
    false
}

/// The expressions of an entry of a mapping.
fn parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

/// What an expression looks at.
#[derive(Default)]
pub(super) struct Seen<'a> {
    variables: BTreeSet<&'a str>,
    functions: BTreeSet<&'a str>,
    /// What is looked up by its name: `firing["logins"]`.
    pub named: Vec<(&'a str, &'a str)>,
    /// What is used as it is, and not only looked up by name.
    pub whole: BTreeSet<&'a str>,
    loops: usize,
}

impl<'a> Seen<'a> {
    pub(super) fn of(program: &'a Program) -> Self {
        let mut seen = Self::default();
        seen.walk(program.expression(), &mut Vec::new(), 0);
        seen
    }

    pub(super) fn sees(&self, variable: &str) -> bool {
        self.variables.contains(variable)
    }

    fn walk(&mut self, node: &'a IdedExpr, bound: &mut Vec<&'a str>, loops: usize) {
        self.loops = self.loops.max(loops);
        match &node.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => {
                if is_free(name, bound) {
                    self.variables.insert(name);
                    self.whole.insert(name);
                }
            }
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(name) if is_free(name, bound) => self.name(name, &select.field),
                _ => self.walk(&select.operand, bound, loops),
            },
            Expr::Call(call) => match looked_up(call) {
                Some((name, key)) if is_free(name, bound) => self.name(name, key),
                _ => {
                    self.functions.insert(&call.func_name);
                    let parts = call.target.iter().map(|target| &**target).chain(&call.args);
                    parts.for_each(|part| self.walk(part, bound, loops));
                }
            },
            Expr::List(list) => {
                list.elements.iter().for_each(|part| self.walk(part, bound, loops));
            }
            Expr::Map(map) => {
                let inside = map.entries.iter().flat_map(|e| parts(&e.expr));
                inside.for_each(|part| self.walk(part, bound, loops));
            }
            Expr::Struct(it) => {
                let inside = it.entries.iter().flat_map(|e| parts(&e.expr));
                inside.for_each(|part| self.walk(part, bound, loops));
            }
            Expr::Comprehension(it) => {
                self.walk(&it.iter_range, bound, loops);
                self.walk(&it.accu_init, bound, loops);
                let before = bound.len();
                bound.push(&it.accu_var);
                self.walk(&it.result, bound, loops);
                bound.push(&it.iter_var);
                bound.extend(it.iter_var2.as_deref());
                self.walk(&it.loop_cond, bound, loops + 1);
                self.walk(&it.loop_step, bound, loops + 1);
                bound.truncate(before);
            }
        }
    }

    fn name(&mut self, variable: &'a str, key: &'a str) {
        self.variables.insert(variable);
        self.named.push((variable, key));
    }
}

fn is_free(name: &str, bound: &[&str]) -> bool {
    !name.starts_with('@') && !bound.contains(&name)
}

/// `firing["logins"]` and `"logins" in firing`, as the variable and the name.
fn looked_up(call: &CallExpr) -> Option<(&str, &str)> {
    let (variable, key) = match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT, [of, key]) => (of, key),
        (operators::IN, [key, of]) => (of, key),
        _ => return None,
    };
    match (&variable.expr, &key.expr) {
        (Expr::Ident(variable), Expr::Literal(LiteralValue::String(key))) => {
            Some((variable, key.inner()))
        }
        _ => None,
    }
}

/// What can be told of an expression from itself.
pub(super) fn look(program: &Program, seen: &Seen<'_>, sight: &Sight<'_>) -> Option<Wrong> {
    let known = |name: &&&str| sight.variables.contains(*name) || is_declared(name);
    if let Some(name) = seen.variables.iter().find(|name| !known(name)) {
        return Some((format!("`{name}` is nothing that can be seen here"), None));
    }
    if let Some(name) = seen.functions.iter().find(|name| is_word(name) && !is_function(name)) {
        return Some((format!("there is no function `{name}`"), Some(FUNCTIONS.to_owned())));
    }
    if never(program.expression(), sight.gives) {
        return Some((format!("this never gives {}", sight.gives.shown()), None));
    }
    if !seen.variables.iter().any(|name| sight.variables.contains(name)) {
        return Some(("this looks at nothing: it always gives the same".to_owned(), None));
    }
    None
}

/// Tries an expression out on an example of what it will see.
pub(super) fn tried(
    program: &Program,
    seen: &Seen<'_>,
    sight: &Sight<'_>,
    example: &BTreeMap<&str, serde_json::Value>,
) -> Option<Wrong> {
    if seen.loops > MOST_LOOPS {
        return None;
    }
    let mut context = Context::default();
    for (name, value) in example {
        context.add_variable(*name, value).ok()?;
    }
    match program.execute(&context) {
        Ok(value) => (!sight.gives.is_given_by(&value))
            .then(|| (format!("this never gives {}", sight.gives.shown()), None)),
        // What depends on the figures may be right with others.
        Err(
            ExecutionError::DivisionByZero(_)
            | ExecutionError::RemainderByZero(_)
            | ExecutionError::Overflow(..)
            | ExecutionError::FunctionError { .. }
            | ExecutionError::IndexOutOfBounds(_),
        ) => None,
        Err(ExecutionError::UnsupportedBinaryOperator(_, Value::Float(_), Value::Int(_))) => {
            Some((
                "this can never be told: whole figures and others do not mix".to_owned(),
                Some("write the point: `seconds * 1000.0`".to_owned()),
            ))
        }
        Err(error) => Some((format!("this can never be told: {error}"), None)),
    }
}

impl Gives {
    fn shown(self) -> &'static str {
        match self {
            Self::Truth => "true or false",
            Self::Figure => "a figure",
        }
    }

    fn is_given_by(self, value: &Value) -> bool {
        match value {
            Value::Bool(_) => self == Self::Truth,
            Value::Int(_) | Value::UInt(_) | Value::Float(_) => self == Self::Figure,
            _ => false,
        }
    }
}

/// Whether an expression cannot give what it has to, whatever it sees.
fn never(node: &IdedExpr, wanted: Gives) -> bool {
    use operators::{
        ADD, CONDITIONAL, DIVIDE, EQUALS, GREATER, GREATER_EQUALS, IN, LESS, LESS_EQUALS,
        LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR, MODULO, MULTIPLY, NEGATE, NOT_EQUALS, SUBSTRACT,
    };
    match &node.expr {
        Expr::Literal(LiteralValue::Boolean(_)) => wanted != Gives::Truth,
        Expr::Literal(LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_)) => {
            wanted != Gives::Figure
        }
        Expr::Literal(_) | Expr::List(_) | Expr::Map(_) | Expr::Struct(_) => true,
        // `all` and `exists` give what they gather; `exists_one` compares it.
        Expr::Comprehension(it) => match &it.result.expr {
            Expr::Ident(_) => never(&it.accu_init, wanted),
            _ => never(&it.result, wanted),
        },
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (LOGICAL_AND | LOGICAL_OR | LOGICAL_NOT, parts) => {
                wanted != Gives::Truth || parts.iter().any(|part| never(part, Gives::Truth))
            }
            (CONDITIONAL, [condition, one, other]) => {
                never(condition, Gives::Truth) || never(one, wanted) || never(other, wanted)
            }
            (EQUALS | NOT_EQUALS | GREATER | GREATER_EQUALS | LESS | LESS_EQUALS | IN, _)
            | ("contains" | "startsWith" | "endsWith" | "bool", _) => wanted != Gives::Truth,
            (ADD | SUBSTRACT | MULTIPLY | DIVIDE | MODULO | NEGATE, _)
            | ("size" | "int" | "uint" | "double", _) => wanted != Gives::Figure,
            ("string" | "bytes" | "type", _) => true,
            _ => false,
        },
        Expr::Unspecified | Expr::Ident(_) | Expr::Select(_) => false,
    }
}

/// Whether a function has a name of letters and is not an operator.
fn is_word(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether the language itself knows a name, such as `int`.
fn is_declared(name: &str) -> bool {
    gives_something(name, name)
}

fn is_function(name: &str) -> bool {
    gives_something(&format!("{name}()"), name) || gives_something(&format!("\"\".{name}()"), name)
}

fn gives_something(text: &str, name: &str) -> bool {
    let Ok(program) = Program::compile(text) else { return false };
    let unknown = |error: &ExecutionError| matches!(error, ExecutionError::UndeclaredReference(it) if **it == name);
    program.execute(&Context::default()).as_ref().err().is_none_or(|error| !unknown(error))
}
