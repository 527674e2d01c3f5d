//! Application Auto Scaling: targets read fifty at a time, policies by page.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use fargateer_api::Reason;
use fargateer_api::seeded::{Bug, has};
use fargateer_plan::desired::Place;
use fargateer_plan::echo;
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::scaling::{Change, Live};
use fargateer_plan::seen::Seen;
use fargateer_plan::tags::Tags;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::batch::Batch;
use crate::caller::{Caller, Operation, items, text};
use crate::error;
use crate::memory::{Folded, Memory, Turns};
use crate::quota::Group;
use crate::wire::Exchange;

/// What this file calls; the alarms are made by AWS with the caller's permissions.
pub(crate) const PERMISSIONS: &[&str] = &[
    "application-autoscaling:DeleteScalingPolicy",
    "application-autoscaling:DeleteScheduledAction",
    "application-autoscaling:DeregisterScalableTarget",
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "application-autoscaling:DescribeScheduledActions",
    "application-autoscaling:ListTagsForResource",
    "application-autoscaling:PutScalingPolicy",
    "application-autoscaling:PutScheduledAction",
    "application-autoscaling:RegisterScalableTarget",
    "application-autoscaling:TagResource",
    "cloudwatch:DeleteAlarms",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:PutMetricAlarm",
];

const TARGETS: Operation = Operation::new("application-autoscaling.DescribeScalableTargets", Group::Scaling);
const POLICIES: Operation = Operation::new("application-autoscaling.DescribeScalingPolicies", Group::Scaling);
const TAGS: Operation = Operation::new("application-autoscaling.ListTagsForResource", Group::Scaling);
const SCHEDULED: Operation = Operation::new("application-autoscaling.DescribeScheduledActions", Group::Scaling);
const REGISTER: Operation = Operation::new("application-autoscaling.RegisterScalableTarget", Group::Scaling);
const DEREGISTER: Operation = Operation::new("application-autoscaling.DeregisterScalableTarget", Group::Scaling);
const PUT_POLICY: Operation = Operation::new("application-autoscaling.PutScalingPolicy", Group::Scaling);
const DELETE_POLICY: Operation = Operation::new("application-autoscaling.DeleteScalingPolicy", Group::Scaling);
const PUT_SCHEDULED: Operation = Operation::new("application-autoscaling.PutScheduledAction", Group::Scaling);
const DELETE_SCHEDULED: Operation = Operation::new("application-autoscaling.DeleteScheduledAction", Group::Scaling);

/// Resource ids in one DescribeScalableTargets.
const BATCH: usize = 50;
/// How long callers wait for one another.
const WINDOW: Duration = Duration::from_millis(25);
/// Up to so many services, asking for each one's policies costs less than paging through all of the region's.
const FEW: usize = 4;

/// For so long, at most, a target is not read again.
const RECENT: Duration = Duration::from_mins(1);

/// A resource id, and whether its scheduled actions matter.
type Wanted = (String, bool);

/// A target without its policies, and whether those of many others are unknown, too.
#[derive(Debug, Clone)]
struct Target {
    live: Live,
    arn: String,
    many: bool,
}

/// A target in little room: its policies and actions as text.
#[derive(Debug, Clone)]
struct Brief {
    seen: Seen<Live>,
    lists: Folded,
}

impl Brief {
    fn of(seen: &Seen<Live>) -> Self {
        let Seen::Present(live) = seen else { return Self { seen: seen.clone(), lists: Folded::default() } };
        let lists = Folded::of(&json!([live.policies, live.scheduled]));
        let Live { min, max, suspended, tags, .. } = live.clone();
        let seen = Seen::Present(Live { min, max, suspended, tags, ..Live::default() });
        Self { seen, lists }
    }

    fn whole(self) -> Seen<Live> {
        let mut seen = self.seen;
        if let Some(live) = seen.present_mut() {
            let mut lists = list(self.lists.unfold()).into_iter();
            live.policies = list(lists.next().unwrap_or_default());
            live.scheduled = list(lists.next().unwrap_or_default());
        }
        seen
    }
}

fn list(value: Value) -> Vec<Value> {
    if let Value::Array(items) = value { items } else { Vec::new() }
}

