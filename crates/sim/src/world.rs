//! The world: every account and region, and the one function that answers requests.
//!
//! Pure but for its own state: time comes in with the request. Before a request is answered, everything AWS would have done
//! by then is done, in order.

use crate::behaviour::Behaviour;
use crate::bucket::Buckets;
use crate::call::{self, Call};
use crate::clock;
use crate::fault::{FaultKind, Faults};
use crate::mangle;
use crate::refusal::{Answer, Refusal};
use crate::settings::Settings;
use crate::state::{Region, Timer};
use crate::wire::{self, Message, Reply, Spoken};
use crate::witness::{self, Meeting, View, Witness};
use crate::{
    cloudwatch, codebuild, dynamodb, ec2, ecr, ecs, elb, eventbridge, iam, input, logs, parameter, s3, scaling, secret,
    snapshot, sqs, sts,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// An account and a region.
pub(crate) type Place = (String, String);

/// So many worlds are kept at most.
const KEPT: usize = 64;
/// So many calls are remembered at most: a simulation may be served for days.
const CALLS: usize = 200_000;

/// Everything there is.
#[derive(Debug)]
pub(crate) struct World {
    settings: Arc<Settings>,
    regions: BTreeMap<Place, Region>,
    buckets: BTreeMap<Place, Buckets>,
    behaviours: Vec<(String, Behaviour)>,
    pub(crate) faults: Faults,
    pub(crate) calls: Vec<Call>,
    pub(crate) witness: Option<Box<dyn Witness>>,
    /// Every region as it was right before a write, the oldest first, as far back as `Settings::history`.
    past: BTreeMap<Place, VecDeque<(Duration, Region)>>,
    /// The world as it was when somebody said so, by the name they gave it.
    kept: BTreeMap<String, Kept>,
    served: u64,
}

/// The world at one moment, without what was asked of it and what was ordered.
#[derive(Clone, Debug)]
struct Kept {
    at: Duration,
    regions: BTreeMap<Place, Region>,
    buckets: BTreeMap<Place, Buckets>,
    behaviours: Vec<(String, Behaviour)>,
}

/// What comes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// An answer, with its headers.
    Reply(Reply, Headers),
    /// The connection breaks.
    Reset,
    /// Nobody answers at the address.
    Unreachable,
    /// Nothing, ever.
    Hang,
}

