//! STS: who is calling, and roles to take.
//!
//! What it is for: GetCallerIdentity and AssumeRole. Roles whose name begins with [`TRUSTING`] trust every caller, in
//! whatever account; every other one trusts nobody, which AWS answers as it answers for roles that do not exist.
//! What it must not do: keep an account's world apart from another's; what exists is seen by whoever calls.

use jiff::SignedDuration;

use super::{XmlResult, unknown_action};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::query::Params;
use crate::sim::wire::xml::{Xml, time};
use crate::sim::world::sessions::Session;
use crate::sim::world::{World, noise};

/// How the names of roles begin that may be taken.
const TRUSTING: &str = "switchtower-";
/// Seconds that a session may last: everybody here has taken a role already, and from role to role it is an hour.
const LASTING: std::ops::RangeInclusive<i64> = 900..=3_600;

pub(super) fn answer(world: &World, call: &Call, operation: &str, params: &Params) -> XmlResult {
    match operation {
        "GetCallerIdentity" => Ok(identity(&world.sessions.of(&call.access_key))),
        "AssumeRole" => assume(world, call, params),
        _ => Err(unknown_action(operation)),
    }
}

fn identity(who: &Session) -> Xml {
    let mut xml = Xml::new();
    xml.leaf("Arn", &who.arn).leaf("UserId", &who.id).leaf("Account", &who.account);
    xml
}

fn assume(world: &World, call: &Call, params: &Params) -> XmlResult {
    let wanted = params.text("RoleArn").unwrap_or_default();
    let Some((partition, account, role)) = role(wanted) else {
        return Err(invalid(format!("{wanted} is invalid")));
    };
    let name = params.text("RoleSessionName").unwrap_or_default();
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter);
    if !(2..=64).contains(&name.len()) || !name.chars().all(allowed) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [\\w+=,.@-]*"
        )));
    }
    let seconds = params.text("DurationSeconds").map_or(Some(*LASTING.end()), |text| text.parse().ok());
    let Some(seconds) = seconds.filter(|seconds| *seconds >= *LASTING.start()) else {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint: \
             Member must have value greater than or equal to {}",
            LASTING.start()
        )));
    };
    if seconds > *LASTING.end() {
        return Err(invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
                .to_owned(),
        ));
    }
    let caller = world.sessions.of(&call.access_key);
    if !role.starts_with(TRUSTING) {
        let who = caller.arn;
        let words = format!("User: {who} is not authorized to perform: sts:AssumeRole on resource: {wanted}");
        return Err(Fault::with_status(403, "AccessDenied", words));
    }

    let mint = |what: &str, length: usize| {
        noise::hex(world.seed, &format!("session/{}/{what}", call.request_id), length)
    };
    let key = format!("ASIA{}", mint("key", 16).to_uppercase());
    let (secret, token) = (mint("secret", 40), mint("token", 120));
    let session = Session {
        arn: format!("arn:{partition}:sts::{account}:assumed-role/{role}/{name}"),
        id: format!("AROA{}:{name}", noise::hex(world.seed, &format!("{account}/{role}"), 17).to_uppercase()),
        account: account.to_owned(),
        token: Some(token.clone()),
        expires: Some(call.now + SignedDuration::from_secs(seconds)),
    };
    let mut xml = Xml::new();
    xml.group("Credentials", |xml| {
        xml.leaf("AccessKeyId", &key).leaf("SecretAccessKey", secret).leaf("SessionToken", token);
        xml.maybe("Expiration", session.expires.map(time));
    });
    xml.group("AssumedRoleUser", |xml| {
        xml.leaf("AssumedRoleId", &session.id).leaf("Arn", &session.arn);
    });
    world.sessions.begin(&key, session);
    Ok(xml)
}

/// Partition, account and name of a role; a path before the name is no part of it.
fn role(arn: &str) -> Option<(&str, &str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next();
    let ("arn", partition, "iam", "", account, resource) =
        (next()?, next()?, next()?, next()?, next()?, next()?)
    else {
        return None;
    };
    let name = resource.strip_prefix("role/")?.rsplit('/').next()?;
    let number = account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit());
    (number && !name.is_empty()).then_some((partition, account, name))
}

fn invalid(words: String) -> Fault {
    Fault::sender("ValidationError", words)
}
