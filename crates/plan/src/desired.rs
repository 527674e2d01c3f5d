//! All that a spec implies, and what it means when a spec is gone: a desire like any other.

use std::sync::Arc;

use fargateer_api::fault::Violation;
use fargateer_api::freeze::Frozen;
use fargateer_api::spec::Account;
use fargateer_api::status::{ImageStatus, Inventory, Session, SourceStatus};
use fargateer_api::{Generation, Key, Reason};
use serde::{Deserialize, Serialize};

use crate::image::Reference;
use crate::log_group;
use crate::prepared::Prepared;
use crate::tags::{self, Tags};
use crate::turn::Turn;

/// What the sources say about one key.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    /// A good spec. `faults` are those of a newer wording that could not be used.
    Present {
        /// The last good wording.
        agent: Arc<Prepared>,
        /// Where it stands.
        source: SourceStatus,
        /// What is wrong with the newest wording, if anything.
        faults: Vec<String>,
        /// What keeps the newest wording from being followed, where there are faults.
        obstacle: Obstacle,
    },
    /// There never was a usable wording.
    Broken {
        /// Why it is not usable.
        reason: Reason,
        /// What is wrong.
        faults: Vec<String>,
        /// Where it stands.
        source: SourceStatus,
    },
    /// The spec was removed.
    Gone(Box<Departure>),
}

/// What keeps the newest wording of a spec from being followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// It has faults.
    Wording,
    /// The name is used more than once: none of the wordings is followed.
    Dispute,
    /// Its source cannot be read, or not whole: nobody knows the newest wording.
    Source,
}

/// An agent whose spec is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Departure {
    /// The agent.
    pub key: Key,
    /// What belongs to it.
    pub inventory: Inventory,
    /// Why it may not be deleted yet (or at all), with a sentence.
    pub held: Option<(Reason, String)>,
}

/// Facts of the moment that decide, but are neither spec nor AWS.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Circumstances {
    /// This installation's id: what our owner tag says.
    pub owner: String,
    /// What the project's policy does not allow.
    pub breaches: Vec<Violation>,
    /// The way from this agent over those it depends on back to itself.
    pub cycle: Vec<Key>,
    /// Agents this one depends on of which there is no spec.
    pub absent: Vec<Key>,
    /// Agents this one depends on that are not Ready.
    pub unready: Vec<Key>,
    /// The freeze that holds.
    pub frozen: Option<Frozen>,
    /// Whether it may roll.
    pub turn: Turn,
    /// When the wave began that its turn is of.
    pub wave: jiff::Timestamp,
    /// The current time.
    pub now: jiff::Timestamp,
    /// A person asked for another try of a held revision.
    pub force: bool,
    /// Where the spec stands.
    pub source: SourceStatus,
    /// The image that was built last.
    pub image: Option<Box<ImageStatus>>,
}

/// Where an agent's calls go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Place {
    /// Region.
    pub region: String,
    /// Role to assume first.
    pub role: Option<String>,
    /// External id for that role.
    pub external_id: Option<String>,
    /// How that role is assumed, where the spec says something of it.
    pub session: Option<Box<Session>>,
}

/// What should be.
#[derive(Debug, Clone, PartialEq)]
pub enum Desired {
    /// An agent runs as its spec says.
    Present(Box<Wanted>),
    /// Nothing of the agent is left.
    Absent(Box<Departure>, Box<Circumstances>),
    /// Cannot be told: the spec is not usable.
    Unclear(Reason, Vec<String>),
}

/// What a good spec implies.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The spec.
    pub agent: Arc<Prepared>,
    /// Its generation.
    pub generation: Generation,
    /// Facts of the moment.
    pub circumstances: Circumstances,
    /// The image, perhaps not pinned yet.
    pub image: Reference,
    /// The log group, if the agent logs.
    pub log_group: Option<log_group::Wanted>,
    /// Tags of every resource.
    pub tags: Tags,
    /// Why a newer wording of the spec could not be used.
    pub faults: Vec<String>,
    /// What keeps the newest wording from being followed, where there are faults.
    pub obstacle: Obstacle,
}

impl Desired {
    /// What `spec` means under `circumstances`.
    pub fn of(spec: Spec, circumstances: Circumstances) -> Self {
        match spec {
            Spec::Present { agent, source: _, faults, obstacle } => {
                Self::Present(Box::new(Wanted { obstacle, ..Wanted::new(agent, faults, circumstances) }))
            }
            Spec::Broken { reason, faults, source: _ } => Self::Unclear(reason, faults),
            Spec::Gone(departure) => Self::Absent(departure, Box::new(circumstances)),
        }
    }