/// The headers every answer has.
#[derive(Clone, Debug)]
pub(crate) struct Headers {
    pub(crate) request_id: String,
    pub(crate) date: String,
    /// In milliseconds.
    pub(crate) retry_after: Option<u64>,
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            regions: BTreeMap::new(),
            buckets: BTreeMap::new(),
            behaviours: Vec::new(),
            faults: Faults::default(),
            calls: Vec::new(),
            witness: None,
            past: BTreeMap::new(),
            kept: BTreeMap::new(),
            served: 0,
        }
    }

    /// Answers a request that came over the wire.
    pub(crate) fn handle(&mut self, now: Duration, message: &Message) -> Outcome {
        let spoken = message.understand();
        let scope = message.scope();
        let account = sts::account_of(&scope.access_key).unwrap_or(&self.settings.account).to_owned();
        let place = (account, scope.region);
        self.served += 1;
        let request_id = format!("00000000-0000-4000-a000-{:012x}", self.served);
        let headers = Headers { request_id, date: clock::http(self.settings.epoch, now), retry_after: None };
        let nothing = json!({});
        let meeting = Meeting {
            number: self.served,
            at: now,
            caller: &scope.access_key,
            service: &spoken.service,
            operation: &spoken.operation,
            mutating: call::mutating(&spoken.operation),
            request: spoken.input.as_ref().unwrap_or(&nothing),
        };
        let ordered = self.faults.strike(&spoken.service, &spoken.operation, meeting.request);
        let fault =
            ordered.or_else(|| self.seen(now, &place, |witness, view| witness.before(&meeting, view)).flatten());
        let at = (&meeting, &place);
        let outcome = match fault {
            Some(fault) => self.strike(fault, at, (&spoken, message), headers),
            None => {
                Outcome::Reply(wire::reply(&spoken, self.answer(at, &spoken, message), &headers.request_id), headers)
            }
        };
        self.record(now, (scope.access_key, place.1), spoken, &outcome);
        outcome
    }

    /// For how long the caller of a ReceiveMessage is ready to wait for the first message.
    pub(crate) fn patience(&mut self, now: Duration, message: &Message) -> Option<Duration> {
        message.target.as_deref().filter(|target| target.ends_with(".ReceiveMessage"))?;
        let input = message.understand().input.ok()?;
        let scope = message.scope();
        let account = sts::account_of(&scope.access_key).unwrap_or(&self.settings.account).to_owned();
        sqs::patience(self.at(now, &(account, scope.region)), &input)
    }

    /// What a call comes to that something befalls.
    fn strike(
        &mut self,
        fault: FaultKind,
        at: (&Meeting<'_>, &Place),
        (spoken, message): (&Spoken, &Message),
        headers: Headers,
    ) -> Outcome {
        let respond =
            |answer, headers: Headers| Outcome::Reply(wire::reply(spoken, answer, &headers.request_id), headers);
        let unavailable = || Refusal::server("ServerException", "Service Unavailable. Please try again later.");
        match fault {
            FaultKind::ResetBefore => Outcome::Reset,
            FaultKind::HangBefore => Outcome::Hang,
            FaultKind::ConnectTimeout => Outcome::Unreachable,
            FaultKind::HtmlError => Outcome::Reply(html(), headers),
            FaultKind::EmptyError => Outcome::Reply(empty(), headers),
            FaultKind::Throttle => respond(Err(throttled(spoken)), headers),
            FaultKind::ThrottleFor(wait) => {
                respond(Err(throttled(spoken)), Headers { retry_after: Some(wait), ..headers })
            }
            FaultKind::ServerError => respond(Err(unavailable()), headers),
            FaultKind::AccessDenied => respond(Err(denied(spoken)), headers),
            FaultKind::Error { code, message } => respond(Err(Refusal::new(&code, message)), headers),
            FaultKind::ResetAfter => {
                self.take_effect(at, spoken, message);
                Outcome::Reset
            }
            FaultKind::HangAfter => {
                self.take_effect(at, spoken, message);
                Outcome::Hang
            }
            FaultKind::ServerErrorAfter => {
                self.take_effect(at, spoken, message);
                respond(Err(unavailable()), headers)
            }
            FaultKind::Truncated => {
                let answer = self.answer(at, spoken, message);
                let mut reply = wire::reply(spoken, answer, &headers.request_id);
                reply.body.truncate(reply.body.len() * 2 / 3);
                reply.error = Some("truncated".to_owned());
                Outcome::Reply(reply, headers)
            }
            FaultKind::Stale(_) if at.0.mutating => respond(self.answer(at, spoken, message), headers),
            FaultKind::Stale(lag) => respond(self.read_past(at, Duration::from_millis(lag)), headers),
            FaultKind::Omit(omission) if spoken.operation == "DescribeServices" => {
                let answer = self.answer(at, spoken, message);
                respond(mangle::omit(omission, answer), headers)
            }
            FaultKind::Omit(_) => respond(self.answer(at, spoken, message), headers),
            FaultKind::Paged(paging) => {
                let paged = match mangle::request(paging, &spoken.operation, at.0.request) {
                    Ok(input) => Spoken { input: spoken.input.clone().map(|_| input), ..spoken.clone() },
                    Err(refusal) => return respond(Err(refusal), headers),
                };
                let answer = self.answer(at, &paged, message);
                respond(mangle::answer(paging, &spoken.operation, at.0.request, answer), headers)
            }
        }
    }

    /// The call takes effect and nobody is told.
    fn take_effect(&mut self, at: (&Meeting<'_>, &Place), spoken: &Spoken, message: &Message) {
        let told = self.answer(at, spoken, message);
        drop(told);
    }

    fn answer(&mut self, at: (&Meeting<'_>, &Place), spoken: &Spoken, message: &Message) -> Answer {
        let (meeting, place) = at;
        if message.body.len() > wire::limit(&spoken.service) {
            return Err(Refusal::new("RequestEntityTooLarge", "The request body is larger than this service takes."));
        }
        sts::check_key(meeting.caller, &spoken.service, meeting.at)?;
        let input = spoken.input.as_ref().map_err(Clone::clone)?;
        let what = (spoken.service.as_str(), spoken.operation.as_str());
        let lenient = self.settings.lenient;
        if self.settings.throttle && !self.buckets.entry(place.clone()).or_default().admit(meeting.at, what, lenient) {
            return Err(throttled(spoken));
        }
        let answer = self.call(meeting.at, place, what, input);
        if let Some(buckets) = self.buckets.get_mut(place).filter(|_| lenient && answer.is_err()) {
            buckets.refund(what);
        }
        self.seen(meeting.at, place, |witness, view| witness.after(meeting, witness::told(&answer), view));
        answer
    }

    /// Shows the world to the witness, if there is one.
    fn seen<T>(
        &mut self,
        now: Duration,
        place: &Place,
        show: impl FnOnce(&mut dyn Witness, &mut View<'_>) -> T,
    ) -> Option<T> {
        let mut witness = self.witness.take()?;
        let mut answers =
            |service: &str, operation: &str, input: &Value| self.call(now, place, (service, operation), input);
        let result = show(witness.as_mut(), &mut View(&mut answers));
        self.witness = Some(witness);
        Some(result)
    }

    /// Answers an operation, past faults and buckets.
    pub(crate) fn call(&mut self, now: Duration, place: &Place, what: (&str, &str), input: &Value) -> Answer {
        if what.0 == "s3" {
            // Names of buckets are those of all accounts and regions.
            s3::home(self.regions.values(), (&place.0, &place.1), what.1, input)?;
        }
        let history = self.settings.history;
        let region = self.at(now, place);
        if !history.is_zero() && call::mutating(what.1) {
            let before = region.clone();
            let past = self.past.entry(place.clone()).or_default();
            past.push_back((now, before));
            // One older than the horizon stays: what it shows was true until the one after it.
            while past.get(1).is_some_and(|(at, _)| *at + history < now) {
                past.pop_front();
            }
        }
        answer(self.at(now, place), what, input)
    }

    /// Answers a read with what was true `lag` ago.
    fn read_past(&mut self, (meeting, place): (&Meeting<'_>, &Place), lag: Duration) -> Answer {
        let then = meeting.at.saturating_sub(lag);
        let what = (meeting.service, meeting.operation);
        let past = self.past.get(place).and_then(|past| past.iter().find(|(at, _)| *at >= then));
        match past {
            Some((_, region)) => answer(&mut region.clone(), what, meeting.request),
            None => self.call(meeting.at, place, what, meeting.request),
        }
    }

    fn record(&mut self, at: Duration, (caller, region): (String, String), spoken: Spoken, outcome: &Outcome) {
        let error = match outcome {
            Outcome::Reply(reply, _) => reply.error.clone(),
            Outcome::Reset => Some("reset".to_owned()),
            Outcome::Unreachable => Some("unreachable".to_owned()),
            Outcome::Hang => Some("hang".to_owned()),
        };
        if self.calls.len() >= CALLS {
            self.calls.drain(..CALLS / 2);
        }
        let request = spoken.input.unwrap_or_else(|_| json!({}));
        self.calls.push(Call {
            at,
            caller,
            region,
            mutating: call::mutating(&spoken.operation),
            resource: call::resource(&request),
            service: spoken.service,
            operation: spoken.operation,
            error,
            request: call::remembered(request),
        });
    }

    /// A region, brought up to date.
    pub(crate) fn at(&mut self, now: Duration, place: &Place) -> &mut Region {
        let (settings, behaviours) = (self.settings.clone(), &self.behaviours);
        let region = self.regions.entry(place.clone()).or_insert_with(|| {
            let mut region = Region::new(&place.0, &place.1, settings);
            region.behaviours.clone_from(behaviours);
            region
        });
        advance(region, now);
        region
    }

    /// The region of the simulation's own account.
    pub(crate) fn home(&mut self, now: Duration, region: &str) -> &mut Region {
        let place = (self.settings.account.clone(), region.to_owned());
        self.at(now, &place)
    }

    /// The place of a region in the simulation's own account.
    pub(crate) fn place(&self, region: &str) -> Place {
        (self.settings.account.clone(), region.to_owned())
    }

    /// Brings every region up to date.
    pub(crate) fn advance(&mut self, now: Duration) {
        for region in self.regions.values_mut() {
            advance(region, now);
        }
    }

    /// When something next happens by itself.
    pub(crate) fn next_event(&self) -> Option<Duration> {
        self.regions.values().filter_map(Region::next).min()
    }

    /// From now on, tasks of images that contain `pattern` behave like this.
    pub(crate) fn behave(&mut self, now: Duration, pattern: &str, behaviour: Behaviour) {
        for region in self.regions.values_mut() {
            advance(region, now);
            region.behaviours.push((pattern.to_owned(), behaviour.clone()));
            ecs::revise_behaviour(region);
        }
        self.behaviours.push((pattern.to_owned(), behaviour));
    }

    /// Every region there is.
    pub(crate) fn regions(&self) -> impl Iterator<Item = &Region> {
        self.regions.values()
    }

    /// Everything there is.
    pub(crate) fn state(&mut self) -> Value {
        self.regions.values_mut().map(snapshot::region).collect()
    }

    /// Forgets everything but the settings and the worlds that were kept.
    pub(crate) fn reset(&mut self) {
        let (settings, kept) = (self.settings.as_ref().clone(), std::mem::take(&mut self.kept));
        *self = Self { kept, ..Self::new(settings) };
    }

    /// Keeps the world as it is under `name`, in place of one of that name; false when too many are kept already.
    pub(crate) fn keep(&mut self, now: Duration, name: &str) -> bool {
        if self.kept.len() >= KEPT && !self.kept.contains_key(name) {
            return false;
        }
        self.advance(now);
        let (regions, buckets, behaviours) = (self.regions.clone(), self.buckets.clone(), self.behaviours.clone());
        self.kept.insert(name.to_owned(), Kept { at: now, regions, buckets, behaviours });
        true
    }

    /// The worlds that are kept, with the time in them.
    pub(crate) fn kept(&self) -> BTreeMap<String, Duration> {
        self.kept.iter().map(|(name, kept)| (name.clone(), kept.at)).collect()
    }

    /// The world is again as it was kept under `name`. Answers the time in it; none where none of that name is kept.
    pub(crate) fn restore(&mut self, name: &str) -> Option<Duration> {
        let Kept { at, regions, buckets, behaviours } = self.kept.get(name).cloned()?;
        (self.regions, self.buckets, self.behaviours) = (regions, buckets, behaviours);
        self.past.clear();
        Some(at)
    }
}

/// Does everything that was due by then, in order.
pub(crate) fn advance(region: &mut Region, now: Duration) {
    while let Some(timer) = region.due(now) {
        match timer {
            Timer::Task { cluster, service, task, turn } => ecs::advance_task(region, &(cluster, service), &task, turn),
            Timer::Service { cluster, service } => ecs::wake(region, cluster, service),
            Timer::Alarm { resource } => scaling::evaluate(region, &resource),
            Timer::Schedule { resource, action, turn } => scaling::run_scheduled(region, &resource, &action, turn),
            Timer::Build { id, phase } => codebuild::advance(region, &id, &phase),
            Timer::Definition { family, revision } => ecs::purge_definition(region, family, revision),
        }
        eventbridge::observe(region);
    }
    region.now = region.now.max(now);
}

/// Answers an operation in a region that is up to date.
fn answer(region: &mut Region, (service, operation): (&str, &str), input: &Value) -> Answer {
    let answer = match service {
        "ecs" => ecs::handle(region, operation, input),
        "ecr" => ecr::handle(region, operation, input),
        "elasticloadbalancing" | "elbv2" => elb::handle(region, operation, input),
        "application-autoscaling" => scaling::handle(region, operation, input),
        "logs" => logs::handle(region, operation, input),
        "sts" => sts::handle(region, operation, input),
        "dynamodb" => dynamodb::handle(region, operation, input),
        "streams.dynamodb" | "dynamodbstreams" => dynamodb::handle_stream(region, operation, input),
        "iam" => iam::handle(region, operation, input),
        "ec2" => ec2::handle(region, operation, input),
        "secretsmanager" => secret::handle(region, operation, input),
        "ssm" => parameter::handle(region, operation, input),
        "s3" => s3::handle(region, operation, input),
        "codebuild" => codebuild::handle(region, operation, input),
        "sqs" => sqs::handle(region, operation, input),
        "events" => eventbridge::handle(region, operation, input),
        "monitoring" | "cloudwatch" => cloudwatch::handle(region, operation, input),
        _ => Err(Refusal::unknown_operation()),
    };
    eventbridge::observe(region);
    answer.map(input::without_nulls)
}

fn throttled(spoken: &Spoken) -> Refusal {
    match spoken.service.as_str() {
        "ec2" => Refusal::new("RequestLimitExceeded", "Request limit exceeded."),
        "elasticloadbalancing" | "sts" | "iam" => Refusal::new("Throttling", "Rate exceeded"),
        "s3" => Refusal { status: 503, ..Refusal::new("SlowDown", "Please reduce your request rate.") },
        _ => Refusal::new("ThrottlingException", "Rate exceeded"),
    }
}

fn denied(spoken: &Spoken) -> Refusal {
    let (status, code) = match spoken.service.as_str() {
        "ec2" => (400, "UnauthorizedOperation"),
        "elasticloadbalancing" | "sts" | "iam" => (400, "AccessDenied"),
        "s3" => (403, "AccessDenied"),
        _ => (400, "AccessDeniedException"),
    };
    let message = format!(
        "User: arn:aws:iam::111122223333:user/simulated is not authorized to perform: {}:{} because no identity-based policy \
         allows the action",
        spoken.service, spoken.operation
    );
    Refusal { status, ..Refusal::new(code, message) }
}

fn html() -> Reply {
    let body = "<html><body><b>Http/1.1 Service Unavailable</b></body></html>";
    let (error, headers) = (Some("503".to_owned()), Vec::new());
    Reply { status: 503, content_type: "text/html", error, headers, body: body.as_bytes().to_vec() }
}

fn empty() -> Reply {
    let (error, headers) = (Some("502".to_owned()), Vec::new());
    Reply { status: 502, content_type: "text/plain", error, headers, body: Vec::new() }
}