/// Scalable targets of all places.
#[derive(Debug)]
pub(crate) struct Targets {
    batch: Batch<Place, Wanted, Seen<Target>>,
    policies: Memory<(Place, String), Folded>,
    /// All policies of a region are read by one caller at a time; the others wait for what it brings.
    readers: Turns<Place>,
    /// What was seen or written a moment ago: a rollout is polled, its scaling need not be.
    recent: Memory<(Place, Wanted), Brief>,
}

impl Targets {
    pub(crate) fn new(believed: Duration) -> Self {
        Self {
            batch: Batch::new(BATCH, WINDOW),
            policies: Memory::new(believed),
            readers: Turns::default(),
            recent: Memory::new(believed.min(RECENT)),
        }
    }

    /// Nothing is believed any more.
    pub(crate) fn distrust(&self) {
        self.policies.clear();
        self.recent.clear();
    }

    /// Target, policies and - if wanted - scheduled actions of a service.
    pub(crate) async fn observe(&self, caller: &Caller<'_>, wanted: Wanted) -> Seen<Live> {
        let key = (caller.place.clone(), wanted.clone());
        if let Some(brief) = self.recent.get(&key) {
            return brief.whole();
        }
        let fetch = |wanted: Vec<Wanted>| self.fetch(caller, wanted);
        let Some(seen) = self.batch.get(caller.place, wanted, caller.backlog(TARGETS), fetch).await else {
            let message = "the shared read was given up";
            return Seen::Unknown(error::of(
                TARGETS.name,
                Class::Transient,
                Reason::Unavailable,
                ("Abandoned", message),
            ));
        };
        // Only who is scaled waits for policies, not all who shared the read of the targets.
        let seen = match seen {
            Seen::Present(target) => match self.whole(caller, &key.1.0, target).await {
                Ok(live) => Seen::Present(live),
                Err(failure) => Seen::Unknown(failure),
            },
            Seen::Absent => Seen::Absent,
            Seen::NotLooked => Seen::NotLooked,
            Seen::Unknown(failure) => Seen::Unknown(failure),
        };
        if seen.failure().is_none() {
            self.recent.put(key, Brief::of(&seen));
        }
        seen
    }

    /// Carries out `change`. What is gone already need not be removed.
    pub(crate) async fn apply(&self, caller: &Caller<'_>, change: &Change) -> Result<(), Failure> {
        let client = &caller.clients.scaling_writes;
        let (result, removes) = match change {
            Change::Register(request) => {
                let send = |exchange| client.register_scalable_target().customize().interceptor(exchange).send();
                (self.write(caller, REGISTER, request, send).await, false)
            }
            Change::PutPolicy(request) => {
                let send = |exchange| client.put_scaling_policy().customize().interceptor(exchange).send();
                (self.write(caller, PUT_POLICY, request, send).await, false)
            }
            Change::DeletePolicy(request) => {
                let send = |exchange| client.delete_scaling_policy().customize().interceptor(exchange).send();
                (self.write(caller, DELETE_POLICY, request, send).await, true)
            }
            Change::PutScheduled(request) => {
                let send = |exchange| client.put_scheduled_action().customize().interceptor(exchange).send();
                (self.write(caller, PUT_SCHEDULED, request, send).await, false)
            }
            Change::DeleteScheduled(request) => {
                let send = |exchange| client.delete_scheduled_action().customize().interceptor(exchange).send();
                (self.write(caller, DELETE_SCHEDULED, request, send).await, true)
            }
            Change::Deregister(request) => {
                let send = |exchange| client.deregister_scalable_target().customize().interceptor(exchange).send();
                (self.write(caller, DEREGISTER, request, send).await, true)
            }
        };
        match result {
            Err(failure) if !removes || failure.code != "ObjectNotFoundException" => {
                self.forget(caller, change);
                return Err(failure);
            }
            Ok(()) | Err(_) => self.remember(caller, change),
        }
        Ok(())
    }

    /// A write that failed may have had its effect: the next look must be a real one.
    fn forget(&self, caller: &Caller<'_>, change: &Change) {
        for key in keys(caller, request(change)) {
            self.recent.forget(&key);
        }
    }

