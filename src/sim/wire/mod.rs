//! The wire protocols of the simulated services.
//!
//! What it is for: one small codec a protocol, and the places where services disagree about error codes.
//! What it must not do: know any resource.

pub mod json;
pub mod query;
pub mod tree;
pub mod xml;

use super::call::{Call, Fault, Reply};
use super::cloudwatch;

/// How a service talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `application/x-amz-json-1.0` or `-1.1`.
    Json(&'static str),
    /// Form in, XML out; the XML namespace of answers.
    Query(&'static str),
    /// EC2's dialect of it: no `<OpResult>` around an answer, and errors of its own shape; the namespace.
    Ec2(&'static str),
    /// Route 53's restXml.
    Route53,
    /// S3's restXml, with its bare `<Error>`.
    S3,
    /// CloudWatch: rpcv2Cbor, and awsJson1.0 and awsQuery for other clients.
    CloudWatch,
}

/// The protocol of a SigV4 service name; `None` for a service that this world has not.
pub fn protocol(service: &str) -> Option<Protocol> {
    Some(match service {
        "sts" => Protocol::Query("https://sts.amazonaws.com/doc/2011-06-15/"),
        "elasticloadbalancing" => {
            Protocol::Query("http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/")
        }
        "rds" => Protocol::Query("http://rds.amazonaws.com/doc/2014-10-31/"),
        "cloudformation" => Protocol::Query("http://cloudformation.amazonaws.com/doc/2010-05-15/"),
        "sns" => Protocol::Query("http://sns.amazonaws.com/doc/2010-03-31/"),
        "ec2" => Protocol::Ec2("http://ec2.amazonaws.com/doc/2016-11-15/"),
        "ecs" | "application-autoscaling" | "servicequotas" => Protocol::Json("1.1"),
        "dynamodb" | "route53-recovery-cluster" => Protocol::Json("1.0"),
        "route53" => Protocol::Route53,
        "s3" => Protocol::S3,
        "monitoring" => Protocol::CloudWatch,
        _ => return None,
    })
}

/// An error in the shape of the service that was asked.
pub fn error(call: &Call, operation: &str, fault: &Fault) -> Reply {
    match protocol(&call.service) {
        Some(Protocol::Json(version)) => json::error(call, version, operation, fault),
        Some(Protocol::S3) => xml::s3_error(call, operation, fault, &[]),
        Some(Protocol::CloudWatch) => cloudwatch::fault(call, fault),
        Some(Protocol::Ec2(_)) => xml::ec2_error(call, operation, fault),
        Some(Protocol::Query(_) | Protocol::Route53) | None => xml::error(call, operation, fault),
    }
}

/// What may befall any call before its service sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Over the rate limit.
    Throttled,
    /// The session token has expired.
    Expired,
    /// The session token is not the key's.
    Foreign,
    /// The request was signed too early or too late; AWS's sentence about it.
    Skewed(String),
    /// The identity may not make this call; AWS's sentence about it.
    Denied(String),
    /// The service is ill.
    Down,
}

/// The code, status and words that the service uses for a trouble.
pub fn trouble(service: &str, trouble: &Trouble) -> Fault {
    let json = matches!(protocol(service), Some(Protocol::Json(_)));
    let s3 = service == "s3";
    if service == "ec2" {
        return ec2_trouble(trouble);
    }
    match trouble {
        Trouble::Throttled if s3 => Fault::with_status(503, "SlowDown", "Please reduce your request rate."),
        Trouble::Throttled if json => Fault::sender("ThrottlingException", "Rate exceeded"),
        Trouble::Throttled => Fault::sender("Throttling", "Rate exceeded"),
        Trouble::Expired if s3 => Fault::sender("ExpiredToken", "The provided token has expired."),
        Trouble::Expired if json => {
            Fault::sender("ExpiredTokenException", "The security token included in the request is expired")
        }
        Trouble::Expired => {
            Fault::with_status(403, "ExpiredToken", "The security token included in the request is expired")
        }
        Trouble::Foreign if s3 => {
            Fault::sender("InvalidToken", "The provided token is malformed or otherwise invalid.")
        }
        Trouble::Foreign if json => Fault::sender(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        Trouble::Foreign => Fault::with_status(
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        ),
        Trouble::Skewed(_) if s3 => Fault::with_status(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        Trouble::Skewed(words) if json => Fault::sender("InvalidSignatureException", words.as_str()),
        Trouble::Skewed(words) => Fault::with_status(403, "SignatureDoesNotMatch", words.as_str()),
        Trouble::Denied(words) => match service {
            "sns" => Fault::with_status(403, "AuthorizationError", words.as_str()),
            _ if json => Fault::sender("AccessDeniedException", words.as_str()),
            _ => Fault::with_status(403, "AccessDenied", words.as_str()),
        },
        Trouble::Down => match service {
            "ecs" => {
                Fault::with_status(500, "ServerException", "Service Unavailable. Please try again later.")
            }
            "dynamodb" => Fault::with_status(500, "InternalServerError", "Internal server error"),
            "application-autoscaling" => Fault::with_status(
                500,
                "InternalServiceException",
                "The service encountered an internal error.",
            ),
            "monitoring" => Fault::with_status(500, "InternalServiceError", "Internal service error"),
            _ => Fault::with_status(503, "ServiceUnavailable", "Service Unavailable"),
        },
    }
}

/// EC2's own codes.
fn ec2_trouble(trouble: &Trouble) -> Fault {
    match trouble {
        Trouble::Throttled => Fault::with_status(503, "RequestLimitExceeded", "Request limit exceeded."),
        Trouble::Expired | Trouble::Skewed(_) => {
            Fault::with_status(400, "RequestExpired", "Request has expired.")
        }
        Trouble::Foreign => Fault::with_status(
            401,
            "AuthFailure",
            "AWS was not able to validate the provided access credentials",
        ),
        Trouble::Denied(words) => {
            let words = words.replacen("User:", "You are not authorized to perform this operation. User:", 1);
            Fault::with_status(403, "UnauthorizedOperation", words)
        }
        Trouble::Down => {
            Fault::with_status(503, "Unavailable", "The server is overloaded and can't handle the request.")
        }
    }
}
