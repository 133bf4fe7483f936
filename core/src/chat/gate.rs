//! Who may enter a namespace of the chat.

use alloc::borrow::ToOwned;
use alloc::string::String;

use crate::server::Verdict;
use crate::time::Duration;
use crate::value::{Object, Value};

/// Who may enter a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// The token that it wants in the auth payload, as `{"token": "..."}`. Default: anybody is let
    /// in.
    pub token: Option<String>,
    /// How many sockets may be connected at a time. Default: no limit.
    pub seats: Option<usize>,
    /// How long the check of a token takes. Default: none.
    pub auth_delay: Duration,
}

impl Gate {
    /// Whether the application is asked about each socket.
    pub(super) const fn is_watched(&self) -> bool {
        self.token.is_some() || !self.auth_delay.is_zero()
    }

    fn knows(&self, auth: &Object) -> bool {
        self.token.is_none() || auth.get("token").and_then(Value::as_str) == self.token.as_deref()
    }

    /// What the middleware says; the seats are the server's to count.
    pub(super) fn verdict(&self, auth: &Object) -> Verdict {
        if self.knows(auth) {
            return Verdict::Allow;
        }
        let data: Object = [("code", "unauthorized")].into_iter().collect();
        Verdict::Refuse { message: "not authorized".into(), data: Some(data.into()) }
    }

    /// Checks a socket that asks to be let in while `taken` others are connected: for a server that
    /// does not count seats itself.
    ///
    /// # Errors
    /// Why it is not, as it is told.
    pub fn check(&self, auth: &Object, taken: usize) -> Result<(), &'static str> {
        if !self.knows(auth) {
            Err("not authorized")
        } else if self.seats.is_some_and(|seats| taken >= seats) {
            Err("namespace is full")
        } else {
            Ok(())
        }
    }

    /// Reads what the option `namespaces` says of one: `token`, `seats`, and `auth-delay` in whole
    /// milliseconds, of which all may be missing.
    ///
    /// # Errors
    /// The member that is not known, or is of another type.
    pub fn read(members: &Object) -> Result<Self, String> {
        let mut gate = Self::default();
        for (name, value) in members.iter() {
            let whole = || value.as_int().and_then(|int| u64::try_from(int).ok());
            let is_read = match name {
                "token" => {
                    gate.token = value.as_str().map(ToOwned::to_owned);
                    gate.token.is_some()
                }
                "seats" => {
                    gate.seats = whole().and_then(|seats| usize::try_from(seats).ok());
                    gate.seats.is_some()
                }
                "auth-delay" => {
                    gate.auth_delay = Duration::from_millis(whole().unwrap_or(0));
                    whole().is_some()
                }
                _ => false,
            };
            if !is_read {
                return Err(name.to_owned());
            }
        }
        Ok(gate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn who_has_no_token_does_not_learn_whether_there_are_seats() {
        let gate = Gate::read(&object(r#"{"token":"t","seats":1,"auth-delay":50}"#)).unwrap();
        assert_eq!(gate.auth_delay, Duration::from_millis(50));
        let (stranger, member) = (object(r#"{"token":1}"#), object(r#"{"token":"t"}"#));
        assert_eq!(gate.check(&stranger, 1), Err("not authorized"));
        assert_eq!(gate.check(&member, 1), Err("namespace is full"));
        assert_eq!(gate.check(&member, 0), Ok(()));
        assert_eq!(Gate::read(&object("{}")).unwrap().check(&stranger, 1000), Ok(()));
    }

    #[test]
    fn what_a_gate_does_not_know_is_named() {
        for (text, name) in
            [(r#"{"color":1}"#, "color"), (r#"{"seats":-1}"#, "seats"), (r#"{"token":1}"#, "token")]
        {
            assert_eq!(Gate::read(&object(text)), Err(name.to_owned()));
        }
    }
}
