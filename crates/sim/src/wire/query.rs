//! The AWS query protocol: a form in, XML out.
//!
//! Lists are written `Name.member.1` (`Name.1` by EC2), structures `Name.Member`. Both are turned into JSON, in which every scalar is a string,
//! and an answer's JSON is turned into XML the same way round.

use super::xml::{escape, write};
use super::{Protocol, Reply, Spoken};
use crate::refusal::{Answer, Refusal};
use serde_json::{Map, Value};

/// EC2 writes lists as `Name.1`, has no result element and errors of its own shape.
const EC2: (&str, &str, &str) = ("2016-11-15", "ec2", "http://ec2.amazonaws.com/doc/2016-11-15/");

/// The services that speak it, by the version they send.
const SERVICES: [(&str, &str, &str); 5] = [
    ("2010-08-01", "monitoring", "http://monitoring.amazonaws.com/doc/2010-08-01/"),
    ("2015-12-01", "elasticloadbalancing", "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"),
    ("2011-06-15", "sts", "https://sts.amazonaws.com/doc/2011-06-15/"),
    ("2010-05-08", "iam", "https://iam.amazonaws.com/doc/2010-05-08/"),
    (EC2.0, EC2.1, EC2.2),
];

pub(super) fn understand(body: &[u8]) -> Spoken {
    let mut tree = Value::Object(Map::new());
    let (mut operation, mut service) = (String::new(), String::new());
    for (key, value) in form_urlencoded::parse(body) {
        match key.as_ref() {
            "Action" => operation = value.into_owned(),
            "Version" => service = named(&value),
            path => place(&mut tree, path.split('.'), &value),
        }
    }
    let input = if operation.is_empty() {
        Err(Refusal::new("MissingAction", "The request must contain the parameter Action."))
    } else {
        Ok(lists(tree))
    };
    Spoken { protocol: Protocol::Query, service, operation, input }
}

fn named(version: &str) -> String {
    let known = SERVICES.iter().find(|(known, _, _)| *known == version);
    known.map_or(version, |(_, service, _)| service).to_owned()
}

/// Puts a value where its dotted path says. A path as deep as the body allows is cut, not followed.
fn place<'a>(tree: &mut Value, path: impl Iterator<Item = &'a str>, value: &str) {
    let mut node = tree;
    for part in path.take(16) {
        if !node.is_object() {
            *node = Value::Object(Map::new());
        }
        let Some(object) = node.as_object_mut() else { return };
        node = object.entry(part).or_insert(Value::Null);
    }
    *node = Value::String(value.to_owned());
}

/// Turns `{"member": {"1": .., "2": ..}}` into a list, everywhere.
fn lists(value: Value) -> Value {
    let Value::Object(mut object) = value else { return value };
    if !object.is_empty() && object.keys().all(|key| key.parse::<u32>().is_ok()) {
        return numbered(object);
    }
    if object.len() == 1
        && let Some(Value::Object(members)) = object.remove("member").or_else(|| object.remove("entry"))
    {
        return numbered(members);
    }
    object.into_iter().map(|(key, member)| (key, lists(member))).collect::<Map<_, _>>().into()
}

fn numbered(members: Map<String, Value>) -> Value {
    let mut members: Vec<(u32, Value)> =
        members.into_iter().filter_map(|(index, member)| Some((index.parse().ok()?, lists(member)))).collect();
    members.sort_by_key(|(index, _)| *index);
    members.into_iter().map(|(_, member)| member).collect()
}

pub(super) fn reply(spoken: &Spoken, answer: Answer, request_id: &str) -> Reply {
    let space = SERVICES.iter().find(|(_, service, _)| *service == spoken.service).map_or("", |(_, _, space)| space);
    match answer {
        Ok(value) => Reply {
            status: 200,
            content_type: "text/xml",
            error: None,
            headers: Vec::new(),
            body: success(space, &spoken.operation, &value, request_id).into_bytes(),
        },
        Err(refusal) => Reply {
            status: refusal.status,
            content_type: "text/xml",
            error: Some(refusal.code.clone()),
            headers: Vec::new(),
            body: error(space, &refusal, request_id).into_bytes(),
        },
    }
}

fn success(space: &str, operation: &str, value: &Value, request_id: &str) -> String {
    if space == EC2.2 {
        let mut body = format!("<{operation}Response xmlns=\"{space}\"><requestId>{request_id}</requestId>");
        write(&mut body, value, "item");
        body.extend(["</", operation, "Response>"]);
        return body;
    }
    let mut body = format!("<{operation}Response xmlns=\"{space}\"><{operation}Result>");
    write(&mut body, value, "member");
    let metadata = format!("<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>");
    body.extend(["</", operation, "Result>", &metadata, "</", operation, "Response>"]);
    body
}

fn error(space: &str, refusal: &Refusal, request_id: &str) -> String {
    let kind = if refusal.status < 500 { "Sender" } else { "Receiver" };
    let (code, message) = (escape(&refusal.code), escape(&refusal.message));
    if space == EC2.2 {
        return format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
             <RequestID>{request_id}</RequestID></Response>"
        );
    }
    format!(
        "<ErrorResponse xmlns=\"{space}\"><Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>{request_id}</RequestId></ErrorResponse>"
    )
}

#[cfg(test)]
mod tests {
    use super::understand;
    use serde_json::json;

    #[test]
    fn a_form_becomes_nested_members() {
        let body = b"Action=RegisterTargets&Version=2015-12-01&TargetGroupArn=a&Targets.member.2.Id=y&Targets.member.1.Id=x&Targets.member.1.Port=80";
        let spoken = understand(body);
        assert_eq!((spoken.service.as_str(), spoken.operation.as_str()), ("elasticloadbalancing", "RegisterTargets"));
        let expected = json!({"TargetGroupArn": "a", "Targets": [{"Id": "x", "Port": "80"}, {"Id": "y"}]});
        assert_eq!(spoken.input, Ok(expected));
    }
}
