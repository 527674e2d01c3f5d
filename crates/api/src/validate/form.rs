//! The forms of names, ids and ARNs: text in, whether it has the form out.

/// An ARN's parts.
pub(crate) struct Arn<'a> {
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) resource: &'a str,
}

/// `arn:partition:service:region:account:resource`.
pub(crate) fn arn(text: &str) -> Option<Arn<'_>> {
    let parts = text.splitn(6, ':').collect::<Vec<_>>();
    let [scheme, partition, service, region, account, resource] = parts.as_slice() else {
        return None;
    };
    let account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let sound = *scheme == "arn" && partition.starts_with("aws") && account && !resource.is_empty();
    let clean = text.bytes().all(|byte| byte.is_ascii_graphic()) && (region.is_empty() || is_region(region));
    (sound && clean).then_some(Arn { service, region, resource })
}

/// Lower-case letters, digits and inner hyphens, 1 to 63.
pub(crate) fn is_label(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(known) && !text.starts_with('-') && !text.ends_with('-')
}

/// Letters, digits, `_` and `-`, 1 to 255: names of services, families and containers.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && is_of(text, "_-")
}

/// ASCII letters, digits and `others` alone.
pub(crate) fn is_of(text: &str, others: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// `us-east-1`, `us-gov-west-1`.
pub(crate) fn is_region(text: &str) -> bool {
    let parts = text.split('-').collect::<Vec<_>>();
    let [area, middle @ .., number] = parts.as_slice() else {
        return false;
    };
    let word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let number = (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    area.len() == 2 && word(area) && !middle.is_empty() && middle.iter().all(word) && number
}

/// An EC2 id: the prefix and lower-case letters, digits or hyphens.
pub(crate) fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !rest.is_empty() && rest.bytes().all(known)
    })
}

/// The ARN of an IAM role.
pub(crate) fn is_role_arn(text: &str) -> bool {
    arn(text).is_some_and(|arn| {
        arn.service == "iam" && arn.resource.strip_prefix("role/").is_some_and(|name| !name.is_empty())
    })
}

/// An IAM role by ARN or name.
pub(crate) fn is_role(text: &str) -> bool {
    is_role_arn(text) || ((1..=64).contains(&text.len()) && is_of(text, "+=,.@_-"))
}

/// The ARN of a target group in `region`.
pub(crate) fn is_target_group(text: &str) -> bool {
    arn(text).is_some_and(|arn| {
        let parts = arn.resource.split('/').collect::<Vec<_>>();
        arn.service == "elasticloadbalancing"
            && matches!(parts.as_slice(), ["targetgroup", name, id] if !name.is_empty() && !id.is_empty())
    })
}

/// Why `uri` is no image reference; none when it is one.
pub(crate) fn image_fault(uri: &str) -> Option<&'static str> {
    let (name, digest) = uri.split_once('@').map_or((uri, None), |(name, digest)| (name, Some(digest)));
    let hex = |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if digest.is_some_and(|digest| !digest.strip_prefix("sha256:").is_some_and(hex)) {
        return Some("the digest must be `sha256:` and 64 hexadecimal digits");
    }
    if name.is_empty() || name.len() > 255 {
        return Some("an image reference has 1 to 255 characters before its digest");
    }
    let (repository, tag) = match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    };
    if tag.is_some_and(|tag| tag.is_empty() || tag.len() > 128 || !is_of(tag, "_.-") || tag.starts_with(['.', '-'])) {
        return Some("a tag has 1 to 128 letters, digits, `_`, `.` or `-`");
    }
    let path = repository.split('/').collect::<Vec<_>>();
    let sound = |part: &&str| !part.is_empty() && is_of(part, "._-") && !part.bytes().any(|b| b.is_ascii_uppercase());
    let registry = |part: &&str| !part.is_empty() && is_of(part, ".-:");
    let (first, rest) = path.split_first()?;
    let known = rest.iter().all(sound) && (sound(first) || (!rest.is_empty() && registry(first)));
    (!known).then_some("a repository has lower-case letters, digits, `.`, `_`, `-` and `/`")
}

/// Whether `name` may be a repository's, as CreateRepository has it (ECR API reference, repositoryName).
pub(crate) fn is_ecr_repository(name: &str) -> bool {
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let sound = |part: &str| {
        let ends = part.bytes().next().is_some_and(lower) && part.bytes().last().is_some_and(lower);
        ends && part.bytes().all(|b| lower(b) || matches!(b, b'.' | b'_' | b'-'))
    };
    (2..=256).contains(&name.len()) && name.split('/').all(sound)
}

/// Whether an image lives in a private ECR registry.
pub(crate) fn is_ecr(uri: &str) -> bool {
    let host = uri.split('/').next().unwrap_or_default();
    host.contains(".dkr.ecr.") || host.contains(".dkr-ecr.")
}

/// `2026-07-01T12:00:00Z`, with an optional fraction and `Z` or an offset.
pub(crate) fn is_timestamp(text: &str) -> bool {
    let Some((moment, rest)) = text.is_ascii().then(|| text.split_at_checked(19)).flatten() else {
        return false;
    };
    let (fraction, zone) = rest.find(['Z', '+', '-']).map_or((rest, ""), |start| rest.split_at(start));
    let fraction =
        fraction.strip_prefix('.').map_or(fraction.is_empty(), |digits| !digits.is_empty() && is_digits(digits));
    is_moment(moment) && fraction && (zone == "Z" || is_offset(zone))
}

