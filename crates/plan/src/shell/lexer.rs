//! Characters into words and operators.

use std::ops::Range;

use super::{DEEPEST, Unreadable, Word};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word(Word),
    Operator(&'static str),
    Newline,
    /// A redirection with its target.
    Redirect,
    /// A here-document or here-string.
    Document(String),
}

#[derive(Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) place: Range<usize>,
}

/// Longest first.
const OPERATORS: [&str; 11] = [";;&", ";;", ";&", "&&", "||", "|&", ";", "&", "|", "(", ")"];
const REDIRECTIONS: [&str; 12] =
    ["&>>", "<<-", "<<<", "&>", "<<", ">>", "<&", ">&", "<>", ">|", "<", ">"];

/// A here-document whose body is still to come: its token, its end, whether tabs
/// before its lines are dropped.
struct Awaited {
    token: usize,
    end: String,
    tabs: bool,
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    awaited: Vec<Awaited>,
}

/// The words and operators of a script.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Unreadable> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), awaited: Vec::new() };
    while lexer.token()? {}
    match lexer.awaited.is_empty() {
        true => Ok(lexer.tokens),
        false => Err(Unreadable),
    }
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn push(&mut self, kind: Kind, from: usize) {
        self.tokens.push(Token { kind, place: from..self.at });
    }

    /// Reads one token; false at the end.
    fn token(&mut self) -> Result<bool, Unreadable> {
        while self.rest().starts_with([' ', '\t', '\r']) || self.rest().starts_with("\\\n") {
            self.at += if self.rest().starts_with('\\') { 2 } else { 1 };
        }
        let from = self.at;
        let Some(first) = self.peek() else {
            // A here-document may end with the script.
            self.documents()?;
            return Ok(false);
        };
        if first == '#' {
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
            return Ok(true);
        }
        if first == '\n' {
            self.at += 1;
            self.push(Kind::Newline, from);
            self.documents()?;
            return Ok(true);
        }
        let substitutes = self.rest().starts_with("<(") || self.rest().starts_with(">(");
        if let Some(sign) = REDIRECTIONS.iter().find(|sign| self.rest().starts_with(**sign))
            && !substitutes
        {
            self.at += sign.len();
            self.redirect(sign, from)?;
            return Ok(true);
        }
        if let Some(sign) = OPERATORS.iter().find(|sign| self.rest().starts_with(**sign)) {
            self.at += sign.len();
            self.push(Kind::Operator(sign), from);
            return Ok(true);
        }
        let word = self.word()?;
        // `2>`: the number belongs to the redirection.
        let number = word.bare && word.text.bytes().all(|byte| byte.is_ascii_digit());
        if !(number && self.rest().starts_with(['<', '>'])) {
            self.push(Kind::Word(word), from);
        }
        Ok(true)
    }

    fn redirect(&mut self, sign: &str, from: usize) -> Result<(), Unreadable> {
        while self.rest().starts_with([' ', '\t']) {
            self.at += 1;
        }
        let target = self.word()?;
        match sign {
            "<<" | "<<-" => {
                let token = self.tokens.len();
                self.awaited.push(Awaited { token, end: target.text, tabs: sign == "<<-" });
                self.push(Kind::Document(String::new()), from);
            }
            "<<<" => self.push(Kind::Document(target.text), from),
            _ => self.push(Kind::Redirect, from),
        }
        Ok(())
    }

    /// The bodies of the here-documents of the line that just ended.
    fn documents(&mut self) -> Result<(), Unreadable> {
        for Awaited { token, end, tabs } in std::mem::take(&mut self.awaited) {
            let mut body = String::new();
            loop {
                if self.rest().is_empty() {
                    return Err(Unreadable);
                }
                let line = self.rest().split('\n').next().unwrap_or_default();
                self.at = (self.at + line.len() + 1).min(self.text.len());
                let line = if tabs { line.trim_start_matches('\t') } else { line };
                if line == end {
                    break;
                }
                body.push_str(line);
                body.push('\n');
            }
            if let Some(Token { kind: Kind::Document(text), .. }) = self.tokens.get_mut(token) {
                *text = body;
            }
        }
        Ok(())
    }

    fn word(&mut self) -> Result<Word, Unreadable> {
        let mut word = Word { bare: true, ..Word::default() };
        let from = self.at;
        while let Some(c) = self.peek() {
            match c {
                '<' | '>' if self.at == from && self.rest()[1..].starts_with('(') => {
                    self.at += 1;
                    self.skip_parens(0)?;
                    word.text.push_str(&self.text[from..self.at]);
                    word.bare = false;
                }
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => break,
                '\r' if self.rest()[1..].starts_with('\n') => break,
                '\\' => {
                    self.at += 1;
                    match self.next() {
                        Some('\n') => {}
                        Some(c) => {
                            word.text.push(c);
                            word.bare = false;
                        }
                        None => word.text.push('\\'),
                    }
                }
                '\'' => {
                    self.at += 1;
                    word.bare = false;
                    let end = self.rest().find('\'').ok_or(Unreadable)?;
                    word.text.push_str(&self.rest()[..end]);
                    self.at += end + 1;
                }
                '"' => {
                    self.at += 1;
                    word.bare = false;
                    self.double_quoted(&mut word)?;
                }
                '$' | '`' => self.substitution(&mut word, 0)?,
                c => {
                    word.text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        match self.at == from {
            true => Err(Unreadable),
            false => Ok(word),
        }
    }

    /// Up to the closing quote; the opening one is read.
    fn double_quoted(&mut self, word: &mut Word) -> Result<(), Unreadable> {
        loop {
            match self.peek().ok_or(Unreadable)? {
                '"' => {
                    self.at += 1;
                    return Ok(());
                }
                '\\' => {
                    self.at += 1;
                    match self.next().ok_or(Unreadable)? {
                        '\n' => {}
                        c @ ('$' | '`' | '"' | '\\') => word.text.push(c),
                        c => word.text.extend(['\\', c]),
                    }
                }
                '$' | '`' => self.substitution(word, 0)?,
                c => {
                    word.text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
    }

    /// `$name`, `${…}`, `$(…)`, `$((…))`, `$'…'` or backquotes, as they are written.
    fn substitution(&mut self, word: &mut Word, depth: usize) -> Result<(), Unreadable> {
        let from = self.at;
        word.substitutes |= self.rest().starts_with('`')
            || (self.rest().starts_with("$(") && !self.rest().starts_with("$(("));
        self.skip_substitution(depth)?;
        word.text.push_str(&self.text[from..self.at]);
        Ok(())
    }

    fn skip_substitution(&mut self, depth: usize) -> Result<(), Unreadable> {
        if depth > DEEPEST {
            return Err(Unreadable);
        }
        if self.next() == Some('`') {
            return loop {
                match self.next().ok_or(Unreadable)? {
                    '`' => break Ok(()),
                    '\\' => _ = self.next(),
                    _ => {}
                }
            };
        }
        match self.peek() {
            Some('(') => self.skip_parens(depth),
            Some('{') => self.skip_until('{', '}', depth),
            Some('\'') => {
                self.at += 1;
                loop {
                    match self.next().ok_or(Unreadable)? {
                        '\'' => break Ok(()),
                        '\\' => _ = self.next(),
                        _ => {}
                    }
                }
            }
            _ => Ok(()),
        }
    }

    fn skip_parens(&mut self, depth: usize) -> Result<(), Unreadable> {
        self.skip_until('(', ')', depth)
    }

    /// From an opening sign behind its closing one; quotes inside are respected.
    fn skip_until(&mut self, open: char, close: char, depth: usize) -> Result<(), Unreadable> {
        let mut nested = 0_usize;
        loop {
            match self.peek().ok_or(Unreadable)? {
                '\\' => {
                    self.at += 1;
                    self.next().ok_or(Unreadable)?;
                }
                '\'' => {
                    self.at += 1;
                    let end = self.rest().find('\'').ok_or(Unreadable)?;
                    self.at += end + 1;
                }
                '"' => self.skip_double_quoted(depth + 1)?,
                '$' | '`' => self.skip_substitution(depth + 1)?,
                c => {
                    self.at += c.len_utf8();
                    if c == open {
                        nested += 1;
                    } else if c == close {
                        nested -= 1;
                        if nested == 0 {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }

    fn skip_double_quoted(&mut self, depth: usize) -> Result<(), Unreadable> {
        self.at += 1;
        loop {
            match self.peek().ok_or(Unreadable)? {
                '"' => {
                    self.at += 1;
                    return Ok(());
                }
                '\\' => {
                    self.at += 1;
                    self.next().ok_or(Unreadable)?;
                }
                '$' | '`' => self.skip_substitution(depth + 1)?,
                c => self.at += c.len_utf8(),
            }
        }
    }
}
