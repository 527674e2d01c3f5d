//! The seed's templates: the flat request with the seed's own defaults renders what the seed wrote down, field by field.
//!
//! Departures are listed here one by one, each an improvement the documentation tells; any other one fails.

#[cfg(test)]
mod tests {
    use fargateer_api::{AgentDeployment, yaml};
    use fargateer_plan::desired::{Circumstances, Wanted};
    use fargateer_plan::prepared::Prepared;
    use fargateer_plan::{log_group, scaling, service, tags, task_definition};
    use serde_json::{Value, json};

    const IMAGE: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com/support@sha256:ab";
    const TARGET_GROUP: &str =
        "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/support/73e2d6bc24d8a067";

    /// `task_definition_template.json` of the seed, `${...}` filled in with `REQUEST`.
    const TEMPLATE: &str = r#"{
        "family": "support-agent",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": "arn:aws:iam::111122223333:role/execution",
        "taskRoleArn": "arn:aws:iam::111122223333:role/task",
        "containerDefinitions": [
            {
                "name": "strands-agent",
                "image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/support@sha256:ab",
                "portMappings": [{"containerPort": 8000, "protocol": "tcp"}],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": "/ecs/support-agent",
                        "awslogs-region": "us-east-1",
                        "awslogs-stream-prefix": "ecs"
                    }
                },
                "environment": [],
                "healthCheck": {
                    "command": ["CMD-SHELL", "curl -f http://localhost:8000/health || exit 1"],
                    "interval": 30,
                    "timeout": 5,
                    "retries": 3,
                    "startPeriod": 60
                }
            }
        ]
    }"#;

    const REQUEST: &str = "
