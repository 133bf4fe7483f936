//! What the requests of the chat contract are answered.

use alloc::vec::Vec;

use super::Args;
use crate::value::Value;

/// An answer: a word, and what follows it.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// `"ok"`: it is done.
    Done(Vec<Value>),
    /// `"timeout"`: somebody did not answer in time.
    Late(Vec<Value>),
    /// `"error"`: nothing has changed, for this reason.
    Error(&'static str),
}

impl Answer {
    /// To `ask`: the first argument of each socket's answer, in order of arrival; none from one that
    /// did not answer in time.
    #[must_use]
    pub fn of_many(answers: Vec<Option<Args>>) -> Self {
        let answer = if answers.contains(&None) { Self::Late } else { Self::Done };
        let first = |Args(values): Args| values.into_iter().next().unwrap_or(Value::Null);
        answer(alloc::vec![answers.into_iter().flatten().map(first).collect()])
    }

    /// To `tell`: what one socket answered, if it did in time.
    #[must_use]
    pub fn of_one(answer: Option<Args>) -> Self {
        answer.map_or(Self::Late(Vec::new()), |Args(values)| Self::Done(values))
    }
}

impl From<Answer> for Args {
    fn from(answer: Answer) -> Self {
        let (word, values) = match answer {
            Answer::Done(values) => ("ok", values),
            Answer::Late(values) => ("timeout", values),
            Answer::Error(reason) => ("error", alloc::vec![reason.into()]),
        };
        Self(core::iter::once(word.into()).chain(values).collect())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use super::*;

    fn text(answer: Answer) -> String {
        serde_json::to_string(&Args::from(answer)).unwrap()
    }

    #[test]
    fn an_answer_is_a_word_and_what_follows_it() {
        assert_eq!(text(Answer::Error("unknown event")), r#"["error","unknown event"]"#);
        let answered =
            |values: &[i64]| Some(Args(values.iter().copied().map(Value::from).collect()));
        assert_eq!(text(Answer::of_many(vec![])), r#"["ok",[]]"#);
        assert_eq!(
            text(Answer::of_many(vec![answered(&[2, 3]), answered(&[])])),
            r#"["ok",[2,null]]"#
        );
        assert_eq!(text(Answer::of_many(vec![None, answered(&[2])])), r#"["timeout",[2]]"#);
        assert_eq!(text(Answer::of_one(answered(&[2, 3]))), r#"["ok",2,3]"#);
        assert_eq!(text(Answer::of_one(None)), r#"["timeout"]"#);
    }
}