    /// Where the calls go.
    pub fn place(&self) -> Place {
        match self {
            Self::Present(wanted) => wanted.place(),
            Self::Absent(departure, _) => Place {
                region: departure.inventory.region.clone(),
                role: departure.inventory.role_arn.clone(),
                external_id: departure.inventory.external_id.clone(),
                session: departure.inventory.session.clone(),
            },
            Self::Unclear(..) => Place::default(),
        }
    }
}

impl Wanted {
    /// What `agent` implies.
    pub fn new(agent: Arc<Prepared>, faults: Vec<String>, circumstances: Circumstances) -> Self {
        let generation = agent.generation().clone();
        let mut image = Reference::parse(agent.spec.image.uri.as_deref().unwrap_or_default());
        image.ecr = image.ecr.filter(|_| agent.spec.image.pin);
        let log_group = log_group::from_spec(&agent);
        let tags = tags::owned(&circumstances.owner, &agent.metadata.name, &agent.spec.tags);
        Self { agent, generation, circumstances, image, log_group, tags, faults, obstacle: Obstacle::Wording }
    }

    /// Where the calls go.
    pub fn place(&self) -> Place {
        let account = self.agent.spec.account.as_ref();
        Place {
            region: self.agent.spec.region.clone(),
            role: account.map(|account| account.role_arn.clone()),
            external_id: account.and_then(|account| account.external_id.clone()),
            session: account.and_then(session),
        }
    }

    /// Tags the service carries: ownership, generation, and what we must remember across restarts.
    pub fn service_tags(&self, have: &Tags) -> Tags {
        let spec = &self.agent.spec;
        let mut tags = self.tags.clone();
        tags.insert(tags::GENERATION.to_owned(), self.generation.to_string());
        let once = [
            ("capacity", crate::service::sets_capacity(&self.agent)),
            ("schedule", spec.autoscaling.enabled && !spec.autoscaling.scheduled.is_empty()),
            // Scaling under names of others is known to be ours by this alone.
            (tags::SCALING, spec.autoscaling.enabled && !spec.autoscaling.names.is_empty()),
        ];
        let mut sets: Vec<String> =
            once.into_iter().filter(|(_, holds)| *holds).map(|(word, _)| word.to_owned()).collect();
        sets.extend(spec.tags.keys().filter(|key| !key.contains(' ')).map(|key| format!("tag/{key}")));
        // A tag value holds 256 characters; what does not fit is not cleared later, which is the lesser evil.
        while sets.join(" ").len() > 256 {
            sets.pop();
        }
        if !sets.is_empty() {
            tags.insert(tags::SETS.to_owned(), sets.join(" "));
        }
        // Written together with other tags alone: a number that is out of date vouches for nothing.
        tags.extend(have.get(tags::REVISION).map(|voucher| (tags::REVISION.to_owned(), voucher.clone())));
        tags.extend(crate::service::sent(&self.agent).map(|digest| (tags::SENT.to_owned(), digest)));
        let frozen = have.get(tags::FROZEN_COUNT).filter(|_| !spec.autoscaling.enabled);
        if let Some(frozen) = frozen.filter(|_| crate::scaling::frozen_count(have, spec.desired_count).is_some()) {
            tags.insert(tags::FROZEN_COUNT.to_owned(), frozen.clone());
        }
        tags
    }

    /// Whether the scaling counts requests, so that the target group must be known.
    pub fn counts_requests(&self) -> bool {
        let scaling = &self.agent.spec.autoscaling;
        scaling.enabled && scaling.requests_per_target.is_some()
    }

    /// The log group to be, keeping what is live where drift is to be ignored.
    pub fn log_group_beside(&self, live: Option<&log_group::Live>) -> Option<log_group::Wanted> {
        let mut group = self.log_group.clone()?;
        let ignored = self.agent.spec.drift.ignore.iter().any(|path| path == log_group::RETENTION);
        if let (true, Some(live)) = (ignored, live) {
            group.retention = live.retention;
        }
        Some(group)
    }

    /// What a deletion will need to know when the spec is gone.
    pub fn inventory(&self) -> Inventory {
        let agent = &self.agent;
        let place = self.place();
        Inventory {
            region: place.region,
            role_arn: place.role,
            external_id: place.external_id,
            session: place.session,
            project: agent.metadata.project.clone(),
            cluster: agent.spec.cluster.clone(),
            service: agent.service_name().to_owned(),
            task_family: agent.task_family().to_owned(),
            log_group: self.log_group.as_ref().map(|group| group.name.clone()),
            repository: agent.repository(),
            scaling: agent.spec.autoscaling.enabled,
            retain: agent.spec.deletion_policy == fargateer_api::spec::DeletionPolicy::Retain,
            retain_data: agent.spec.retain_data,
            release: None,
            leaving_since: None,
            arns: std::collections::BTreeMap::new(),
            specified_in: String::new(),
        }
    }
}

