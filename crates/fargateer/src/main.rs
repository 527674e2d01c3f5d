//! `fargateer`: the Kubernetes-operator experience for AI agents on AWS ECS Fargate, without Kubernetes.
//!
//! This crate wires the others together and talks to people; it decides nothing about AWS.

mod address;
mod cli;
mod commands;
mod config;
mod contexts;
mod dispatch;
mod document;
mod hands;
mod http;
mod local;
mod logins;
mod output;
mod policy;
mod progress;
mod sources;
mod tables;
mod telemetry;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    dispatch::run()
}
