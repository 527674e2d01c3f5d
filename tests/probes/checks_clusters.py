"""ECS clusters: their life, their settings and the capacity providers attached to them."""

from kit import contains, network, refused, same


def check_create_answers_an_active_cluster(aws):
    """CreateCluster answers an ACTIVE cluster with a long ARN, zero counts and Container Insights disabled."""
    # facts 0, 9
    name = aws.name("cluster")
    cluster = aws.ecs.create_cluster(clusterName=name)["cluster"]
    zero = ("registeredContainerInstancesCount", "runningTasksCount", "pendingTasksCount", "activeServicesCount")
    contains(cluster, {"clusterName": name, "status": "ACTIVE"} | dict.fromkeys(zero, 0))
    assert cluster["clusterArn"].endswith(f":cluster/{name}")
    same(cluster["settings"], [{"name": "containerInsights", "value": "disabled"}], "settings")
    same((cluster["capacityProviders"], cluster["defaultCapacityProviderStrategy"]), ([], []), "providers")


def check_create_twice_answers_the_same(aws):
    """CreateCluster of an existing name answers the existing cluster and changes nothing."""
    # facts 4.3
    name = aws.name("cluster")
    first = aws.ecs.create_cluster(clusterName=name, tags=[{"key": "a", "value": "1"}])["cluster"]
    again = aws.ecs.create_cluster(clusterName=name)["cluster"]
    same(again["clusterArn"], first["clusterArn"])
    seen = aws.ecs.describe_clusters(clusters=[name], include=["TAGS"])["clusters"][0]
    same(seen["tags"], [{"key": "a", "value": "1"}], "tags")


def check_name_rules(aws):
    """Cluster names have at most 255 letters, digits, hyphens and underscores."""
    # facts 4.1
    refused("InvalidParameterException", aws.ecs.create_cluster, clusterName="no spaces")
    refused("InvalidParameterException", aws.ecs.create_cluster, clusterName="x" * 256)


def check_default_cluster(aws):
    """Without a name, CreateCluster makes and DescribeClusters shows the cluster called default."""
    # facts 4.1
    same(aws.ecs.create_cluster()["cluster"]["clusterName"], "default")
    same(aws.ecs.describe_clusters()["clusters"][0]["clusterName"], "default")


def check_include_filters(aws):
    """DescribeClusters shows settings, statistics and tags only when they are included."""
    # facts 2.1
    name = aws.name("cluster")
    aws.ecs.create_cluster(clusterName=name, tags=[{"key": "a", "value": "1"}])
    bare = aws.ecs.describe_clusters(clusters=[name])["clusters"][0]
    same((bare["settings"], bare["statistics"], bare["tags"]), ([], [], []), "unasked members")
    include = ["SETTINGS", "STATISTICS", "TAGS", "ATTACHMENTS", "CONFIGURATIONS"]
    full = aws.ecs.describe_clusters(clusters=[name], include=include)["clusters"][0]
    same(full["tags"], [{"key": "a", "value": "1"}], "tags")
    same(full["settings"], [{"name": "containerInsights", "value": "disabled"}], "settings")
    statistics = {item["name"]: item["value"] for item in full["statistics"]}
    contains(statistics, {"runningFargateTasksCount": "0", "activeFargateServiceCount": "0", "runningEC2TasksCount": "0"})


def check_statistics_count_fargate_services(aws):
    """The statistic activeFargateServiceCount counts active Fargate services, as text."""
    # B:ecs DescribeClusters
    cluster = aws.cluster()
    aws.service(cluster)
    seen = aws.ecs.describe_clusters(clusters=[cluster], include=["STATISTICS"])["clusters"][0]
    contains({s["name"]: s["value"] for s in seen["statistics"]}, {"activeFargateServiceCount": "1"})
    same(seen["activeServicesCount"], 1, "activeServicesCount")


def check_missing_is_a_failure(aws):
    """DescribeClusters of an unknown name answers a failure MISSING, by ARN, and no error."""
    # facts 4.9
    known, unknown = aws.cluster(), aws.name("unknown")
    answer = aws.ecs.describe_clusters(clusters=[known, unknown])
    same([cluster["clusterName"] for cluster in answer["clusters"]], [known])
    same([failure["reason"] for failure in answer["failures"]], ["MISSING"])
    assert answer["failures"][0]["arn"].endswith(unknown)


def check_describe_takes_at_most_a_hundred(aws):
    """DescribeClusters takes at most 100 names."""
    # facts 2.1
    names = [f"x{number}" for number in range(101)]
    refused("InvalidParameterException", aws.ecs.describe_clusters, clusters=names)


def check_describe_takes_an_arn(aws):
    """DescribeClusters takes ARNs as well as names."""
    # facts 0
    arn = aws.ecs.create_cluster(clusterName=aws.name("cluster"))["cluster"]["clusterArn"]
    same(aws.ecs.describe_clusters(clusters=[arn])["clusters"][0]["clusterArn"], arn)


