"""CloudWatch Logs: groups, streams, retention and events."""

from kit import contains, refused, same


def check_group_lives_and_dies(aws):
    """CreateLogGroup makes a group that DescribeLogGroups shows until DeleteLogGroup, without retention."""
    # facts 9
    name = aws.name("/probe/group")
    aws.logs.create_log_group(logGroupName=name)
    [group] = aws.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    contains(group, {"logGroupName": name, "logGroupClass": "STANDARD", "metricFilterCount": 0})
    assert "retentionInDays" not in group and group["arn"].endswith(f"log-group:{name}:*")
    aws.logs.delete_log_group(logGroupName=name)
    same(aws.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"], [], "groups")
