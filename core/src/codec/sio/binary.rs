//! Binary attachments: taken out of payloads, and put back (`SIO-ENC-05`, `SIO-ENC-09`).

use alloc::vec::Vec;

use bytes::Bytes;

use super::decode::DecodeError;
use crate::value::{Number, Object, Value};

/// Appends the bytes of a value in the order in which they are written: depth first
/// (`SIO-ENC-05`). Nothing is copied.
pub(super) fn collect(value: &Value, attachments: &mut Vec<Bytes>) {
    match value {
        Value::Binary(data) => attachments.push(data.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, attachments)),
        Value::Object(object) => object.iter().for_each(|(_, value)| collect(value, attachments)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Puts attachments in the place of their placeholders. One may be referenced twice or never.
///
/// A fractional number is in range but names no attachment; JavaScript then has `undefined`, which
/// is `null` here (`SIO-ENC-09`).
pub(super) fn substitute(value: &mut Value, attachments: &[Bytes]) -> Result<(), DecodeError> {
    match value {
        Value::Object(object) => match placeholder(object, attachments)? {
            Some(found) => *value = found,
            None => {
                for member in object.values_mut() {
                    substitute(member, attachments)?;
                }
            }
        },
        Value::Array(items) => {
            for item in items {
                substitute(item, attachments)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Binary(_) => {}
    }
    Ok(())
}

/// What an object stands for, when it is a placeholder.
fn placeholder(object: &Object, attachments: &[Bytes]) -> Result<Option<Value>, DecodeError> {
    if object.get("_placeholder").and_then(Value::as_bool) != Some(true) {
        return Ok(None);
    }
    let Some(Value::Number(num)) = object.get("num") else {
        return Err(DecodeError::IllegalPlaceholder);
    };
    let found = match *num {
        Number::Int(index) => usize::try_from(index).ok().and_then(|index| attachments.get(index)),
        #[expect(clippy::cast_precision_loss, reason = "there are never 2^53 attachments")]
        Number::Float(index) if (0.0..attachments.len() as f64).contains(&index) => {
            return Ok(Some(Value::Null));
        }
        Number::Float(_) => None,
    };
    found.map(|data| Some(Value::Binary(data.clone()))).ok_or(DecodeError::IllegalPlaceholder)
}
