"""DynamoDB: items, expressions, queries and transactions."""

from kit import contains, refused, same

KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}


def db(aws):
    return aws.client("dynamodb")


def described(aws, name):
    return db(aws).describe_table(TableName=name)["Table"]


def active(aws, name):
    return aws.until(f"{name} is active", lambda: described(aws, name)["TableStatus"] == "ACTIVE")


def table(aws, wait=True, **changes):
    """A new table of a text and a number; its name."""
    name = aws.name("table")
    request = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
    }
    db(aws).create_table(**(request | changes))
    if wait:
        active(aws, name)
    return name


def put(aws, name, key=KEY, **attributes):
    db(aws).put_item(TableName=name, Item=key | attributes)


def get(aws, name, key=KEY):
    return db(aws).get_item(TableName=name, Key=key, ConsistentRead=True).get("Item")


def update(aws, name, expression, key=KEY, returned="ALL_NEW", **more):
    answer = db(aws).update_item(TableName=name, Key=key, UpdateExpression=expression, ReturnValues=returned, **more)
    return answer.get("Attributes")


def check_items_are_kept(aws):
    """Every type comes back as it was put, numbers in normal form."""
    name = table(aws)
    item = {
        "s": {"S": ""},
        "n": {"N": "1.5"},
        "b": {"B": b"\x00\xff"},
        "t": {"BOOL": True},
        "z": {"NULL": True},
        "m": {"M": {"l": {"L": [{"N": "-7"}, {"S": "x"}]}}},
        "ss": {"SS": ["a", "b"]},
    }
    put(aws, name, **item)
    same(get(aws, name), KEY | item)
    put(aws, name, n={"N": "0012.500E1"})
    same(get(aws, name)["n"], {"N": "125"})
    same(get(aws, name, {"pk": {"S": "none"}, "sk": {"N": "1"}}), None)


def check_keys_are_checked(aws):
    """Missing, mistyped and empty keys have their own refusals."""
    name = table(aws)
    write = db(aws).put_item
    refused(
        "ValidationException", write, text="Missing the key sk in the item", TableName=name, Item={"pk": {"S": "a"}}
    )
    refused(
        "ValidationException",
        write,
        text="Type mismatch for key sk expected: N actual: S",
        TableName=name,
        Item={"pk": {"S": "a"}, "sk": {"S": "1"}},
    )
    refused(
        "ValidationException",
        write,
        text="empty string value. Key: pk",
        TableName=name,
        Item={"pk": {"S": ""}, "sk": {"N": "1"}},
    )
    refused(
        "ValidationException",
        db(aws).get_item,
        text="The provided key element does not match the schema",
        TableName=name,
        Key={"pk": {"S": "a"}},
    )


def check_values_are_checked(aws):
    """Sets are neither empty nor repetitive, numbers have 38 digits, items 400 KB."""
    name = table(aws)
    for text, value in [
        ("may not be empty", {"SS": []}),
        ("contains duplicates", {"SS": ["a", "a"]}),
        ("more than 38 significant digits", {"N": "1" * 39}),
        ("cannot be converted to a numeric value", {"N": "abc"}),
        ("magnitude larger than supported range", {"N": "1E126"}),
        ("Item size has exceeded the maximum allowed size", {"S": "x" * 410_000}),
    ]:
        refused("ValidationException", db(aws).put_item, text=text, TableName=name, Item=KEY | {"v": value})


