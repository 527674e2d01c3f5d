//! From the text of an expression to its tokens.

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A bare word: a keyword, a function or an attribute's name.
    Word(String),
    /// `#name`
    Name(String),
    /// `:value`
    Value(String),
    /// The digits of a list index.
    Number(String),
    /// An operator or a separator.
    Sign(&'static str),
}

impl Token {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Word(text) | Self::Name(text) | Self::Value(text) | Self::Number(text) => text,
            Self::Sign(text) => text,
        }
    }
}

/// Longer signs stand before their beginnings.
const SIGNS: [&str; 15] = ["<>", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ",", ".", "+", "-", "*"];

/// The tokens of an expression; the error is the text of the refusal.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = next(rest, first).ok_or_else(|| syntax(&first.to_string(), rest))?;
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

fn next(rest: &str, first: char) -> Option<(Token, usize)> {
    let word = |from: usize| {
        let body = rest.get(from..).unwrap_or_default();
        let end = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len());
        (end > 0).then_some(from + end)
    };
    let text = |length: usize| rest.get(..length).unwrap_or_default().to_owned();
    match first {
        '#' => word(1).map(|length| (Token::Name(text(length)), length)),
        ':' => word(1).map(|length| (Token::Value(text(length)), length)),
        '0'..='9' => word(0).map(|length| (Token::Number(text(length)), length)),
        'a'..='z' | 'A'..='Z' | '_' => word(0).map(|length| (Token::Word(text(length)), length)),
        _ => SIGNS.iter().find(|sign| rest.starts_with(**sign)).map(|sign| (Token::Sign(sign), sign.len())),
    }
}

/// The text of a syntax error.
pub(super) fn syntax(token: &str, near: &str) -> String {
    let near: String = near.chars().take(30).collect();
    format!("Syntax error; token: \"{token}\", near: \"{near}\"")
}
