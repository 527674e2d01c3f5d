//! Field paths as text: `spec.container.environment.PORT`, `spec.sidecars[0].name`, `spec.tags["cost.center"]`.

/// The path of `key` in the mapping at `base`.
pub(crate) fn field(base: &str, key: &str) -> String {
    let mut path = base.to_owned();
    push_field(&mut path, key);
    path
}

/// The path of item `index` in the list at `base`.
pub(crate) fn item(base: &str, index: usize) -> String {
    let mut path = base.to_owned();
    push_item(&mut path, index);
    path
}

/// Makes a path that of `key` in the mapping there.
pub(crate) fn push_field(path: &mut String, key: &str) {
    let segment = segment(key);
    if !path.is_empty() && !segment.starts_with('[') {
        path.push('.');
    }
    path.push_str(&segment);
}

/// Makes a path that of item `index` in the list there.
pub(crate) fn push_item(path: &mut String, index: usize) {
    path.push('[');
    path.push_str(&index.to_string());
    path.push(']');
}

/// Whether `path` is `ancestor` or stands below it.
pub(crate) fn covers(ancestor: &str, path: &str) -> bool {
    path.strip_prefix(ancestor)
        .is_some_and(|rest| rest.is_empty() || ancestor.is_empty() || rest.starts_with(['.', '[']))
}

/// Fields of `spec` that may hold a secret.
const CONFIDENTIAL: [&str; 9] = [
    "account.externalId",
    "container.environment",
    "container.secrets",
    "container.command",
    "container.entryPoint",
    "container.healthCheck.command",
    "sidecars",
    "overrides",
    "verify.http.invoke",
];

/// Where a spec may hold a secret, however wrong it is to keep one there: what stands at such a path (as
/// `spec.container.environment.TOKEN`) is not repeated in faults, statuses and answers of the daemon, which end in logs
/// and in comments on pull requests.
pub fn is_confidential(path: &str) -> bool {
    path.strip_prefix("spec.").is_some_and(|path| CONFIDENTIAL.iter().any(|home| covers(home, path)))
}

/// The path one level up.
pub(crate) fn parent(path: &str) -> &str {
    path.rfind(['.', '[']).map_or("", |end| &path[..end])
}

/// How much of `path` names `key`, when it begins with it.
pub(crate) fn names_key(path: &str, key: &str) -> Option<usize> {
    if !path.starts_with('[') {
        return covers(key, path).then_some(key.len()).filter(|length| *length > 0);
    }
    let segment = segment(key);
    covers(&segment, path).then_some(segment.len())
}

/// The index `path` begins with, and how much of it names it.
pub(crate) fn names_item(path: &str) -> Option<(usize, usize)> {
    let (index, _) = path.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, index.len() + 2))
}

fn segment(key: &str) -> String {
    let simple = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(simple) { key.to_owned() } else { format!("[{key:?}]") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_a_dot_is_quoted() {
        assert_eq!(field("spec.tags", "cost.center"), "spec.tags[\"cost.center\"]");
        assert_eq!(field("spec.tags", "team"), "spec.tags.team");
        assert_eq!(item(&field("", "sidecars"), 2), "sidecars[2]");
    }

    #[test]
    fn a_path_covers_what_stands_below_it_and_not_its_namesakes() {
        assert!(covers("spec.image", "spec.image.uri"));
        assert!(covers("spec.subnets", "spec.subnets[1]"));
        assert!(!covers("spec.image", "spec.imageUri"));
    }

    #[test]
    fn what_a_container_is_told_is_confidential_and_what_it_is_called_is_not() {
        for path in [
            "spec.container.environment.A",
            "spec.sidecars[0].command",
            "spec.container.command[1]",
            "spec.verify.http.invoke",
        ] {
            assert!(is_confidential(path), "{path}");
        }
        for path in ["spec.container.name", "spec.container", "environment", "spec.cluster", ""] {
            assert!(!is_confidential(path), "{path}");
        }
    }
}