fn session(account: &Account) -> Option<Box<Session>> {
    let session = Session { name: account.session_name.clone(), tags: account.session_tags.clone() };
    (session != Session::default()).then(|| Box::new(session))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn wanted(more: &Value) -> Wanted {
        let mut spec = json!({"cluster": "agents", "image": {"uri": "x"}, "network": {"subnets": ["subnet-1"]}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let document =
            json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": "bot"}, "spec": spec});
        let circumstances = Circumstances { owner: "prod".to_owned(), ..Circumstances::default() };
        Wanted::new(Prepared::shared(serde_json::from_value(document).unwrap()), Vec::new(), circumstances)
    }

    #[test]
    fn the_service_remembers_what_the_spec_sets_and_only_that() {
        let sets = |more: &Value| wanted(more).service_tags(&Tags::new()).get(tags::SETS).cloned();
        assert_eq!(sets(&json!({})), None);
        assert_eq!(sets(&json!({"capacity": {"platformVersion": "1.4.0"}})), None);
        let schedule = json!([{"name": "night", "schedule": "rate(1 hour)", "min": 1}]);
        let all = json!({"capacity": {"provider": "FARGATE"}, "tags": {"b": "1", "a c": "2"},
            "autoscaling": {"enabled": true, "scheduled": schedule}});
        assert_eq!(sets(&all).as_deref(), Some("capacity schedule tag/b"));
        assert_eq!(sets(&json!({"autoscaling": {"enabled": false, "scheduled": schedule}})), None);
    }

    #[test]
    fn what_is_remembered_fits_into_a_tag() {
        let many: Tags = (10..55).map(|number| (format!("key-{number}"), String::new())).collect();
        let tags = wanted(&json!({"tags": many})).service_tags(&Tags::new());
        let sets = &tags[tags::SETS];
        assert!((245..=256).contains(&sets.len()), "{}", sets.len());
        assert!(sets.starts_with("tag/key-10 tag/key-11") && !sets.ends_with(' '), "{sets}");
        let exact: Tags = [("x".repeat(120), String::new()), ("y".repeat(127), String::new())].into();
        assert_eq!(wanted(&json!({"tags": exact})).service_tags(&Tags::new())[tags::SETS].len(), 256);
    }

    #[test]
    fn a_frozen_count_is_kept_until_scaling_returns_or_the_count_is_edited() {
        let have = Tags::from([(tags::FROZEN_COUNT.to_owned(), "7/1".to_owned())]);
        let kept = |more: &Value| wanted(more).service_tags(&have).contains_key(tags::FROZEN_COUNT);
        assert!(kept(&json!({})));
        assert!(!kept(&json!({"desiredCount": 2})));
        assert!(!kept(&json!({"autoscaling": {"enabled": true}})));
    }

    #[test]
    fn what_a_deletion_needs_is_taken_down() {
        let account =
            json!({"roleArn": "arn:role", "externalId": "id", "sessionName": "bots", "sessionTags": {"team": "x"}});
        let wanted = wanted(&json!({"service": "svc", "taskFamily": "fam", "region": "eu-west-1", "account": account,
            "deletionPolicy": "Retain", "retainData": false, "autoscaling": {"enabled": true}}));
        let inventory = wanted.inventory();
        let expected = Inventory {
            region: "eu-west-1".to_owned(),
            role_arn: Some("arn:role".to_owned()),
            external_id: Some("id".to_owned()),
            session: Some(Box::new(Session {
                name: Some("bots".to_owned()),
                tags: [("team".to_owned(), "x".to_owned())].into(),
            })),
            project: "default".to_owned(),
            cluster: "agents".to_owned(),
            service: "svc".to_owned(),
            task_family: "fam".to_owned(),
            log_group: Some("/ecs/fam".to_owned()),
            repository: None,
            scaling: true,
            retain: true,
            retain_data: false,
            release: None,
            leaving_since: None,
            specified_in: String::new(),
            arns: std::collections::BTreeMap::new(),
        };
        assert_eq!(inventory, expected);
        let departure = Departure { key: Key::new("bot"), inventory, held: None };
        let place = Desired::of(Spec::Gone(Box::new(departure)), Circumstances::default()).place();
        assert_eq!(place, wanted.place());
        assert_eq!(place.role.as_deref(), Some("arn:role"));
    }

    #[test]
    fn only_scaling_that_is_on_and_says_so_counts_requests() {
        let counts = |enabled: bool, requests: Option<u32>| {
            wanted(&json!({"autoscaling": {"enabled": enabled, "requestsPerTarget": requests}})).counts_requests()
        };
        assert_eq!((counts(true, Some(9)), counts(true, None), counts(false, Some(9))), (true, false, false));
    }
}
