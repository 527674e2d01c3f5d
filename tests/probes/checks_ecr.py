"""ECR: repositories, images and layers, by its own API and by the registry's."""

import base64
import hashlib
import json

import urllib3

from kit import contains, refused, same

HTTP = urllib3.PoolManager(retries=False)


def ecr(aws):
    return aws.client("ecr")


def repository(aws, **changes):
    """A new repository; its name."""
    name = aws.name("repo")
    ecr(aws).create_repository(repositoryName=name, **changes)
    return name


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def manifest(text="", layers=(), config=b"{}"):
    """A manifest of given layers; `text` makes it unlike others."""
    body = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "size": len(config),
            "digest": digest(config),
        },
        "layers": [
            {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": len(layer), "digest": digest(layer)}
            for layer in layers
        ],
        "annotations": {"text": text},
    }
    return json.dumps(body)


def put(aws, name, tag, text="", **more):
    return ecr(aws).put_image(repositoryName=name, imageTag=tag, imageManifest=manifest(text), **more)["image"]


class Registry:
    """The registry's own door, logged in with GetAuthorizationToken."""

    def __init__(self, aws):
        token = ecr(aws).get_authorization_token()["authorizationData"][0]["authorizationToken"]
        self.base, self.headers = aws.endpoint, {"Authorization": f"Basic {token}"}

    def ask(self, method, path, body=None, **headers):
        url = path if path.startswith("http") else self.base + path
        return HTTP.request(
            method, url, body=body, headers=self.headers | {k.replace("_", "-"): v for k, v in headers.items()}
        )

    def blob(self, name, data):
        """Uploads a blob at once."""
        started = self.ask("POST", f"/v2/{name}/blobs/uploads/")
        same(started.status, 202, "status of the start")
        where = started.headers["Location"]
        done = self.ask("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest(data)}", data)
        same(done.status, 201, "status of the upload")
        return done

    def manifest(self, name, reference, text):
        return self.ask(
            "PUT",
            f"/v2/{name}/manifests/{reference}",
            text.encode(),
            Content_Type="application/vnd.oci.image.manifest.v1+json",
        )


def check_create_repository_fills_defaults(aws):
    """CreateRepository answers with MUTABLE tags, AES256 and no scan on push."""
    name = aws.name("team/app")
    made = ecr(aws).create_repository(repositoryName=name)["repository"]
    contains(
        made,
        {
            "repositoryName": name,
            "imageTagMutability": "MUTABLE",
            "encryptionConfiguration": {"encryptionType": "AES256"},
            "imageScanningConfiguration": {"scanOnPush": False},
        },
    )
    same(made["repositoryUri"], f"{made['registryId']}.dkr.ecr.us-east-1.amazonaws.com/{name}")
    same(made["repositoryArn"], f"arn:aws:ecr:us-east-1:{made['registryId']}:repository/{name}")


def check_create_repository_twice_is_refused(aws):
    """A repository's name is taken once."""
    name = repository(aws)
    refused("RepositoryAlreadyExistsException", ecr(aws).create_repository, text=name, repositoryName=name)


def check_bad_repository_name_is_refused(aws):
    """Repository names are lower case."""
    refused("InvalidParameterException", ecr(aws).create_repository, repositoryName="Upper/Case")


def check_unknown_mutability_is_refused(aws):
    """Exclusion filters are needed with, and only with, an exclusion."""
    refused(
        "InvalidParameterException",
        ecr(aws).create_repository,
        repositoryName=aws.name("r"),
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
    )


def check_missing_repository_is_refused(aws):
    """DescribeRepositories of a missing name is an error."""
    refused("RepositoryNotFoundException", ecr(aws).describe_repositories, repositoryNames=[aws.name("none")])


def check_full_repository_is_deleted_by_force(aws):
    """DeleteRepository refuses one with images unless forced."""
    name = repository(aws)
    put(aws, name, "v1")
    refused("RepositoryNotEmptyException", ecr(aws).delete_repository, repositoryName=name)
    ecr(aws).delete_repository(repositoryName=name, force=True)
    refused("RepositoryNotFoundException", ecr(aws).describe_images, repositoryName=name)


def check_immutable_tag_stays(aws):
    """In an immutable repository a tag can't move; the same image again is known as such."""
    name = repository(aws, imageTagMutability="IMMUTABLE")
    put(aws, name, "v1", "one")
    again = ecr(aws).put_image
    refused("ImageTagAlreadyExistsException", again, repositoryName=name, imageTag="v1", imageManifest=manifest("two"))
    refused("ImageAlreadyExistsException", again, repositoryName=name, imageTag="v1", imageManifest=manifest("one"))