def check_condition_failure_shows_the_item(aws):
    """A failed condition refuses the write, and shows the item when asked."""
    name = table(aws)
    put(aws, name, owner={"S": "me"})
    request = {"TableName": name, "Item": KEY, "ConditionExpression": "attribute_not_exists(pk)"}
    refused("ConditionalCheckFailedException", db(aws).put_item, text="The conditional request failed", **request)
    try:
        db(aws).put_item(**request, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    except db(aws).exceptions.ConditionalCheckFailedException as error:
        same(error.response["Item"], KEY | {"owner": {"S": "me"}})
    else:
        raise AssertionError("not refused")


def check_lease_pattern(aws):
    """A lease is taken when free or expired, and renewed by its owner only."""
    name = table(aws)
    take = "SET #o = :me, expires = :later"
    free = "attribute_not_exists(pk) OR expires < :now"
    values = {":me": {"S": "a"}, ":later": {"N": "200"}, ":now": {"N": "100"}}
    take_it = lambda **more: update(
        aws,
        name,
        take,
        ConditionExpression=free,
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues=values | more,
    )
    take_it()
    refused("ConditionalCheckFailedException", take_it, **{":me": {"S": "b"}})
    same(take_it(**{":me": {"S": "b"}, ":now": {"N": "201"}})["owner"], {"S": "b"})


def check_update_expressions(aws):
    """SET computes from the item as it was, ADD and DELETE change sets and numbers, REMOVE removes."""
    name = table(aws)
    put(
        aws,
        name,
        n={"N": "5"},
        l={"L": [{"S": "x"}, {"S": "y"}, {"S": "z"}]},
        tags={"SS": ["a", "b"]},
        m={"M": {"k": {"N": "1"}}},
    )
    after = update(
        aws,
        name,
        "SET n = n + :one, was = n, m.k = m.k - :one, fresh = if_not_exists(fresh, :one), l2 = list_append(l, :more) "
        "REMOVE l[0], l[2] ADD hits :one DELETE tags :b",
        ExpressionAttributeValues={":one": {"N": "1"}, ":more": {"L": [{"S": "w"}]}, ":b": {"SS": ["b"]}},
    )
    contains(
        after,
        {
            "n": {"N": "6"},
            "was": {"N": "5"},
            "m": {"M": {"k": {"N": "0"}}},
            "fresh": {"N": "1"},
            "hits": {"N": "1"},
            "tags": {"SS": ["a"]},
        },
    )
    same(after["l"], {"L": [{"S": "y"}]})
    same(after["l2"], {"L": [{"S": "x"}, {"S": "y"}, {"S": "z"}, {"S": "w"}]})


def check_update_returns_what_is_asked(aws):
    """ReturnValues tells old and new, all or only what was updated."""
    name = table(aws)
    put(aws, name, a={"N": "1"}, b={"N": "1"})
    values = {"ExpressionAttributeValues": {":v": {"N": "2"}}}
    same(update(aws, name, "SET a = :v", returned="UPDATED_OLD", **values), {"a": {"N": "1"}})
    same(update(aws, name, "SET a = :v", returned="UPDATED_NEW", **values), {"a": {"N": "2"}})
    same(update(aws, name, "SET a = :v", returned="NONE", **values), None)
    same(db(aws).delete_item(TableName=name, Key=KEY, ReturnValues="ALL_OLD")["Attributes"]["a"], {"N": "2"})
    same(update(aws, name, "SET a = :v", **values), KEY | {"a": {"N": "2"}})
    refused("ValidationException", db(aws).put_item, TableName=name, Item=KEY, ReturnValues="ALL_NEW")


def check_update_refusals(aws):
    """What an update can't do is refused with the documented texts."""
    name = table(aws)
    put(aws, name, t={"S": "x"})
    one = {":v": {"N": "1"}}
    for text, expression, values in [
        ("Cannot update attribute pk. This attribute is part of the key", "SET pk = :v", one),
        ("The provided expression refers to an attribute that does not exist in the item", "SET a = b + :v", one),
        ("The document path provided in the update expression is invalid for update", "SET a.b = :v", one),
        ("An operand in the update expression has an incorrect data type", "SET a = t + :v", one),
        ("Two document paths overlap with each other", "SET a = :v, a.b = :v", one),
        ('The "SET" section can only be used once', "SET a = :v SET b = :v", one),
        ("Syntax error; token:", "SET a :v", one),
        ("Incorrect operand type for operator or function; operator: ADD", "ADD a :v", {":v": {"S": "x"}}),
    ]:
        refused(
            "ValidationException",
            db(aws).update_item,
            text=text,
            TableName=name,
            Key=KEY,
            UpdateExpression=expression,
            ExpressionAttributeValues=values,
        )


def check_placeholders(aws):
    """Unused, undefined and superfluous placeholders and reserved words are refused."""
    name = table(aws)
    write, value = db(aws).put_item, {":v": {"N": "1"}}
    base = {"TableName": name, "Item": KEY}
    refused(
        "ValidationException",
        write,
        text="unused in expressions: keys: {:w}",
        **base,
        ConditionExpression="a = :v",
        ExpressionAttributeValues=value | {":w": {"N": "1"}},
    )
    refused(
        "ValidationException",
        write,
        text="is not defined; attribute value: :x",
        **base,
        ConditionExpression="a = :x",
        ExpressionAttributeValues=value,
    )
    refused(
        "ValidationException",
        write,
        text="is not defined; attribute name: #n",
        **base,
        ConditionExpression="#n = :v",
        ExpressionAttributeValues=value,
    )
    refused(
        "ValidationException",
        write,
        text="reserved keyword: status",
        **base,
        ConditionExpression="status = :v",
        ExpressionAttributeValues=value,
    )
    refused(
        "ValidationException",
        write,
        text="can only be specified when using expressions",
        **base,
        ExpressionAttributeValues=value,
    )
    refused("ValidationException", write, text="The expression can not be empty", **base, ConditionExpression="")
    refused(
        "ValidationException", write, text="Invalid function name; function: has", **base, ConditionExpression="has(a)"
    )


def check_condition_functions(aws):
    """Functions and operators of conditions, one by one."""
    name = table(aws)
    put(aws, name, s={"S": "hello"}, l={"L": [{"N": "1"}]}, ss={"SS": ["a"]}, n={"N": "5"})
    values = {
        ":h": {"S": "he"},
        ":one": {"N": "1"},
        ":five": {"N": "5"},
        ":nine": {"N": "9"},
        ":a": {"S": "a"},
        ":t": {"S": "S"},
    }
    true = [
        "begins_with(s, :h)",
        "contains(s, :h)",
        "contains(l, :one)",
        "contains(ss, :a)",
        "size(s) = :five",
        "n BETWEEN :one AND :nine",
        "n IN (:one, :five)",
        "attribute_type(s, :t)",
        "attribute_exists(l[0])",
        "attribute_not_exists(l[1])",
        "NOT n = :one",
        "n <> absent",
        "(n > :one AND n <= :five) OR n = :nine",
        "n >= :five and not (n < :five)",
    ]
    false = ["n = :h", "absent = :one", "n < :h", "size(l) > :one", "begins_with(n, :h)"]
    for expected, expressions in ((1, true), (0, false)):
        for expression in expressions:
            used = {
                key: value
                for key, value in values.items()
                if key in expression.replace("(", " ").replace(")", " ").replace(",", " ").split()
            }
            more = {"ExpressionAttributeValues": used} if used else {}
            same(db(aws).scan(TableName=name, FilterExpression=expression, **more)["Count"], expected, expression)


def check_query_orders_and_limits(aws):
    """Query reads one partition in the order of sort keys, both ways, in pages."""
    name = table(aws)
    for number in (10, 9, 1, 100):
        put(aws, name, {"pk": {"S": "a"}, "sk": {"N": str(number)}})
    put(aws, name, {"pk": {"S": "b"}, "sk": {"N": "1"}})
    query = {"TableName": name, "KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}
    numbers = lambda answer: [item["sk"]["N"] for item in answer["Items"]]
    same(numbers(db(aws).query(**query)), ["1", "9", "10", "100"])
    same(numbers(db(aws).query(**query, ScanIndexForward=False, Limit=2)), ["100", "10"])
    pages = list(db(aws).get_paginator("query").paginate(**query, PaginationConfig={"PageSize": 3}))
    same([len(page["Items"]) for page in pages], [3, 1])
    same(pages[0]["LastEvaluatedKey"], {"pk": {"S": "a"}, "sk": {"N": "10"}})
    ranged = query | {"KeyConditionExpression": "pk = :p AND sk BETWEEN :l AND :h"}
    ranged["ExpressionAttributeValues"] = {":p": {"S": "a"}, ":l": {"N": "2"}, ":h": {"N": "10"}}
    same(numbers(db(aws).query(**ranged)), ["9", "10"])


def check_query_counts_and_projects(aws):
    """Filters come after the count of what was scanned; projections cut items down."""
    name = table(aws)
    for number in range(4):
        put(
            aws,
            name,
            {"pk": {"S": "a"}, "sk": {"N": str(number)}},
            even={"BOOL": number % 2 == 0},
            m={"M": {"x": {"N": "1"}, "y": {"N": "2"}}},
        )
    request = {
        "TableName": name,
        "KeyConditionExpression": "pk = :p",
        "FilterExpression": "even = :t",
        "ExpressionAttributeValues": {":p": {"S": "a"}, ":t": {"BOOL": True}},
    }
    answer = db(aws).query(**request, ProjectionExpression="sk, m.x", ReturnConsumedCapacity="TOTAL")
    same((answer["Count"], answer["ScannedCount"]), (2, 4))
    same(answer["Items"][0], {"sk": {"N": "0"}, "m": {"M": {"x": {"N": "1"}}}})
    contains(answer["ConsumedCapacity"], {"TableName": name, "CapacityUnits": 0.5})
    counted = db(aws).query(**request, Select="COUNT")
    assert "Items" not in counted and counted["Count"] == 2


def check_query_refusals(aws):
    """A key condition needs the partition key, and a filter may not be about keys."""
    name = table(aws)
    query = db(aws).query
    refused(
        "ValidationException",
        query,
        text="missed key schema element: pk",
        TableName=name,
        KeyConditionExpression="sk = :v",
        ExpressionAttributeValues={":v": {"N": "1"}},
    )
    refused(
        "ValidationException",
        query,
        text="Query key condition not supported",
        TableName=name,
        KeyConditionExpression="pk > :v",
        ExpressionAttributeValues={":v": {"S": "1"}},
    )
    refused(
        "ValidationException",
        query,
        text="non-primary key attributes",
        TableName=name,
        KeyConditionExpression="pk = :v",
        FilterExpression="sk = :n",
        ExpressionAttributeValues={":v": {"S": "1"}, ":n": {"N": "1"}},
    )
    refused(
        "ValidationException",
        query,
        text="does not have the specified index",
        TableName=name,
        IndexName="none",
        KeyConditionExpression="pk = :v",
        ExpressionAttributeValues={":v": {"S": "1"}},
    )
    refused(
        "ValidationException",
        query,
        text="does not match schema type",
        TableName=name,
        KeyConditionExpression="pk = :v",
        ExpressionAttributeValues={":v": {"N": "1"}},
    )


def check_scan_segments(aws):
    """The segments of a parallel scan share the table without overlap."""
    name = table(aws)
    for number in range(30):
        put(aws, name, {"pk": {"S": f"p{number}"}, "sk": {"N": "1"}})
    found = [
        item["pk"]["S"]
        for segment in range(3)
        for item in db(aws).scan(TableName=name, Segment=segment, TotalSegments=3)["Items"]
    ]
    same(sorted(found), sorted(f"p{number}" for number in range(30)))
    refused(
        "ValidationException",
        db(aws).scan,
        text="less than parameter TotalSegments",
        TableName=name,
        Segment=3,
        TotalSegments=3,
    )


def check_scan_pages_at_a_megabyte(aws):
    """A page ends at 1 MB, before any filter."""
    name = table(aws)
    for number in range(4):
        put(aws, name, {"pk": {"S": f"p{number}"}, "sk": {"N": "1"}}, v={"S": "x" * 390_000})
    first = db(aws).scan(TableName=name, FilterExpression="attribute_not_exists(v)")
    same((first["Count"], first["ScannedCount"]), (0, 3))
    assert "LastEvaluatedKey" in first


def check_global_index(aws):
    """A global index holds the items that have its key, and knows no consistent read."""
    name = table(
        aws,
        AttributeDefinitions=[
            {"AttributeName": a, "AttributeType": t} for a, t in (("pk", "S"), ("sk", "N"), ("kind", "S"))
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-kind",
                "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    put(aws, name, kind={"S": "x"}, other={"S": "y"})
    put(aws, name, {"pk": {"S": "b"}, "sk": {"N": "1"}})
    query = {
        "TableName": name,
        "IndexName": "by-kind",
        "KeyConditionExpression": "kind = :k",
        "ExpressionAttributeValues": {":k": {"S": "x"}},
    }
    aws.until("the index follows", lambda: db(aws).query(**query)["Items"] == [KEY | {"kind": {"S": "x"}}])
    refused(
        "ValidationException",
        db(aws).query,
        text="Consistent reads are not supported on global secondary indexes",
        **query,
        ConsistentRead=True,
    )
    same(described(aws, name)["GlobalSecondaryIndexes"][0]["IndexStatus"], "ACTIVE")


def check_batches(aws):
    """Batches write and read many items, each once, 25 and 100 at most."""
    name = table(aws)
    items = [{"pk": {"S": "a"}, "sk": {"N": str(number)}} for number in range(25)]
    request = [{"PutRequest": {"Item": item}} for item in items]
    same(db(aws).batch_write_item(RequestItems={name: request})["UnprocessedItems"], {})
    answer = db(aws).batch_get_item(RequestItems={name: {"Keys": items, "ConsistentRead": True}})
    same((len(answer["Responses"][name]), answer["UnprocessedKeys"]), (25, {}))
    refused("ValidationException", db(aws).batch_write_item, text="duplicates", RequestItems={name: request[:1] * 2})
    refused(
        "ValidationException",
        aws.client("dynamodb", validate=False).batch_write_item,
        RequestItems={name: [{"PutRequest": {"Item": {"pk": {"S": "a"}, "sk": {"N": str(n)}}}} for n in range(26)]},
    )


def check_transactions_are_all_or_nothing(aws):
    """A transaction with one failed condition does nothing, and says which one failed."""
    name = table(aws)
    other = {"pk": {"S": "b"}, "sk": {"N": "1"}}
    items = [
        {"Put": {"TableName": name, "Item": KEY}},
        {"ConditionCheck": {"TableName": name, "Key": other, "ConditionExpression": "attribute_exists(pk)"}},
    ]
    try:
        db(aws).transact_write_items(TransactItems=items)
    except db(aws).exceptions.TransactionCanceledException as error:
        same([reason["Code"] for reason in error.response["CancellationReasons"]], ["None", "ConditionalCheckFailed"])
        assert "[None, ConditionalCheckFailed]" in str(error)
    same(get(aws, name), None)
    put(aws, name, other)
    db(aws).transact_write_items(TransactItems=items)
    found = db(aws).transact_get_items(TransactItems=[{"Get": {"TableName": name, "Key": KEY}}])["Responses"]
    same(found, [{"Item": KEY}])
    refused(
        "ValidationException",
        db(aws).transact_write_items,
        text="multiple operations on one item",
        TransactItems=[items[0], items[0]],
    )


def check_transactions_are_idempotent(aws):
    """The same token with the same request does its work once; with another request it is refused."""
    name, token = table(aws), aws.name("token")
    add = lambda amount: [
        {
            "Update": {
                "TableName": name,
                "Key": KEY,
                "UpdateExpression": "ADD n :v",
                "ExpressionAttributeValues": {":v": {"N": amount}},
            }
        }
    ]
    for _ in range(2):
        db(aws).transact_write_items(TransactItems=add("1"), ClientRequestToken=token)
    same(get(aws, name)["n"], {"N": "1"})
    refused(
        "IdempotentParameterMismatchException",
        db(aws).transact_write_items,
        TransactItems=add("2"),
        ClientRequestToken=token,
    )
