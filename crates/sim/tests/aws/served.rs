//! The loopback door, by plain HTTP/1.1 over a socket: the bytes are the test's own.

use crate::place::{Place, REGION};
use fargateer_sim::{Fault, FaultKind, Simulation};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A served simulation.
pub(crate) struct Door {
    address: SocketAddr,
}

/// A request.
pub(crate) struct Wire {
    pub(crate) key: String,
    pub(crate) region: String,
    pub(crate) target: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) path: &'static str,
    pub(crate) method: &'static str,
}

/// An answer.
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Wire {
    pub(crate) fn ecs(operation: &str, input: &Value) -> Self {
        Self {
            key: "test".to_owned(),
            region: REGION.to_owned(),
            target: Some(format!("AmazonEC2ContainerServiceV20141113.{operation}")),
            body: input.to_string().into_bytes(),
            path: "/",
            method: "POST",
        }
    }

    fn bytes(self) -> Vec<u8> {
        let target = self.target.map(|target| format!("x-amz-target: {target}\r\n")).unwrap_or_default();
        let head = format!(
            "{} {} HTTP/1.1\r\nhost: aws\r\nconnection: close\r\n{target}authorization: AWS4-HMAC-SHA256 \
             Credential={}/20260101/{}/x/aws4_request, Signature=0\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.method,
            self.path,
            self.key,
            self.region,
            self.body.len()
        );
        [head.into_bytes(), self.body].concat()
    }
}

impl Door {
    pub(crate) async fn open(aws: &Simulation) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(aws.clone().serve(listener, std::future::pending()));
        Self { address }
    }

    /// `None` when the connection breaks.
    pub(crate) async fn send(&self, wire: Wire) -> Option<Heard> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(&wire.bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.ok()?;
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        if head.contains("transfer-encoding: chunked") && !body.ends_with("0\r\n\r\n") {
            return None;
        }
        let body = serde_json::from_str(body).unwrap_or_else(|_| json!(body));
        Some(Heard { status, head: head.to_owned(), body })
    }

    pub(crate) async fn try_ecs(&self, operation: &str, input: Value) -> Option<Heard> {
        self.send(Wire::ecs(operation, &input)).await
    }

    pub(crate) async fn ecs(&self, operation: &str, input: Value) -> Heard {
        self.try_ecs(operation, input).await.unwrap()
    }
}

fn query(body: &str) -> Wire {
    Wire { target: None, body: body.as_bytes().to_vec(), ..Wire::ecs("", &json!({})) }
}

#[tokio::test]
async fn every_answer_carries_an_id_and_simulated_time() {
    let door = Door::open(&Place::new().aws).await;
    let heard = door.ecs("DescribeTaskDefinition", json!({"taskDefinition": "none"})).await;
    assert_eq!(heard.status, 400);
    assert!(heard.head.contains("x-amzn-requestid: 00000000-0000-4000-a000-000000000001"), "{}", heard.head);
    assert!(heard.head.contains("date: Thu, 01 Jan 2026 00:00:0"), "{}", heard.head);
    assert!(heard.head.contains("x-amzn-errortype: ClientException"));
}

#[tokio::test]
async fn load_balancing_speaks_the_query_protocol() {
    let door = Door::open(&Place::new().aws).await;
    let heard = door.send(query("Action=DescribeTargetGroups&Version=2015-12-01")).await.unwrap();
    let text = heard.body.as_str().unwrap();
    assert!(text.starts_with("<DescribeTargetGroupsResponse xmlns="), "{text}");
    assert!(text.contains("<TargetGroups><member>") && text.contains("<TargetType>ip</TargetType>"));
    let missing = "Action=DescribeTargetGroups&Version=2015-12-01&Names.member.1=a%26b";
    let heard = door.send(query(missing)).await.unwrap();
    assert_eq!(heard.status, 400);
    assert!(
        heard
            .body
            .as_str()
            .unwrap()
            .contains("<Code>TargetGroupNotFound</Code><Message>Target groups 'a&amp;b' not found")
    );
}

