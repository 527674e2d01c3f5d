//! A whole scenario as plain data.

use std::path::Path;

use fargateer_api::seeded::Bug;
use fargateer_sim::{Behaviour, FaultKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What people do, what goes wrong, and when.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// What it is about, for people.
    pub name: String,
    /// Seed of everything random that the plan leaves open: jitter, identifiers of AWS, the luck of a spell.
    pub seed: u64,
    /// How many processes run over the same fleet, with leases in DynamoDB. None: one, without.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replicas: usize,
    /// Whether the specs are rows of a table, and statuses told in them. Otherwise they are handed to the process as they are.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rows: bool,
    /// Whether the source speaks by commits: what one of them removes is gone on purpose.
    #[serde(default, skip_serializing_if = "is_false")]
    pub commits: bool,
    /// Whether there is a second source beside the first, which is read more rarely.
    #[serde(default, skip_serializing_if = "is_false")]
    pub beside: bool,
    /// How many agents roll at the same time. None: as many as there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rollouts: Option<u32>,
    /// What people and the world do, in order of time.
    pub steps: Vec<Step>,
    /// What befalls the n-th call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strikes: Vec<Strike>,
    /// What befalls the n-th write to the lease table (F15).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lease_strikes: Vec<Strike>,
    /// What befalls calls for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spells: Vec<Spell>,
    /// What befalls the n-th writing of a status.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slips: Vec<Slip>,
    /// A bug planted in the product: only in builds that have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bug: Option<Bug>,
}

/// Something that happens at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// When: seconds of virtual time since the start.
    pub at: u64,
    /// What.
    pub act: Act,
}

/// What people and the world do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Somebody writes a spec; it replaces the one of the same name.
    Write(Value),
    /// Somebody breaks the spec of an agent: it can be read no more until it is written again (F16).
    Garble(String),
    /// Somebody deletes the spec of an agent.
    Delete(String),
    /// The source can't be read whole (F17), or shows nothing at all though it says it was read.
    Lose(Outage),
    /// The source is as it was.
    Restore,
    /// Somebody changes AWS by hand (F18).
    Meddle(String, Meddling),
    /// Tasks of images that contain the text behave like this from now on (F20).
    Behave(String, Behaviour),
    /// CloudWatch reports this CPU use, in percent, for an agent's service.
    Load(String, u32),
    /// The Spot capacity under an agent's tasks is taken back.
    Interrupt(String),
    /// The process is told to end, and started again (F3).
    Stop,
    /// The process is killed, and started again (F1).
    Kill,
    /// The process and its state folder are lost, and it is started again.
    KillAndForget,
    /// The process does not run for so many seconds, and goes on as if nothing had been (F13).
    Freeze(u64),
    /// The process can't reach the lease table for so many seconds.
    CutOff(u64),
    /// The wall clock of the process is wrong by so many seconds (F14).
    Skew(i64),
    /// Every pass over this agent panics (F22).
    Poison(String),
    /// Somebody deletes the spec of an agent and has it handed back, `fargateer delete --retain`, asking again where nobody answers.
    HandBack(String),
    /// The policy of the default project, or none any more.
    Govern(Option<Value>),
    /// A person asks for another try, `fargateer reconcile --retry`.
    Retry(String),
    /// What befalls the process befalls the one of this number, counted from 0, instead of the first.
    Replica(usize, Box<Act>),
    /// What people do in a source is done in the second one instead of the first.
    Beside(Box<Act>),
}

/// How a source fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outage {
    /// It says that it could not be read.
    Unreadable,
    /// It says that it was read, and there is nothing in it: a wrong checkout, an unmounted folder.
    Empty,
}

/// What somebody changes by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meddling {
    /// The task count.
    Count(u32),
    /// The service runs a revision of their own.
    Revision,
    /// Exec is turned on.
    Exec,
    /// The load balancer is taken away.
    Detach,
    /// The service is deleted.
    DeleteService,
    /// The scalable target is deregistered.
    Deregister,
    /// The scaling range.
    Range(u32, u32),
    /// A scaling policy's target value.
    Policy,
    /// A tag the spec sets is removed.
    Untag,
    /// The owner tag is removed: hands off.
    Disown,
    /// All our tags are removed, as if another tool had made it: hands off.
    Strip,
    /// It is adopted: the owner and agent tags are set.
    Adopt,
    /// Another installation takes it over, by the owner tag: hands off.
    TakeOver,
    /// The log group's retention.
    Retention(u32),
    /// The log group is deleted.
    DeleteLogs,
    /// The revision that runs is deregistered.
    Deregistered,
}

/// Something that befalls one call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Strike {
    /// The number of the call, counted from 1.
    pub call: u64,
    /// What.
    pub blow: Blow,
}

/// What befalls a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blow {
    /// It fails.
    Fault(FaultKind),
    /// The process is killed before the call has an effect.
    CrashBefore,
    /// The process is killed after the call had its effect and before it knows.
    CrashAfter,
    /// The process is told to end while the call is under way.
    Stop,
}

/// Something that befalls calls for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spell {
    /// From when, in seconds of virtual time.
    pub from: u64,
    /// Until when.
    pub until: u64,
    /// How many of a hundred calls it befalls.
    pub percent: u8,
    /// What.
    pub fault: FaultKind,
}

/// Something that befalls the writing of a status (F2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Slip {
    /// The number of the write, counted from 1.
    pub write: u64,
    /// How.
    pub how: Slipping,
}

/// How the writing of a status fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slipping {
    /// The process is killed before it.
    CrashBefore,
    /// The process is killed after it.
    CrashAfter,
    /// It fails and nothing is kept.
    Fails,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Plan {
    /// Reads a plan from a file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The plan on one line, for a shell.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// When the last step is done and the last spell is over, in seconds.
    pub fn end(&self) -> u64 {
        fn lasts(act: &Act) -> u64 {
            match act {
                Act::Freeze(seconds) | Act::CutOff(seconds) => *seconds,
                Act::Replica(_, act) | Act::Beside(act) => lasts(act),
                _ => 0,
            }
        }
        let steps = self.steps.iter().map(|step| step.at + lasts(&step.act));
        steps.chain(self.spells.iter().map(|spell| spell.until)).max().unwrap_or(0)
    }

    /// Whether a read may see the past: only then is the past kept.
    pub(crate) fn looks_back(&self) -> bool {
        let is_stale = |fault: &FaultKind| matches!(fault, FaultKind::Stale(_));
        self.spells.iter().any(|spell| is_stale(&spell.fault))
            || self.strikes.iter().any(|strike| matches!(&strike.blow, Blow::Fault(fault) if is_stale(fault)))
    }

    /// How many different specs are written in it.
    pub(crate) fn wordings(&self) -> u64 {
        fn written(act: &Act) -> Option<String> {
            match act {
                Act::Write(document) => Some(document.to_string()),
                Act::Beside(act) => written(act),
                _ => None,
            }
        }
        let documents = self.steps.iter().filter_map(|step| written(&step.act));
        documents.collect::<std::collections::BTreeSet<String>>().len().try_into().unwrap_or(u64::MAX)
    }

    /// How many processes run.
    pub(crate) fn processes(&self) -> usize {
        self.replicas.max(1)
    }

    /// How many parts it has: what shrinking makes smaller.
    pub fn size(&self) -> usize {
        self.steps.len() + self.strikes.len() + self.lease_strikes.len() + self.spells.len() + self.slips.len()
    }
}
