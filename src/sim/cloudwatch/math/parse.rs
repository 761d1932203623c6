//! The grammar of metric math.
//!
//! What it is for: text to a tree, refusing what CloudWatch refuses.
//! What it must not do: evaluate.

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sim::cloudwatch) enum Expression {
    /// A number.
    Number(f64),
    /// A quoted string: an argument of METRICS.
    Text(String),
    /// The id of another query.
    Id(String),
    /// A word in capitals: `REPEAT`, `LINEAR`, `DESC`, the function that SORT sorts by.
    Word(String),
    /// `[a, b]`.
    Array(Vec<Expression>),
    /// `-a`.
    Minus(Box<Expression>),
    /// `a + b`, comparisons and logic.
    Binary(Operator, Box<Expression>, Box<Expression>),
    /// `NAME(…)`.
    Call(String, Vec<Expression>),
}

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim::cloudwatch) enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `^`
    Power,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `AND`, `&&`
    And,
    /// `OR`, `||`
    Or,
}

impl Operator {
    /// How tightly it binds.
    fn rank(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::LessOrEqual
            | Self::Greater
            | Self::GreaterOrEqual => 3,
            Self::Add | Self::Subtract => 4,
            Self::Multiply | Self::Divide => 5,
            Self::Power => 7,
        }
    }

    /// The sign, as it is named in errors.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Power => "^",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::And => "AND",
            Self::Or => "OR",
        }
    }
}

/// Unary minus binds tighter than `*` and looser than `^`.
const MINUS_RANK: u8 = 6;

/// How deep an expression may nest: an expression of 2,048 characters must not exhaust the stack.
const DEPTH: usize = 60;

impl Expression {
    /// Parses an expression. The error is AWS's short reason.
    pub(in crate::sim::cloudwatch) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
        let expression = parser.binary(0)?;
        if parser.next < parser.tokens.len() {
            return Err(INVALID.to_owned());
        }
        Ok(expression)
    }

    /// The ids that it names, each once, in order of appearance.
    pub(in crate::sim::cloudwatch) fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.collect(&mut names);
        names
    }

    fn collect<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Self::Id(id) if !names.contains(&id.as_str()) => names.push(id),
            Self::Id(_) | Self::Number(_) | Self::Text(_) | Self::Word(_) => {}
            Self::Minus(inner) => inner.collect(names),
            Self::Binary(_, left, right) => {
                left.collect(names);
                right.collect(names);
            }
            Self::Array(items) | Self::Call(_, items) => items.iter().for_each(|item| item.collect(names)),
        }
    }
}

const INVALID: &str = "Invalid syntax";

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    Name(String),
    Operator(Operator),
    Open,
    Close,
    OpenArray,
    CloseArray,
    Comma,
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '[' => (Token::OpenArray, 1),
            ']' => (Token::CloseArray, 1),
            ',' => (Token::Comma, 1),
            '\'' | '"' => {
                let end = rest[1..].find(first).ok_or(INVALID)?;
                (Token::Text(rest[1..=end].to_owned()), end + 2)
            }
            c if c.is_ascii_digit() || c == '.' => number(rest)?,
            c if c.is_ascii_alphabetic() => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                let token = match &rest[..end] {
                    "AND" => Token::Operator(Operator::And),
                    "OR" => Token::Operator(Operator::Or),
                    name => Token::Name(name.to_owned()),
                };
                (token, end)
            }
            _ => operator(rest).ok_or(INVALID)?,
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn number(text: &str) -> Result<(Token, usize), String> {
    let bytes = text.as_bytes();
    let mut end = bytes.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    if bytes.get(end).is_some_and(|b| matches!(b, b'e' | b'E')) {
        let sign = usize::from(bytes.get(end + 1).is_some_and(|b| matches!(b, b'+' | b'-')));
        let digits = bytes[end + 1 + sign..].iter().take_while(|b| b.is_ascii_digit()).count();
        if digits > 0 {
            end += 1 + sign + digits;
        }
    }
    let number: f64 = text[..end].parse().map_err(|_| INVALID.to_owned())?;
    Ok((Token::Number(number), end))
}

fn operator(text: &str) -> Option<(Token, usize)> {
    const SIGNS: [(&str, Operator); 13] = [
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("&&", Operator::And),
        ("||", Operator::Or),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("+", Operator::Add),
        ("-", Operator::Subtract),
        ("*", Operator::Multiply),
        ("/", Operator::Divide),
        ("^", Operator::Power),
    ];
    SIGNS
        .iter()
        .find(|(sign, _)| text.starts_with(sign))
        .map(|(sign, operator)| (Token::Operator(*operator), sign.len()))
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self, wanted: &Token) -> bool {
        let taken = self.peek() == Some(wanted);
        self.next += usize::from(taken);
        taken
    }

    fn expect(&mut self, wanted: &Token) -> Result<(), String> {
        if self.take(wanted) { Ok(()) } else { Err(INVALID.to_owned()) }
    }

    /// Operators of at least that rank, by precedence climbing; all but `^` group to the left.
    fn binary(&mut self, lowest: u8) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("Expression is nested too deeply".to_owned());
        }
        let mut left = self.unary()?;
        while let Some(Token::Operator(operator)) = self.peek().cloned() {
            let rank = operator.rank();
            if rank < lowest {
                break;
            }
            self.next += 1;
            let right = self.binary(if operator == Operator::Power { rank } else { rank + 1 })?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, String> {
        if self.take(&Token::Operator(Operator::Subtract)) {
            return Ok(Expression::Minus(Box::new(self.binary(MINUS_RANK)?)));
        }
        let token = self.peek().cloned().ok_or(INVALID)?;
        self.next += 1;
        match token {
            Token::Number(number) => Ok(Expression::Number(number)),
            Token::Text(text) => Ok(Expression::Text(text)),
            Token::Open => {
                let inner = self.binary(0)?;
                self.expect(&Token::Close)?;
                Ok(inner)
            }
            Token::OpenArray => Ok(Expression::Array(self.list(&Token::CloseArray)?)),
            Token::Name(name) => {
                if self.take(&Token::Open) {
                    Ok(Expression::Call(name, self.list(&Token::Close)?))
                } else if name.starts_with(|c: char| c.is_ascii_lowercase()) {
                    Ok(Expression::Id(name))
                } else {
                    Ok(Expression::Word(name))
                }
            }
            _ => Err(INVALID.to_owned()),
        }
    }

    fn list(&mut self, close: &Token) -> Result<Vec<Expression>, String> {
        let mut items = Vec::new();
        if self.take(close) {
            return Ok(items);
        }
        loop {
            items.push(self.binary(0)?);
            if self.take(close) {
                return Ok(items);
            }
            self.expect(&Token::Comma)?;
        }
    }
}
