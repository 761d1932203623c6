//! The three protocols that CloudWatch answers in, and how a call tells which one it speaks.
//!
//! What it is for: a request to operation and input, an output or a fault to a reply.
//! What it must not do: know what an operation means.

mod cbor;
mod json;
mod query;

use super::value::Value;
use crate::sim::call::{Call, Fault, Reply};

/// How a caller talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Smithy RPC v2 CBOR: the current SDKs.
    Cbor,
    /// awsJson 1.0: SDKs of 2024 and 2025.
    Json,
    /// awsQuery: older ones.
    Query,
}

/// A request as the operations see it.
pub(super) struct Request {
    /// Name of the operation.
    pub(super) operation: String,
    /// Its input.
    pub(super) input: Result<Value, Fault>,
}

impl Protocol {
    /// The protocol that a call speaks.
    pub(super) fn of(call: &Call) -> Self {
        if call.header("smithy-protocol").is_some_and(|value| value.eq_ignore_ascii_case("rpc-v2-cbor")) {
            Self::Cbor
        } else if call.header("x-amz-target").is_some() {
            Self::Json
        } else {
            Self::Query
        }
    }

    /// Reads a call.
    pub(super) fn read(self, call: &Call) -> Request {
        match self {
            Self::Cbor => Request {
                operation: call
                    .path
                    .rsplit_once("/operation/")
                    .map_or_else(String::new, |(_, name)| name.trim_end_matches('/').to_owned()),
                input: cbor::decode(&call.body),
            },
            Self::Json => Request {
                operation: call
                    .header("x-amz-target")
                    .and_then(|target| target.rsplit('.').next())
                    .unwrap_or_default()
                    .to_owned(),
                input: json::decode(&call.body),
            },
            Self::Query => query::read(call),
        }
    }

    /// Writes an output.
    pub(super) fn output(self, call: &Call, operation: &str, output: &Value) -> Reply {
        let body = match self {
            Self::Cbor => cbor::encode(output),
            Self::Json => json::encode(output),
            Self::Query => query::encode(output, operation, &call.request_id),
        };
        Reply { status: 200, headers: self.headers(), body, operation: operation.to_owned(), error: None }
    }

    /// Writes a fault; `details` are members of the error beside its message.
    pub(super) fn fault(
        self,
        call: &Call,
        operation: &str,
        fault: &Fault,
        details: &[(String, Value)],
    ) -> Reply {
        let sender = fault.status < 500;
        let mut headers = self.headers();
        let (code, shape) = names_of(&fault.code);
        let body = match self {
            Self::Cbor | Self::Json => {
                // Callers that came from the Query protocol ask for its codes, which then beat `__type`.
                if call.header("x-amzn-query-mode").is_some() {
                    let kind = if sender { "Sender" } else { "Receiver" };
                    headers.push(("x-amzn-query-error", format!("{code};{kind}")));
                }
                let mut members = vec![
                    ("__type".to_owned(), Value::Text(format!("com.amazonaws.cloudwatch#{shape}"))),
                    ("message".to_owned(), Value::Text(fault.message.clone())),
                ];
                members.extend_from_slice(details);
                let error = Value::Struct(members);
                if self == Self::Cbor { cbor::encode(&error) } else { json::encode(&error) }
            }
            Self::Query => query::encode_fault(code, &fault.message, sender, &call.request_id),
        };
        Reply {
            status: fault.status,
            headers,
            body,
            operation: operation.to_owned(),
            error: Some(fault.code.clone()),
        }
    }

    /// The fault of an operation that there is not.
    pub(super) fn unknown(self, operation: &str) -> Fault {
        match self {
            Self::Cbor => Fault::with_status(
                404,
                "UnknownOperationException",
                format!("The operation {operation} is not known here."),
            ),
            Self::Json => Fault::sender(
                "UnknownOperationException",
                format!("The operation {operation} is not known here."),
            ),
            Self::Query => Fault::sender(
                "InvalidAction",
                format!("Could not find operation {operation} for version 2010-08-01"),
            ),
        }
    }

    /// Headers of every answer, but for the request id, which the router adds for all services.
    fn headers(self) -> Vec<(&'static str, String)> {
        match self {
            Self::Cbor => vec![
                ("content-type", "application/cbor".to_owned()),
                ("smithy-protocol", "rpc-v2-cbor".to_owned()),
            ],
            Self::Json => vec![("content-type", "application/x-amz-json-1.0".to_owned())],
            Self::Query => vec![("content-type", "text/xml".to_owned())],
        }
    }
}

/// An error's code in the Query protocol and the name of its shape, from either of them.
fn names_of(code: &str) -> (&str, &str) {
    const NAMES: [(&str, &str); 11] = [
        ("AccessDenied", "AccessDeniedException"),
        ("ExpiredToken", "ExpiredTokenException"),
        ("SignatureDoesNotMatch", "InvalidSignatureException"),
        ("Throttling", "ThrottlingException"),
        ("InvalidParameterValue", "InvalidParameterValueException"),
        ("InvalidParameterCombination", "InvalidParameterCombinationException"),
        ("MissingParameter", "MissingRequiredParameterException"),
        ("ValidationError", "ValidationException"),
        ("InternalServiceError", "InternalServiceFault"),
        ("LimitExceeded", "LimitExceededFault"),
        ("InvalidFormat", "InvalidFormatFault"),
    ];
    NAMES.into_iter().find(|(query, shape)| [*query, *shape].contains(&code)).unwrap_or((code, code))
}