#[tokio::test]
async fn an_assumed_role_belongs_to_its_account() {
    let door = Door::open(&Place::new().aws).await;
    let assume = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::222233334444:role/x&RoleSessionName=me";
    let heard = door.send(query(assume)).await.unwrap();
    let text = heard.body.as_str().unwrap().to_owned();
    let key = text.split("<AccessKeyId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let identity = Wire { key, ..query("Action=GetCallerIdentity&Version=2011-06-15") };
    let heard = door.send(identity).await.unwrap();
    assert!(heard.body.as_str().unwrap().contains("<Account>222233334444</Account>"));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_never_breaks_anything() {
    let door = Door::open(&Place::new().aws).await;
    let broken = |body: &[u8]| Wire { body: body.to_vec(), ..Wire::ecs("ListClusters", &json!({})) };
    for body in [b"{".as_slice(), b"[]", b"\xff\xfe", b"null"] {
        assert_eq!(door.send(broken(body)).await.unwrap().body["__type"], "SerializationException");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(door.send(broken(deep.as_bytes())).await.unwrap().body["__type"], "SerializationException");
    let large = format!("{{\"clusterName\":\"{}\"}}", "x".repeat(1_100_000));
    assert_eq!(door.send(broken(large.as_bytes())).await.unwrap().body["__type"], "RequestEntityTooLarge");
    assert_eq!(door.ecs("MakeCoffee", json!({})).await.body["__type"], "UnknownOperationException");
    let wrong =
        door.ecs("CreateService", json!({"cluster": "blue", "serviceName": 5, "loadBalancers": {"a": []}})).await;
    assert_eq!(wrong.status, 400);
    let heard = door.send(query("Action=MakeCoffee&Version=2015-12-01")).await.unwrap();
    assert!(heard.body.as_str().unwrap().contains("<Code>InvalidAction</Code>"));
    let deep = format!("Action=AddTags&Version=2015-12-01&{}=x", "a.".repeat(50_000));
    assert_eq!(door.send(query(&deep)).await.unwrap().status, 200);
    assert_eq!(door.ecs("ListClusters", json!({})).await.status, 200);
}

#[tokio::test]
async fn a_window_shows_calls_and_state() {
    let place = Place::new();
    let door = Door::open(&place.aws).await;
    door.ecs("ListClusters", json!({})).await;
    let window = |method: &'static str, path: &'static str, body: Value| Wire {
        method,
        path,
        target: None,
        ..Wire::ecs("", &body)
    };
    let calls = door.send(window("GET", "/_sim/calls", json!({}))).await.unwrap();
    assert_eq!(calls.body[0]["operation"], "ListClusters");
    let state = door.send(window("GET", "/_sim/state", json!({}))).await.unwrap();
    assert_eq!(state.body[0]["clusters"], json!(["blue"]));
    let crash = json!({"pattern": "agent", "behaviour": "crash-loop", "exit_code": 4});
    assert_eq!(door.send(window("POST", "/_sim/behave", crash)).await.unwrap().status, 200);
    let wrong = json!({"behaviour": "sing"});
    assert_eq!(door.send(window("POST", "/_sim/behave", wrong)).await.unwrap().status, 400);
    assert_eq!(place.aws.calls().len(), 1);
}

#[tokio::test]
async fn a_shutdown_ends_even_a_call_that_hangs() {
    let place = Place::new();
    place.aws.fault(Fault::once(FaultKind::HangBefore));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let door = Door { address: listener.local_addr().unwrap() };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(place.aws.clone().serve(listener, async { stopped.await.unwrap_or(()) }));
    let hanging = tokio::spawn(async move { door.try_ecs("ListClusters", json!({})).await.is_none() });
    while place.aws.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    stop.send(()).unwrap();
    assert!(hanging.await.unwrap());
    served.await.unwrap().unwrap();
}
