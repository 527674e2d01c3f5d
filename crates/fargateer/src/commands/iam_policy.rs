//! `fargateer iam-policy`: exactly the actions the code calls, as an IAM policy document.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::output;

/// Runs the command.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    output::data(&text()?)
}

/// The policy as it stands in deploy/iam-policy.json.
fn text() -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&policy())? + "\n")
}

/// Tables whose names begin with `fargateer` are for state and for specs. What is written to S3 lies under one prefix. Passing roles is limited to tasks, linked roles to the two services that need one.
fn policy() -> Value {
    let (objects, others): (Vec<&str>, Vec<&str>) =
        fargateer_aws::permissions().into_iter().partition(|action| action.starts_with("s3:"));
    let (special, plain): (Vec<&str>, Vec<&str>) = others.into_iter().partition(|action| action.starts_with("iam:"));
    let mut statements = vec![json!({"Sid": "Fargateer", "Effect": "Allow", "Action": plain, "Resource": "*"})];
    let tables = "arn:aws:dynamodb:*:*:table/fargateer*";
    let state = fargateer_store::table::PERMISSIONS;
    statements.push(json!({"Sid": "State", "Effect": "Allow", "Action": state, "Resource": tables}));
    let specs = fargateer_store::table::SPEC_PERMISSIONS;
    statements.push(json!({"Sid": "Specs", "Effect": "Allow", "Action": specs, "Resource": tables}));
    let (writes, reads): (Vec<&str>, Vec<&str>) = objects.into_iter().partition(|action| *action == "s3:PutObject");
    statements.push(json!({"Sid": "Code", "Effect": "Allow", "Action": reads, "Resource": "*"}));
    let contexts = format!("arn:aws:s3:::*/{}*", fargateer_image::CONTEXTS);
    statements.push(json!({"Sid": "Contexts", "Effect": "Allow", "Action": writes, "Resource": contexts}));
    for action in special {
        let condition = match action {
            "iam:PassRole" => {
                json!({"StringEquals": {"iam:PassedToService": ["ecs-tasks.amazonaws.com", "ecs.amazonaws.com"]}})
            }
            _ => {
                json!({"StringEquals": {"iam:AWSServiceName": ["ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com"]}})
            }
        };
        let name = action.trim_start_matches("iam:");
        statements
            .push(json!({"Sid": name, "Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition}));
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}
