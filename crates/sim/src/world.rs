//! The world: every account and region, and the one function that answers requests.
//!
//! Pure but for its own state: time comes in with the request. Before a request is answered, everything AWS would have done
//! by then is done, in order.

use crate::behaviour::Behaviour;
use crate::bucket::Buckets;
use crate::call::{self, Call};
use crate::clock;
use crate::fault::{FaultKind, Faults};
use crate::refusal::{Answer, Refusal};
use crate::settings::Settings;
use crate::state::{Region, Timer};
use crate::wire::{self, Message, Reply, Spoken};
use crate::{
    cloudwatch, dynamodb, ec2, ecr, ecs, elb, eventbridge, iam, input, logs, parameter, scaling, secret, snapshot, sqs,
    sts,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

type Place = (String, String);

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
    served: u64,
}

/// What comes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// An answer, with its headers.
    Reply(Reply, Headers),
    /// The connection breaks.
    Reset,
    /// Nothing, ever.
    Hang,
}

/// The headers every answer has.
#[derive(Clone, Debug)]
pub(crate) struct Headers {
    pub(crate) request_id: String,
    pub(crate) date: String,
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
        let headers = Headers { request_id, date: clock::http(self.settings.epoch, now) };
        let input = spoken.input.clone().unwrap_or_else(|_| json!({}));
        let fault = self.faults.strike(&spoken.service, &spoken.operation, &input);
        let outcome = match fault {
            Some(FaultKind::ResetBefore) => Outcome::Reset,
            Some(FaultKind::HangBefore) => Outcome::Hang,
            Some(FaultKind::HtmlError) => Outcome::Reply(html(), headers),
            Some(FaultKind::ResetAfter) => {
                let _ = self.answer(now, &place, &spoken, message);
                Outcome::Reset
            }
            Some(FaultKind::HangAfter) => {
                let _ = self.answer(now, &place, &spoken, message);
                Outcome::Hang
            }
            Some(FaultKind::Throttle) => refuse(&spoken, throttled(&spoken), headers),
            Some(FaultKind::ServerError) => {
                let refusal = Refusal::server("ServerException", "Service Unavailable. Please try again later.");
                refuse(&spoken, refusal, headers)
            }
            Some(FaultKind::AccessDenied) => refuse(&spoken, denied(&spoken), headers),
            Some(FaultKind::Error { code, message }) => refuse(&spoken, Refusal::new(&code, message), headers),
            None => {
                let answer = self.answer(now, &place, &spoken, message);
                Outcome::Reply(wire::reply(&spoken, answer, &headers.request_id), headers)
            }
        };
        self.record(now, place.1, spoken, input, &outcome);
        outcome
    }

    fn answer(&mut self, now: Duration, place: &Place, spoken: &Spoken, message: &Message) -> Answer {
        if message.body.len() > wire::limit(&spoken.service) {
            return Err(Refusal::new("RequestEntityTooLarge", "The request body is larger than this service takes."));
        }
        let input = spoken.input.clone()?;
        if self.settings.throttle {
            let buckets = self.buckets.entry(place.clone()).or_default();
            if !buckets.admit(now, &spoken.service, &spoken.operation) {
                return Err(throttled(spoken));
            }
        }
        self.call(now, place, (&spoken.service, &spoken.operation), &input)
    }

    /// Answers an operation, past faults and buckets.
    pub(crate) fn call(&mut self, now: Duration, place: &Place, what: (&str, &str), input: &Value) -> Answer {
        let (service, operation) = what;
        let region = self.at(now, place);
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
            "sqs" => sqs::handle(region, operation, input),
            "events" => eventbridge::handle(region, operation, input),
            "monitoring" | "cloudwatch" => cloudwatch::handle(region, operation, input),
            _ => Err(Refusal::unknown_operation()),
        };
        eventbridge::observe(region);
        answer.map(input::without_nulls)
    }

    fn record(&mut self, at: Duration, region: String, spoken: Spoken, request: Value, outcome: &Outcome) {
        let error = match outcome {
            Outcome::Reply(reply, _) => reply.error.clone(),
            Outcome::Reset => Some("reset".to_owned()),
            Outcome::Hang => Some("hang".to_owned()),
        };
        if self.calls.len() >= CALLS {
            self.calls.drain(..CALLS / 2);
        }
        self.calls.push(Call {
            at,
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

    /// Everything there is.
    pub(crate) fn state(&mut self) -> Value {
        self.regions.values_mut().map(snapshot::region).collect()
    }

    /// Forgets everything but the settings.
    pub(crate) fn reset(&mut self) {
        let settings = self.settings.as_ref().clone();
        *self = Self::new(settings);
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
            Timer::Definition { family, revision } => ecs::purge_definition(region, family, revision),
        }
        eventbridge::observe(region);
    }
    region.now = region.now.max(now);
}

fn refuse(spoken: &Spoken, refusal: Refusal, headers: Headers) -> Outcome {
    Outcome::Reply(wire::reply(spoken, Err(refusal), &headers.request_id), headers)
}

fn throttled(spoken: &Spoken) -> Refusal {
    match spoken.service.as_str() {
        "ec2" => Refusal::new("RequestLimitExceeded", "Request limit exceeded."),
        "elasticloadbalancing" | "sts" | "iam" => Refusal::new("Throttling", "Rate exceeded"),
        _ => Refusal::new("ThrottlingException", "Rate exceeded"),
    }
}

fn denied(spoken: &Spoken) -> Refusal {
    let code = match spoken.service.as_str() {
        "ec2" => "UnauthorizedOperation",
        "elasticloadbalancing" | "sts" | "iam" => "AccessDenied",
        _ => "AccessDeniedException",
    };
    let message = format!(
        "User: arn:aws:iam::111122223333:user/simulated is not authorized to perform: {}:{} because no identity-based policy \
         allows the action",
        spoken.service, spoken.operation
    );
    Refusal::new(code, message)
}

fn html() -> Reply {
    let body = "<html><body><b>Http/1.1 Service Unavailable</b></body></html>";
    Reply { status: 503, content_type: "text/html", error: Some("503".to_owned()), body: body.as_bytes().to_vec() }
}
