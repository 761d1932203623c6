//! What went wrong with a call, told apart.
//!
//! What it is for: from any error of the SDK to one [`ProbeError`] with its kind, AWS's words, the request
//! id and the exact next step. "Our credentials ended" must never look like "their region is down".
//! What it must not do: retry, or decide what a failure means for a region.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write as _;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;

use super::credentials::{CredentialFault, Origin};
use crate::domain::ids::Region;
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::text::Text;

/// Longest text of an error that is kept; an HTML page instead of an answer may be much longer.
const LONGEST: usize = 400;

/// Codes of credentials that have ended, or that AWS does not know (any more).
pub(super) const EXPIRED: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "InvalidToken",
    "AuthFailure",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "TokenRefreshRequired",
];

/// Codes of calls that the identity may not make.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "UnauthorizedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "AllAccessDisabled",
    "AccountProblem",
    "NotAuthorized",
    "KMSAccessDenied",
];

/// Codes of "slow down".
const THROTTLED: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "LimitExceeded",
    "PriorRequestNotComplete",
    "SlowDown",
    "EC2ThrottledException",
    "TransactionInProgressException",
];

/// Codes of regions that the account has not enabled.
const DISABLED: &[&str] = &["RegionDisabledException", "RegionDisabled", "OptInRequired"];

/// What mends a clock.
pub(super) const SET_CLOCK: &str = "set this machine's clock";

/// What is known about a call besides its error.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    /// `ecs:DescribeServices`.
    pub(super) call: Cow<'static, str>,
    /// The region asked.
    pub(super) region: &'a Region,
    /// The present moment.
    pub(super) at: Timestamp,
    /// The profile in use, if one is named.
    pub(super) profile: Option<&'a str>,
    /// Where the credentials come from.
    pub(super) origin: Origin,
    /// Who they are, as far as known.
    pub(super) identity: Option<Text>,
}

/// Explains an error of the SDK.
pub(super) fn explain<E>(error: &SdkError<E, HttpResponse>, asked: &Asked<'_>) -> ProbeError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(fault) = find::<CredentialFault>(error) {
        let told = asked.error(fault.kind, &fault.message, fault.next_step.clone());
        return ProbeError { request_id: fault.request_id.clone(), ..told };
    }
    let mut explained = match error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let code = context.err().code().unwrap_or_default();
            let words = context.err().message().unwrap_or_default();
            answered(status, code, words, asked)
        }
        SdkError::ResponseError(context) => {
            let status = context.raw().status().as_u16();
            if status >= 500 {
                asked.error(ErrorKind::ServiceDown, &format!("HTTP {status}"), String::new())
            } else {
                let message = format!("HTTP {status}, an answer that could not be read: {}", chain(error));
                asked.error(ErrorKind::Malformed, &message, String::new())
            }
        }
        SdkError::TimeoutError(_) => asked.error(ErrorKind::TimedOut, &timed_out(error), String::new()),
        SdkError::DispatchFailure(failure) if is_credentials(error) => {
            let _ = failure;
            asked.error(ErrorKind::NoCredentials, &chain(error), asked.sign_in())
        }
        SdkError::DispatchFailure(failure) if failure.is_timeout() => asked.error(
            ErrorKind::TimedOut,
            &format!("no connection in time: {}", chain(error)),
            String::new(),
        ),
        SdkError::DispatchFailure(_) => asked.error(
            ErrorKind::Unreachable,
            &chain(error),
            "check the network, DNS and HTTPS_PROXY".into(),
        ),
        SdkError::ConstructionFailure(_) if is_credentials(error) => {
            asked.error(ErrorKind::NoCredentials, &chain(error), asked.sign_in())
        }
        _ => asked.error(ErrorKind::Rejected, &chain(error), String::new()),
    };
    explained.request_id = error.raw_response().and_then(request_id);
    explained
}

/// The SDK says "operation attempt timeout (single attempt) occurred after 4s".
fn timed_out(error: &dyn Error) -> String {
    match chain(error).rsplit_once("occurred after ") {
        Some((_, limit)) => format!("no answer within {limit}"),
        None => "no answer before the deadline".to_owned(),
    }
}

/// An error that AWS answered with.
fn answered(status: u16, code: &str, words: &str, asked: &Asked<'_>) -> ProbeError {
    let kind = kind_of(status, code, words);
    let message = match (code.is_empty(), words.is_empty()) {
        (true, true) => format!("HTTP {status}"),
        (true, false) => format!("HTTP {status}: {words}"),
        (false, true) => code.to_owned(),
        (false, false) => format!("{code}: {words}"),
    };
    let next = match kind {
        ErrorKind::Denied => asked.allow(words),
        ErrorKind::Expired if matches!(code, "InvalidClientTokenId" | "UnrecognizedClientException") => {
            format!("{}; if other regions answer, enable {} in this account", asked.renew(), asked.region)
        }
        ErrorKind::Expired => asked.renew(),
        ErrorKind::RegionDisabled => {
            format!("enable {} in this account, or take it out of the topology", asked.region)
        }
        ErrorKind::ClockSkew => SET_CLOCK.into(),
        ErrorKind::Throttled => "asking less often until it is accepted".into(),
        _ => String::new(),
    };
    asked.error(kind, &message, next)
}

