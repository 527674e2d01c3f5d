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
    let clean = !text.contains(char::is_whitespace) && (region.is_empty() || is_region(region));
    (sound && clean).then_some(Arn {
        service,
        region,
        resource,
    })
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
    let (name, digest) = uri
        .split_once('@')
        .map_or((uri, None), |(name, digest)| (name, Some(digest)));
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

/// Whether an image lives in a private ECR registry.
pub(crate) fn is_ecr(uri: &str) -> bool {
    let host = uri.split('/').next().unwrap_or_default();
    host.contains(".dkr.ecr.") || host.contains(".dkr-ecr.")
}

/// `2026-07-01T12:00:00Z`, with an optional fraction and `Z` or an offset.
pub(crate) fn is_timestamp(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<u32>().ok());
    let shape = |from: usize, pattern: &str| {
        text.get(from..from + pattern.len()).is_some_and(|part| {
            part.bytes()
                .zip(pattern.bytes())
                .all(|(b, p)| if p == b'0' { b.is_ascii_digit() } else { b == p })
        })
    };
    let in_range = |from: usize, low: u32, high: u32| number(from..from + 2).is_some_and(|n| (low..=high).contains(&n));
    if !text.is_ascii() || !shape(0, "0000-00-00T00:00:00") {
        return false;
    }
    let zone = text[19..].trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let fraction = &text[19..text.len() - zone.len()];
    let fraction =
        fraction.is_empty() || (fraction.len() > 1 && fraction.starts_with('.') && !fraction[1..].contains('.'));
    let offset = |zone: &str| {
        let bytes = zone.as_bytes();
        bytes.len() == 6
            && matches!(bytes[0], b'+' | b'-')
            && bytes[3] == b':'
            && zone[1..3].parse::<u32>().is_ok_and(|h| h < 24)
            && zone[4..].parse::<u32>().is_ok_and(|m| m < 60)
    };
    let date = in_range(5, 1, 12) && in_range(8, 1, 31);
    date && in_range(11, 0, 23)
        && in_range(14, 0, 59)
        && in_range(17, 0, 60)
        && fraction
        && (zone == "Z" || offset(zone))
}
