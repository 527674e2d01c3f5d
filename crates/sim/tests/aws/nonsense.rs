//! Requests that no SDK would send: whatever comes, the engine answers and goes on.

use crate::place::{GROUP, Place, REGION, pass, service};
use fastrand::Rng;
use serde_json::{Map, Value, json};

/// Operations by service, each with the member most of its kind need to get anywhere.
const OPERATIONS: [(&str, &str); 15] = [
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
         DescribeImages BatchGetImage BatchDeleteImage ListImages PutImage GetAuthorizationToken PutImageTagMutability \
         InitiateLayerUpload UploadLayerPart CompleteLayerUpload BatchCheckLayerAvailability ListImageReferrers \
         SetRepositoryPolicy StartLifecyclePolicyPreview",
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
    (
        "dynamodb",
        "CreateTable DescribeTable UpdateTable DeleteTable ListTables UpdateTimeToLive TagResource GetItem PutItem UpdateItem \
         UpdateItem DeleteItem Query Query Scan Scan BatchGetItem BatchWriteItem TransactWriteItems TransactGetItems",
    ),
    ("dynamodbstreams", "ListStreams DescribeStream GetShardIterator GetRecords"),
    ("iam", "CreateRole GetRole ListRoles AttachRolePolicy ListAttachedRolePolicies DeleteRole"),
    ("ec2", "DescribeSubnets DescribeSecurityGroups DescribeVpcs DescribeAvailabilityZones"),
    ("secretsmanager", "CreateSecret GetSecretValue PutSecretValue DescribeSecret DeleteSecret ListSecrets"),
    ("ssm", "PutParameter GetParameter GetParameters GetParametersByPath DeleteParameter DescribeParameters"),
    (
        "sqs",
        "CreateQueue GetQueueUrl ListQueues SendMessage SendMessageBatch ReceiveMessage DeleteMessage DeleteMessageBatch \
         ChangeMessageVisibility GetQueueAttributes SetQueueAttributes PurgeQueue DeleteQueue",
    ),
    ("events", "PutRule PutTargets ListRules ListTargetsByRule RemoveTargets DescribeRule PutEvents TestEventPattern"),
    ("cloudwatch", "PutMetricAlarm DescribeAlarms DeleteAlarms SetAlarmState PutMetricData GetMetricData ListMetrics"),
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
    TableName Key Item KeySchema AttributeName KeyType AttributeType AttributeDefinitions BillingMode StreamSpecification \
    StreamEnabled StreamViewType GlobalSecondaryIndexes IndexName Projection ProjectionType UpdateExpression \
    ConditionExpression FilterExpression KeyConditionExpression ProjectionExpression ExpressionAttributeValues \
    ExpressionAttributeNames Limit ExclusiveStartKey Segment TotalSegments RequestItems Keys PutRequest TransactItems Put \
    Update Delete S N B M L SS NS pk :v #n TimeToLiveSpecification Enabled StreamArn ShardId ShardIteratorType \
    ShardIterator SubnetId GroupId Filter SecretId SecretString Type Overwrite Path QueueName QueueUrl MessageBody Entries \
    Body ReceiptHandle VisibilityTimeout AttributeNames DelaySeconds EventPattern Rule State Detail DetailType Source \
    AlarmName AlarmNames Namespace MetricData MetricName EvaluationPeriods ComparisonOperator layerDigests layerPartBlob \
    RoleName AssumeRolePolicyDocument uploadId partFirstByte partLastByte lifecyclePolicyText policyText \
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
        "table",
        "PAY_PER_REQUEST",
        "HASH",
        "S",
        "pk = :v",
        "SET a = :v, b[3] = if_not_exists(c.d, :v) + :v REMOVE e ADD f :v",
        "NOT (#n IN (:v, :v) AND size(a) > :v) OR contains(a[0].b, :v)",
        "((((((((((((",
        "a[99999999999999999999]",
        "1E125",
        "-0.1e-130",
        "1|2|3|4",
        "queue",
        "https://sqs.us-east-1.amazonaws.com/111122223333/queue",
        "{\"a\":[{\"numeric\":[\">\"]}],\"$or\":[{}]}",
        "{\"rules\":[{\"rulePriority\":1}],\"source\":[\"aws.ecs\"]}",
        "TRIM_HORIZON",
        "rule",
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
    let mut request = match random.u32(..6) {
        0 => service(),
        1 => crate::place::definition(),
        2 => json!({
            "TableName": "table", "Key": {"pk": {"S": "a"}}, "Item": {"pk": {"S": "a"}}, "KeyConditionExpression": "pk = :v",
            "ExpressionAttributeValues": {":v": {"S": "a"}}, "UpdateExpression": "SET a = :v, b.c = a REMOVE d[1]"}),
        3 => json!({
            "QueueUrl": "https://sqs/1/queue", "QueueName": "queue", "MessageBody": "x", "Rule": "rule",
            "Name": "rule", "EventPattern": "{\"source\":[\"aws.ecs\"]}",
            "Targets": [{"Id": "a", "Arn": "arn:aws:sqs:us-east-1:111122223333:queue"}]}),
        _ => json!({"ServiceNamespace": "ecs", "ResourceId": "service/blue/agent", "MinCapacity": 1, "MaxCapacity": 9}),
    };
    for (name, changed) in object(random, 3).as_object().unwrap() {
        request[name] = changed.clone();
    }
    request
}

/// A table with a stream, and a queue that hears of tasks.
fn furnish(place: &Place) {
    let table = json!({
        "TableName": "table", "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"}});
    place.call("dynamodb", "CreateTable", table);
    place.call("sqs", "CreateQueue", json!({"QueueName": "queue"}));
    place.call("events", "PutRule", json!({"Name": "rule", "EventPattern": "{\"source\":[\"aws.ecs\"]}"}));
    let target = json!({"Id": "a", "Arn": "arn:aws:sqs:us-east-1:111122223333:queue"});
    place.call("events", "PutTargets", json!({"Rule": "rule", "Targets": [target]}));
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
        furnish(&place);
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
