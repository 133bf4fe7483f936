//! Breaks things, and mends them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use smol_str::{SmolStr, format_smolstr};

use super::world::World;
use crate::history::What;
use crate::net::clock::nanos;
use crate::net::switchboard::{Effect, Touched};
use crate::plan::{ClientId, Direction, Fault, Step};

/// Who writes the events of faults.
const NET: SmolStr = SmolStr::new_static("net");

/// A fault that is at work.
#[derive(Clone, Debug)]
struct AtWork {
    id: u32,
    label: Option<String>,
    step: u32,
    fault: Fault,
    touched: Touched,
    mends_itself: bool,
}

/// The faults that are at work, in the order in which they began.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    active: RefCell<Vec<AtWork>>,
    next: Cell<u32>,
}

impl Faults {
    /// Whether something is broken.
    pub(super) fn any(&self) -> bool {
        !self.active.borrow().is_empty()
    }

    /// Whether something is broken that mends itself.
    pub(super) fn any_mends_itself(&self) -> bool {
        self.active.borrow().iter().any(|fault| fault.mends_itself)
    }
}

impl World {
    /// Breaks something, for a while or until it is mended.
    pub(super) fn break_something(
        self: &Rc<Self>,
        step: &Step,
        fault: &Fault,
        lasts: Option<Duration>,
    ) {
        let id = self.faults.next.replace(self.faults.next.get() + 1);
        let who = self.victims(fault);
        let is_of_clients =
            !matches!(fault, Fault::Partition { .. } | Fault::Hold { .. } | Fault::Crash);
        let named = who.iter().filter(|_| is_of_clients);
        let clients = named.filter_map(|client| self.recorder.name(*client).cloned()).collect();
        let what = What::Fault { id, what: in_words(fault), clients };
        self.recorder.write(NET, what, None, Some(step.id.0));
        let touched = Touched::default();
        let at_work = AtWork {
            id,
            label: step.label.clone(),
            step: step.id.0,
            fault: fault.clone(),
            touched: touched.clone(),
            mends_itself: lasts.is_some(),
        };
        match fault {
            Fault::Cut { .. } => {
                touched.set(who.iter().map(|client| self.board.reset(*client)).sum());
                return self.healed(&at_work);
            }
            Fault::HalfClose { .. } => {
                touched.set(who.iter().map(|client| self.board.half_close(*client)).sum());
                return self.healed(&at_work);
            }
            Fault::Crash => {
                touched.set(self.board.connections());
                self.board.set_down(Some(touched));
                self.seat.died();
                self.stage.crash();
            }
            Fault::Partition { rack } => self.stage.partition(*rack, true),
            Fault::Hold { rack } => self.stage.hold(*rack, true),
            Fault::Stall { .. }
            | Fault::BlackHole { .. }
            | Fault::Delay { .. }
            | Fault::Chop { .. }
            | Fault::Refuse { .. } => {}
        }
        if let Some(effect) = effect(fault) {
            self.board.add(id, &who, effect, &at_work.touched);
        }
        self.faults.active.borrow_mut().push(at_work);
        self.recorder.set_troubled(true);
        if let Some(lasts) = lasts {
            self.mend_later(id, lasts);
        }
    }

    fn mend_later(self: &Rc<Self>, id: u32, lasts: Duration) {
        let this = self.clone();
        let at = self.now().saturating_add(nanos(lasts));
        let mend = async move {
            this.recorder.clock().sleep_until(at).await;
            this.mend(|fault| fault.id == id);
        };
        tokio::task::spawn_local(self.recorder.guard("a fault", mend));
    }

    /// Mends the fault of a step, or all.
    pub(super) fn heal(&self, label: Option<&str>) {
        self.mend(|fault| label.is_none() || fault.label.as_deref() == label);
    }

    fn mend(&self, is_meant: impl Fn(&AtWork) -> bool) {
        let (mended, left): (Vec<AtWork>, Vec<AtWork>) =
            self.faults.active.take().into_iter().partition(is_meant);
        let troubled = !left.is_empty();
        *self.faults.active.borrow_mut() = left;
        for fault in &mended {
            self.board.remove(fault.id);
            match fault.fault {
                Fault::Crash => {
                    self.board.set_down(None);
                    self.stage.restart();
                }
                Fault::Partition { rack } => self.stage.partition(rack, false),
                Fault::Hold { rack } => self.stage.hold(rack, false),
                Fault::Cut { .. }
                | Fault::HalfClose { .. }
                | Fault::Stall { .. }
                | Fault::BlackHole { .. }
                | Fault::Delay { .. }
                | Fault::Chop { .. }
                | Fault::Refuse { .. } => {}
            }
            self.healed(fault);
        }
        // Nobody comes back to a server that has closed its door.
        let closed = self.seat.host().is_some_and(|host| host.is_closed());
        self.recorder.set_troubled(troubled || closed);
    }

    fn healed(&self, fault: &AtWork) {
        let what = What::Healed { id: fault.id, touched: fault.touched.get() };
        self.recorder.write(NET, what, None, Some(fault.step));
    }

    /// Whose connections a fault is about.
    fn victims(&self, fault: &Fault) -> Vec<u32> {
        let numbers = |who: &[ClientId]| who.iter().map(|client| client.0).collect();
        match fault {
            Fault::Cut { who }
            | Fault::HalfClose { who }
            | Fault::Stall { who, .. }
            | Fault::BlackHole { who, .. }
            | Fault::Delay { who, .. }
            | Fault::Chop { who, .. }
            | Fault::Refuse { who } => numbers(who),
            Fault::Partition { rack } | Fault::Hold { rack } => self.board.rack(*rack),
            Fault::Crash => Vec::new(),
        }
    }
}

fn effect(fault: &Fault) -> Option<Effect> {
    match fault {
        Fault::Stall { direction, .. } => Some(Effect::Stall(*direction)),
        Fault::BlackHole { direction, .. } => Some(Effect::BlackHole(*direction)),
        Fault::Delay { by, .. } => Some(Effect::Delay(nanos(by.0), nanos(by.1))),
        Fault::Chop { bytes, .. } => Some(Effect::Chop((*bytes).max(1))),
        Fault::Refuse { .. } => Some(Effect::Refuse),
        Fault::Partition { .. } => Some(Effect::Partition),
        Fault::Hold { .. } => Some(Effect::Hold),
        Fault::Cut { .. } | Fault::HalfClose { .. } | Fault::Crash => None,
    }
}

/// A fault in words of the file.
fn in_words(fault: &Fault) -> SmolStr {
    let way = |direction: Direction| match direction {
        Direction::Down => "down",
        Direction::Up => "up",
        Direction::Both => "both",
    };
    match fault {
        Fault::Cut { .. } => "cut".into(),
        Fault::HalfClose { .. } => "half-close".into(),
        Fault::Stall { direction, .. } => format_smolstr!("stall {}", way(*direction)),
        Fault::BlackHole { direction, .. } => format_smolstr!("black-hole {}", way(*direction)),
        Fault::Delay { by: (least, most), .. } if least == most => {
            format_smolstr!("delay {least:?}")
        }
        Fault::Delay { by: (least, most), .. } => format_smolstr!("delay {least:?}..{most:?}"),
        Fault::Chop { bytes, .. } => format_smolstr!("chop {bytes}"),
        Fault::Refuse { .. } => "refuse".into(),
        Fault::Partition { rack } => format_smolstr!("partition rack {}", u32::from(*rack) + 1),
        Fault::Hold { rack } => format_smolstr!("hold rack {}", u32::from(*rack) + 1),
        Fault::Crash => "crash".into(),
    }
}
