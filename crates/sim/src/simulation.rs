//! The simulated AWS as its users hold it: a cheap handle, with the controls of a test beside the doors of a client.

use crate::behaviour::Behaviour;
use crate::call::Call;
use crate::clock::Clock;
use crate::distribution::Pulled;
use crate::fault::Fault;
use crate::seed::{self, Seed};
use crate::settings::Settings;
use crate::wire::{Message, Request};
use crate::witness::Witness;
use crate::world::{Outcome, World};
use crate::{ecs, scaling};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// A simulated AWS. Clones share one world.
#[derive(Clone, Debug)]
pub struct Simulation {
    world: Arc<Mutex<World>>,
    clock: Clock,
    latency: Duration,
    epoch: SystemTime,
    /// Where load balancers answer, by target group: no part of the world, which may be set back.
    fronts: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Simulation {
    /// An empty AWS whose time starts now.
    ///
    /// Call it within the runtime whose clock shall drive it.
    pub fn new(settings: Settings) -> Self {
        let (clock, latency, epoch) = (Clock::start(settings.speed), settings.latency, settings.epoch);
        let world = Arc::new(Mutex::new(World::new(settings)));
        Self { world, clock, latency, epoch, fronts: Arc::default() }
    }

    /// A panic of another thread leaves a world that is still whole: it changes between requests only.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says where the load balancer of a target group answers.
    pub(crate) fn publish(&self, group: &str, url: &str) {
        let mut fronts = self.fronts.lock().unwrap_or_else(PoisonError::into_inner);
        fronts.insert(group.to_owned(), url.to_owned());
    }

    /// Where load balancers answer: a URL for each target group that has one, by ARN.
    pub fn fronts(&self) -> BTreeMap<String, String> {
        self.fronts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers a message from either door.
    pub(crate) fn handle(&self, message: &Message) -> Outcome {
        self.world().handle(self.clock.elapsed(), message)
    }

    /// For how long a message's caller is ready to wait for something to receive.
    pub(crate) fn patience(&self, message: &Message) -> Option<Duration> {
        self.world().patience(self.clock.elapsed(), message)
    }

    /// Answers a request to the image registry.
    pub(crate) fn distribute(&self, request: &Request) -> (Pulled, String) {
        let now = self.clock.elapsed();
        (self.world().distribute((now, self.epoch), request), Pulled::date(self.epoch, now))
    }

    /// How long a call through the in-process door takes.
    pub(crate) fn latency(&self) -> Duration {
        self.latency
    }

    /// Forgets everything there is, calls, faults and behaviours included. Time goes on.
    pub fn reset(&self) {
        self.world().reset();
    }

    /// Keeps everything there is under `name`, in place of what was kept under it; false when 64 others are kept already.
    pub fn keep(&self, name: &str) -> bool {
        self.world().keep(self.clock.elapsed(), name)
    }

    /// What is kept, with the simulated time of each.
    pub fn kept(&self) -> BTreeMap<String, Duration> {
        self.world().kept()
    }

    /// Everything, the time included, is again as it was kept under `name`; false where nothing of that name is kept. Calls
    /// so far stay recorded, faults stay ordered.
    pub fn restore(&self, name: &str) -> bool {
        let mut world = self.world();
        let at = world.restore(name);
        if let Some(at) = at {
            self.clock.set(at);
        }
        at.is_some()
    }

    /// Lets simulated time pass at once.
    pub fn leap(&self, time: Duration) {
        self.clock.leap(time);
    }

    /// From now on, so many simulated seconds pass in a second of the tokio clock. Zero stops time.
    pub fn set_speed(&self, speed: f64) {
        self.clock.set_speed(speed);
    }

    /// Simulated seconds per second of the tokio clock.
    pub(crate) fn speed(&self) -> f64 {
        self.clock.speed()
    }

    /// Puts subnets and security groups in place, in a VPC: with `Networks::Seeded` the only ones there are.
    pub fn seed_network(&self, region: &str, vpc: &str, subnets: &[&str], groups: &[&str]) {
        let mut world = self.world();
        let network = &mut world.home(self.clock.elapsed(), region).network;
        let placed = |ids: &[&str]| ids.iter().map(|id| ((*id).to_owned(), vpc.to_owned())).collect::<Vec<_>>();
        network.subnets.extend(placed(subnets));
        network.groups.extend(placed(groups));
    }

    /// Everything there is, as JSON: what `GET /_sim/state` answers.
    pub fn state(&self) -> Value {
        let mut world = self.world();
        world.advance(self.clock.elapsed());
        world.state()
    }

    /// Calls an operation directly, as another person would: no fault or rate applies, and it is not recorded.
    ///
    /// `service` is `ecs`, `ecr`, `elbv2`, `application-autoscaling`, `logs`, `sts`, `dynamodb`, `dynamodbstreams`, `ec2`,
    /// `secretsmanager`, `ssm`, `s3` (an object's `Body` in base64), `codebuild`, `sqs`, `events` or `cloudwatch`. An error is its code and message.
    #[expect(clippy::needless_pass_by_value, reason = "callers write the input in place")]
    pub fn call(&self, region: &str, service: &str, operation: &str, input: Value) -> Result<Value, (String, String)> {
        let mut world = self.world();
        let place = world.place(region);
        let answer = world.call(self.clock.elapsed(), &place, (service, operation), &input);
        answer.map_err(|refusal| (refusal.code, refusal.message))
    }

    /// Puts things in place before a run.
    pub fn seed(&self, seed: Seed) {
        seed::plant(self.world().home(self.clock.elapsed(), &seed.region), seed);
    }

    /// Every call that came over the wire.
    pub fn calls(&self) -> Vec<Call> {
        self.world().calls.clone()
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.world().calls.clear();
    }

    /// Orders a fault.
    pub fn fault(&self, fault: Fault) {
        self.world().faults.order(fault);
    }

    /// Cancels all faults.
    pub fn clear_faults(&self) {
        self.world().faults.clear();
    }

    /// From now on, `witness` sees every call that comes over the wire.
    pub fn witness(&self, witness: Box<dyn Witness>) {
        self.world().witness = Some(witness);
    }

    /// From now on, tasks whose main container's image contains `pattern` behave like this, those already
    /// there included. The latest word counts.
    pub fn behave(&self, pattern: &str, behaviour: Behaviour) {
        let now = self.clock.elapsed();
        self.world().behave(now, pattern, behaviour);
    }

    /// What CloudWatch reports of a service's CPU, in percent; a target tracking policy acts on it.
    pub fn metric(&self, region: &str, cluster: &str, service: &str, cpu: f64) {
        let mut world = self.world();
        let region = world.home(self.clock.elapsed(), region);
        scaling::observe(region, &format!("service/{cluster}/{service}"), cpu);
    }

    /// Takes back the Spot capacity under a service's tasks, which a real one would learn two minutes ahead.
    pub fn interrupt(&self, region: &str, cluster: &str, service: &str) {
        let mut world = self.world();
        let region = world.home(self.clock.elapsed(), region);
        ecs::interrupt(region, &(cluster.to_owned(), service.to_owned()));
    }

    /// Simulated time since the start.
    pub fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The simulated date. Give it to SDK clients as their time source: a client whose clock differs from the Date of the
    /// answers takes a refusal for a matter of clocks, and tries again.
    pub fn date(&self) -> SystemTime {
        self.epoch + self.clock.elapsed()
    }

    /// When AWS next does something by itself.
    pub fn next_event(&self) -> Option<Duration> {
        let mut world = self.world();
        world.advance(self.clock.elapsed());
        world.next_event()
    }
}
