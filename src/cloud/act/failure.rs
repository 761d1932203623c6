//! What became of a changing call that was not plainly accepted.
//!
//! What it is for: telling "refused, nothing changed" from "nobody knows", for on this rests whether a call may
//! be sent again. What it must not do: retry, or take an error after the request was sent for a refusal.

use std::error::Error;
use std::future::Future;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

use crate::cloud::Place;
use crate::cloud::credentials::CredentialFault;
use crate::cloud::errors::{chain, find};
use crate::domain::observation::ErrorKind;
use crate::domain::text::Text;
use crate::runbook::{ActFailure, Operation, Receipt};

/// Codes of refusals that pass by themselves, beside "slow down".
const BUSY: &[&str] = &[
    "PriorRequestNotComplete",
    "ConcurrentUpdateException",
    "ConcurrentModification",
    "ConcurrentModificationException",
    "OperationAborted",
    "UpdateInProgressException",
    "OperationInProgressException",
    "EndpointTemporarilyUnavailableException",
    // A table or cluster that still changes, a target group whose listener is on its way out.
    "ResourceInUse",
    "ResourceInUseException",
    "ResourceNotReady",
    "ClusterContainsTasksException",
    "ClusterContainsServicesException",
];

/// Codes of Aurora for "not in this state". Deletions wait for the state; what moves the writer must not: by
/// the time that the state is right, somebody else has moved it.
const WRONG_STATE: &[&str] =
    &["InvalidDBClusterStateFault", "InvalidGlobalClusterStateFault", "InvalidDBInstanceState"];

/// DynamoDB's words while other replicas that were made from this one are still there. It clears when they are
/// gone, whatever the sentence says about hours.
const SOURCE_OF_OTHERS: &str = "acted as a source region";

/// Words of errors that end a connection before anything is sent over it.
const NOT_CONNECTED: &[&str] =
    &["tcp connect error", "connect timeout", "connection refused", "dns error", "failed to lookup address"];

/// Waits for the answer to one call.
pub(super) fn outcome<T, E>(
    operation: &Operation,
    place: &Place,
    call: &'static str,
    answer: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
) -> impl Future<Output = Result<Receipt, ActFailure>> + Send
where
    T: RequestId + Send,
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let answer = Box::pin(answer);
    async move {
        match answer.await {
            Ok(accepted) => Ok(Receipt { request_id: accepted.request_id().map(Text::new) }),
            Err(error) => Err(failure(operation, place, call, &error)),
        }
    }
}

/// What an error of the SDK means for a call that was to change something.
pub(super) fn failure<E>(
    operation: &Operation,
    place: &Place,
    call: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> ActFailure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    // Credentials that AWS does not take are also loaded anew by this, for the next attempt.
    let told = place.explained(call, error);
    let why = Text::new(told.to_string());
    let unloaded = find::<CredentialFault>(error).is_some();
    if unloaded || matches!(told.kind, ErrorKind::Expired | ErrorKind::NoCredentials) {
        return ActFailure::Credentials { why };
    }
    match error {
        SdkError::ConstructionFailure(_) => ActFailure::Refused { why },
        SdkError::DispatchFailure(_) if never_sent(error) => ActFailure::NotSent { why },
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let code = context.err().code().unwrap_or_default();
            let words = context.err().message().unwrap_or_default();
            answered(operation, told.kind, status, code, words, why)
        }
        // Time-outs, broken connections, answers that cannot be read: it was sent, or may have been.
        _ => ActFailure::Unknown { why },
    }
}

fn answered(
    operation: &Operation,
    kind: ErrorKind,
    status: u16,
    code: &str,
    words: &str,
    why: Text,
) -> ActFailure {
    let lower = words.to_ascii_lowercase();
    let differs =
        lower.contains("not found") || lower.contains("do not match") || lower.contains("not match");
    let passes = BUSY.contains(&code) || WRONG_STATE.contains(&code) && !operation.moves_writer();
    if kind == ErrorKind::Throttled || passes || words.contains(SOURCE_OF_OTHERS) {
        ActFailure::Busy { why }
    } else if code == "HealthCheckVersionMismatch" || code == "InvalidChangeBatch" && differs {
        ActFailure::Moved { why }
    } else if kind == ErrorKind::NotFound && deletes(operation) {
        // Somebody was faster: an observation shows whether all is as wanted.
        ActFailure::Moved { why }
    } else if status >= 500 && status != 501 {
        ActFailure::Unknown { why }
    } else {
        ActFailure::Refused { why }
    }
}

/// True when no byte of the request can have reached AWS.
fn never_sent(error: &(dyn Error + 'static)) -> bool {
    let connecting = find::<hyper_util::client::legacy::Error>(error);
    if let Some(error) = connecting {
        return error.is_connect();
    }
    let words = chain(error).to_ascii_lowercase();
    NOT_CONNECTED.iter().any(|told| words.contains(told))
}

fn deletes(operation: &Operation) -> bool {
    operation.is_irreversible() && !operation.moves_writer()
        || matches!(operation, Operation::DeregisterTaskDefinition { .. })
}
