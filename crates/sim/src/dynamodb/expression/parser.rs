//! From the tokens of an expression to conditions, updates and projections. Errors are the texts of refusals.

use super::Placeholders;
use super::condition::{Comparator, Condition, Operand};
use super::lexer::{Token, syntax, tokens};
use super::path::{Path, Step};
use super::reserved;
use super::update::{Term, Update};
use crate::state::dynamodb::value::Attribute;

/// Parentheses and NOTs are nested so deep at most.
const DEPTH: usize = 150;

const FUNCTIONS: [&str; 8] = [
    "attribute_exists",
    "attribute_not_exists",
    "attribute_type",
    "begins_with",
    "contains",
    "size",
    "if_not_exists",
    "list_append",
];

/// A recursive descent over the tokens of one expression.
pub(super) struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    placeholders: &'a mut Placeholders,
}

type Parsed<T> = Result<T, String>;

impl<'a> Parser<'a> {
    pub(super) fn new(text: &str, placeholders: &'a mut Placeholders) -> Parsed<Self> {
        Ok(Self { tokens: tokens(text)?, at: 0, depth: 0, placeholders })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    /// The error of the token that comes next.
    fn error<T>(&self) -> Parsed<T> {
        let around = self.tokens.iter().skip(self.at.saturating_sub(1)).take(3);
        let near = around.map(Token::text).collect::<Vec<_>>().join(" ");
        Err(syntax(self.peek().map_or("<EOF>", Token::text), &near))
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(next)) if *next == sign);
        self.at += usize::from(found);
        found
    }

    fn demand(&mut self, sign: &str) -> Parsed<()> {
        if self.sign(sign) { Ok(()) } else { self.error() }
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(found);
        found
    }

    /// Whether everything was read.
    pub(super) fn end(&self) -> Parsed<()> {
        if self.peek().is_none() { Ok(()) } else { self.error() }
    }

    fn deeper<T>(&mut self, rule: fn(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("The expression contains too many nested levels".to_owned());
        }
        let parsed = rule(self);
        self.depth -= 1;
        parsed
    }

    /// `a OR b`, the loosest binding.
    pub(super) fn condition(&mut self) -> Parsed<Condition> {
        let mut condition = self.conjunction()?;
        while self.keyword("OR") {
            condition = Condition::Either(Box::new(condition), Box::new(self.conjunction()?));
        }
        Ok(condition)
    }

    fn conjunction(&mut self) -> Parsed<Condition> {
        let mut condition = self.negation()?;
        while self.keyword("AND") {
            condition = Condition::Both(Box::new(condition), Box::new(self.negation()?));
        }
        Ok(condition)
    }

    fn negation(&mut self) -> Parsed<Condition> {
        if self.keyword("NOT") {
            return self.deeper(Self::negation).map(|condition| Condition::Not(Box::new(condition)));
        }
        if self.sign("(") {
            let condition = self.deeper(Self::condition)?;
            self.demand(")")?;
            return Ok(condition);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Parsed<Condition> {
        if let Some(name) = self.function().filter(|name| name != "size") {
            return self.test(&name);
        }
        let left = self.operand()?;
        if self.keyword("BETWEEN") {
            let low = self.operand()?;
            if !self.keyword("AND") {
                return self.error();
            }
            let high = self.operand()?;
            return between(left, low, high);
        }
        if self.keyword("IN") {
            self.demand("(")?;
            let mut list = vec![self.operand()?];
            while self.sign(",") {
                list.push(self.operand()?);
            }
            self.demand(")")?;
            return Ok(Condition::In(left, list));
        }
        let comparator = self.comparator()?;
        let right = self.operand()?;
        check_order(comparator, &right)?;
        Ok(Condition::Compare(left, comparator, right))
    }

    fn comparator(&mut self) -> Parsed<Comparator> {
        const SIGNS: [(&str, Comparator); 6] = [
            ("=", Comparator::Equal),
            ("<>", Comparator::NotEqual),
            ("<", Comparator::Less),
            ("<=", Comparator::LessOrEqual),
            (">", Comparator::Greater),
            (">=", Comparator::GreaterOrEqual),
        ];
        let found = SIGNS.iter().find(|(sign, _)| self.sign(sign)).map(|(_, comparator)| *comparator);
        found.map_or_else(|| self.error(), Ok)
    }

    /// The name of a function, if a call comes next.
    fn function(&self) -> Option<String> {
        let call = self.tokens.get(self.at + 1) == Some(&Token::Sign("("));
        match self.peek() {
            Some(Token::Word(word)) if call && !is_keyword(word) => Some(word.clone()),
            _ => None,
        }
    }

    fn arguments(&mut self, name: &str, wanted: usize) -> Parsed<Vec<Operand>> {
        self.at += 1;
        self.demand("(")?;
        let mut arguments = vec![self.operand()?];
        while self.sign(",") {
            arguments.push(self.operand()?);
        }
        self.demand(")")?;
        if arguments.len() == wanted { Ok(arguments) } else { Err(wrong_number(name, arguments.len())) }
    }

    /// A function that is a condition by itself.
    fn test(&mut self, name: &str) -> Parsed<Condition> {
        if !FUNCTIONS.contains(&name) {
            return Err(format!("Invalid function name; function: {name}"));
        }
        if matches!(name, "if_not_exists" | "list_append") {
            return Err(format!("The function is not allowed in a condition expression; function: {name}"));
        }
        let wanted = if matches!(name, "attribute_exists" | "attribute_not_exists") { 1 } else { 2 };
        let mut arguments = self.arguments(name, wanted)?.into_iter();
        let first = arguments.next();
        match (name, first, arguments.next()) {
            ("attribute_exists", Some(Operand::Path(path)), _) => Ok(Condition::Exists(path)),
            ("attribute_not_exists", Some(Operand::Path(path)), _) => Ok(Condition::Missing(path)),
            (
                "attribute_exists" | "attribute_not_exists" | "attribute_type",
                Some(_),
                None | Some(Operand::Path(_)),
            ) => Err(format!("Operator or function requires a document path; operator or function: {name}")),
            ("attribute_type", Some(Operand::Path(path)), Some(Operand::Value(Attribute::Text(kind)))) => {
                of_type(path, kind)
            }
            ("attribute_type", _, Some(Operand::Value(value))) => Err(wrong_type(name, value.kind())),
            ("begins_with", Some(one), Some(other)) => begins_with(one, other),
            ("contains", Some(one), Some(other)) => Ok(Condition::Contains(one, other)),
            _ => Err(wrong_number(name, wanted)),
        }
    }

    fn operand(&mut self) -> Parsed<Operand> {
        match self.function().as_deref() {
            Some("size") => {
                let argument = self.arguments("size", 1)?.into_iter().next();
                match argument {
                    Some(Operand::Path(path)) => Ok(Operand::Size(path)),
                    Some(Operand::Value(value)) => Err(wrong_type("size", value.kind())),
                    _ => Err(wrong_number("size", 0)),
                }
            }
            Some(name) if FUNCTIONS.contains(&name) => {
                Err(format!("The function is not allowed to be used this way in an expression; function: {name}"))
            }
            Some(name) => Err(format!("Invalid function name; function: {name}")),
            None => match self.value()? {
                Some(value) => Ok(Operand::Value(value)),
                None => self.path().map(Operand::Path),
            },
        }
    }

    /// The value of a `:placeholder`, if one comes next.
    fn value(&mut self) -> Parsed<Option<Attribute>> {
        let Some(Token::Value(name)) = self.peek() else {
            return Ok(None);
        };
        let name = name.clone();
        self.at += 1;
        self.placeholders.used.insert(name.clone());
        self.placeholders.values.get(&name).cloned().map(Some).ok_or_else(|| {
            format!("An expression attribute value used in expression is not defined; attribute value: {name}")
        })
    }

    fn path(&mut self) -> Parsed<Path> {
        let name = self.name()?;
        let mut steps = Vec::new();
        loop {
            if self.sign(".") {
                steps.push(Step::Member(self.name()?));
            } else if self.sign("[") {
                let Some(Token::Number(digits)) = self.next() else {
                    self.at -= 1;
                    return self.error();
                };
                let index = digits
                    .parse()
                    .map_err(|_| format!("List index is not within the allowable range; index: [{digits}]"))?;
                steps.push(Step::Index(index));
                self.demand("]")?;
            } else {
                return Ok(Path { name, steps });
            }
        }
    }

    fn name(&mut self) -> Parsed<String> {
        match self.peek().cloned() {
            Some(Token::Word(word)) => {
                if reserved::is(&word) {
                    if is_keyword(&word) {
                        return self.error();
                    }
                    return Err(format!("Attribute name is a reserved keyword; reserved keyword: {word}"));
                }
                self.at += 1;
                Ok(word)
            }
            Some(Token::Name(name)) => {
                self.at += 1;
                self.placeholders.used.insert(name.clone());
                self.placeholders.names.get(&name).cloned().ok_or_else(|| {
                    format!(
                        "An expression attribute name used in the document path is not defined; attribute name: {name}"
                    )
                })
            }
            Some(Token::Value(_) | Token::Number(_) | Token::Sign(_)) | None => self.error(),
        }
    }

    /// `a, b.c, d[0]`
    pub(super) fn projection(&mut self) -> Parsed<Vec<Path>> {
        let mut paths = vec![self.path()?];
        while self.sign(",") {
            paths.push(self.path()?);
        }
        Ok(paths)
    }

    /// Sections in any order, each once.
    pub(super) fn update(&mut self) -> Parsed<Update> {
        const SECTIONS: [&str; 4] = ["SET", "REMOVE", "ADD", "DELETE"];
        let mut update = Update::default();
        let mut seen = Vec::new();
        while self.peek().is_some() {
            let Some(section) = SECTIONS.iter().find(|section| self.keyword(section)) else {
                return self.error();
            };
            if seen.contains(section) {
                return Err(format!("The \"{section}\" section can only be used once in an update expression;"));
            }
            seen.push(section);
            self.section(section, &mut update)?;
            while self.sign(",") {
                self.section(section, &mut update)?;
            }
        }
        Ok(update)
    }

    fn section(&mut self, section: &str, update: &mut Update) -> Parsed<()> {
        let path = self.path()?;
        match section {
            "SET" => {
                self.demand("=")?;
                let term = self.term()?;
                update.set.push((path, term));
            }
            "REMOVE" => update.remove.push(path),
            _ => {
                let Some(value) = self.value()? else { return self.error() };
                let list = if section == "ADD" { &mut update.add } else { &mut update.delete };
                list.push((path, value));
            }
        }
        Ok(())
    }

    /// `operand`, `operand + operand` or `operand - operand`.
    fn term(&mut self) -> Parsed<Term> {
        let left = self.factor()?;
        if self.sign("+") {
            return Ok(Term::Plus(Box::new(left), Box::new(self.factor()?)));
        }
        if self.sign("-") {
            return Ok(Term::Minus(Box::new(left), Box::new(self.factor()?)));
        }
        Ok(left)
    }

    fn factor(&mut self) -> Parsed<Term> {
        if let Some(name) = self.function() {
            return self.call(&name);
        }
        if self.sign("(") {
            let term = self.deeper(Self::term)?;
            self.demand(")")?;
            return Ok(term);
        }
        match self.value()? {
            Some(value) => Ok(Term::Value(value)),
            None => self.path().map(Term::Path),
        }
    }

    fn call(&mut self, name: &str) -> Parsed<Term> {
        if !FUNCTIONS.contains(&name) {
            return Err(format!("Invalid function name; function: {name}"));
        }
        if !matches!(name, "if_not_exists" | "list_append") {
            return Err(format!("The function is not allowed in an update expression; function: {name}"));
        }
        self.at += 1;
        self.demand("(")?;
        let first = self.deeper(Self::term)?;
        if !self.sign(",") {
            return if self.sign(")") { Err(wrong_number(name, 1)) } else { self.error() };
        }
        let second = self.deeper(Self::term)?;
        self.demand(")")?;
        match (name, first) {
            ("list_append", first) => Ok(Term::ListAppend(Box::new(first), Box::new(second))),
            (_, Term::Path(path)) => Ok(Term::IfNotExists(path, Box::new(second))),
            _ => Err(format!("Operator or function requires a document path; operator or function: {name}")),
        }
    }
}

fn is_keyword(word: &str) -> bool {
    const KEYWORDS: [&str; 9] = ["AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE"];
    KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

fn wrong_number(name: &str, number: usize) -> String {
    format!(
        "Incorrect number of operands for operator or function; operator or function: {name}, number of operands: {number}"
    )
}

fn wrong_type(name: &str, kind: &str) -> String {
    format!("Incorrect operand type for operator or function; operator or function: {name}, operand type: {kind}")
}

fn of_type(path: Path, kind: String) -> Parsed<Condition> {
    const TYPES: [&str; 10] = ["B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M"];
    if TYPES.contains(&kind.as_str()) {
        return Ok(Condition::OfType(path, kind));
    }
    Err(format!("Invalid attribute type name found; type: {kind}, valid types: {{{}}}", TYPES.join(",")))
}

fn begins_with(value: Operand, prefix: Operand) -> Parsed<Condition> {
    if let Operand::Value(bad) = &prefix
        && !matches!(bad, Attribute::Text(_) | Attribute::Bytes(_))
    {
        return Err(wrong_type("begins_with", bad.kind()));
    }
    Ok(Condition::BeginsWith(value, prefix))
}

/// Only texts, numbers and binaries have an order.
fn check_order(comparator: Comparator, right: &Operand) -> Parsed<()> {
    let sign = match comparator {
        Comparator::Equal | Comparator::NotEqual => return Ok(()),
        Comparator::Less => "<",
        Comparator::LessOrEqual => "<=",
        Comparator::Greater => ">",
        Comparator::GreaterOrEqual => ">=",
    };
    if let Operand::Value(value) = right
        && !matches!(value, Attribute::Text(_) | Attribute::Number(_) | Attribute::Bytes(_))
    {
        return Err(wrong_type(sign, value.kind()));
    }
    Ok(())
}

fn between(value: Operand, low: Operand, high: Operand) -> Parsed<Condition> {
    if let (Operand::Value(lower), Operand::Value(upper)) = (&low, &high) {
        let bounds = || {
            let shown = |value: &Attribute| {
                let written = value.write();
                let member = written.as_object().and_then(|members| members.iter().next());
                member.map_or_else(String::new, |(kind, value)| {
                    format!("AttributeValue: {{{kind}:{}}}", value.as_str().unwrap_or_default())
                })
            };
            format!("lower bound operand: {}, upper bound operand: {}", shown(lower), shown(upper))
        };
        if lower.kind() != upper.kind() {
            return Err(format!(
                "The BETWEEN operator requires same data type for lower and upper bounds; {}",
                bounds()
            ));
        }
        if lower > upper {
            return Err(format!(
                "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; {}",
                bounds()
            ));
        }
    }
    Ok(Condition::Between(value, low, high))
}
