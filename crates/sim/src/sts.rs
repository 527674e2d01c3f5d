//! AWS STS: who am I, and becoming somebody in another account.
//!
//! Stateless: the access key of an assumed role carries the role's account, from which the account of later calls is read.

use crate::arn;
use crate::clock;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Value, json};
use std::time::Duration;

const PREFIX: &str = "ASIASIM";

/// The account an access key belongs to, if it says.
pub(crate) fn account_of(access_key: &str) -> Option<&str> {
    let account = access_key.strip_prefix(PREFIX).unwrap_or(access_key);
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

/// Answers one STS operation.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    match operation {
        "GetCallerIdentity" => Ok(json!({
            "UserId": "AIDASIMULATED",
            "Account": region.account,
            "Arn": format!("arn:aws:iam::{}:user/simulated", region.account),
        })),
        "AssumeRole" | "AssumeRoleWithWebIdentity" => assume_role(region, input),
        "GetSessionToken" => Ok(json!({"Credentials": credentials(region, &region.account, input)})),
        _ => Err(Refusal::new("InvalidAction", "The action is not valid for this endpoint.")),
    }
}

fn assume_role(region: &Region, input: &Value) -> Answer {
    let role = input.text("RoleArn").unwrap_or_default();
    let Some(account) = arn::account(role).filter(|account| account_of(account).is_some()) else {
        return Err(Refusal::new("ValidationError", format!("{role} is invalid")));
    };
    let session = input.text("RoleSessionName").unwrap_or_default();
    check(session, input)?;
    let name = arn::leaf(role);
    Ok(json!({
        "Credentials": credentials(region, account, input),
        "AssumedRoleUser": {
            "AssumedRoleId": format!("AROASIMULATED:{session}"),
            "Arn": format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
        },
    }))
}

fn credentials(region: &Region, account: &str, input: &Value) -> Value {
    let lifetime = input.seconds("DurationSeconds").unwrap_or(Duration::from_hours(1));
    json!({
        "AccessKeyId": format!("{PREFIX}{account}"),
        "SecretAccessKey": "simulated",
        "SessionToken": "simulated",
        "Expiration": clock::iso(region.settings.epoch, region.now + lifetime),
    })
}

/// A session is named with 2 to 64 letters, digits and `_=,.@-`, and lasts a quarter of an hour to twelve hours.
fn check(session: &str, input: &Value) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_=,.@-".contains(c);
    if !(2..=64).contains(&session.len()) || !session.chars().all(allowed) {
        let message = format!(
            "1 validation error detected: Value '{session}' at 'roleSessionName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [\\w+=,.@-]*"
        );
        return Err(Refusal::new("ValidationError", message));
    }
    let lifetime = input.whole("DurationSeconds").unwrap_or(3600);
    if !(900..=43_200).contains(&lifetime) {
        let message = format!(
            "1 validation error detected: Value '{lifetime}' at 'durationSeconds' failed to satisfy constraint: Member must have \
             value between 900 and 43200"
        );
        return Err(Refusal::new("ValidationError", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::account_of;

    #[test]
    fn an_access_key_may_carry_its_account() {
        assert_eq!(account_of("ASIASIM222233334444"), Some("222233334444"));
        assert_eq!(account_of("222233334444"), Some("222233334444"));
        assert_eq!(account_of("AKIAIOSFODNN7EXAMPLE"), None);
    }
}
