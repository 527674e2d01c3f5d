"""CloudWatch Logs: groups, streams, retention and events."""

import time

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


def group(aws, **more):
    """A new log group; its name."""
    name = aws.name("/probe/group")
    aws.logs.create_log_group(logGroupName=name, **more)
    return name


def stream(aws, *messages):
    """A log group with a stream of these messages, a second apart: both names."""
    name = group(aws)
    aws.logs.create_log_stream(logGroupName=name, logStreamName="s")
    now = int(time.time() * 1000) - 60_000
    events = [{"timestamp": now + index * 1000, "message": text} for index, text in enumerate(messages)]
    if events:
        aws.logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=events)
    return name, events


def arn_of(aws, name):
    return aws.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]["arn"].removesuffix(":*")


def check_group_twice(aws):
    """CreateLogGroup of an existing name is ResourceAlreadyExistsException."""
    # facts 9
    name = group(aws)
    refused("ResourceAlreadyExistsException", aws.logs.create_log_group, "already exists", logGroupName=name)


def check_group_names(aws):
    """Log groups are named with 1 to 512 of letters, digits and . - _ / #, not starting with aws/."""
    # facts 9
    for name in ("no spaces", "x" * 513, "colon:s", "aws/mine"):
        refused("InvalidParameterException", aws.logs.create_log_group, logGroupName=name)


def check_group_missing(aws):
    """Deleting a log group that does not exist is ResourceNotFoundException."""
    # facts 9
    name = aws.name("/probe/nobody")
    refused("ResourceNotFoundException", aws.logs.delete_log_group, "log group does not exist", logGroupName=name)
    refused("ResourceNotFoundException", aws.logs.create_log_stream, logGroupName=name, logStreamName="s")
    refused("ResourceNotFoundException", aws.logs.put_retention_policy, logGroupName=name, retentionInDays=7)


def check_retention(aws):
    """Retention is put and deleted apart from creation."""
    # facts 9
    name = group(aws)
    shown = lambda: aws.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0].get("retentionInDays")
    for days in (1, 14, 3653):
        aws.logs.put_retention_policy(logGroupName=name, retentionInDays=days)
        same(shown(), days)
    aws.logs.delete_retention_policy(logGroupName=name)
    same(shown(), None)


def check_retention_values(aws):
    """Only certain numbers of days are taken."""
    # facts 9
    name = group(aws)
    for days in (0, 2, 10, 366, 3654):
        refused("InvalidParameterException", aws.logs.put_retention_policy, logGroupName=name, retentionInDays=days)


def check_classes(aws):
    """A log group has a class, STANDARD unless said, and unknown classes are refused."""
    # facts 9
    name = group(aws, logGroupClass="INFREQUENT_ACCESS")
    same(aws.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]["logGroupClass"], "INFREQUENT_ACCESS")
    refused("InvalidParameterException", group, aws=aws, logGroupClass="FIRST")


def check_group_pages(aws):
    """DescribeLogGroups filters by prefix and by pattern, and answers pages of limit."""
    # facts 9
    prefix = aws.name("/paged")
    names = [f"{prefix}/{number}" for number in range(3)]
    for name in names:
        aws.logs.create_log_group(logGroupName=name)
    first = aws.logs.describe_log_groups(logGroupNamePrefix=prefix, limit=2)
    same([item["logGroupName"] for item in first["logGroups"]], names[:2])
    assert first["nextToken"]
    pages = aws.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix, PaginationConfig={"PageSize": 2})
    same([item["logGroupName"] for page in pages for item in page["logGroups"]], names)
    same(len(aws.logs.describe_log_groups(logGroupNamePattern=prefix.strip("/"))["logGroups"]), 3)
    both = {"logGroupNamePrefix": prefix, "logGroupNamePattern": "x"}
    refused("InvalidParameterException", aws.logs.describe_log_groups, **both)


def check_group_tags(aws):
    """A log group takes tags at creation and later, by its ARN without :*."""
    # facts 9
    name = group(aws, tags={"a": "1"})
    arn = arn_of(aws, name)
    aws.logs.tag_resource(resourceArn=arn, tags={"b": "2"})
    aws.logs.untag_resource(resourceArn=arn, tagKeys=["a"])
    same(aws.logs.list_tags_for_resource(resourceArn=arn)["tags"], {"b": "2"})
    refused("ResourceNotFoundException", aws.logs.list_tags_for_resource, resourceArn=arn + "nobody")


def check_group_protection(aws):
    """A log group that is protected can't be deleted."""
    # facts 9
    name = group(aws, deletionProtectionEnabled=True)
    refused(("ValidationException", "OperationAbortedException", "InvalidParameterException"), aws.logs.delete_log_group, logGroupName=name)


def check_streams(aws):
    """Log streams are unique in their group, listed by name, and deleted."""
    # facts 9
    name = group(aws)
    for stream_name in ("b", "a"):
        aws.logs.create_log_stream(logGroupName=name, logStreamName=stream_name)
    refused("ResourceAlreadyExistsException", aws.logs.create_log_stream, logGroupName=name, logStreamName="a")
    listed = lambda **more: [s["logStreamName"] for s in aws.logs.describe_log_streams(logGroupName=name, **more)["logStreams"]]
    same((listed(), listed(descending=True), listed(logStreamNamePrefix="b")), (["a", "b"], ["b", "a"], ["b"]))
    aws.logs.delete_log_stream(logGroupName=name, logStreamName="a")
    same(listed(), ["b"])
    refused("ResourceNotFoundException", aws.logs.delete_log_stream, logGroupName=name, logStreamName="a")


