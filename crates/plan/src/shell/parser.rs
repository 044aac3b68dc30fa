//! Words and operators into commands.

use super::lexer::{Kind, Token, tokens};
use super::{Command, DEEPEST, Item, Join, List, Pipeline, Simple, Unreadable};

/// The commands of a script.
pub(super) fn parse(text: &str) -> Result<List, Unreadable> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
    let list = parser.list()?;
    match parser.at == tokens.len() {
        true => Ok(list),
        false => Err(Unreadable),
    }
}

/// Words that end a list where a command could begin.
const CLOSING: [&str; 8] = ["then", "else", "elif", "fi", "do", "done", "esac", "}"];

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn kind(&self) -> Option<&'a Kind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    /// Where the next token begins, or the last one ended.
    fn start(&self) -> usize {
        let next = self.tokens.get(self.at).map(|token| token.place.start);
        next.unwrap_or_else(|| self.tokens.last().map_or(0, |token| token.place.end))
    }

    /// Where the last token that was read ends.
    fn end(&self) -> usize {
        let read = self.at.checked_sub(1).and_then(|last| self.tokens.get(last));
        read.map_or(0, |token| token.place.end)
    }

    fn is_operator(&self, sign: &str) -> bool {
        matches!(self.kind(), Some(Kind::Operator(found)) if *found == sign)
    }

    fn operator(&mut self, sign: &str) -> bool {
        let found = self.is_operator(sign);
        self.at += usize::from(found);
        found
    }

    /// The next word, if it could be one of the grammar.
    fn keyword(&self) -> Option<&'a str> {
        match self.kind() {
            Some(Kind::Word(word)) if word.bare => Some(&word.text),
            _ => None,
        }
    }

    fn skip_keyword(&mut self, word: &str) -> bool {
        let found = self.keyword() == Some(word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, word: &str) -> Result<(), Unreadable> {
        if self.skip_keyword(word) { Ok(()) } else { Err(Unreadable) }
    }

    fn newlines(&mut self) {
        while matches!(self.kind(), Some(Kind::Newline)) {
            self.at += 1;
        }
    }

    /// Commands up to a word or a sign that closes what holds them.
    fn list(&mut self) -> Result<List, Unreadable> {
        let mut list = List::new();
        loop {
            self.newlines();
            let closes = match self.kind() {
                None | Some(Kind::Operator(")" | ";;" | ";&" | ";;&")) => true,
                _ => self.keyword().is_some_and(|word| CLOSING.contains(&word)),
            };
            if closes {
                return Ok(list);
            }
            let mut item = self.item()?;
            item.background = self.is_operator("&");
            list.push(item);
            let more = self.operator("&") || self.operator(";");
            if !more && !matches!(self.kind(), Some(Kind::Newline)) {
                return Ok(list);
            }
        }
    }

    /// At least one command.
    fn some(&mut self) -> Result<List, Unreadable> {
        let list = self.list()?;
        if list.is_empty() { Err(Unreadable) } else { Ok(list) }
    }

    fn item(&mut self) -> Result<Item, Unreadable> {
        let start = self.start();
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            let join = match self.kind() {
                Some(Kind::Operator("&&")) => Join::And,
                Some(Kind::Operator("||")) => Join::Or,
                _ => break,
            };
            self.at += 1;
            self.newlines();
            rest.push((join, self.pipeline()?));
        }
        Ok(Item { first, rest, background: false, place: start..self.end() })
    }

    fn pipeline(&mut self) -> Result<Pipeline, Unreadable> {
        let mut negated = false;
        while matches!(self.keyword(), Some("!" | "time")) {
            negated ^= self.keyword() == Some("!");
            self.at += 1;
        }
        let mut commands = vec![self.command()?];
        while self.operator("|") || self.operator("|&") {
            self.newlines();
            commands.push(self.command()?);
        }
        Ok(Pipeline { negated, commands })
    }

    fn command(&mut self) -> Result<Command, Unreadable> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Unreadable);
        }
        let command = self.compound();
        self.depth -= 1;
        let command = command?;
        if !matches!(command, Command::Simple(_)) {
            while matches!(self.kind(), Some(Kind::Redirect | Kind::Document(_))) {
                self.at += 1;
            }
        }
        Ok(command)
    }

    fn compound(&mut self) -> Result<Command, Unreadable> {
        let start = self.start();
        if self.is_operator("(") {
            if self.arithmetic() {
                return Ok(Command::Test(start..self.end()));
            }
            self.at += 1;
            let list = self.some()?;
            return if self.operator(")") { Ok(Command::Subshell(list)) } else { Err(Unreadable) };
        }
        match self.keyword() {
            Some("{") => {
                self.at += 1;
                let list = self.some()?;
                self.expect("}")?;
                Ok(Command::Group(list))
            }
            Some("if") => self.branches(),
            Some("while" | "until") => {
                self.at += 1;
                let asked = self.some()?;
                self.expect("do")?;
                let body = self.some()?;
                self.expect("done")?;
                Ok(Command::Loop(asked, body))
            }
            Some("for" | "select") => self.counted(),
            Some("case") => self.case(),
            Some("function") => {
                self.at += 1;
                let name = self.keyword().ok_or(Unreadable)?.to_owned();
                self.at += 1;
                if self.operator("(") && !self.operator(")") {
                    return Err(Unreadable);
                }
                self.function(name)
            }
            Some("[[") => {
                while let Some(kind) = self.kind() {
                    self.at += 1;
                    if matches!(kind, Kind::Word(word) if word.bare && word.text == "]]") {
                        return Ok(Command::Test(start..self.end()));
                    }
                }
                Err(Unreadable)
            }
            Some(word) if CLOSING.contains(&word) => Err(Unreadable),
            _ => self.simple(),
        }
    }

    /// Reads `(( … ))`, or nothing.
    fn arithmetic(&mut self) -> bool {
        let adjacent = |left: usize, sign: &str| {
            let pair = (self.tokens.get(left), self.tokens.get(left + 1));
            let is = |token: &Token| matches!(token.kind, Kind::Operator(found) if found == sign);
            matches!(pair, (Some(a), Some(b))
                if is(a) && is(b) && a.place.end == b.place.start)
        };
        if !adjacent(self.at, "(") {
            return false;
        }
        let mut open = 0_usize;
        for at in self.at..self.tokens.len() {
            match self.tokens[at].kind {
                Kind::Operator("(") => open += 1,
                Kind::Operator(")") if open == 2 => {
                    let closed = adjacent(at, ")");
                    if closed {
                        self.at = at + 2;
                    }
                    return closed;
                }
                Kind::Operator(")") => open -= 1,
                _ => {}
            }
        }
        false
    }

    fn branches(&mut self) -> Result<Command, Unreadable> {
        let mut branches = Vec::new();
        loop {
            // `if` or `elif`.
            self.at += 1;
            let asked = self.some()?;
            self.expect("then")?;
            branches.push((asked, self.some()?));
            if self.keyword() != Some("elif") {
                break;
            }
        }
        let otherwise = if self.skip_keyword("else") { self.some()? } else { List::new() };
        self.expect("fi")?;
        Ok(Command::If(branches, otherwise))
    }

    fn counted(&mut self) -> Result<Command, Unreadable> {
        self.at += 1;
        if !self.arithmetic() {
            match self.kind() {
                Some(Kind::Word(_)) => self.at += 1,
                _ => return Err(Unreadable),
            }
            self.newlines();
            if self.skip_keyword("in") {
                while matches!(self.kind(), Some(Kind::Word(_))) {
                    self.at += 1;
                }
            }
        }
        self.operator(";");
        self.newlines();
        self.expect("do")?;
        let body = self.some()?;
        self.expect("done")?;
        Ok(Command::Loop(List::new(), body))
    }

    fn case(&mut self) -> Result<Command, Unreadable> {
        self.at += 2;
        self.newlines();
        self.expect("in")?;
        let mut branches = Vec::new();
        loop {
            self.newlines();
            if self.skip_keyword("esac") {
                return Ok(Command::Case(branches));
            }
            self.operator("(");
            loop {
                match self.kind() {
                    Some(Kind::Word(_)) => self.at += 1,
                    _ => return Err(Unreadable),
                }
                if !self.operator("|") {
                    break;
                }
            }
            if !self.operator(")") {
                return Err(Unreadable);
            }
            branches.push(self.list()?);
            let ended = self.operator(";;") || self.operator(";&") || self.operator(";;&");
            self.newlines();
            if !ended && self.keyword() != Some("esac") {
                return Err(Unreadable);
            }
        }
    }

    fn function(&mut self, name: String) -> Result<Command, Unreadable> {
        self.newlines();
        let body = self.command()?;
        match body {
            Command::Simple(_) => Err(Unreadable),
            body => Ok(Command::Function(name, Box::new(body))),
        }
    }

    fn simple(&mut self) -> Result<Command, Unreadable> {
        let start = self.start();
        let mut simple = Simple::default();
        let mut any = false;
        loop {
            match self.kind() {
                Some(Kind::Word(word)) => {
                    let assigns = simple.words.is_empty() && assigns(&word.text);
                    let words = if assigns { &mut simple.assignments } else { &mut simple.words };
                    words.push(word.clone());
                    self.at += 1;
                    // `NAME=(a b)`, an array of bash.
                    if assigns && word.text.ends_with('=') && self.is_operator("(") {
                        self.array()?;
                    }
                }
                Some(Kind::Redirect) => self.at += 1,
                Some(Kind::Document(text)) => {
                    simple.documents.push(text.clone());
                    self.at += 1;
                }
                Some(Kind::Operator("("))
                    if simple.words.len() == 1 && simple.assignments.is_empty() =>
                {
                    self.at += 1;
                    if !self.operator(")") {
                        return Err(Unreadable);
                    }
                    return self.function(simple.words.remove(0).text);
                }
                _ => break,
            }
            any = true;
        }
        simple.place = start..self.end();
        if any { Ok(Command::Simple(simple)) } else { Err(Unreadable) }
    }

    fn array(&mut self) -> Result<(), Unreadable> {
        self.at += 1;
        while matches!(self.kind(), Some(Kind::Word(_) | Kind::Newline)) {
            self.at += 1;
        }
        if self.operator(")") { Ok(()) } else { Err(Unreadable) }
    }
}

/// `NAME=value`, `NAME+=value`, `NAME[…]=value`.
fn assigns(word: &str) -> bool {
    let Some((name, _)) = word.split_once('=') else { return false };
    let name = name.strip_suffix('+').unwrap_or(name);
    let name = name.split('[').next().unwrap_or_default();
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
