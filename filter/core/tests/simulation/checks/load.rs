//! What still works is not overrun: in every five seconds the sites that nothing is wrong with get at most 1.2 times the requests that
//! came or were waiting. A request that one of them answers is not sent again, so a lost region moves load and makes none. And nobody
//! tries more often than the rescue says.

use super::{Check, Seen};
use crate::fault::{Condition, condition};
use crate::mesh::Mesh;
use crate::sketch::Sketch;
use crate::story::Fact;

const WINDOW: u64 = 5_000;
/// A few more, so that a window with next to nothing in it can be judged.
const FEW: u64 = 5;

#[derive(Clone, Copy, Default)]
struct Count {
    came: u64,
    reached: u64,
}

pub(crate) struct Load {
    window: u64,
    services: Vec<Count>,
}

impl Load {
    pub(crate) fn new(sketch: &Sketch) -> Self {
        Self { window: 0, services: vec![Count::default(); sketch.services] }
    }

    fn next_window(&mut self, mesh: &Mesh) -> Seen {
        let over = std::mem::replace(&mut self.services, vec![Count::default(); mesh.sketch.services]);
        self.window = mesh.now / WINDOW;
        for open in mesh.open.iter().flatten() {
            self.services[mesh.requests[*open].ask.service].came += 1;
        }
        let worst = over.iter().enumerate().find(|(_, count)| count.reached * 10 > count.came * 12 + FEW * 10);
        match worst {
            Some((service, count)) => {
                Seen::Broken(format!("{} requests for s{service} became {} at sound sites", count.came, count.reached))
            }
            None => Seen::Held,
        }
    }
}

impl Check for Load {
    fn name(&self) -> &'static str {
        "load"
    }

    fn see(&mut self, mesh: &Mesh, fact: &Fact) -> Seen {
        let seen = if mesh.now / WINDOW == self.window { Seen::Nothing } else { self.next_window(mesh) };
        match fact {
            // One that is new in the first moment of a window is open already.
            Fact::Sent { request } if !matches!(seen, Seen::Held) => {
                self.services[mesh.requests[*request].ask.service].came += 1
            }
            Fact::Tried { request, region } => {
                let this = &mesh.requests[*request];
                let (service, rule) = (this.ask.service, &mesh.sketch.rules[this.ask.rule]);
                let most = 1 + rule
                    .rescue
                    .map_or(0, |rescue| rescue.attempts)
                    .max(mesh.sketch.gateways[this.gateway].own_retries);
                if this.tries.len() > most as usize {
                    return Seen::Broken(format!(
                        "request #{request} is tried the {}th time, and may be {most} times",
                        this.tries.len()
                    ));
                }
                if condition(&mesh.faults, this.gateway, service, *region, mesh.now) == Condition::Fine {
                    self.services[service].reached += 1;
                }
            }
            _ => {}
        }
        seen
    }
}