def check_stream_names(aws):
    """A stream's name has no colon and no asterisk."""
    # B:logs CreateLogStream
    name = group(aws)
    for bad in ("a:b", "a*b", "x" * 513):
        refused("InvalidParameterException", aws.logs.create_log_stream, logGroupName=name, logStreamName=bad)


def check_events(aws):
    """Events that were put are read in order, with the time of their arrival."""
    # facts 9
    name, events = stream(aws, "one", "two", "three")
    seen = aws.logs.get_log_events(logGroupName=name, logStreamName="s", startFromHead=True)["events"]
    same([(event["timestamp"], event["message"]) for event in seen], [(e["timestamp"], e["message"]) for e in events])
    assert all(event["ingestionTime"] for event in seen)
    [shown] = aws.logs.describe_log_streams(logGroupName=name)["logStreams"]
    contains(shown, {"firstEventTimestamp": events[0]["timestamp"], "lastEventTimestamp": events[-1]["timestamp"]})


def check_reading_on(aws):
    """GetLogEvents reads on by token; at the end the token that was sent comes back."""
    # B:logs GetLogEvents
    name, _ = stream(aws, "one", "two", "three")
    read = lambda **more: aws.logs.get_log_events(logGroupName=name, logStreamName="s", startFromHead=True, limit=2, **more)
    first = read()
    second = read(nextToken=first["nextForwardToken"])
    same([event["message"] for event in first["events"] + second["events"]], ["one", "two", "three"])
    third = read(nextToken=second["nextForwardToken"])
    same((third["events"], third["nextForwardToken"]), ([], second["nextForwardToken"]))


def check_newest_first_read(aws):
    """GetLogEvents answers the newest events unless told to start at the head."""
    # B:logs GetLogEvents
    name, _ = stream(aws, "one", "two", "three")
    seen = aws.logs.get_log_events(logGroupName=name, logStreamName="s", limit=1)["events"]
    same([event["message"] for event in seen], ["three"])


def check_time_range(aws):
    """GetLogEvents takes a start, inclusive, and an end, exclusive."""
    # B:logs GetLogEvents
    name, events = stream(aws, "one", "two", "three")
    span = {"startTime": events[0]["timestamp"], "endTime": events[2]["timestamp"]}
    seen = aws.logs.get_log_events(logGroupName=name, logStreamName="s", startFromHead=True, **span)["events"]
    same([event["message"] for event in seen], ["one", "two"])


def check_filter(aws):
    """FilterLogEvents finds events of all streams by words, each with its stream and an id."""
    # B:logs FilterLogEvents
    name, _ = stream(aws, "ERROR disk full", "all is well", "ERROR again")
    seen = aws.logs.filter_log_events(logGroupName=name, filterPattern="ERROR")["events"]
    same([event["message"] for event in seen], ["ERROR disk full", "ERROR again"])
    assert all(event["logStreamName"] == "s" and event["eventId"] for event in seen)
    quoted = aws.logs.filter_log_events(logGroupName=name, filterPattern='"disk full"')["events"]
    same(len(quoted), 1)
    either = aws.logs.filter_log_events(logGroupName=name, filterPattern="?well ?again")["events"]
    same(len(either), 2)
    without = aws.logs.filter_log_events(logGroupName=name, filterPattern="ERROR -again")["events"]
    same([event["message"] for event in without], ["ERROR disk full"])


def check_events_of_missing_streams(aws):
    """Reading or writing a stream that does not exist is ResourceNotFoundException."""
    # facts 9
    name = group(aws)
    call = {"logGroupName": name, "logStreamName": "nobody"}
    refused("ResourceNotFoundException", aws.logs.get_log_events, "log stream does not exist", **call)
    events = [{"timestamp": int(time.time() * 1000), "message": "x"}]
    refused("ResourceNotFoundException", aws.logs.put_log_events, logEvents=events, **call)
    refused("ResourceNotFoundException", aws.logs.filter_log_events, logGroupName=aws.name("/nobody"))


def check_filter_by_fields(aws):
    """A filter pattern in braces compares fields of events that are JSON."""
    # CloudWatch Logs user guide, "Filter pattern syntax for JSON log events"
    group, now = aws.name("/probe/fields"), int(time.time() * 1000)
    aws.logs.create_log_group(logGroupName=group)
    aws.logs.create_log_stream(logGroupName=group, logStreamName="one")
    lines = ['{"level":"error","code":503}', '{"level":"info","code":200}', "level error"]
    events = [{"timestamp": now, "message": line} for line in lines]
    aws.logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=events)
    for pattern in ('{ $.level = "error" }', '{ $.code >= 500 && $.user NOT EXISTS }', '{ ($.level = "err*") || $.code = 1 }'):
        found = aws.logs.filter_log_events(logGroupName=group, filterPattern=pattern)["events"]
        same([event["message"] for event in found], lines[:1], pattern)
