"""S3: buckets, objects, conditions and lists."""

from kit import REGION, refused, same


def bucket(aws):
    """A new bucket; its name."""
    name = aws.name("probe-bucket").lower().replace("/", "-")
    aws.client("s3").create_bucket(Bucket=name)
    return name


def check_object_lives_and_dies(aws):
    """PutObject answers the MD5 as ETag, GetObject the bytes with it, and after DeleteObject there is NoSuchKey."""
    # S3 API reference, PutObject, GetObject, DeleteObject
    s3, name = aws.client("s3"), bucket(aws)
    put = s3.put_object(Bucket=name, Key="a/b c+d.zip", Body=b"abc", ContentType="application/zip", Metadata={"team": "x"})
    same(put["ETag"], '"900150983cd24fb0d6963f7d28e17f72"', "ETag")
    got = s3.get_object(Bucket=name, Key="a/b c+d.zip")
    same((got["Body"].read(), got["ETag"], got["ContentType"]), (b"abc", put["ETag"], "application/zip"), "object")
    same((got["ContentLength"], got["Metadata"]), (3, {"team": "x"}), "length and metadata")
    s3.delete_object(Bucket=name, Key="a/b c+d.zip")
    s3.delete_object(Bucket=name, Key="a/b c+d.zip")
    refused("NoSuchKey", s3.get_object, Bucket=name, Key="a/b c+d.zip")


def check_object_head(aws):
    """HeadObject tells length and ETag; of what is not there, only 404."""
    # S3 API reference, HeadObject
    s3, name = aws.client("s3"), bucket(aws)
    put = s3.put_object(Bucket=name, Key="k", Body=b"12345")
    head = s3.head_object(Bucket=name, Key="k")
    same((head["ContentLength"], head["ETag"]), (5, put["ETag"]), "head")
    refused("404", s3.head_object, Bucket=name, Key="other")
    refused("404", s3.head_bucket, Bucket=name + "-nobody")


def check_object_range(aws):
    """GetObject answers a range with 206, and InvalidRange beyond the end."""
    # S3 API reference, GetObject, Range
    s3, name = aws.client("s3"), bucket(aws)
    s3.put_object(Bucket=name, Key="k", Body=b"0123456789")
    part = s3.get_object(Bucket=name, Key="k", Range="bytes=2-4")
    same((part["Body"].read(), part["ContentRange"]), (b"234", "bytes 2-4/10"), "part")
    same(part["ResponseMetadata"]["HTTPStatusCode"], 206, "status")
    same(s3.get_object(Bucket=name, Key="k", Range="bytes=-2")["Body"].read(), b"89", "suffix")
    refused("InvalidRange", s3.get_object, Bucket=name, Key="k", Range="bytes=10-")


def check_object_conditions(aws):
    """If-Match and If-None-Match: 412 and 304; a PutObject with If-None-Match * replaces nothing."""
    # S3 user guide, "Conditional requests"
    s3, name = aws.client("s3"), bucket(aws)
    etag = s3.put_object(Bucket=name, Key="k", Body=b"x", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", s3.put_object, Bucket=name, Key="k", Body=b"y", IfNoneMatch="*")
    same(s3.get_object(Bucket=name, Key="k", IfMatch=etag)["Body"].read(), b"x", "object")
    refused("PreconditionFailed", s3.get_object, Bucket=name, Key="k", IfMatch='"0"')
    refused("304", s3.get_object, Bucket=name, Key="k", IfNoneMatch=etag)


def check_object_list(aws):
    """ListObjectsV2: keys in order, in pages, folded at a delimiter."""
    # S3 API reference, ListObjectsV2
    s3, name = aws.client("s3"), bucket(aws)
    for key in ("b/1", "a", "b/2", "c"):
        s3.put_object(Bucket=name, Key=key, Body=b"x")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=name, PaginationConfig={"PageSize": 3})
    pages = list(pages)
    same([item["Key"] for page in pages for item in page["Contents"]], ["a", "b/1", "b/2", "c"], "keys")
    same([page["KeyCount"] for page in pages], [3, 1], "pages")
    folded = s3.list_objects_v2(Bucket=name, Delimiter="/")
    same([item["Prefix"] for item in folded["CommonPrefixes"]], ["b/"], "prefixes")
    same([item["Key"] for item in s3.list_objects_v2(Bucket=name, Prefix="b/")["Contents"]], ["b/1", "b/2"], "below")


def check_bucket_names_and_ends(aws):
    """Bucket names are checked; one with objects cannot be deleted; a missing one is NoSuchBucket."""
    # S3 user guide, "Bucket naming rules"
    s3, name = aws.client("s3"), bucket(aws)
    loose = aws.client("s3", validate=False)
    refused("InvalidBucketName", loose.create_bucket, Bucket="Upper-Case")
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=name)
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    refused("NoSuchBucket", s3.list_objects_v2, Bucket=name)
    refused("NoSuchBucket", s3.put_object, Bucket=name, Key="k", Body=b"x")


def check_bucket_of_another_region(aws):
    """A bucket of another region is made there by its LocationConstraint, and says so."""
    # S3 API reference, CreateBucket, GetBucketLocation
    there = aws.client("s3", region="eu-west-1")
    name = aws.name("probe-bucket").lower().replace("/", "-")
    there.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    same(there.get_bucket_location(Bucket=name)["LocationConstraint"], "eu-west-1", "location")
    assert REGION == "us-east-1"
    same(aws.client("s3").get_bucket_location(Bucket=bucket(aws)).get("LocationConstraint"), None, "the first region")
