//! All arguments of an event or of an ack, for a host whose library reads them with serde.

use core::fmt;

use alloc::vec::Vec;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple as _, Serializer};

use crate::value::Value;

/// Arguments as a tuple, whose length nobody knows: libraries that take a sequence for one argument
/// take a tuple for all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Args(pub Vec<Value>);

impl Serialize for Args {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|value| tuple.serialize_element(value))?;
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(0, ArgsVisitor)
    }
}

struct ArgsVisitor;

impl<'de> Visitor<'de> for ArgsVisitor {
    type Value = Args;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Args, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Args)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn any_number_of_arguments_is_read_and_written() {
        for text in ["[]", "[null]", r#"["tea",{"to":["a","b"]},[1,2.5,true]]"#] {
            let args: Args = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&args).unwrap(), text);
        }
        assert_eq!(serde_json::from_str::<Args>("[1]").unwrap(), Args(vec![Value::from(1)]));
        assert!(serde_json::from_str::<Args>("{}").is_err());
    }
}