def check_mutability_exclusions(aws):
    """Tags that match an exclusion of an immutable repository may move."""
    filters = [{"filterType": "WILDCARD", "filter": "latest*"}]
    name = repository(aws, imageTagMutability="IMMUTABLE_WITH_EXCLUSION", imageTagMutabilityExclusionFilters=filters)
    for text in ("one", "two"):
        put(aws, name, "latest-main", text)
    put(aws, name, "v1", "one")
    refused(
        "ImageTagAlreadyExistsException",
        ecr(aws).put_image,
        repositoryName=name,
        imageTag="v1",
        imageManifest=manifest("two"),
    )


def check_mutable_tag_moves(aws):
    """In a mutable repository a tag moves, and leaves its old image untagged."""
    name = repository(aws)
    first, second = put(aws, name, "v1", "one"), put(aws, name, "v1", "two")
    assert first["imageId"]["imageDigest"] != second["imageId"]["imageDigest"]
    untagged = ecr(aws).list_images(repositoryName=name, filter={"tagStatus": "UNTAGGED"})["imageIds"]
    same(untagged, [{"imageDigest": first["imageId"]["imageDigest"]}])


def check_digest_is_that_of_the_manifest(aws):
    """The digest is the SHA-256 of the manifest, and a wrong one is refused."""
    name, text = repository(aws), manifest("x")
    made = ecr(aws).put_image(repositoryName=name, imageManifest=text, imageTag="v1")["image"]
    same(made["imageId"], {"imageDigest": digest(text.encode()), "imageTag": "v1"})
    wrong = "sha256:" + "0" * 64
    refused(
        "ImageDigestDoesNotMatchException",
        ecr(aws).put_image,
        repositoryName=name,
        imageManifest=manifest("y"),
        imageDigest=wrong,
    )


def check_missing_layers_are_refused(aws):
    """PutImage needs the layers the manifest names."""
    name = repository(aws)
    upload = ecr(aws).initiate_layer_upload(repositoryName=name)["uploadId"]
    part = {"uploadId": upload, "partFirstByte": 0, "partLastByte": 1, "layerPartBlob": b"{}"}
    ecr(aws).upload_layer_part(repositoryName=name, **part)
    ecr(aws).complete_layer_upload(repositoryName=name, uploadId=upload, layerDigests=[digest(b"{}")])
    refused(
        "LayersNotFoundException",
        ecr(aws).put_image,
        repositoryName=name,
        imageTag="v1",
        imageManifest=manifest(layers=[b"nowhere"]),
    )


def check_missing_image_here_and_there(aws):
    """DescribeImages refuses a missing image, BatchGetImage lists it as a failure."""
    name = repository(aws)
    refused("ImageNotFoundException", ecr(aws).describe_images, repositoryName=name, imageIds=[{"imageTag": "none"}])
    answer = ecr(aws).batch_get_image(repositoryName=name, imageIds=[{"imageTag": "none"}])
    same(answer["images"], [])
    contains(answer["failures"][0], {"failureCode": "ImageNotFound", "failureReason": "Requested image not found"})


def check_describe_images_pages(aws):
    """DescribeImages gives pages that the paginator follows, and filters by tag status."""
    name = repository(aws)
    for number in range(5):
        put(aws, name, f"v{number}", str(number))
    pages = list(
        ecr(aws).get_paginator("describe_images").paginate(repositoryName=name, PaginationConfig={"PageSize": 2})
    )
    same([len(page["imageDetails"]) for page in pages], [2, 2, 1])
    same(ecr(aws).describe_images(repositoryName=name, filter={"tagStatus": "UNTAGGED"})["imageDetails"], [])


def check_batch_delete(aws):
    """BatchDeleteImage removes a tag, and the image with its last tag."""
    name = repository(aws)
    put(aws, name, "v1"), put(aws, name, "v2")
    gone = ecr(aws).batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])
    same(gone["imageIds"][0]["imageTag"], "v1")
    same(ecr(aws).describe_images(repositoryName=name)["imageDetails"][0]["imageTags"], ["v2"])
    ecr(aws).batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v2"}])
    same(ecr(aws).list_images(repositoryName=name)["imageIds"], [])


