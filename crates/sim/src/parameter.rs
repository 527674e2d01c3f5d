//! The Parameter Store of AWS Systems Manager. Values are kept in the clear: decryption is a matter of asking for it.

use crate::input::Members;
use crate::page;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::vault::Parameter;
use crate::tag;
use aws_smithy_types::base64;
use serde_json::{Value, json};

/// The largest value of a standard parameter, in bytes; of an advanced one twice that.
const LARGEST: usize = 4096;

/// Answers one Systems Manager operation.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    match operation {
        "PutParameter" => put(region, input),
        "GetParameter" => {
            let name = input.text("Name").unwrap_or_default();
            let parameter = find(region, name, input)?.ok_or_else(|| missing(""))?;
            Ok(json!({"Parameter": parameter}))
        }
        "GetParameters" => many(region, input),
        "GetParametersByPath" => by_path(region, input),
        "GetParameterHistory" => history(region, input),
        "DeleteParameter" => {
            let name = input.text("Name").unwrap_or_default();
            region.vault.parameters.remove(name).map(|_| json!({})).ok_or_else(|| missing(""))
        }
        "DeleteParameters" => {
            let (known, unknown): (Vec<String>, Vec<String>) =
                input.texts("Names").into_iter().partition(|name| region.vault.parameters.remove(name).is_some());
            Ok(json!({"DeletedParameters": known, "InvalidParameters": unknown}))
        }
        "DescribeParameters" => describe(region, input),
        "AddTagsToResource" => {
            let new = tag::UPPER.read(input.items("Tags"));
            tagged(region, input)?.tags.extend(new);
            Ok(json!({}))
        }
        "RemoveTagsFromResource" => {
            let keys = input.texts("TagKeys");
            tagged(region, input)?.tags.retain(|key, _| !keys.contains(key));
            Ok(json!({}))
        }
        "ListTagsForResource" => {
            let tags = tag::UPPER.write(&tagged(region, input)?.tags);
            Ok(json!({"TagList": tags}))
        }
        _ => Err(Refusal::unknown_operation()),
    }
}

fn missing(message: &str) -> Refusal {
    Refusal::new("ParameterNotFound", message)
}

fn tagged<'a>(region: &'a mut Region, input: &Value) -> Result<&'a mut Parameter, Refusal> {
    let id = input.text("ResourceId").unwrap_or_default();
    let invalid = || {
        Refusal::new(
            "InvalidResourceId",
            "The resource ID is not valid. Verify that you entered the correct ID and try again.",
        )
    };
    region.vault.parameters.get_mut(id).ok_or_else(invalid)
}

fn put(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("Name").unwrap_or_default().to_owned();
    let value = input.text("Value").unwrap_or_default().to_owned();
    check_name(&name)?;
    let tier = input.text("Tier").unwrap_or("Standard").to_owned();
    let largest = if tier == "Advanced" { 2 * LARGEST } else { LARGEST };
    if value.is_empty() || value.len() > largest {
        return Err(Refusal::validation(format!(
            "{tier} tier parameters support a maximum parameter value of {largest} characters. To create a larger parameter \
             value, upgrade the parameter to use the advanced-parameter tier."
        )));
    }
    let now = region.now;
    let known = region.vault.parameters.get_mut(&name);
    if known.is_some() && input.flag("Overwrite") != Some(true) {
        let message =
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.";
        return Err(Refusal::new("ParameterAlreadyExists", message));
    }
    let kind = input.text("Type").map(str::to_owned).or_else(|| known.as_ref().map(|known| known.kind.clone()));
    let kind = kind.ok_or_else(|| Refusal::validation("A parameter type is required when you create a parameter."))?;
    if !["String", "StringList", "SecureString"].contains(&kind.as_str()) {
        return Err(Refusal::validation(format!(
            "1 validation error detected: Value '{kind}' at 'type' failed to satisfy constraint: Member must satisfy enum value \
             set: [SecureString, StringList, String]"
        )));
    }
    let text = |name: &str| input.text(name).map(str::to_owned);
    let key = (kind == "SecureString").then(|| text("KeyId").unwrap_or_else(|| "alias/aws/ssm".to_owned()));
    let fresh = Parameter {
        kind,
        description: text("Description"),
        tier: tier.clone(),
        data_type: text("DataType").unwrap_or_else(|| "text".to_owned()),
        key,
        tags: tag::UPPER.read(input.items("Tags")),
        versions: Vec::new(),
    };
    let parameter = match known {
        Some(known) => {
            *known = Parameter {
                versions: std::mem::take(&mut known.versions),
                tags: std::mem::take(&mut known.tags),
                ..fresh
            };
            known
        }
        None => region.vault.parameters.entry(name).or_insert(fresh),
    };
    parameter.versions.push((value, now));
    Ok(json!({"Version": parameter.versions.len(), "Tier": tier}))
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/_.-".contains(c);
    let lower = name.trim_start_matches('/').to_ascii_lowercase();
    if lower.starts_with("aws") || lower.starts_with("ssm") {
        let message = "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).";
        return Err(if lower.starts_with("aws") {
            Refusal::new("AccessDeniedException", format!("No access to reserved parameter name: {name}."))
        } else {
            Refusal::validation(message)
        });
    }
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(Refusal::validation(
            "Invalid parameter name. Please use correct syntax for referring to a version/label  <name>:<version/label>",
        ));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(Refusal::validation("Parameter name must be a fully qualified name."));
    }
    if name.matches('/').count() > 15 {
        return Err(Refusal::new(
            "HierarchyLevelLimitExceededException",
            "A hierarchy can have a maximum of 15 levels.",
        ));
    }
    Ok(())
}

