//! S3: objects, conditions, and names that are everybody's.

use crate::place::{Place, REGION};
use serde_json::json;

fn refused(place: &Place, region: &str, operation: &str, input: serde_json::Value) -> String {
    place.aws.call(region, "s3", operation, input).expect_err("it is refused").0
}

#[test]
fn an_object_is_put_read_in_part_and_gone() {
    let place = Place::new();
    place.call("s3", "CreateBucket", json!({"Bucket": "code"}));
    let put = place.call("s3", "PutObject", json!({"Bucket": "code", "Key": "a.zip", "Body": "YWJj"}));
    assert_eq!(put["ETag"], "\"900150983cd24fb0d6963f7d28e17f72\"");
    let head = place.call("s3", "HeadObject", json!({"Bucket": "code", "Key": "a.zip"}));
    assert_eq!((&head["ContentLength"], &head["ETag"]), (&json!(3), &put["ETag"]));
    let part = place.call("s3", "GetObject", json!({"Bucket": "code", "Key": "a.zip", "Range": "bytes=1-"}));
    assert_eq!((&part["Body"], &part["ContentRange"]), (&json!("YmM="), &json!("bytes 1-2/3")));
    let other = json!({"Bucket": "code", "Key": "a.zip", "IfMatch": "\"0\""});
    assert_eq!(refused(&place, REGION, "GetObject", other), "PreconditionFailed");
    let once = json!({"Bucket": "code", "Key": "a.zip", "Body": "", "IfNoneMatch": "*"});
    assert_eq!(refused(&place, REGION, "PutObject", once), "PreconditionFailed");
    assert_eq!(refused(&place, REGION, "DeleteBucket", json!({"Bucket": "code"})), "BucketNotEmpty");
    place.call("s3", "DeleteObject", json!({"Bucket": "code", "Key": "a.zip"}));
    assert_eq!(refused(&place, REGION, "GetObject", json!({"Bucket": "code", "Key": "a.zip"})), "NoSuchKey");
    place.call("s3", "DeleteBucket", json!({"Bucket": "code"}));
    assert_eq!(refused(&place, REGION, "HeadObject", json!({"Bucket": "code", "Key": "a.zip"})), "NoSuchBucket");
}

#[test]
fn the_name_of_a_bucket_is_taken_in_all_regions() {
    let place = Place::new();
    place.call("s3", "CreateBucket", json!({"Bucket": "code"}));
    let elsewhere = |operation: &str| refused(&place, "eu-west-1", operation, json!({"Bucket": "code"}));
    assert_eq!(elsewhere("HeadBucket"), "PermanentRedirect");
    assert_eq!(refused(&place, "eu-west-1", "CreateBucket", json!({"Bucket": "Bad_Name"})), "InvalidBucketName");
    let there = json!({"Bucket": "code", "LocationConstraint": "eu-west-1"});
    assert_eq!(refused(&place, "eu-west-1", "CreateBucket", there), "BucketAlreadyOwnedByYou");
    let nowhere = json!({"Bucket": "other"});
    assert_eq!(refused(&place, "eu-west-1", "CreateBucket", nowhere), "IllegalLocationConstraintException");
}

#[test]
fn keys_are_listed_in_order_in_pages_and_folded() {
    let place = Place::new();
    place.call("s3", "CreateBucket", json!({"Bucket": "code"}));
    for key in ["b/1", "a", "b/2", "c"] {
        place.call("s3", "PutObject", json!({"Bucket": "code", "Key": key, "Body": ""}));
    }
    let mut input = json!({"Bucket": "code", "Delimiter": "/", "MaxKeys": "2"});
    let first = place.call("s3", "ListObjectsV2", input.clone())["Document"]["ListBucketResult"].clone();
    assert_eq!(first["Contents"][0]["Key"], "a");
    assert_eq!((&first["CommonPrefixes"], &first["IsTruncated"]), (&json!([{"Prefix": "b/"}]), &json!(true)));
    input["ContinuationToken"] = first["NextContinuationToken"].clone();
    let second = place.call("s3", "ListObjectsV2", input)["Document"]["ListBucketResult"].clone();
    assert_eq!((&second["Contents"][0]["Key"], &second["IsTruncated"]), (&json!("c"), &json!(false)));
}
