//! Expressions over tags: `rooms and not slow`.

/// An expression over tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TagExpression {
    /// The scenario has this tag.
    Tag(String),
    /// It is not so.
    Not(Box<Self>),
    /// Both are so.
    And(Box<Self>, Box<Self>),
    /// One of them is so.
    Or(Box<Self>, Box<Self>),
}

/// Expressions are written by people.
const MAX_DEPTH: usize = 64;

impl TagExpression {
    /// Whether a scenario with these tags is meant.
    pub(crate) fn matches(&self, tags: &[String]) -> bool {
        match self {
            Self::Tag(tag) => tags.contains(tag),
            Self::Not(inner) => !inner.matches(tags),
            Self::And(left, right) => left.matches(tags) && right.matches(tags),
            Self::Or(left, right) => left.matches(tags) || right.matches(tags),
        }
    }
}

impl std::str::FromStr for TagExpression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parser = Parser { words: words(text), at: 0, depth: 0 };
        let expression = parser.or()?;
        match parser.peek() {
            None => Ok(expression),
            Some(word) => Err(format!("expected `and`, `or` or the end, found `{word}`")),
        }
    }
}

/// Words and parentheses.
fn words(text: &str) -> Vec<String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

struct Parser {
    words: Vec<String>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).map(String::as_str)
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        self.at += usize::from(found);
        found
    }

    fn or(&mut self) -> Result<TagExpression, String> {
        let mut left = self.and()?;
        while self.take("or") {
            left = TagExpression::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<TagExpression, String> {
        let mut left = self.not()?;
        while self.take("and") {
            left = TagExpression::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<TagExpression, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("it is nested too deeply".to_owned());
        }
        let found = if self.take("not") {
            TagExpression::Not(Box::new(self.not()?))
        } else if self.take("(") {
            let inner = self.or()?;
            if !self.take(")") {
                return Err("a `)` is missing".to_owned());
            }
            inner
        } else {
            self.tag()?
        };
        self.depth -= 1;
        Ok(found)
    }

    fn tag(&mut self) -> Result<TagExpression, String> {
        let word = self.peek().ok_or("expected a tag, found the end")?.to_owned();
        let reserved = matches!(word.as_str(), "and" | "or" | ")");
        if reserved || word.contains(['&', '|', '!', ',']) {
            return Err(format!("expected a tag, found `{word}` (use `and`, `or`, `not`)"));
        }
        self.at += 1;
        Ok(TagExpression::Tag(word))
    }
}

#[cfg(test)]
mod tests {
    use super::TagExpression;

    fn says(expression: &str, tags: &[&str]) -> bool {
        let tags: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
        expression.parse::<TagExpression>().unwrap().matches(&tags)
    }

    #[test]
    fn not_binds_tighter_than_and_and_that_tighter_than_or() {
        assert!(says("rooms and not slow", &["rooms"]));
        assert!(!says("rooms and not slow", &["rooms", "slow"]));
        assert!(says("a or b and c", &["a"]));
        assert!(!says("(a or b) and c", &["a"]));
        assert!(says("not (a or b)", &["c"]));
        assert!(says("not not a", &["a"]));
    }

    #[test]
    fn mistakes_are_told() {
        for wrong in ["", "and", "a b", "a and", "(a", "a)", "!a", "a && b", "not"] {
            assert!(wrong.parse::<TagExpression>().is_err(), "{wrong}");
        }
        assert!("(".repeat(100_000).parse::<TagExpression>().is_err());
        assert!("not ".repeat(100_000).parse::<TagExpression>().is_err());
    }
}