    /// Reading it back may show an older state; what we wrote is known.
    fn remember(&self, caller: &Caller<'_>, change: &Change) {
        let request = request(change);
        for key in keys(caller, request) {
            let before = self.recent.get(&key).map(Brief::whole);
            // A target that is made has nothing before it; of any other, what was seen must be known.
            let made = request.get("Tags").is_some();
            if let Some(mut seen) = before.or(made.then_some(Seen::Absent)) {
                echo::scaling(&mut seen, change);
                self.recent.put(key, Brief::of(&seen));
            }
        }
    }

    async fn write<F, O, E>(
        &self,
        caller: &Caller<'_>,
        operation: Operation,
        request: &Value,
        send: impl FnOnce(Exchange) -> F,
    ) -> Result<(), Failure>
    where
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.policies.forget(&(caller.place.clone(), text(request, "ResourceId").to_owned()));
        caller.json(operation, request, send).await.map(drop)
    }

    async fn fetch(&self, caller: &Caller<'_>, wanted: Vec<Wanted>) -> BTreeMap<Wanted, Seen<Target>> {
        match self.read(caller, &wanted).await {
            Ok(mut found) => {
                let seen = |key: Wanted| {
                    let live = found.remove(&key).map_or(Seen::Absent, Seen::Present);
                    (key, live)
                };
                wanted.into_iter().map(seen).collect()
            }
            Err(failure) => wanted.into_iter().map(|key| (key, Seen::Unknown(failure.clone()))).collect(),
        }
    }

    async fn read(&self, caller: &Caller<'_>, wanted: &[Wanted]) -> Result<BTreeMap<Wanted, Target>, Failure> {
        let mut ids: Vec<&str> = wanted.iter().map(|(id, _)| id.as_str()).collect();
        ids.dedup();
        let request =
            json!({"ServiceNamespace": "ecs", "ResourceIds": ids, "ScalableDimension": "ecs:service:DesiredCount"});
        let ask = |request: Value| {
            let client = &caller.clients.scaling;
            let send = |exchange| client.describe_scalable_targets().customize().interceptor(exchange).send();
            async move { caller.json(TARGETS, &request, send).await }.boxed()
        };
        let targets = pages(&request, "ScalableTargets", ask).await?;
        let scaled: Vec<&str> = targets.iter().map(|target| text(target, "ResourceId")).collect();
        let unknown = scaled.iter().filter(|id| self.known(caller, id).is_none()).count();
        let mut found = BTreeMap::new();
        for (id, scheduled) in wanted {
            let Some(target) = targets.iter().find(|target| text(target, "ResourceId") == id) else { continue };
            let actions = if *scheduled { scheduled_actions(caller, id).await? } else { Vec::new() };
            let target = Target {
                live: live(target, actions),
                arn: text(target, "ScalableTargetARN").to_owned(),
                many: unknown > FEW,
            };
            found.insert((id.clone(), *scheduled), target);
        }
        Ok(found)
    }

    /// A target with its policies - or, where it has nothing that tells whose it is, with its tags.
    async fn whole(&self, caller: &Caller<'_>, id: &str, target: Target) -> Result<Live, Failure> {
        let policies = self.policies(caller, id, target.many).await?;
        let is_bare = policies.is_empty() && target.live.scheduled.is_empty();
        let tags = if is_bare { tags_of(caller, &target.arn).await? } else { Tags::new() };
        Ok(Live { policies, tags, ..target.live })
    }

    /// The policies of the target `id`: by itself, or - where those of many are unknown - together with all of the region.
    async fn policies(&self, caller: &Caller<'_>, id: &str, many: bool) -> Result<Vec<Value>, Failure> {
        if let Some(known) = self.known(caller, id) {
            return Ok(known);
        }
        if !many {
            let own = policies_of(caller, Some(id)).await?;
            self.policies.put((caller.place.clone(), id.to_owned()), Folded::of(&json!(own)));
            return Ok(own);
        }
        let _turn = self.readers.wait(caller.place).await;
        // Whoever had the turn before has most likely read what we are about to ask for.
        match self.known(caller, id) {
            Some(known) => Ok(known),
            None => self.read_all(caller, id).await,
        }
    }

    /// What is known of the policies of `id`.
    fn known(&self, caller: &Caller<'_>, id: &str) -> Option<Vec<Value>> {
        let key = (caller.place.clone(), id.to_owned());
        let lenient = caller.rereads.just_now(caller.place);
        let known = if lenient { self.policies.get_leniently(&key) } else { self.policies.get(&key) };
        known.map(|folded| list(folded.unfold()))
    }

    /// Reads the policies of the whole region, and keeps those of everybody: whoever comes next need not page through them.
    async fn read_all(&self, caller: &Caller<'_>, asked: &str) -> Result<Vec<Value>, Failure> {
        let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::from([(asked.to_owned(), Vec::new())]);
        for policy in policies_of(caller, None).await? {
            all.entry(text(&policy, "ResourceId").to_owned()).or_default().push(policy);
        }
        for (id, own) in &all {
            self.policies.put((caller.place.clone(), id.clone()), Folded::of(&json!(own)));
        }
        Ok(all.remove(asked).unwrap_or_default())
    }
}

