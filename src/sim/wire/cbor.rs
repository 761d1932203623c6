//! Errors of CloudWatch that come from before the service: rate limits, credentials, faults.
//!
//! What it is for: the same error in rpcv2Cbor, awsJson1.0 or awsQuery, as the caller speaks.
//! What it must not do: answer any operation; that is `sim::cloudwatch`.

use super::{json, xml};
use crate::sim::call::{Call, Fault, Reply};

/// An error in the caller's protocol.
pub fn error(call: &Call, operation: &str, fault: &Fault) -> Reply {
    if call.header("smithy-protocol").is_none() {
        return if call.header("x-amz-target").is_some() {
            let mut reply = json::error(call, "1.0", operation, fault);
            reply.headers.push(("x-amzn-query-error", query_error(fault)));
            reply
        } else {
            xml::error(call, operation, &Fault { code: query_code(&fault.code).to_owned(), ..fault.clone() })
        };
    }
    let mut body = Vec::new();
    let mut encoder = minicbor::Encoder::new(&mut body);
    // Writing into a vector cannot fail.
    let _ = encoder
        .map(2)
        .and_then(|e| e.str("__type"))
        .and_then(|e| e.str(&fault.code))
        .and_then(|e| e.str("message"))
        .and_then(|e| e.str(&fault.message));
    Reply {
        status: fault.status,
        headers: vec![
            ("content-type", "application/cbor".into()),
            ("smithy-protocol", "rpc-v2-cbor".into()),
            ("x-amzn-query-error", query_error(fault)),
        ],
        body,
        operation: operation.to_owned(),
        error: Some(fault.code.clone()),
    }
}

fn query_error(fault: &Fault) -> String {
    format!("{};{}", query_code(&fault.code), if fault.status < 500 { "Sender" } else { "Receiver" })
}

/// The code that the old query protocol used for the same error.
fn query_code(code: &str) -> &str {
    match code {
        "ThrottlingException" => "Throttling",
        "ExpiredTokenException" => "ExpiredToken",
        "AccessDeniedException" => "AccessDenied",
        "InvalidSignatureException" => "SignatureDoesNotMatch",
        other => other,
    }
}
