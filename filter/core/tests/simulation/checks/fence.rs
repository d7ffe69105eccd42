//! Nothing ever reaches a region outside its rule's fence, nor one that the failover of the region it asked for leaves out: not when
//! everything inside is lost, not when the client writes a plan of its own. No bound: never.

use super::{Check, Seen};
use crate::mesh::Mesh;
use crate::request::Wish;
use crate::story::Fact;

pub(crate) struct Fence;

impl Check for Fence {
    fn name(&self) -> &'static str {
        "fence"
    }

    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen {
        let Fact::Tried { request, region } = fact else { return Seen::Nothing };
        let ask = &mesh.requests[*request].ask;
        let mut inside = mesh.sketch.inside(ask.rule);
        if let Wish::Region(wanted, _) = &ask.wish
            && inside.contains(wanted)
            && ask.forged.is_none()
        {
            inside = mesh.sketch.order(ask.rule, *wanted);
        }
        Seen::unless(!inside.contains(region), || {
            format!("request #{request} reached r{region}, and may reach {inside:?}")
        })
    }
}
