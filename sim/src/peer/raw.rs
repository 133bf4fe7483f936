//! A hostile or hand-operated peer.

use crate::plan::Raw;
use crate::run::world::World;

impl World {
    pub(crate) async fn raw(&self, _: u32, _: &Raw) {}
}