/// `2026-07-01T12:00:00`.
fn is_moment(text: &str) -> bool {
    let parts = text.split(['-', 'T', ':']).collect::<Vec<_>>();
    let marks = text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let [year, month, day, hour, minute, second] = parts.as_slice() else {
        return false;
    };
    let date = year.len() == 4 && in_range(month, 1, 12) && in_range(day, 1, 31);
    marks == "--T::" && date && in_range(hour, 0, 23) && in_range(minute, 0, 59) && in_range(second, 0, 59)
}

/// `+02:00`.
fn is_offset(text: &str) -> bool {
    let clock = text.strip_prefix(['+', '-']).and_then(|text| text.split_once(':'));
    clock.is_some_and(|(hours, minutes)| in_range(hours, 0, 23) && in_range(minutes, 0, 59))
}

/// Two digits of a number in this range.
fn in_range(text: &str, low: u32, high: u32) -> bool {
    text.len() == 2 && is_digits(text) && text.parse().is_ok_and(|number: u32| (low..=high).contains(&number))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts that do not have the form.
    fn others<'a>(texts: &[&'a str], form: impl Fn(&str) -> bool) -> Vec<&'a str> {
        texts.iter().copied().filter(|text| !form(text)).collect()
    }

    #[test]
    fn points_in_time_are_told_from_other_texts() {
        let sound = [
            "2026-07-01T12:00:00Z",
            "2026-07-01T12:00:00.123Z",
            "2026-07-01T12:00:00+02:00",
            "2026-07-01T12:00:00.5-11:30",
        ];
        let broken = [
            "",
            "2026-07-01",
            "2026-07-01T12:00:00",
            "2026-07-01 12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-07-32T12:00:00Z",
            "2026-07-01T24:00:00Z",
            "2026-07-01T12:00:00.Z",
            "2026-07-01T12:00:00+2:00",
            "2026-07-01T12:00:00+02:00:00",
            "2026-07-01T12:00:00Zz",
            "20260-7-01T12:00:00Z",
            "2026-07-01T12:00:0\u{e9}Z",
        ];
        assert_eq!(others(&sound, is_timestamp), [] as [&str; 0]);
        assert_eq!(others(&broken, is_timestamp), broken);
    }

    #[test]
    fn regions_are_told_from_other_texts() {
        let broken = ["", "us-east", "us-east-", "us-1", "US-EAST-1", "useast1", "us-east-1a", "us east 1", "u-east-1"];
        assert_eq!(others(&["us-east-1", "us-gov-west-1", "ap-southeast-4"], is_region), [] as [&str; 0]);
        assert_eq!(others(&broken, is_region), broken);
    }

    #[test]
    fn arns_are_taken_apart_and_other_texts_are_not() {
        let parts = arn("arn:aws-cn:ecs:cn-north-1:111122223333:cluster/a:b").unwrap();
        assert_eq!((parts.service, parts.region, parts.resource), ("ecs", "cn-north-1", "cluster/a:b"));
        for broken in [
            "arn:aws:ecs:us-east-1:1111:cluster/a",
            "arn:gcp:ecs:us-east-1:111122223333:cluster/a",
            "arn:aws:ecs:us-east-1:111122223333:",
            "arn:aws:ecs:us-east-1:111122223333",
            "arn:aws:ecs:somewhere:111122223333:cluster/a",
            "arn:aws:ecs:us-east-1:111122223333:cluster/a b",
            "arn:aws:ecs:us-east-1:111122223333:cluster/a\u{0}",
            "arn:aws:ecs:us-east-1:111122223333:cluster/\u{202e}a",
        ] {
            assert!(arn(broken).is_none(), "{broken}");
        }
    }

    #[test]
    fn images_are_told_from_other_texts() {
        let digest = format!("nginx@sha256:{}", "0".repeat(64));
        let sound = [
            "nginx",
            "nginx:1.27",
            &digest,
            "localhost:5000/a",
            "Registry.example.com/a/b_c:1.0_x",
            "111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/a:1",
        ];
        let upper = digest.replace('0', "A");
        let broken = [
            "",
            ":1",
            "nginx:",
            "nginx:-1",
            "a//b",
            "/a",
            "a/",
            "a/B",
            "a b",
            "nginx@sha256:0",
            &upper,
            "${image_uri}",
        ];
        let is_image = |text: &str| image_fault(text).is_none();
        assert_eq!(others(&sound, is_image), [] as [&str; 0]);
        assert_eq!(others(&broken, is_image), broken);
    }

    #[test]
    fn a_limit_counts_the_characters_before_the_digest() {
        let uri = format!("{}@sha256:{}", "a".repeat(255), "0".repeat(64));
        assert_eq!(image_fault(&uri), None);
        assert!(image_fault(&format!("a{uri}")).is_some());
    }

    #[test]
    fn only_private_registries_of_ecr_need_the_execution_role() {
        assert!(is_ecr("111122223333.dkr.ecr.us-east-1.amazonaws.com/a:1"));
        assert!(!is_ecr("public.ecr.aws/a:1"));
        assert!(!is_ecr("nginx"));
    }
}