def check_list_pages(aws):
    """ListClusters answers pages of maxResults with a nextToken until the last."""
    # facts 2.1
    mine = {aws.ecs.create_cluster(clusterName=aws.name("paged"))["cluster"]["clusterArn"] for _ in range(3)}
    first = aws.ecs.list_clusters(maxResults=1)
    assert len(first["clusterArns"]) == 1 and first["nextToken"]
    pages = aws.ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 7})
    assert mine <= {arn for page in pages for arn in page["clusterArns"]}


def check_list_refuses_bad_pages(aws):
    """ListClusters refuses a token it never gave and more than 100 results."""
    # B:ecs ListClusters
    refused("InvalidParameterException", aws.ecs.list_clusters, nextToken="nonsense")
    refused("InvalidParameterException", aws.ecs.list_clusters, maxResults=101)


def check_update_settings(aws):
    """UpdateClusterSettings turns Container Insights on, and refuses unknown names and values."""
    # facts 9
    cluster = aws.cluster()
    wanted = [{"name": "containerInsights", "value": "enhanced"}]
    same(aws.ecs.update_cluster_settings(cluster=cluster, settings=wanted)["cluster"]["settings"], wanted)
    seen = aws.ecs.describe_clusters(clusters=[cluster], include=["SETTINGS"])["clusters"][0]
    same(seen["settings"], wanted, "settings")
    for bad in ({"name": "containerInsights", "value": "maybe"}, {"name": "insights", "value": "enabled"}):
        refused("InvalidParameterException", aws.ecs.update_cluster_settings, cluster=cluster, settings=[bad])


def check_update_configuration(aws):
    """UpdateCluster keeps an execute-command configuration, shown with CONFIGURATIONS only."""
    # B:ecs UpdateCluster
    cluster = aws.cluster()
    configuration = {"executeCommandConfiguration": {"logging": "NONE"}}
    aws.ecs.update_cluster(cluster=cluster, configuration=configuration)
    seen = aws.ecs.describe_clusters(clusters=[cluster], include=["CONFIGURATIONS"])["clusters"][0]
    same(seen["configuration"], configuration, "configuration")
    assert "configuration" not in aws.ecs.describe_clusters(clusters=[cluster])["clusters"][0]


def check_update_of_unknown(aws):
    """UpdateCluster of an unknown cluster is ClusterNotFoundException."""
    # facts 4.8
    settings = [{"name": "containerInsights", "value": "enabled"}]
    refused("ClusterNotFoundException", aws.ecs.update_cluster, cluster=aws.name("unknown"), settings=settings)


def check_put_capacity_providers(aws):
    """PutClusterCapacityProviders replaces both lists, with weight and base filled."""
    # facts 1.6, 4.10
    cluster = aws.cluster(capacityProviders=[])
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    both = ["FARGATE", "FARGATE_SPOT"]
    seen = aws.ecs.put_cluster_capacity_providers(
        cluster=cluster, capacityProviders=both, defaultCapacityProviderStrategy=strategy
    )["cluster"]
    same(sorted(seen["capacityProviders"]), both)
    same(seen["defaultCapacityProviderStrategy"], [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}])
    cleared = aws.ecs.put_cluster_capacity_providers(
        cluster=cluster, capacityProviders=[], defaultCapacityProviderStrategy=[]
    )["cluster"]
    same((cleared["capacityProviders"], cleared["defaultCapacityProviderStrategy"]), ([], []))


def check_unknown_capacity_provider(aws):
    """A capacity provider that does not exist can't be attached to a cluster."""
    # facts 1.6
    cluster = aws.cluster(capacityProviders=[])
    put = aws.ecs.put_cluster_capacity_providers
    arguments = {"cluster": cluster, "defaultCapacityProviderStrategy": []}
    refused("InvalidParameterException", put, capacityProviders=["FARGATE_GOLD"], **arguments)
    refused("InvalidParameterException", aws.ecs.create_cluster, clusterName=aws.name("c"), capacityProviders=["NOPE"])


def check_default_strategy_names_attached_providers(aws):
    """A default strategy may only name providers that are attached to the cluster."""
    # facts 4.5
    cluster = aws.cluster(capacityProviders=[])
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    put = aws.ecs.put_cluster_capacity_providers
    arguments = {"capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": strategy}
    refused("InvalidParameterException", put, cluster=cluster, **arguments)


def check_provider_in_use_stays(aws):
    """A capacity provider that a service of the cluster uses can't be detached: ResourceInUseException."""
    # B:ecs PutClusterCapacityProviders
    cluster = aws.cluster()
    aws.service(cluster, capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}])
    put = aws.ecs.put_cluster_capacity_providers
    arguments = {"capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": []}
    refused("ResourceInUseException", put, cluster=cluster, **arguments)


