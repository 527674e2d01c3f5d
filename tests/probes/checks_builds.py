"""CodeBuild: projects, and builds that go through their phases."""

import io
import zipfile

from checks_objects import bucket
from kit import contains, refused, same

REGISTRY = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
SPEC = """version: 0.2
phases:
  build:
    commands:
      - docker build --tag "$IMAGE:$TAG" .
      - docker push "$IMAGE:$TAG"
"""


def project(aws, **more):
    """A new project with a bucket: both names."""
    source, name = bucket(aws), aws.name("probe-project").replace("/", "-")
    environment = {
        "type": "LINUX_CONTAINER",
        "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
        "computeType": "BUILD_GENERAL1_SMALL",
        "privilegedMode": True,
    }
    described = {
        "source": {"type": "S3", "location": f"{source}/contexts/"},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": environment,
        "serviceRole": "arn:aws:iam::111122223333:role/builder",
    }
    aws.client("codebuild").create_project(name=name, **{**described, **more})
    return name, source


def build(aws, dockerfile, **more):
    """Starts a build of a context with this Dockerfile; the build, and the repository it pushes to."""
    name, source = project(aws)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Dockerfile", dockerfile)
    aws.client("s3").put_object(Bucket=source, Key="contexts/a.zip", Body=content.getvalue())
    repository = aws.name("probe/built")
    aws.client("ecr").create_repository(repositoryName=repository)
    variables = [("IMAGE", f"{REGISTRY}/{repository}"), ("TAG", "v1")]
    started = aws.client("codebuild").start_build(
        projectName=name,
        sourceTypeOverride="S3",
        sourceLocationOverride=f"{source}/contexts/a.zip",
        buildspecOverride=SPEC,
        environmentVariablesOverride=[{"name": key, "value": value, "type": "PLAINTEXT"} for key, value in variables],
        **more,
    )
    return started["build"], repository


def ended(aws, identity):
    """The build, once it is complete."""
    found = {}

    def over():
        found["build"] = aws.client("codebuild").batch_get_builds(ids=[identity])["builds"][0]
        return found["build"]["buildComplete"]

    aws.until("the end of the build", over)
    return found["build"]


def check_project_is_made_and_found(aws):
    """CreateProject and BatchGetProjects; unknown names are told apart, the same name again is refused."""
    # CodeBuild API reference, CreateProject, BatchGetProjects
    codebuild, (name, source) = aws.client("codebuild"), project(aws)
    found = codebuild.batch_get_projects(names=[name, "nobody"])
    contains(found["projects"][0]["source"], {"type": "S3", "location": f"{source}/contexts/"})
    same(found["projectsNotFound"], ["nobody"], "missing")
    again = {key: found["projects"][0][key] for key in ("name", "source", "artifacts", "environment", "serviceRole")}
    refused("ResourceAlreadyExistsException", codebuild.create_project, **again)


def check_build_of_nobody(aws):
    """StartBuild and ListBuildsForProject of a project that is not there are ResourceNotFoundException."""
    # CodeBuild API reference, StartBuild
    codebuild = aws.client("codebuild")
    refused("ResourceNotFoundException", codebuild.start_build, projectName="nobody")
    refused("ResourceNotFoundException", codebuild.list_builds_for_project, projectName="nobody")
    same(codebuild.batch_get_builds(ids=["nobody:1"])["buildsNotFound"], ["nobody:1"], "missing builds")


def check_build_pushes_an_image(aws):
    """A build goes through its phases and succeeds; what it pushed is in the repository."""
    # CodeBuild user guide, "Build phase transitions"
    started, repository = build(aws, "FROM scratch\n")
    contains(started, {"buildStatus": "IN_PROGRESS", "buildComplete": False})
    done = ended(aws, started["id"])
    same(done["buildStatus"], "SUCCEEDED", "status")
    phases = [phase["phaseType"] for phase in done["phases"]]
    same((phases[0], phases[-1], len(phases)), ("SUBMITTED", "COMPLETED", 11), "phases")
    image = aws.client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    assert image["imageDetails"][0]["imageDigest"].startswith("sha256:")


def check_build_fails_with_its_log(aws):
    """A build whose Dockerfile fails is FAILED in BUILD, and its log ends with why."""
    # CodeBuild user guide, "View build details"
    started, _ = build(aws, "FROM scratch\nRUN exit 3\n")
    done = ended(aws, started["id"])
    failed = [phase for phase in done["phases"] if phase.get("phaseStatus") == "FAILED"]
    same((done["buildStatus"], failed[0]["phaseType"]), ("FAILED", "BUILD"), "the failed phase")
    log = done["logs"]
    events = aws.logs.get_log_events(logGroupName=log["groupName"], logStreamName=log["streamName"])["events"]
    assert any("exit code: 3" in event["message"] for event in events), events


def check_build_token(aws):
    """The same token is the same build; with other parameters it is refused."""
    # CodeBuild API reference, StartBuild, idempotencyToken
    codebuild, (name, _) = aws.client("codebuild"), project(aws)
    request = {"projectName": name, "idempotencyToken": "probe"}
    first = codebuild.start_build(**request)["build"]["id"]
    same(codebuild.start_build(**request)["build"]["id"], first, "the build")
    refused("InvalidInputException", codebuild.start_build, **request, timeoutInMinutesOverride=10)
    same(codebuild.list_builds_for_project(projectName=name)["ids"], [first], "builds")


def check_build_is_stopped(aws):
    """StopBuild ends a build as STOPPED."""
    # CodeBuild API reference, StopBuild
    started, _ = build(aws, "FROM scratch\n")
    aws.client("codebuild").stop_build(id=started["id"])
    same(ended(aws, started["id"])["buildStatus"], "STOPPED", "status")
