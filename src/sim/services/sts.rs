//! STS.

use super::{XmlResult, unknown_action};
use crate::sim::call::Call;
use crate::sim::wire::xml::Xml;
use crate::sim::world::fleet::ACCOUNT;

pub(super) fn answer(_call: &Call, operation: &str) -> XmlResult {
    if operation != "GetCallerIdentity" {
        return Err(unknown_action(operation));
    }
    let mut xml = Xml::new();
    xml.leaf("Arn", crate::sim::IDENTITY_ARN)
        .leaf("UserId", "AROASIMULATEDWORLD01:demo")
        .leaf("Account", ACCOUNT);
    Ok(xml)
}