def check_layers_api(aws):
    """A layer goes up in parts and is then available; a second upload is told that it is there."""
    name, data = repository(aws), b"layer" * 1000
    refused(
        "UploadNotFoundException",
        ecr(aws).upload_layer_part,
        repositoryName=name,
        uploadId="none",
        partFirstByte=0,
        partLastByte=0,
        layerPartBlob=b"x",
    )

    def upload():
        started = ecr(aws).initiate_layer_upload(repositoryName=name)["uploadId"]
        ecr(aws).upload_layer_part(
            repositoryName=name, uploadId=started, partFirstByte=0, partLastByte=len(data) - 1, layerPartBlob=data
        )
        return ecr(aws).complete_layer_upload(repositoryName=name, uploadId=started, layerDigests=[digest(data)])

    same(upload()["layerDigest"], digest(data))
    refused("LayerAlreadyExistsException", upload)
    seen = ecr(aws).batch_check_layer_availability(repositoryName=name, layerDigests=[digest(data), digest(b"?")])[
        "layers"
    ]
    same([layer["layerAvailability"] for layer in seen], ["AVAILABLE", "UNAVAILABLE"])
    assert (
        digest(data)
        in ecr(aws).get_download_url_for_layer(repositoryName=name, layerDigest=digest(data))["downloadUrl"]
    )


