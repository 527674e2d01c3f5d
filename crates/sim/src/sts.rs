//! AWS STS: who am I, and becoming somebody in another account.
//!
//! Stateless: the access key of a session carries its account, from which the account of later calls is read, and when it
//! ends.

use crate::arn;
use crate::clock;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Value, json};
use std::time::Duration;

const PREFIX: &str = "ASIASIM";
const DIGITS: usize = 12;

/// The account an access key belongs to, if it says.
pub(crate) fn account_of(access_key: &str) -> Option<&str> {
    let account = access_key.strip_prefix(PREFIX).map_or(Some(access_key), |rest| rest.get(..DIGITS))?;
    (account.len() == DIGITS && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

/// Refuses the access key of a session that has ended, in the words of `service`.
pub(crate) fn check_key(access_key: &str, service: &str, now: Duration) -> Result<(), Refusal> {
    let rest = access_key.strip_prefix(PREFIX).and_then(|rest| rest.get(DIGITS..)?.split('X').next());
    match rest.and_then(|end| u64::from_str_radix(end, 16).ok()) {
        Some(end) if end <= now.as_secs() => {
            let is_query = matches!(service, "elasticloadbalancing" | "sts" | "iam" | "ec2");
            let code = if is_query { "ExpiredToken" } else { "ExpiredTokenException" };
            Err(Refusal::new(code, "The security token included in the request is expired"))
        }
        Some(_) | None => Ok(()),
    }
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
        "GetSessionToken" => {
            let account = region.account.clone();
            Ok(json!({"Credentials": credentials(region, &account, input)}))
        }
        _ => Err(Refusal::new("InvalidAction", "The action is not valid for this endpoint.")),
    }
}

fn assume_role(region: &mut Region, input: &Value) -> Answer {
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

/// Every session has a key of its own.
fn credentials(region: &mut Region, account: &str, input: &Value) -> Value {
    let lifetime = input.seconds("DurationSeconds").unwrap_or(Duration::from_hours(1));
    let end = (region.now + lifetime).as_secs();
    json!({
        "AccessKeyId": format!("{PREFIX}{account}{end:X}X{:08X}", region.random.u32(..)),
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
    use super::*;

    #[test]
    fn an_access_key_may_carry_its_account() {
        assert_eq!(account_of("ASIASIM222233334444"), Some("222233334444"));
        assert_eq!(account_of("ASIASIM222233334444E10X0000ABCD"), Some("222233334444"));
        assert_eq!(account_of("222233334444"), Some("222233334444"));
        assert_eq!(account_of("AKIAIOSFODNN7EXAMPLE"), None);
    }
    #[test]
    fn a_session_that_has_ended_is_refused() {
        let refused =
            |key: &str, now: u64| check_key(key, "ecs", Duration::from_secs(now)).err().map(|refusal| refusal.code);
        assert_eq!(refused("ASIASIM222233334444E10X0000ABCD", 0xE0F), None);
        assert_eq!(refused("ASIASIM222233334444E10X0000ABCD", 0xE10).as_deref(), Some("ExpiredTokenException"));
        for key in ["AKIAIOSFODNN7EXAMPLE", "ASIASIM222233334444", "222233334444", ""] {
            assert_eq!(refused(key, 1 << 40), None, "{key}");
        }
    }
}
