"""Packs one file as the image of an agent and pushes it to the simulated ECR: `push.py ENDPOINT REPOSITORY TAG FILE`."""

import base64
import gzip
import hashlib
import io
import json
import sys
import tarfile
import urllib.request

endpoint, repository, tag, file = sys.argv[1:]


def call(operation, **request):
    credential = "Credential=AKIASOMEBODY/20260101/us-east-1/ecr/aws4_request"
    headers = {
        "x-amz-target": f"AmazonEC2ContainerRegistry_V20150921.{operation}",
        "content-type": "application/x-amz-json-1.1",
        "authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0",
    }
    body = json.dumps({"repositoryName": repository, **request}).encode()
    with urllib.request.urlopen(urllib.request.Request(endpoint, body, headers)) as answer:
        return json.load(answer)


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def upload(content):
    known = call("BatchCheckLayerAvailability", layerDigests=[digest(content)])["layers"]
    if known and known[0]["layerAvailability"] == "AVAILABLE":
        return {"digest": digest(content), "size": len(content)}
    upload = call("InitiateLayerUpload")["uploadId"]
    part = base64.b64encode(content).decode()
    call("UploadLayerPart", uploadId=upload, partFirstByte=0, partLastByte=len(content) - 1, layerPartBlob=part)
    call("CompleteLayerUpload", uploadId=upload, layerDigests=[digest(content)])
    return {"digest": digest(content), "size": len(content)}


packed = io.BytesIO()
with tarfile.open(fileobj=packed, mode="w") as archive:
    archive.add(file, "app/agent_server.py")
layer = gzip.compress(packed.getvalue(), mtime=0)
config = {
    "os": "linux",
    "architecture": "amd64",
    "config": {
        "Cmd": ["/usr/local/bin/python3", "/app/agent_server.py"],
        "WorkingDir": "/app",
        "Labels": {"io.fargateer.image.settings": "{}"},
    },
}
manifest = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **upload(json.dumps(config).encode())},
    "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **upload(layer)}],
}
print(call("PutImage", imageTag=tag, imageManifest=json.dumps(manifest))["image"]["imageId"]["imageDigest"])