deployment_type: ecs-fargate
image_uri: 111122223333.dkr.ecr.us-east-1.amazonaws.com/support:1
cluster_name: agents
service_name: support
task_definition_family: support-agent
subnet_ids: [subnet-1, subnet-2]
security_group_ids: [sg-1]
execution_role_arn: arn:aws:iam::111122223333:role/execution
task_role_arn: arn:aws:iam::111122223333:role/task
";

    fn agent(more: &str) -> AgentDeployment {
        let parsed = yaml::parse("request.yaml", &format!("{REQUEST}{more}"));
        assert_eq!(parsed.faults, []);
        parsed.agents.into_iter().next().unwrap().agent
    }

    fn created(agent: &AgentDeployment) -> Value {
        service::create(&service::from_spec(agent, None), "revision", agent.spec.desired_count, &tags::Tags::new())
    }

    /// Takes `pointer` out of `document`, which must have had `value` there: a departure from the seed, on purpose.
    fn improvement(document: &mut Value, pointer: &str, value: &Value) {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let had = document.pointer_mut(parent).and_then(Value::as_object_mut).and_then(|fields| fields.remove(key));
        assert_eq!(had.as_ref(), Some(value), "{pointer}");
    }

    #[test]
    fn the_task_definition_is_the_seeds_template_and_three_improvements() {
        let agent = agent("");
        let wanted = task_definition::from_spec(&agent, IMAGE, None);
        let own = tags::owned("prod", "support", &agent.spec.tags);
        let mut request = task_definition::request(&wanted, &own);
        improvement(&mut request, "/containerDefinitions/0/essential", &json!(true));
        let platform = json!({"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"});
        improvement(&mut request, "/runtimePlatform", &platform);
        let mut all = own;
        all.insert(tags::DIGEST.to_owned(), wanted.digest);
        improvement(&mut request, "/tags", &tags::to_list(&all));
        assert_eq!(request, serde_json::from_str::<Value>(TEMPLATE).unwrap());
    }

    #[test]
    fn the_health_check_follows_port_and_path() {
        let agent = agent("container_port: 9000\nhealth_check_path: /ready\n");
        let wanted = task_definition::from_spec(&agent, IMAGE, None);
        let command = &wanted.document()["containerDefinitions"][0]["healthCheck"]["command"][1].clone();
        assert_eq!(command, "curl -f http://localhost:9000/ready || exit 1");
    }

    #[test]
    fn every_field_of_the_request_that_shapes_the_service_reaches_it() {
        let more = format!("desired_count: 3\nassign_public_ip: true\ntarget_group_arn: {TARGET_GROUP}\n");
        let mut request = created(&agent(&more));
        let token = request["clientToken"].clone();
        improvement(&mut request, "/clientToken", &token);
        improvement(&mut request, "/tags", &json!([]));
        improvement(&mut request, "/propagateTags", &json!("SERVICE"));
        improvement(&mut request, "/platformVersion", &json!("LATEST"));
        let safe = json!({"strategy": "ROLLING", "maximumPercent": 200, "minimumHealthyPercent": 100,
            "deploymentCircuitBreaker": {"enable": true, "rollback": true}});
        improvement(&mut request, "/deploymentConfiguration", &safe);
        let vpc = json!({"subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"});
        let balancer = json!({"targetGroupArn": TARGET_GROUP, "containerName": "strands-agent", "containerPort": 8000});
        let seed = json!({
            "cluster": "agents",
            "serviceName": "support",
            "taskDefinition": "revision",
            "desiredCount": 3,
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": vpc},
            "loadBalancers": [balancer],
        });
        assert_eq!(request, seed);
    }

    #[test]
    fn without_a_target_group_or_a_public_ip_none_is_asked_for() {
        let request = created(&agent(""));
        assert_eq!(request.get("loadBalancers"), None);
        assert_eq!(request["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"], "DISABLED");
        assert_eq!(request["desiredCount"], 1);
    }

    #[test]
    fn autoscaling_is_the_seeds_range_and_cpu_target() {
        assert_eq!(scaling::from_spec(&agent(""), None), None, "off unless asked for");
        let wanted = scaling::from_spec(&agent("enable_autoscaling: true\n"), None).unwrap();
        assert_eq!((wanted.resource.as_str(), wanted.min, wanted.max), ("service/agents/support", 1, 10));
        let cpu = json!({"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 70.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}});
        assert_eq!(wanted.policies, [("fargateer-cpu".to_owned(), cpu)]);
        let other = agent("enable_autoscaling: true\nmin_capacity: 2\nmax_capacity: 4\ntarget_cpu_utilization: 55\n");
        let wanted = scaling::from_spec(&other, None).unwrap();
        assert_eq!((wanted.min, wanted.max), (2, 4));
        let goal = "/TargetTrackingScalingPolicyConfiguration/TargetValue";
        assert_eq!(wanted.policies[0].1.pointer(goal), Some(&json!(55.0)));
    }

    #[test]
    fn the_log_group_is_named_after_the_family_and_absent_without_logging() {
        let group = log_group::from_spec(&agent("")).unwrap();
        assert_eq!((group.name.as_str(), group.retention), ("/ecs/support-agent", Some(30)));
        let silent = agent("enable_logging: false\n");
        assert_eq!(log_group::from_spec(&silent), None);
        let wanted = task_definition::from_spec(&silent, IMAGE, None);
        assert_eq!(wanted.document()["containerDefinitions"][0].get("logConfiguration"), None);
    }

    #[test]
    fn the_region_and_the_image_are_the_requests() {
        let agent = agent("region: eu-west-1\n");
        let wanted = Wanted::new(Prepared::shared(agent.clone()), vec![], Circumstances::default());
        assert_eq!(wanted.place().region, "eu-west-1");
        assert_eq!(wanted.image.ecr.unwrap().repository, "support");
        let document = task_definition::from_spec(&agent, IMAGE, None).document();
        let options = &document["containerDefinitions"][0]["logConfiguration"]["options"];
        assert_eq!(options["awslogs-region"], "eu-west-1");
    }
}
