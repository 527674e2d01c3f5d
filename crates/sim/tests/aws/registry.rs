//! The image registry's own protocol, with ECR's quirks on and off.

use crate::place::Place;
use fargateer_sim::{Fault, FaultKind, Registry, Settings, Simulation};
use serde_json::json;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct Client {
    address: SocketAddr,
    token: String,
}

struct Heard {
    status: u16,
    head: String,
    body: String,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default()
    }
}

impl Client {
    async fn open(aws: &Simulation) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(aws.clone().serve(listener, std::future::pending()));
        let answer = aws.call("us-east-1", "ecr", "GetAuthorizationToken", json!({})).unwrap();
        let token = answer["authorizationData"][0]["authorizationToken"].as_str().unwrap().to_owned();
        Self { address, token }
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Heard {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: registry\r\nconnection: close\r\nauthorization: Basic {}\r\ncontent-length: \
             {}\r\n\r\n",
            self.token,
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Heard { status, head: head.to_owned(), body: body.to_owned() }
    }
}

fn quirks(registry: Registry) -> Settings {
    Settings { registry, ..Settings::default() }
}

const DIGEST: &str = "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

/// The bytes of `DIGEST`.
const LAYER: &str = "hello\n";

async fn upload(registry: &Client, name: &str, chunks: &[&str]) -> Heard {
    let started = registry.ask("POST", &format!("/v2/{name}/blobs/uploads/"), "").await;
    let place = started.header("location").to_owned();
    for chunk in chunks {
        registry.ask("PATCH", &place, chunk).await;
    }
    registry.ask("PUT", &format!("{place}?digest={DIGEST}"), if chunks.is_empty() { LAYER } else { "" }).await
}

#[tokio::test]
async fn an_upload_in_chunks_is_lost_as_by_ecr_unless_told_otherwise() {
    for (broken, status) in [(true, 400), (false, 201)] {
        let place = Place::with(quirks(Registry { breaks_chunks: broken, ..Registry::default() }));
        let registry = Client::open(&place.aws).await;
        assert_eq!(upload(&registry, "agent", &["hel", "lo\n"]).await.status, status);
        assert_eq!(upload(&registry, "agent", &[]).await.status, 201, "at once it always works");
    }
}

#[tokio::test]
async fn a_mount_is_granted_only_of_what_a_manifest_refers_to() {
    let place = Place::with(quirks(Registry { refuses_mounts: false, ..Registry::default() }));
    place.call("ecr", "CreateRepository", json!({"repositoryName": "base"}));
    let registry = Client::open(&place.aws).await;
    upload(&registry, "base", &[]).await;
    let mount = format!("/v2/agent/blobs/uploads/?mount={DIGEST}&from=base");
    assert_eq!(registry.ask("POST", &mount, "").await.status, 202);
    let manifest = json!({"schemaVersion": 2, "layers": [{"digest": DIGEST, "size": 6}]}).to_string();
    assert_eq!(registry.ask("PUT", "/v2/base/manifests/v1", &manifest).await.status, 201);
    assert_eq!(registry.ask("POST", &mount, "").await.status, 201);
    assert_eq!(registry.ask("GET", &format!("/v2/agent/blobs/{DIGEST}"), "").await.body, LAYER);
}

#[tokio::test]
async fn the_same_image_again_clashes_with_an_immutable_tag_as_in_ecr_unless_told_otherwise() {
    for (strict, status) in [(true, 400), (false, 201)] {
        let place = Place::with(quirks(Registry { refuses_same_tag: strict, ..Registry::default() }));
        place.call("ecr", "CreateRepository", json!({"repositoryName": "fixed", "imageTagMutability": "IMMUTABLE"}));
        let registry = Client::open(&place.aws).await;
        let mut push = registry.ask("PUT", "/v2/fixed/manifests/v1", "{\"schemaVersion\":2}").await;
        assert_eq!(push.status, 201);
        push = registry.ask("PUT", "/v2/fixed/manifests/v1", "{\"schemaVersion\":2}").await;
        assert_eq!((push.status, push.body.contains("TAG_INVALID")), (status, strict));
    }
}

#[tokio::test]
async fn a_login_is_wanted_and_faults_strike() {
    let place = Place::new();
    let registry = Client::open(&place.aws).await;
    let stranger = Client { token: "QVdTOmd1ZXNz".to_owned(), ..registry };
    let refused = stranger.ask("GET", "/v2/", "").await;
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").starts_with("Basic realm="), "{}", refused.head);
    let registry = Client::open(&place.aws).await;
    place.aws.fault(Fault { service: Some("registry".to_owned()), ..Fault::once(FaultKind::Throttle) });
    assert_eq!(registry.ask("GET", "/v2/agent/tags/list", "").await.status, 429);
    assert!(registry.ask("GET", "/v2/agent/tags/list", "").await.body.contains("[\"v1\",\"v2\"]"));
    let calls = place.aws.calls();
    assert_eq!((calls[0].operation.as_str(), calls[0].error.as_deref()), ("ListTags", Some("429")));
}