def check_lifecycle_policy(aws):
    """A lifecycle policy is kept as sent, refused when malformed, and missing is an error."""
    name = repository(aws)
    refused("LifecyclePolicyNotFoundException", ecr(aws).get_lifecycle_policy, repositoryName=name)
    rule = {
        "rulePriority": 1,
        "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7},
        "action": {"type": "expire"},
    }
    text = json.dumps({"rules": [rule]}, indent=1)
    ecr(aws).put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=text)
    same(ecr(aws).get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"], text)
    rule["selection"]["countNumber"] = 0
    refused(
        "InvalidParameterException",
        ecr(aws).put_lifecycle_policy,
        repositoryName=name,
        lifecyclePolicyText=json.dumps({"rules": [rule]}),
    )
    ecr(aws).start_lifecycle_policy_preview(repositoryName=name)
    same(ecr(aws).get_lifecycle_policy_preview(repositoryName=name)["status"], "COMPLETE")


def check_repository_policy(aws):
    """A repository's policy is set, read and deleted."""
    name = repository(aws)
    refused("RepositoryPolicyNotFoundException", ecr(aws).get_repository_policy, repositoryName=name)
    ecr(aws).set_repository_policy(repositoryName=name, policyText='{"Version":"2012-10-17","Statement":[]}')
    ecr(aws).delete_repository_policy(repositoryName=name)
    refused("RepositoryPolicyNotFoundException", ecr(aws).get_repository_policy, repositoryName=name)


def check_token_is_basic_auth(aws):
    """The token is `AWS:password` in base64, good for twelve hours."""
    data = ecr(aws).get_authorization_token()["authorizationData"][0]
    assert base64.b64decode(data["authorizationToken"]).startswith(b"AWS:")
    assert data["proxyEndpoint"].endswith(".dkr.ecr.us-east-1.amazonaws.com")


def check_registry_wants_a_login(aws):
    """Without a login the registry answers 401 and says how."""
    answer = HTTP.request("GET", aws.endpoint + "/v2/")
    same(answer.status, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm="), answer.headers
    same(Registry(aws).ask("GET", "/v2/").status, 200)


def check_registry_push_and_pull(aws):
    """A push of blobs and a manifest is seen by both doors."""
    name, registry = repository(aws), Registry(aws)
    layer = b"a layer"
    same(registry.ask("HEAD", f"/v2/{name}/blobs/{digest(layer)}").status, 404)
    for blob in (layer, b"{}"):
        same(registry.blob(name, blob).headers["Docker-Content-Digest"], digest(blob))
    same(registry.ask("GET", f"/v2/{name}/blobs/{digest(layer)}").data, layer)
    text = manifest("pushed", [layer])
    same(registry.manifest(name, "v1", text).status, 201)
    head = registry.ask("HEAD", f"/v2/{name}/manifests/v1")
    same(
        (head.status, head.headers["Docker-Content-Digest"], head.headers["Content-Length"]),
        (200, digest(text.encode()), str(len(text))),
    )
    seen = ecr(aws).describe_images(repositoryName=name, imageIds=[{"imageTag": "v1"}])["imageDetails"][0]
    contains(seen, {"imageDigest": digest(text.encode()), "imageSizeInBytes": len(layer) + 2})
    same(json.loads(registry.ask("GET", f"/v2/{name}/tags/list").data), {"name": name, "tags": ["v1"]})


def check_registry_refuses_what_is_missing(aws):
    """Missing repositories, images, uploads and blobs have their own codes."""
    name, registry = repository(aws), Registry(aws)
    code = lambda answer: (answer.status, json.loads(answer.data)["errors"][0]["code"])
    same(code(registry.ask("GET", f"/v2/{aws.name('none')}/tags/list")), (404, "NAME_UNKNOWN"))
    same(code(registry.ask("GET", f"/v2/{name}/manifests/none")), (404, "MANIFEST_UNKNOWN"))
    same(code(registry.ask("GET", f"/v2/{name}/blobs/{digest(b'?')}")), (404, "BLOB_UNKNOWN"))
    same(code(registry.ask("PUT", f"/v2/{name}/blobs/uploads/none?digest={digest(b'')}")), (404, "BLOB_UPLOAD_UNKNOWN"))
    same(registry.ask("GET", f"/v2/{name}/referrers/{digest(b'?')}").status, 404)


def check_registry_checks_digests(aws):
    """An upload that is not what it says is refused."""
    name, registry = repository(aws), Registry(aws)
    where = registry.ask("POST", f"/v2/{name}/blobs/uploads/").headers["Location"]
    answer = registry.ask("PUT", f"{where}?digest={digest(b'other')}", b"this")
    same((answer.status, json.loads(answer.data)["errors"][0]["code"]), (400, "DIGEST_INVALID"))


def check_registry_immutable_tag(aws):
    """A push to an immutable tag is refused with TAG_INVALID."""
    name, registry = repository(aws, imageTagMutability="IMMUTABLE"), Registry(aws)
    same(registry.manifest(name, "v1", manifest("one")).status, 201)
    answer = registry.manifest(name, "v1", manifest("two"))
    same((answer.status, json.loads(answer.data)["errors"][0]["code"]), (400, "TAG_INVALID"))


def check_registry_mount_falls_back(aws):
    """A mount that is not granted starts an upload."""
    name, other, registry = repository(aws), repository(aws), Registry(aws)
    registry.blob(other, b"base")
    answer = registry.ask("POST", f"/v2/{name}/blobs/uploads/?mount={digest(b'base')}&from={other}")
    same(answer.status, 202)
    assert "/blobs/uploads/" in answer.headers["Location"]


def check_repository_tags(aws):
    """Tags of a repository are added, listed and removed."""
    name = repository(aws, tags=[{"Key": "a", "Value": "1"}])
    arn = ecr(aws).describe_repositories(repositoryNames=[name])["repositories"][0]["repositoryArn"]
    ecr(aws).tag_resource(resourceArn=arn, tags=[{"Key": "b", "Value": "2"}])
    ecr(aws).untag_resource(resourceArn=arn, tagKeys=["a"])
    same(ecr(aws).list_tags_for_resource(resourceArn=arn)["tags"], [{"Key": "b", "Value": "2"}])


def check_lifecycle_preview(aws):
    """A preview lists the images a policy would expire, each by the first rule whose tags it meets."""
    # ECR user guide, "Lifecycle policy properties"
    name = repository(aws)
    for tag in ("prod-1", "prod-2", "dev-1", "dev-2"):
        put(aws, name, tag, tag)
    selection = {"countType": "imageCountMoreThan", "countNumber": 1}
    kept = selection | {"tagStatus": "tagged", "tagPrefixList": ["prod"], "countNumber": 5}
    rules = [
        {"rulePriority": 1, "selection": kept, "action": {"type": "expire"}},
        {"rulePriority": 2, "selection": selection | {"tagStatus": "any"}, "action": {"type": "expire"}},
    ]
    started = ecr(aws).start_lifecycle_policy_preview(
        repositoryName=name, lifecyclePolicyText=json.dumps({"rules": rules})
    )
    same(started["status"], "IN_PROGRESS")

    def complete():
        seen = ecr(aws).get_lifecycle_policy_preview(repositoryName=name)
        return seen if seen["status"] == "COMPLETE" else None

    seen = aws.until("the preview is complete", complete)
    same([(item["imageTags"], item["appliedRulePriority"]) for item in seen["previewResults"]], [(["dev-1"], 2)])
    same(seen["summary"]["expiringImageTotalCount"], 1)