/// The kind of an error that AWS answered with.
fn kind_of(status: u16, code: &str, words: &str) -> ErrorKind {
    let signature = matches!(code, "SignatureDoesNotMatch" | "InvalidSignatureException");
    let skewed = words.starts_with("Signature expired") || words.starts_with("Signature not yet current");
    if code == "RequestTimeTooSkewed" || (signature && skewed) {
        ErrorKind::ClockSkew
    } else if DISABLED.contains(&code) {
        ErrorKind::RegionDisabled
    } else if EXPIRED.contains(&code) {
        ErrorKind::Expired
    } else if DENIED.contains(&code) {
        ErrorKind::Denied
    } else if THROTTLED.contains(&code) || status == 429 {
        ErrorKind::Throttled
    } else if status == 501 || code == "NotImplemented" {
        ErrorKind::Rejected
    } else if status >= 500 {
        ErrorKind::ServiceDown
    } else if code.contains("NotFound") || code.starts_with("NoSuch") || status == 404 {
        ErrorKind::NotFound
    } else if status == 403 {
        ErrorKind::Denied
    } else {
        ErrorKind::Rejected
    }
}

impl Asked<'_> {
    /// An error of this call.
    pub(super) fn error(&self, kind: ErrorKind, message: &str, next_step: String) -> ProbeError {
        ProbeError {
            kind,
            call: self.call.clone(),
            region: Some(self.region.clone()),
            message: shortened(message),
            request_id: None,
            at: self.at,
            next_step: Text::new(next_step),
        }
    }

    /// What mends credentials that have ended.
    fn renew(&self) -> String {
        self.origin.renewal(self.profile)
    }

    /// What mends missing credentials.
    fn sign_in(&self) -> String {
        Origin::Unknown.renewal(self.profile)
    }

    /// What mends a missing permission. AWS's sentence names identity, action and resource when it may.
    fn allow(&self, words: &str) -> String {
        let told = words.split_once(" is not authorized to perform: ").and_then(|(who, what)| {
            let who = who.rsplit(' ').next()?;
            let mut what = what.split_whitespace();
            let action = what.next()?;
            let resource = what.skip_while(|word| *word != "resource:").nth(1).unwrap_or("*");
            Some(format!("allow {action} on {resource} for {who}"))
        });
        told.unwrap_or_else(|| match &self.identity {
            Some(identity) => format!("allow {} for {identity}", self.call),
            None => format!("allow {} for this identity", self.call),
        })
    }
}

/// `x-amzn-requestid` or `x-amz-request-id`, and S3's extended id behind a slash.
pub(super) fn request_id(response: &HttpResponse) -> Option<Text> {
    let headers = response.headers();
    let id = ["x-amzn-requestid", "x-amzn-request-id", "x-amz-request-id"]
        .into_iter()
        .find_map(|name| headers.get(name))?;
    Some(match headers.get("x-amz-id-2") {
        Some(extended) => Text::new(format!("{id} / {extended}")),
        None => Text::new(id),
    })
}

/// True when the failure is about loading credentials, although it looks like one of dispatch.
fn is_credentials(error: &(dyn Error + 'static)) -> bool {
    find::<aws_credential_types::provider::error::CredentialsError>(error).is_some()
}

/// The first error of type `T` in the chain of sources.
pub(super) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        next = current.source();
    }
    None
}

/// The words of the whole chain of sources, without the SDK's first, which says only "dispatch failure".
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = String::new();
    let mut last = String::new();
    let mut next = error.source();
    if next.is_none() {
        return error.to_string();
    }
    while let Some(current) = next {
        let words = current.to_string();
        // Many wrappers repeat what they wrap.
        if !last.contains(&words) && !matches!(words.as_str(), "io error" | "other" | "timeout") {
            let separator = if text.is_empty() { "" } else { ": " };
            let _ = write!(text, "{separator}{words}");
            last = words;
        }
        next = current.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}

/// One line of bearable length: some errors are paragraphs, and a fake's may be a whole page.
fn shortened(message: &str) -> Text {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match message.char_indices().nth(LONGEST) {
        Some((end, _)) => Text::new(format!("{}…", &message[..end])),
        None => Text::new(message),
    }
}
