//! Requests that no SDK would send: whatever comes, the engine answers and goes on.

use crate::place::{GROUP, Place, REGION, pass, service};
use fastrand::Rng;
use serde_json::{Map, Value, json};

/// Operations by service, each with the member most of its kind need to get anywhere.
const OPERATIONS: [(&str, &str); 6] = [
    (
        "ecs",
        "CreateCluster DescribeClusters ListClusters UpdateCluster PutClusterCapacityProviders RegisterTaskDefinition \
         DescribeTaskDefinition DeregisterTaskDefinition DeleteTaskDefinitions ListTaskDefinitions \
         ListTaskDefinitionFamilies CreateService UpdateService DeleteService DescribeServices ListServices \
         ListServiceDeployments DescribeServiceDeployments StopServiceDeployment DescribeServiceRevisions ListTasks \
         DescribeTasks StopTask RunTask TagResource UntagResource ListTagsForResource ListServicesByNamespace \
         ContinueServiceDeployment GetTaskProtection UpdateTaskProtection ExecuteCommand ListAccountSettings \
         PutAccountSetting PutAccountSettingDefault DeleteAccountSetting DescribeCapacityProviders \
         CreateCapacityProvider ListContainerInstances DescribeContainerInstances StartTask ListAttributes \
         PutAttributes CreateTaskSet UpdateClusterSettings",
    ),
    (
        "ecr",
        "CreateRepository DescribeRepositories DeleteRepository PutLifecyclePolicy GetLifecyclePolicy TagResource \
         DescribeImages BatchGetImage BatchDeleteImage ListImages PutImage GetAuthorizationToken PutImageTagMutability",
    ),
    (
        "elbv2",
        "CreateLoadBalancer DescribeLoadBalancers ModifyLoadBalancerAttributes DeleteLoadBalancer CreateTargetGroup \
         DescribeTargetGroups ModifyTargetGroup ModifyTargetGroupAttributes DeleteTargetGroup CreateListener \
         DescribeListeners ModifyListener CreateRule DescribeRules ModifyRule SetRulePriorities DeleteRule RegisterTargets \
         DeregisterTargets DescribeTargetHealth AddTags RemoveTags DescribeTags SetSubnets DescribeAccountLimits",
    ),
    (
        "application-autoscaling",
        "RegisterScalableTarget DeregisterScalableTarget DescribeScalableTargets PutScalingPolicy DeleteScalingPolicy \
         DescribeScalingPolicies PutScheduledAction DescribeScheduledActions DescribeScalingActivities TagResource \
         DeleteScheduledAction",
    ),
    (
        "logs",
        "CreateLogGroup DescribeLogGroups DeleteLogGroup PutRetentionPolicy TagResource CreateLogStream \
         DescribeLogStreams DeleteLogStream PutLogEvents GetLogEvents FilterLogEvents",
    ),
    ("sts", "GetCallerIdentity AssumeRole GetSessionToken"),
];

const MEMBERS: &str = "cluster clusterName clusters service serviceName services taskDefinition family status desiredCount \
    maxResults nextToken tags tagKeys resourceArn include cpu memory networkMode containerDefinitions name image \
    portMappings containerPort healthCheck command interval retries environment secrets requiresCompatibilities launchType \
    capacityProviderStrategy networkConfiguration awsvpcConfiguration subnets loadBalancers targetGroupArn containerName \
    deploymentConfiguration deploymentCircuitBreaker enable rollback thresholdConfiguration type value maximumPercent \
    minimumHealthyPercent healthCheckGracePeriodSeconds forceNewDeployment force count tasks task serviceDeploymentArns \
    serviceDeploymentArn serviceRevisionArns createdAt repositoryName imageIds imageTag imageDigest imageManifest Name \
    Names Protocol Port VpcId TargetType LoadBalancerArn ListenerArn TargetGroupArn RuleArn Priority Conditions Field \
    Values Actions ForwardConfig TargetGroups Targets Id Attributes Key Value ResourceArns PageSize Marker RulePriorities \
    ServiceNamespace ResourceId ScalableDimension MinCapacity MaxCapacity PolicyName PolicyType \
    TargetTrackingScalingPolicyConfiguration TargetValue PredefinedMetricSpecification PredefinedMetricType ScaleOutCooldown \
    logGroupName logStreamName retentionInDays limit startTime logEvents timestamp message RoleArn DurationSeconds \
    overrides containerOverrides clientToken startedBy protectionEnabled expiresInMinutes interactive strategy \
    bakeTimeInMinutes linearConfiguration stepPercent stepBakeTimeInMinutes canaryConfiguration canaryPercent \
    advancedConfiguration alternateTargetGroupArn productionListenerRule dependsOn condition restartPolicy mountPoints \
    ScheduledActionName Schedule Timezone ScalableTargetAction StartTime EndTime StepScalingPolicyConfiguration \
    StepAdjustments filterPattern Weight HttpCode Matcher entryPoint settings weight base";