def check_delete_leaves_an_inactive_cluster(aws):
    """DeleteCluster answers INACTIVE; the cluster leaves the list, and calls on it are ClusterNotFoundException."""
    # facts 4.8
    cluster = aws.cluster()
    gone = aws.ecs.delete_cluster(cluster=cluster)["cluster"]
    same(gone["status"], "INACTIVE")
    pages = aws.ecs.get_paginator("list_clusters").paginate()
    assert gone["clusterArn"] not in {arn for page in pages for arn in page["clusterArns"]}
    refused("ClusterNotFoundException", aws.ecs.list_services, cluster=cluster)
    same(aws.ecs.create_cluster(clusterName=cluster)["cluster"]["status"], "ACTIVE")


def check_delete_of_unknown(aws):
    """DeleteCluster of an unknown cluster is ClusterNotFoundException."""
    # facts 4.8
    refused("ClusterNotFoundException", aws.ecs.delete_cluster, cluster=aws.name("unknown"))


def check_delete_with_services(aws):
    """A cluster with an active service can't be deleted: ClusterContainsServicesException."""
    # B:ecs DeleteCluster
    cluster = aws.cluster()
    aws.service(cluster)
    refused("ClusterContainsServicesException", aws.ecs.delete_cluster, cluster=cluster)


def check_delete_with_tasks(aws):
    """A cluster with tasks that have not stopped can't be deleted: ClusterContainsTasksException."""
    # B:ecs DeleteCluster
    cluster = aws.cluster()
    definition = aws.definition()["taskDefinitionArn"]
    aws.ecs.run_task(cluster=cluster, taskDefinition=definition, launchType="FARGATE", networkConfiguration=network())
    refused("ClusterContainsTasksException", aws.ecs.delete_cluster, cluster=cluster)


def check_operations_need_the_cluster(aws):
    """Operations on services and tasks of an unknown cluster are ClusterNotFoundException."""
    # facts 4.8
    unknown = aws.name("unknown")
    refused("ClusterNotFoundException", aws.ecs.list_services, cluster=unknown)
    refused("ClusterNotFoundException", aws.ecs.describe_services, cluster=unknown, services=["x"])
    refused("ClusterNotFoundException", aws.ecs.list_tasks, cluster=unknown)
    refused("ClusterNotFoundException", aws.ecs.describe_tasks, cluster=unknown, tasks=["0" * 32])
    refused("ClusterNotFoundException", aws.ecs.delete_service, cluster=unknown, service="x")


def check_fargate_providers_exist_everywhere(aws):
    """DescribeCapacityProviders knows FARGATE and FARGATE_SPOT as ACTIVE, and answers MISSING for others."""
    # facts 1.6
    answer = aws.ecs.describe_capacity_providers(capacityProviders=["FARGATE", "FARGATE_SPOT", "NOPE"])
    seen = {provider["name"]: provider["status"] for provider in answer["capacityProviders"]}
    same(seen, {"FARGATE": "ACTIVE", "FARGATE_SPOT": "ACTIVE"})
    same([failure["reason"] for failure in answer["failures"]], ["MISSING"])
    assert answer["capacityProviders"][0]["capacityProviderArn"].split(":")[5].startswith("capacity-provider/FARGATE")


def check_fargate_providers_cannot_go(aws):
    """The Fargate capacity providers are reserved: they can't be deleted."""
    # B:ecs DeleteCapacityProvider
    refused("InvalidParameterException", aws.ecs.delete_capacity_provider, capacityProvider="FARGATE")


def check_own_capacity_provider(aws):
    """A provider of an Auto Scaling group is made, described, attached, and not deleted while a cluster has it."""
    # B:ecs CreateCapacityProvider
    name, cluster = aws.name("provider"), aws.cluster(capacityProviders=[])
    group = "arn:aws:autoscaling:us-east-1:111122223333:autoScalingGroup:0:autoScalingGroupName/probe"
    made = aws.ecs.create_capacity_provider(name=name, autoScalingGroupProvider={"autoScalingGroupArn": group})
    contains(made["capacityProvider"], {"name": name, "status": "ACTIVE"})
    put = lambda names: aws.ecs.put_cluster_capacity_providers(
        cluster=cluster, capacityProviders=names, defaultCapacityProviderStrategy=[]
    )
    put([name])
    refused(("InvalidParameterException", "ResourceInUseException"), aws.ecs.delete_capacity_provider, capacityProvider=name)
    put([])
    aws.ecs.delete_capacity_provider(capacityProvider=name)
    answer = aws.ecs.describe_capacity_providers(capacityProviders=[name])
    assert answer["failures"] or answer["capacityProviders"][0]["status"] == "INACTIVE"


def check_no_container_instances(aws):
    """A Fargate cluster has no container instances: an empty list, MISSING when described."""
    # B:ecs
    cluster = aws.cluster()
    same(aws.ecs.list_container_instances(cluster=cluster)["containerInstanceArns"], [])
    answer = aws.ecs.describe_container_instances(cluster=cluster, containerInstances=["0" * 32])
    same((answer["containerInstances"], answer["failures"][0]["reason"]), ([], "MISSING"))
    same(aws.ecs.list_attributes(cluster=cluster, targetType="container-instance")["attributes"], [])
