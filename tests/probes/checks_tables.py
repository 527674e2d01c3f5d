"""DynamoDB: tables, their indexes and time to live, and the streams of their changes."""

from checks_dynamodb import KEY, active, db, described, put, table
from kit import contains, refused, same


def check_table_is_created_then_active(aws):
    """CreateTable answers CREATING, DescribeTable ACTIVE after a while."""
    name = aws.name("table")
    made = db(aws).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )["TableDescription"]
    contains(made, {"TableName": name, "TableStatus": "CREATING", "ItemCount": 0, "TableSizeBytes": 0})
    same(made["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST")
    assert made["TableArn"].endswith(f":table/{name}") and len(made["TableId"]) == 36
    active(aws, name)


def check_table_exists_once(aws):
    """A second CreateTable of a name is refused; so is describing a missing table."""
    name = table(aws)
    refused("ResourceInUseException", table, aws=aws, TableName=name)
    refused("ResourceNotFoundException", db(aws).describe_table, text="not found", TableName=aws.name("none"))
    refused(
        "ResourceNotFoundException",
        db(aws).get_item,
        text="Requested resource not found",
        TableName=aws.name("none"),
        Key=KEY,
    )


def check_table_definitions_fit_keys(aws):
    """Attribute definitions are exactly those of the keys, and billing fits the throughput."""
    refused(
        "ValidationException",
        table,
        text="AttributeDefinitions",
        aws=aws,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    refused(
        "ValidationException",
        table,
        text="BillingMode is PAY_PER_REQUEST",
        aws=aws,
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )
    refused("ValidationException", table, text="BillingMode is PROVISIONED", aws=aws, BillingMode="PROVISIONED")


def check_table_is_deleted(aws):
    """DeleteTable answers DELETING; then the table is gone, unless it is protected."""
    name = table(aws, DeletionProtectionEnabled=True)
    refused("ValidationException", db(aws).delete_table, text="protected", TableName=name)
    db(aws).update_table(TableName=name, DeletionProtectionEnabled=False)
    active(aws, name)
    same(db(aws).delete_table(TableName=name)["TableDescription"]["TableStatus"], "DELETING")

    def gone():
        return name not in [n for page in db(aws).get_paginator("list_tables").paginate() for n in page["TableNames"]]

    aws.until("the table is gone", gone)


def check_time_to_live(aws):
    """Time to live is switched on once, and then not again within the hour."""
    name = table(aws)
    same(db(aws).describe_time_to_live(TableName=name)["TimeToLiveDescription"], {"TimeToLiveStatus": "DISABLED"})
    wanted = {"Enabled": True, "AttributeName": "expires"}
    same(db(aws).update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)["TimeToLiveSpecification"], wanted)
    aws.until(
        "enabled",
        lambda: db(aws).describe_time_to_live(TableName=name)["TimeToLiveDescription"].get("AttributeName")
        == "expires",
    )
    refused("ValidationException", db(aws).update_time_to_live, TableName=name, TimeToLiveSpecification=wanted)


def check_table_tags(aws):
    """Tags of a table are added, listed and removed."""
    name = table(aws, Tags=[{"Key": "a", "Value": "1"}])
    arn = described(aws, name)["TableArn"]
    db(aws).tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    db(aws).untag_resource(ResourceArn=arn, TagKeys=["a"])
    same(db(aws).list_tags_of_resource(ResourceArn=arn)["Tags"], [{"Key": "b", "Value": "2"}])


def streamed(aws, view="NEW_AND_OLD_IMAGES"):
    """A table with a stream: its name, the stream's client, ARN and only shard."""
    name = table(aws, StreamSpecification={"StreamEnabled": True, "StreamViewType": view})
    client = aws.client("dynamodbstreams")
    [stream] = client.list_streams(TableName=name)["Streams"]
    described = client.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]
    contains(described, {"StreamStatus": "ENABLED", "StreamViewType": view, "TableName": name})
    return name, client, stream["StreamArn"], described["Shards"][-1]


