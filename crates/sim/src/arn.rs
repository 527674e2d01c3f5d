//! Amazon resource names, and the other names that are derived rather than drawn.

use sha2::{Digest, Sha256};

/// The last part of an ARN such as `arn:aws:ecs:us-east-1:111122223333:cluster/blue`: everything after the resource type.
///
/// What is no ARN is returned as it is: most parameters take a name or an ARN.
pub(crate) fn tail(name: &str) -> &str {
    if name.starts_with("arn:") { name.split_once('/').map_or(name, |(_, tail)| tail) } else { name }
}

/// The name after the last slash of an ARN, or the name itself.
pub(crate) fn leaf(name: &str) -> &str {
    if name.starts_with("arn:") { name.rsplit('/').next().unwrap_or(name) } else { name }
}

/// The service an ARN belongs to.
pub(crate) fn service(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(1)
}

/// The account an ARN belongs to.
pub(crate) fn account(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(3)
}

/// `sha256:` and the hash of a text.
pub(crate) fn digest(text: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(text.as_bytes())))
}

/// A UUID that follows from a text.
pub(crate) fn uuid(text: &str) -> String {
    let digest = digest(text);
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-a{}-{}", part(7, 15), part(15, 19), part(19, 22), part(22, 25), part(25, 37))
}

#[cfg(test)]
mod tests {
    use super::{account, leaf, service, tail};

    #[test]
    fn parts_of_a_service_arn() {
        let arn = "arn:aws:ecs:us-east-1:111122223333:service/blue/agent";
        assert_eq!((tail(arn), leaf(arn)), ("blue/agent", "agent"));
        assert_eq!((service(arn), account(arn)), (Some("ecs"), Some("111122223333")));
        assert_eq!(tail("agent"), "agent");
    }
}
