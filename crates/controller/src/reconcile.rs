//! The central function: one pass over one agent. Look, decide, act, explain - each has its one home elsewhere.

use std::sync::Arc;

use fargateer_api::seeded::{Bug, has};
use fargateer_api::status::Stage;
use fargateer_api::{Key, Reason};
use fargateer_plan::action::Action;
use fargateer_plan::desired::{Desired, Place};
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::pass::{Pass, Step};
use fargateer_plan::status;

use crate::board::Board;
use crate::fleet::Fleet;
use crate::next::Next;
use crate::port::{Clock, Cloud, Lease};

/// Brings agents closer to their specs.
pub struct Reconciler {
    /// The specs.
    pub fleet: Arc<Fleet>,
    /// AWS.
    pub cloud: Arc<dyn Cloud>,
    /// The statuses.
    pub board: Arc<Board>,
    /// The right to write.
    pub lease: Arc<dyn Lease>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Reconciler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reconciler").finish_non_exhaustive()
    }
}

impl Reconciler {
    /// Brings one AgentDeployment one pass closer to its spec, and says when to look again.
    ///
    /// Given only a key: why we were woken never changes what we do. A spec that is gone is a desire like any other,
    /// so creating, repairing and deleting are one path - there is no second one to rot.
    pub async fn reconcile(&self, key: &Key) -> Next {
        let mut pass = self.fleet.pass(key, self.clock.now());
        let result = self.converge(&mut pass).await;
        if !self.lease.holds(key) {
            return Next::Yield;
        }
        let status = status::report(&pass, &result, &self.board.status(key), self.clock.now());
        self.board.publish(key, &status).await;
        Next::after(&status)
    }

    /// Looks, decides and acts until nothing more can be done right now. Never waits for a rollout.
    async fn converge(&self, pass: &mut Pass) -> Result<(), Failure> {
        let place = pass.place();
        loop {
            match pass.decide()? {
                Step::Look(looks) => pass.see(self.cloud.look(&place, &looks).await),
                Step::Act(actions) => {
                    self.write_down(pass).await?;
                    for action in actions {
                        self.carry_out(pass, &place, action).await?;
                    }
                }
                Step::Ask => self.fleet.give_turn(pass, self.clock.now()),
                Step::Rest => return Ok(()),
            }
        }
    }

    async fn carry_out(&self, pass: &mut Pass, place: &Place, action: Action) -> Result<(), Failure> {
        self.may_write(pass)?;
        let done = self.cloud.act(place, &action).await?;
        pass.did(action, done);
        Ok(())
    }

    /// Before anything of an agent is made, what its deletion will need is kept: were this process to die in between and
    /// the spec to vanish, nobody would know of what was made, and its tasks would run for ever. Nor would whoever comes after
    /// us know that it was let roll.
    async fn write_down(&self, pass: &Pass) -> Result<(), Failure> {
        let known = self.board.status(&pass.key);
        let rolls = known.turn.as_ref().is_some_and(|turn| turn.stage == Stage::Rolling);
        let noted = !known.inventory.is_empty() && (rolls || !pass.let_roll);
        if noted || !matches!(pass.desired, Desired::Present(_)) || has(Bug::MakesBeforeItNotes) {
            return Ok(());
        }
        self.may_write(pass)?;
        let status = status::report(pass, &Ok(()), &known, self.clock.now());
        self.board.keep(&pass.key, &status).await.map_err(|error| {
            let message = format!("the status cannot be kept, and nothing is made before it is: {error}");
            refused(Class::Transient, Reason::Unavailable, "status", "NotKept", &message)
        })
    }

    /// Whether a write may start now: we hold the lease, and nobody changed their mind since the pass began.
    fn may_write(&self, pass: &Pass) -> Result<(), Failure> {
        if !self.lease.holds(&pass.key) {
            let message = "another replica took this agent over";
            return Err(refused(Class::Transient, Reason::Unavailable, "lease", "LeaseLost", message));
        }
        if !self.fleet.still_wants(pass) {
            // Whoever changed it has woken the agent again: the next pass follows at once.
            let message = "the spec changed in the middle of a pass; the newest one is brought about next";
            return Err(refused(Class::Conflict, Reason::Applying, "spec", "Superseded", message));
        }
        Ok(())
    }
}

/// A write that may not start, and why.
fn refused(class: Class, reason: Reason, operation: &str, code: &str, message: &str) -> Failure {
    let (operation, code, message) = (operation.to_owned(), code.to_owned(), message.to_owned());
    Failure { class, reason, operation, code, message }
}

/// Looks until a decision can be taken, and acts on nothing: what `fargateer plan` and `diff` show.
pub async fn survey(cloud: &dyn Cloud, pass: &mut Pass) -> Result<(), Failure> {
    let place = pass.place();
    while let Step::Look(looks) = pass.decide()? {
        pass.see(cloud.look(&place, &looks).await);
    }
    Ok(())
}
