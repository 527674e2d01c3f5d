//! Which images a lifecycle policy would expire.
//!
//! ECR user guide, "Lifecycle policy properties": rules apply in the order of their priority, and an image that meets the tags of
//! one rule is out of reach of every later one. Only a preview asks: nothing expires by itself.

use crate::input::Members;
use crate::state::ecr::{Image, Repository};
use crate::wildcard::like;
use serde_json::{Value, json};

const DAY: f64 = 86_400.0;

/// The images to be expired, as a preview lists them.
pub(super) fn expiring(repository: &Repository, policy: &str, now: f64) -> Vec<Value> {
    let policy: Value = serde_json::from_str(policy).unwrap_or(Value::Null);
    let mut rules: Vec<&Value> = policy.items("rules").unwrap_or_default().iter().collect();
    rules.sort_by_key(|rule| rule.whole("rulePriority"));
    let mut images: Vec<(&String, &Image)> = repository.images.iter().collect();
    images.sort_by(|(_, one), (_, other)| other.pushed.total_cmp(&one.pushed));
    let mut gone = Vec::new();
    for rule in rules {
        let Some(selection) = rule.member("selection") else { continue };
        let (met, rest): (Vec<_>, Vec<_>) = images.into_iter().partition(|(_, image)| meets(selection, image));
        images = rest;
        let expired = met.into_iter().enumerate().filter(|(place, (_, image))| counted(selection, image, *place, now));
        gone.extend(expired.map(|(_, (digest, image))| {
            json!({
                "imageTags": image.tags,
                "imageDigest": digest,
                "imagePushedAt": image.pushed,
                "action": {"type": "EXPIRE"},
                "appliedRulePriority": rule.whole("rulePriority"),
            })
        }));
    }
    gone
}

/// Whether the tags of an image are those a rule is about.
fn meets(selection: &Value, image: &Image) -> bool {
    let all = |list: &str, fits: fn(&str, &str) -> bool| {
        let wanted = selection.texts(list);
        wanted.iter().all(|wanted| image.tags.iter().any(|tag| fits(wanted, tag)))
    };
    match selection.text("tagStatus") {
        Some("untagged") => image.tags.is_empty(),
        Some("tagged") => {
            !image.tags.is_empty()
                && all("tagPrefixList", |prefix, tag| tag.starts_with(prefix))
                && all("tagPatternList", like)
        }
        _ => true,
    }
}

/// Whether an image is more than a rule lets stay; `place` counts from the newest that meets it.
fn counted(selection: &Value, image: &Image, place: usize, now: f64) -> bool {
    let number = selection.whole("countNumber").unwrap_or(1);
    let days = selection.number("countNumber").unwrap_or(1.0);
    let older = |since: f64| now - since > days * DAY;
    match selection.text("countType") {
        Some("imageCountMoreThan") => usize::try_from(number).is_ok_and(|number| place >= number),
        Some("sinceImagePushed") => older(image.pushed),
        Some("sinceImagePulled") => older(image.pulled.unwrap_or(image.pushed)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::expiring;
    use crate::state::ecr::{Image, Repository};

    fn image(tags: &[&str], pushed: f64) -> Image {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Image { tags, manifest: "{}".to_owned(), media_type: String::new(), pushed, pulled: None }
    }

    #[test]
    fn an_image_that_meets_a_rule_is_out_of_reach_of_the_next() {
        let mut repository = Repository::default();
        for (digest, tags, pushed) in [("a", vec!["prod-1"], 1.0), ("b", vec![], 2.0), ("c", vec!["x"], 3.0)] {
            repository.images.insert(digest.to_owned(), image(&tags, pushed));
        }
        let policy = r#"{"rules": [
            {"rulePriority": 2, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1}},
            {"rulePriority": 1, "selection": {"tagStatus": "tagged", "tagPrefixList": ["prod"],
                "countType": "imageCountMoreThan", "countNumber": 1}}]}"#;
        let gone = expiring(&repository, policy, 10.0);
        assert_eq!(gone.iter().map(|image| &image["imageDigest"]).collect::<Vec<_>>(), ["b"]);
    }
}