def records(client, arn, shard, kind="TRIM_HORIZON", **more):
    iterator = client.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType=kind, **more)[
        "ShardIterator"
    ]
    return client.get_records(ShardIterator=iterator)


def check_stream_records_changes(aws):
    """Each change of an item is one record, in order, with the images of the view; nothing changed is no record."""
    name, client, arn, shard = streamed(aws)
    put(aws, name, v={"N": "1"})
    put(aws, name, v={"N": "1"})
    put(aws, name, v={"N": "2"})
    db(aws).delete_item(TableName=name, Key=KEY)
    found = aws.until(
        "three records", lambda: (lambda r: r if len(r) == 3 else None)(records(client, arn, shard)["Records"])
    )
    same([record["eventName"] for record in found], ["INSERT", "MODIFY", "REMOVE"])
    change = found[1]["dynamodb"]
    contains(
        change,
        {
            "Keys": KEY,
            "OldImage": KEY | {"v": {"N": "1"}},
            "NewImage": KEY | {"v": {"N": "2"}},
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    )
    contains(found[1], {"eventSource": "aws:dynamodb", "awsRegion": "us-east-1", "eventVersion": "1.1"})
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in found]
    same(numbers, sorted(set(numbers)))


def check_stream_iterators(aws):
    """Iterators begin at the horizon, at the end, at and after a record."""
    name, client, arn, shard = streamed(aws, "KEYS_ONLY")
    for value in "12":
        put(aws, name, v={"N": value})
    first, second = aws.until(
        "two records", lambda: (lambda r: r if len(r) == 2 else None)(records(client, arn, shard)["Records"])
    )
    assert "NewImage" not in first["dynamodb"] and "OldImage" not in second["dynamodb"]
    number = first["dynamodb"]["SequenceNumber"]
    same(len(records(client, arn, shard, "AT_SEQUENCE_NUMBER", SequenceNumber=number)["Records"]), 2)
    same(records(client, arn, shard, "AFTER_SEQUENCE_NUMBER", SequenceNumber=number)["Records"], [second])
    latest = records(client, arn, shard, "LATEST")
    same(latest["Records"], [])
    put(aws, name, v={"N": "3"})
    same(len(client.get_records(ShardIterator=latest["NextShardIterator"])["Records"]), 1)


def check_stream_is_new_each_time(aws):
    """A stream switched off stays readable; switched on again it has another ARN."""
    name, client, arn, shard = streamed(aws)
    put(aws, name)
    db(aws).update_table(TableName=name, StreamSpecification={"StreamEnabled": False})
    active(aws, name)
    same(client.describe_stream(StreamArn=arn)["StreamDescription"]["StreamStatus"], "DISABLED")
    same(len(records(client, arn, shard)["Records"]), 1)
    db(aws).update_table(TableName=name, StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
    active(aws, name)
    assert described(aws, name)["LatestStreamArn"] != arn
    refused(
        "ValidationException",
        db(aws).update_table,
        TableName=name,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )


def check_update_table_needs_a_change(aws):
    """UpdateTable without anything to change is refused, and a missing table is missing."""
    name = table(aws)
    refused("ValidationException", db(aws).update_table, text="At least one of", TableName=name)
    refused(
        "ResourceNotFoundException", db(aws).update_table, TableName=aws.name("none"), DeletionProtectionEnabled=True
    )


def check_index_is_added_later(aws):
    """UpdateTable adds a global index, which is made of the items there are."""
    name = table(aws)
    put(aws, name, kind={"S": "x"})
    index = {
        "IndexName": "by-kind",
        "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    db(aws).update_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "kind", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )
    active(aws, name)
    aws.until(
        "the index is active", lambda: described(aws, name)["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE"
    )
    query = {
        "TableName": name,
        "IndexName": "by-kind",
        "KeyConditionExpression": "kind = :k",
        "ExpressionAttributeValues": {":k": {"S": "x"}},
    }
    same(db(aws).query(**query)["Count"], 1)
