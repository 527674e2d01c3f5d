//! A simulated AWS that speaks the real wire protocols.
//!
//! One pure engine ([`Simulation`] over a world of accounts and regions) answers the requests of ECS, ECR, Elastic Load
//! Balancing v2, Application Auto Scaling, CloudWatch and its Logs, DynamoDB and its Streams, EC2's networks, EventBridge, CodeBuild, S3, Secrets Manager,
//! SQS, Systems Manager and STS with the documented shapes, defaults, error codes and
//! texts. It has two doors: a connector for the SDK in the same process, driven by a paused clock, and a loopback HTTP
//! server for any other client. What AWS does by itself (tasks starting, targets turning healthy, a circuit breaker
//! tripping) is a function of simulated time, evaluated when somebody looks: there are no background tasks.
//!
//! It deliberately imports nothing of the operator it serves as a counterpart for, so that it can disagree with it.

mod arn;
mod assignment;
mod behaviour;
mod bucket;
mod call;
mod clock;
mod cloudwatch;
mod codebuild;
mod connector;
mod distribution;
mod driving;
mod dynamodb;
mod ec2;
mod ecr;
mod ecs;
mod elb;
mod eventbridge;
mod fault;
mod iam;
mod input;
mod logs;
mod mangle;
mod md5;
mod page;
mod parameter;
pub mod process;
mod refusal;
mod s3;
mod scaling;
mod secret;
mod seed;
mod server;
mod settings;
mod simulation;
mod snapshot;
mod sqs;
mod state;
mod sts;
mod tag;
mod wildcard;
mod window;
mod wire;
mod witness;
mod world;

pub use assignment::{Assignment, Balanced, Report, Stage, Target};
pub use behaviour::Behaviour;
pub use call::Call;
pub use ecr::{Blob, Content};
pub use fault::{Fault, FaultKind, Omission, Paging};
pub use seed::Seed;
pub use settings::{Networks, Registry, Settings, Strict, Tasks, Times};
pub use simulation::Simulation;
pub use witness::{Meeting, View, Witness};