fn word(random: &mut Rng) -> String {
    let words = [
        "",
        "agent",
        "blue",
        "agent:1",
        "ecs",
        "service/blue/agent",
        "/ecs/agent",
        "v1",
        "FARGATE",
        "awsvpc",
        "256",
        "512",
        "ACTIVE",
        "TAGS",
        "arn:",
        "arn:aws:ecs:us-east-1:111122223333:service/blue/agent",
        GROUP,
        "BLUE_GREEN",
        "LINEAR",
        "cron(0 8 * * ? *)",
        "rate(1 minute)",
        "at(9999-12-31T23:59:59)",
        "cron(0/0 */5 L JAN-DEC ? 1970-2199/7)",
        "sleep 1e300",
        "page-ffffffffffffffff",
        "page-7fffffffffffffff",
        "f/18446744073709551615",
        "b/0",
        "\u{1F600}",
        "a/b/c",
        ":::::",
        "TargetTrackingScaling",
        "ecs:service:DesiredCount",
        "ECSServiceAverageCPUUtilization",
        "9223372036854775807",
        "sha256:",
        "CMD",
        "{}",
        "x@y",
        "arn:aws:iam::222233334444:role/x",
        "10",
        "UNBOUNDED_PERCENT",
        "PERCENT",
        "<&>",
        "-1",
        "HTTP",
        "path-pattern",
    ];
    words[random.usize(..words.len())].to_owned()
}

fn value(random: &mut Rng, depth: u32) -> Value {
    match random.u32(..if depth == 0 { 6 } else { 10 }) {
        0..3 => json!(word(random)),
        3 => json!([0, 1, -1, 50, 100, i64::MAX, i64::MIN][random.usize(..7)]),
        4 => json!(random.bool()),
        5 => json!([f64::MAX, -0.5, 1e-300][random.usize(..3)]),
        6..8 => (0..random.usize(..4)).map(|_| value(random, depth - 1)).collect(),
        _ => object(random, depth - 1),
    }
}

fn object(random: &mut Rng, depth: u32) -> Value {
    let members: Vec<&str> = MEMBERS.split_whitespace().collect();
    let names = (0..random.usize(..8)).map(|_| members[random.usize(..members.len())].to_owned()).collect::<Vec<_>>();
    names.into_iter().map(|name| (name, value(random, depth))).collect::<Map<_, _>>().into()
}

/// A request that makes sense, with a few members replaced: it gets further than pure noise.
fn twisted(random: &mut Rng) -> Value {
    let mut request = match random.u32(..3) {
        0 => service(),
        1 => crate::place::definition(),
        _ => json!({"ServiceNamespace": "ecs", "ResourceId": "service/blue/agent", "MinCapacity": 1, "MaxCapacity": 9}),
    };
    for (name, changed) in object(random, 3).as_object().unwrap() {
        request[name] = changed.clone();
    }
    request
}

#[tokio::test(start_paused = true)]
async fn no_request_breaks_the_engine() {
    let operations: Vec<(&str, &str)> = OPERATIONS
        .iter()
        .flat_map(|(service, operations)| operations.split_whitespace().map(move |operation| (*service, operation)))
        .collect();
    for seed in 0..20 {
        let mut random = Rng::with_seed(seed);
        let place = Place::new();
        place.create(json!({}));
        for _ in 0..500 {
            let (service, operation) = operations[random.usize(..operations.len())];
            let input = if random.bool() { twisted(&mut random) } else { object(&mut random, 4) };
            let _ = place.aws.call(REGION, service, operation, input);
            pass(random.u64(..20)).await;
        }
        place.aws.metric(REGION, "blue", "agent", f64::MAX);
        pass(10_000).await;
        place.ecs("ListClusters", json!({}));
    }
}
