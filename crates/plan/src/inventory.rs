//! What belongs to an agent, as its status lists it: everything a deletion will need when the spec is gone.

use fargateer_api::AgentDeploymentStatus;
use fargateer_api::status::Inventory;
use jiff::Timestamp;

use crate::desired::{Departure, Desired, Wanted};
use crate::pass::Pass;
use crate::tags;

/// The inventory after `pass`, given the `previous` status.
pub fn after(pass: &Pass, previous: &AgentDeploymentStatus, now: Timestamp) -> Inventory {
    match &pass.desired {
        Desired::Present(wanted) => staying(wanted, pass, previous),
        Desired::Absent(departure, _) => leaving(departure, &previous.inventory, now),
        Desired::Unclear(..) => previous.inventory.clone(),
    }
}

fn staying(wanted: &Wanted, pass: &Pass, previous: &AgentDeploymentStatus) -> Inventory {
    let mut inventory = wanted.inventory();
    inventory.specified_in.clone_from(&pass.source.location);
    inventory.arns.clone_from(&previous.inventory.arns);
    let live = pass.observed.service.present().filter(|live| live.tags().contains_key(tags::OWNER));
    inventory.arns.extend(live.map(|live| ("service".to_owned(), live.arn().to_owned())));
    inventory.arns.extend(pass.plan.revision.clone().map(|arn| ("taskDefinition".to_owned(), arn)));
    // A wish to hand the agent back is of the wording it was made for.
    let same = previous.observed_generation.as_ref() == Some(&wanted.generation);
    inventory.release = previous.inventory.release.clone().filter(|_| same);
    inventory
}

fn leaving(departure: &Departure, previous: &Inventory, now: Timestamp) -> Inventory {
    let since = previous.leaving_since.clone().unwrap_or_else(|| now.to_string());
    let leaving_since = departure.held.is_none().then_some(since);
    Inventory { release: departure.inventory.release.clone(), leaving_since, ..previous.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargateer_api::{Key, Reason};

    #[test]
    fn an_agent_that_leaves_keeps_what_is_known_of_it_and_since_when_it_leaves() {
        let previous = Inventory { service: "bot".to_owned(), ..Inventory::default() };
        let now: Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-07-01T13:00:00Z".parse().unwrap();
        let mut departure = Departure { key: Key::new("bot"), inventory: previous.clone(), held: None };
        let first = leaving(&departure, &previous, now);
        assert_eq!((first.service.as_str(), first.leaving_since.as_deref()), ("bot", Some("2026-07-01T12:00:00Z")));
        assert_eq!(leaving(&departure, &first, later), first);
        departure.held = Some((Reason::PruneBlocked, String::new()));
        assert_eq!(leaving(&departure, &first, later).leaving_since, None, "its time begins when it may go");
    }
}
