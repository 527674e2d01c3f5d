//! Who is woken because of others: those that depend on an agent, and those it takes turns with. Nobody waits for a sweep.

use fargateer_api::Key;
use fargateer_plan::policy::Policy;

use crate::controller::Controller;
use crate::next::Next;
use crate::queue::Wake;

impl Controller {
    /// Tells those whom it concerns how `key` is after a pass.
    pub(crate) fn tell_others(&self, key: &Key, next: Next) {
        let (fleet, board) = (&self.reconciler.fleet, &self.reconciler.board);
        let status = (!matches!(next, Next::Yield | Next::Forget)).then(|| board.status(key));
        for other in fleet.note(key, status.as_deref()) {
            self.queue.wake(&other, Wake::Dependency);
        }
    }

    /// From now on this policy rules; everybody is looked at again.
    pub fn govern(&self, policy: Policy) {
        self.reconciler.fleet.govern(policy);
        self.queue.weigh(self.reconciler.fleet.weights());
        for key in self.reconciler.fleet.keys() {
            self.queue.wake(&key, Wake::Input);
        }
    }

    /// Wakes those that wait for an agent of another replica, whose statuses were read.
    pub(crate) fn wake_dependents(&self, others: impl Fn(&Key) -> bool) {
        let fleet = &self.reconciler.fleet;
        for key in fleet.keys().iter().filter(|key| others(key)) {
            for other in fleet.dependents_of_ready(key) {
                self.queue.wake(&other, Wake::Dependency);
            }
        }
    }
}
