//! Polling wrapped in JavaScript, for browsers that could do nothing else (`EIO-POLL-11`).

use alloc::string::String;

use bytestring::ByteString;

use crate::codec::sio::json;
use crate::limits::MAX_FORM_PAIRS;

/// The answer to a request whose query says `j=<index>`: a call of `___eio[<index>]` with the
/// payload as its argument. Characters of `index` that are no digits are left out.
///
/// U+2028 and U+2029 are legal in JSON, but end the line in old JavaScript.
#[must_use]
pub fn response(index: &str, payload: &str) -> String {
    let mut out = String::with_capacity(payload.len() + payload.len() / 8 + 32);
    out.push_str("___eio[");
    out.extend(index.chars().filter(char::is_ascii_digit));
    out.push_str("](");
    let start = out.len();
    out = json::push_string(out, payload);
    if out[start..].contains(['\u{2028}', '\u{2029}']) {
        let escaped = out[start..].replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
        out.truncate(start);
        out.push_str(&escaped);
    }
    out.push_str(");");
    out
}

/// The payload in the body of a request: its form field `d`, with newlines un-escaped.
///
/// Nothing when there is no such field, or more than one; the reference then ignores the request.
#[must_use]
pub fn body(form: &[u8]) -> Option<ByteString> {
    let pairs = form.split(|byte| *byte == b'&').take(MAX_FORM_PAIRS);
    let mut fields = pairs.flat_map(form_urlencoded::parse).filter(|(name, _)| name == "d");
    let (_, field) = fields.next()?;
    if fields.next().is_some() {
        return None;
    }
    Some(unescape_newlines(&field).into())
}

/// `\n` (two characters) stands for a newline, `\\n` (three) for `\n`.
fn unescape_newlines(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut rest = field;
    while let Some(at) = rest.find('\\') {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        if let Some(after) = tail.strip_prefix("\\\\n") {
            out.push_str("\\n");
            rest = after;
        } else if let Some(after) = tail.strip_prefix("\\n") {
            out.push('\n');
            rest = after;
        } else {
            out.push('\\');
            rest = &tail[1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `EIO-POLL-11`.
    #[test]
    fn response_calls_the_clients_function_with_a_javascript_string() {
        assert_eq!(response("0", "4hi"), r#"___eio[0]("4hi");"#);
        assert_eq!(response("1a2);alert(", "6"), r#"___eio[12]("6");"#);
        assert_eq!(
            response("3", "4a\u{2028}\u{2029}\u{1e}4\"\\"),
            "___eio[3](\"4a\\u2028\\u2029\\u001e4\\\"\\\\\");"
        );
    }

    /// `EIO-POLL-11`.
    #[test]
    fn body_is_the_only_field_d_with_newlines_unescaped() {
        let body = |form: &str| body(form.as_bytes()).map(String::from);
        assert_eq!(body("d=4hi%1E2").as_deref(), Some("4hi\u{1e}2"));
        assert_eq!(body("x=1&d=4a+b").as_deref(), Some("4a b"));
        assert_eq!(body(r"d=a\nb").as_deref(), Some("a\nb"));
        assert_eq!(body(r"d=a\\nb").as_deref(), Some(r"a\nb"));
        assert_eq!(body(r"d=a\\\nb").as_deref(), Some(r"a\\nb"));
        assert_eq!(body(r"d=a\b\\").as_deref(), Some(r"a\b\\"));
        assert_eq!(body("d=1&d=2"), None);
        assert_eq!(body("e=1"), None);
        assert_eq!(body(""), None);
        for empty in ["&", "a&", "=&"] {
            let field_after = |pairs: usize| body(&(empty.repeat(pairs) + "d=1"));
            assert_eq!(field_after(MAX_FORM_PAIRS - 1).as_deref(), Some("1"));
            assert_eq!(field_after(MAX_FORM_PAIRS), None);
        }
    }
}
