//! Bugs planted on purpose, one of each class that operators are known for: the simulation must find every one of them,
//! or it proves nothing. Only a build with the feature `seeded-bugs` has them; in any other build `has` is constantly false
//! and the compiler leaves them out.

use serde::{Deserialize, Serialize};

macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// A planted bug.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Bug {
            $($(#[$doc])* $name,)*
        }

        impl Bug {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

bugs! {
    /// A revision is registered without a look for one that fits.
    RegisterWithoutFind,
    /// A source that shows nothing is believed.
    EmptySourceDeletes,
    /// A spec that can't be read counts as deleted.
    GarbledIsDeleted,
    /// Live state is compared without the defaults AWS fills.
    DefaultsDiffer,
    /// All settings are sent with every update.
    UpdatesEverything,
    /// A read that can't know yet what was just done is trusted.
    TrustsStaleReads,
    /// Ready is told while the rollout is under way.
    ReadyTooSoon,
    /// Ready is told although scaling has just moved the count.
    ReadyWhileScaling,
    /// One answer MISSING is enough to forget an agent.
    MissingIsGone,
    /// Only the first page of a list is read.
    FirstPageOnly,
    /// The count is sent although an autoscaler owns it.
    FightsTheAutoscaler,
    /// Ownership is not looked at.
    TouchesForeign,
    /// The owner tag is left out at creation.
    ForgetsTheOwner,
    /// Old revisions are deregistered although a service runs them.
    DeregistersInUse,
    /// Log groups go with their agent, whatever the spec says.
    DeletesData,
    /// A revision that was rolled back is tried again and again.
    RetriesRejected,
    /// What was denied once is never tried again.
    NeverAgain,
    /// A status quotes an environment value.
    SecretInStatus,
    /// A log line quotes a request.
    SecretInLog,
    /// A replica writes for as long as it believes nobody took over.
    LeaseWithoutMargin,
    /// A replica gives agents away while it works on them.
    GivesAwayWhileBusy,
    /// A replica that took agents over does not read what was known of them.
    TakesOverBlindly,
    /// An answer that can't be read ends in a panic.
    PanicsOnOddAnswers,
    /// An answer that can't be read counts as a refusal for good.
    BrokenAnswerIsFinal,
    /// What was read of the log group long ago is good enough for a rollout.
    BelievesForEver,
    /// What does not get on is looked at every few seconds for ever.
    PollsForEver,
    /// A write that failed is sent again without another look.
    RetriesBlindly,
    /// Every pass leaves a task behind.
    LeaksTasks,
    /// Policies are named anew with every change.
    DoublesPolicies,
    /// A pass that panics takes its worker with it.
    PoisonSpreads,
    /// What is to be deleted is known in memory alone.
    ForgetsInventory,
    /// Something is made before what its deletion needs is written down.
    MakesBeforeItNotes,
    /// Of two sources that speak of the same agent, the second one is followed.
    FollowsTheNewcomer,
    /// What one source lost is deleted although another one was not read since.
    OneSourceIsEnough,
    /// What was gone is deleted although the source can't be read any more.
    DeletesUnread,
    /// A status that could not be written into its row is not written later.
    TellsRowsOnce,
    /// Rollouts may stop all old tasks first.
    DropsCapacity,
}

/// Whether `bug` is planted in this thread.
#[cfg(not(feature = "seeded-bugs"))]
#[inline]
pub const fn has(_bug: Bug) -> bool {
    false
}

#[cfg(feature = "seeded-bugs")]
pub use planted::{has, plant};

#[cfg(feature = "seeded-bugs")]
mod planted {
    use super::Bug;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Whether `bug` is planted in this thread.
    pub fn has(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// Plants `bug` in this thread, and takes out any other.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }
}