fn request(change: &Change) -> &Value {
    let (Change::Register(request)
    | Change::PutPolicy(request)
    | Change::DeletePolicy(request)
    | Change::PutScheduled(request)
    | Change::DeleteScheduled(request)
    | Change::Deregister(request)) = change;
    request
}

/// What is remembered of the target `request` speaks of: with and without its scheduled actions.
fn keys(caller: &Caller<'_>, request: &Value) -> [(Place, Wanted); 2] {
    [false, true].map(|scheduled| (caller.place.clone(), (text(request, "ResourceId").to_owned(), scheduled)))
}

async fn policies_of(caller: &Caller<'_>, id: Option<&str>) -> Result<Vec<Value>, Failure> {
    let mut request = json!({"ServiceNamespace": "ecs"});
    if let Some(id) = id {
        request["ResourceId"] = json!(id);
    }
    let ask = |request: Value| {
        let client = &caller.clients.scaling;
        let send = |exchange| client.describe_scaling_policies().customize().interceptor(exchange).send();
        async move { caller.json(POLICIES, &request, send).await }.boxed()
    };
    pages(&request, "ScalingPolicies", ask).await
}

async fn scheduled_actions(caller: &Caller<'_>, id: &str) -> Result<Vec<Value>, Failure> {
    let request = json!({"ServiceNamespace": "ecs", "ResourceId": id});
    let ask = |request: Value| {
        let client = &caller.clients.scaling;
        let send = |exchange| client.describe_scheduled_actions().customize().interceptor(exchange).send();
        async move { caller.json(SCHEDULED, &request, send).await }.boxed()
    };
    pages(&request, "ScheduledActions", ask).await
}

/// The tags of the target `arn`. Targets older than the tags of targets have no ARN; none of ours is.
async fn tags_of(caller: &Caller<'_>, arn: &str) -> Result<Tags, Failure> {
    if arn.is_empty() {
        return Ok(Tags::new());
    }
    let request = json!({"ResourceARN": arn});
    let send = |exchange| caller.clients.scaling.list_tags_for_resource().customize().interceptor(exchange).send();
    let mut answer = caller.json(TAGS, &request, send).await?;
    Ok(serde_json::from_value(answer["Tags"].take()).unwrap_or_default())
}

/// All items of all pages.
async fn pages<'a>(
    request: &Value,
    key: &str,
    ask: impl Fn(Value) -> BoxFuture<'a, Result<Value, Failure>>,
) -> Result<Vec<Value>, Failure> {
    let (mut all, mut request) = (Vec::new(), request.clone());
    loop {
        let answer = ask(request.clone()).await?;
        all.extend(items(&answer, key).iter().cloned());
        let token = text(&answer, "NextToken");
        if token.is_empty() || has(Bug::FirstPageOnly) {
            return Ok(all);
        }
        request["NextToken"] = json!(token);
    }
}

fn live(target: &Value, scheduled: Vec<Value>) -> Live {
    let number = |key: &str| target.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let suspended = target.get("SuspendedState").and_then(Value::as_object);
    let suspended = suspended.is_some_and(|state| state.values().any(|value| value.as_bool() == Some(true)));
    Live { min: number("MinCapacity"), max: number("MaxCapacity"), suspended, scheduled, ..Live::default() }
}
