//! ECR: repositories, tags and digests.

use crate::place::{IMAGE, Place, merged};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_seeded_image_is_found_by_tag_and_digest() {
    let place = Place::new();
    let images =
        place.call("ecr", "DescribeImages", json!({"repositoryName": "agent", "imageIds": [{"imageTag": "v1"}]}));
    let digest = images["imageDetails"][0]["imageDigest"].clone();
    let by_digest = json!({"repositoryName": "agent", "imageIds": [{"imageDigest": digest}]});
    assert_eq!(place.call("ecr", "BatchGetImage", by_digest)["images"][0]["imageId"]["imageDigest"], digest);
    assert!(IMAGE.ends_with("agent:v1"));
}

#[tokio::test(start_paused = true)]
async fn a_missing_image_is_an_error_here_and_a_failure_there() {
    let place = Place::new();
    let input = json!({"repositoryName": "agent", "imageIds": [{"imageTag": "v9"}]});
    assert_eq!(place.refused("ecr", "DescribeImages", input.clone()).0, "ImageNotFoundException");
    assert_eq!(place.call("ecr", "BatchGetImage", input.clone())["failures"][0]["failureCode"], "ImageNotFound");
    let elsewhere = merged(input, json!({"repositoryName": "other"}));
    assert_eq!(place.refused("ecr", "DescribeImages", elsewhere).0, "RepositoryNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn an_immutable_tag_stays_where_it_is() {
    let place = Place::new();
    place.call("ecr", "CreateRepository", json!({"repositoryName": "fixed", "imageTagMutability": "IMMUTABLE"}));
    let put = |manifest: &str| json!({"repositoryName": "fixed", "imageTag": "v1", "imageManifest": manifest});
    place.call("ecr", "PutImage", put("{\"schemaVersion\":2}"));
    assert_eq!(place.refused("ecr", "PutImage", put("{\"schemaVersion\":2}")).0, "ImageAlreadyExistsException");
    assert_eq!(place.refused("ecr", "PutImage", put("{}")).0, "ImageTagAlreadyExistsException");
}

#[tokio::test(start_paused = true)]
async fn a_lifecycle_policy_is_kept_as_it_was_sent() {
    let place = Place::new();
    let name = json!({"repositoryName": "agent"});
    assert_eq!(place.refused("ecr", "GetLifecyclePolicy", name.clone()).0, "LifecyclePolicyNotFoundException");
    let text = "{\"rules\": [ {\"rulePriority\":1, \"selection\": {\"tagStatus\":\"any\", \"countType\":\"imageCountMoreThan\", \"countNumber\":3}} ]}";
    place.call("ecr", "PutLifecyclePolicy", merged(name.clone(), json!({"lifecyclePolicyText": text})));
    assert_eq!(place.call("ecr", "GetLifecyclePolicy", name)["lifecyclePolicyText"], text);
}

#[tokio::test(start_paused = true)]
async fn a_full_repository_is_deleted_only_by_force() {
    let place = Place::new();
    let name = json!({"repositoryName": "agent"});
    assert_eq!(place.refused("ecr", "CreateRepository", name.clone()).0, "RepositoryAlreadyExistsException");
    assert_eq!(place.refused("ecr", "DeleteRepository", name.clone()).0, "RepositoryNotEmptyException");
    place.call("ecr", "DeleteRepository", merged(name, json!({"force": true})));
    let bad = json!({"repositoryName": "Agent"});
    assert_eq!(place.refused("ecr", "CreateRepository", bad).0, "InvalidParameterException");
}