/// The parameter of a name, an ARN or `name:version`, as it is returned.
fn find(region: &Region, wanted: &str, input: &Value) -> Result<Option<Value>, Refusal> {
    let arn = wanted.split_once(":parameter/").map(|(_, tail)| tail);
    let (name, version) = arn.unwrap_or(wanted).split_once(':').unwrap_or((arn.unwrap_or(wanted), ""));
    let slashed = format!("/{name}");
    let parameters = &region.vault.parameters;
    let found = parameters.get_key_value(name).or_else(|| arn.and_then(|_| parameters.get_key_value(&slashed)));
    let Some((name, parameter)) = found else { return Ok(None) };
    let number = if version.is_empty() { parameter.versions.len() } else { version.parse().unwrap_or(0) };
    let Some((value, at)) = number.checked_sub(1).and_then(|index| parameter.versions.get(index)) else {
        let message =
            format!("Systems Manager could not find version {version} of {name}. Verify the version and try again.");
        return Err(Refusal::new("ParameterVersionNotFound", message));
    };
    let hidden = parameter.kind == "SecureString" && input.flag("WithDecryption") != Some(true);
    Ok(Some(json!({
        "Name": name,
        "Type": parameter.kind,
        "Value": if hidden { base64::encode(format!("encrypted {value}")) } else { value.clone() },
        "Version": number,
        "Selector": (!version.is_empty()).then(|| format!(":{version}")),
        "LastModifiedDate": region.stamp(*at),
        "ARN": arn_of(region, name),
        "DataType": parameter.data_type,
    })))
}

fn arn_of(region: &Region, name: &str) -> String {
    region.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')))
}

fn many(region: &Region, input: &Value) -> Answer {
    let names = input.texts("Names");
    if names.len() > 10 || names.is_empty() {
        return Err(Refusal::validation(
            "1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length less than or \
             equal to 10",
        ));
    }
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in names {
        match find(region, &name, input).ok().flatten() {
            Some(parameter) => found.push(parameter),
            None => invalid.push(name),
        }
    }
    Ok(json!({"Parameters": found, "InvalidParameters": invalid}))
}

fn by_path(region: &Region, input: &Value) -> Answer {
    let path = input.text("Path").unwrap_or_default();
    if !path.starts_with('/') {
        return Err(Refusal::validation(
            "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\".",
        ));
    }
    let prefix = format!("{}/", path.trim_end_matches('/'));
    let deep = input.flag("Recursive") == Some(true);
    let below = |name: &str| name.strip_prefix(&prefix).is_some_and(|rest| deep || !rest.contains('/'));
    let names = region.vault.parameters.keys().filter(|name| below(name));
    let all: Vec<Value> = names.filter_map(|name| find(region, name, input).ok().flatten()).collect();
    paged(all, input, "Parameters", 10)
}

fn paged(all: Vec<Value>, input: &Value, member: &str, most: usize) -> Answer {
    let size = input.whole("MaxResults").and_then(|size| usize::try_from(size).ok()).unwrap_or(most).min(50);
    let invalid = || Refusal::new("InvalidNextToken", "The specified token is not valid.");
    let page = page::cut(all, input.text("NextToken"), size).ok_or_else(invalid)?;
    Ok(json!({member: page.items, "NextToken": page.next}))
}

fn history(region: &Region, input: &Value) -> Answer {
    let name = input.text("Name").unwrap_or_default();
    let parameter = region.vault.parameters.get(name).ok_or_else(|| missing(""))?;
    let versions = parameter.versions.iter().enumerate().map(|(index, (value, at))| {
        json!({
            "Name": name,
            "Type": parameter.kind,
            "Value": value,
            "Version": index + 1,
            "LastModifiedDate": region.stamp(*at),
            "Tier": parameter.tier,
            "DataType": parameter.data_type,
            "Labels": [],
            "Policies": [],
        })
    });
    paged(versions.collect(), input, "Parameters", 50)
}

fn describe(region: &Region, input: &Value) -> Answer {
    let filters: Vec<Value> = ["ParameterFilters", "Filters"]
        .iter()
        .flat_map(|name| input.items(name).unwrap_or_default().to_vec())
        .collect();
    let passes = |name: &str, parameter: &Parameter| {
        filters.iter().all(|filter| {
            let values = filter.texts("Values");
            let exact = filter.text("Option").unwrap_or("Equals") == "Equals";
            let is =
                |text: &str| values.iter().any(|value| text == value || (!exact && text.starts_with(value.as_str())));
            match filter.text("Key") {
                Some("Name") => is(name),
                Some("Type") => is(&parameter.kind),
                Some("Path") => values.iter().any(|value| name.starts_with(value.as_str())),
                Some(key) => {
                    key.strip_prefix("tag:").and_then(|key| parameter.tags.get(key)).is_some_and(|value| is(value))
                }
                None => true,
            }
        })
    };
    let all = region.vault.parameters.iter().filter(|(name, parameter)| passes(name, parameter));
    let views = all.map(|(name, parameter)| {
        json!({
            "Name": name,
            "ARN": arn_of(region, name),
            "Type": parameter.kind,
            "KeyId": parameter.key,
            "Description": parameter.description,
            "LastModifiedDate": parameter.versions.last().map(|(_, at)| region.stamp(*at)),
            "Version": parameter.versions.len(),
            "Tier": parameter.tier,
            "Policies": [],
            "DataType": parameter.data_type,
        })
    });
    paged(views.collect(), input, "Parameters", 50)
}
