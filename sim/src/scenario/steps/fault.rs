//! Readers for steps that break something.

use super::Steps;
use super::words::DIRECTIONS;
use crate::diagnostic::Diagnostic;
use crate::plan::{Action, Direction, Fault};
use crate::scenario::codes;
use crate::scenario::fields::Fields;

impl Steps<'_> {
    pub(super) fn fault(&mut self, name: &str, fields: &Fields<'_>) -> Option<Action> {
        let fault = match name {
            "partition" | "hold" => {
                let rack = self.rack(fields)?;
                if name == "hold" { Fault::Hold { rack } } else { Fault::Partition { rack } }
            }
            "crash" => Fault::Crash,
            _ => self.fault_of_clients(name, fields)?,
        };
        let key = if name == "crash" { "restart" } else { "for" };
        let lasts = self.time(fields, key)?;
        Some(Action::Fault { fault, lasts })
    }

    fn fault_of_clients(&mut self, name: &str, fields: &Fields<'_>) -> Option<Fault> {
        let who = self.who(fields, "who");
        let direction = match fields.get("direction") {
            Some(node) => self.cx.word(node, "`direction`", &DIRECTIONS),
            None => Some(Direction::Both),
        };
        Some(match name {
            "cut" => Fault::Cut { who: who? },
            "half-close" => Fault::HalfClose { who: who? },
            "stall" => Fault::Stall { who: who?, direction: direction? },
            "black-hole" => Fault::BlackHole { who: who?, direction: direction? },
            "delay" => {
                let by = fields.need(self.cx, "by")?;
                let by = self.cx.some_range(by, "`by`")?;
                Fault::Delay { who: who?, by }
            }
            "chop" => {
                let bytes = fields.need(self.cx, "bytes")?;
                let bytes = self.cx.integer(bytes, "`bytes`", 1..=65_536)?;
                Fault::Chop { who: who?, bytes }
            }
            "refuse" => Fault::Refuse { who: who? },
            _ => return None,
        })
    }

    /// A rack, from 0.
    fn rack(&mut self, fields: &Fields<'_>) -> Option<u8> {
        let node = fields.need(self.cx, "rack")?;
        let rack: u8 = self.cx.integer(node, "`rack`", 1..=8)?;
        if rack > self.racks {
            let title = format!("there is no rack {rack}");
            let label = match self.racks {
                1 => "there is one rack".to_owned(),
                racks => format!("there are {racks} racks"),
            };
            let error = Diagnostic::error(codes::RANGE, title, &node.span, label);
            self.cx.report(error.help(format!("add `racks: {rack}` to the scenario")));
            return None;
        }
        let rack = rack - 1;
        if self.racks > 1 && !self.clients.all.iter().any(|client| client.rack == Some(rack)) {
            let title = format!("no client is certain to sit on rack {}", rack + 1);
            let label = "may break nothing";
            let warning = Diagnostic::warning(codes::IDLE_FAULT, title, &node.span, label);
            let help = format!("place a client there: `rack: {}`", rack + 1);
            self.cx.report(warning.help(help));
        }
        Some(rack)
    }
}
