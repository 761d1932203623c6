//! Service Quotas.

use serde_json::json;

use super::{JsonResult, unknown_target};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::json;
use crate::sim::world::World;
use crate::sim::world::fleet::Fleet;

/// "Fargate On-Demand vCPU resource count".
const FARGATE: &str = "L-3032A538";

pub(super) fn answer(world: &World, call: &Call, operation: &str) -> JsonResult {
    let input = json::input(call)?;
    if operation != "GetServiceQuota" {
        return Err(unknown_target(operation));
    }
    let service = input.text("ServiceCode").unwrap_or_default();
    let quota = input.text("QuotaCode").unwrap_or_default();
    if service != "fargate" || quota != FARGATE {
        return Err(Fault::with_status(
            404,
            "NoSuchResourceException",
            "The request failed because the specified quota does not exist.",
        ));
    }
    Ok(json!({"Quota": {
        "ServiceCode": service, "ServiceName": "AWS Fargate", "QuotaCode": quota,
        "QuotaArn": Fleet::arn("servicequotas", &call.region, &format!("{service}/{quota}")),
        "QuotaName": "Fargate On-Demand vCPU resource count", "Value": world.fleet.vcpus,
        "Unit": "None", "Adjustable": true, "GlobalQuota": false, "QuotaAppliedAtLevel": "ACCOUNT",
    }}))
}
