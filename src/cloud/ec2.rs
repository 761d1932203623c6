//! EC2: how many addresses subnets have left.
//!
//! What it is for: DescribeSubnets, the one call to EC2 that a plan needs. The service's SDK crate is larger than the
//! rest of the program together, so that the request and its answer are written here; everything about it that is no
//! matter of EC2 (signing, credentials, time-outs, retries, connections) is the SDK's, as with every other service.
//! What it must not do: change anything, or grow into a client of EC2.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use http::header::CONTENT_TYPE;

use super::Place;
use super::config::{self, EC2};
use super::place::RETRIES;
use crate::domain::ids::{Region, SubnetId};
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::text::Text;
use crate::runbook::Subnet;

/// IAM's name of the call.
pub(super) const DESCRIBE_SUBNETS: &str = "ec2:DescribeSubnets";

/// Values that one filter takes.
const SUBNETS_PER_CALL: usize = 200;

/// The version of EC2's API, the only one of the last ten years.
const VERSION: &str = "2016-11-15";

impl Place {
    /// These subnets, as far as they are there. They are looked for by a filter: named outright, a single one that is
    /// gone would leave all others unanswered.
    pub(super) async fn subnets(
        &self,
        ids: &BTreeSet<SubnetId>,
    ) -> Result<BTreeMap<SubnetId, Subnet>, ProbeError> {
        let mut found = BTreeMap::new();
        if ids.is_empty() {
            return Ok(found);
        }
        let config = self.by_hand().await;
        let Some(operation) = operation(&config, self.region()) else {
            let words = "its client has neither connections nor credentials";
            return Err(self.error(ErrorKind::NotConfigured, DESCRIBE_SUBNETS, words));
        };
        let ids: Vec<&SubnetId> = ids.iter().collect();
        for some in ids.chunks(SUBNETS_PER_CALL) {
            let mut next = None;
            loop {
                let form = form(some, next.as_deref());
                let page = self.ask(DESCRIBE_SUBNETS, operation.invoke(form)).await?;
                found.extend(page.subnets.into_iter().map(|subnet| (subnet.id.clone(), subnet)));
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// What one answer holds.
#[derive(Debug, Default)]
struct Page {
    subnets: Vec<Subnet>,
    next: Option<String>,
}

/// EC2 said no.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(ErrorMetadata);

impl ProvideErrorMetadata for Refused {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

/// The call, ready to be sent; `None` where the configuration lacks what every other client has.
fn operation(config: &SdkConfig, region: &Region) -> Option<Operation<String, Page, Refused>> {
    let components = RuntimeComponentsBuilder::new(EC2)
        .with_auth_scheme(SigV4AuthScheme::new())
        .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
        .with_identity_cache(config.identity_cache())
        .with_identity_resolver(SCHEME_ID, config.credentials_provider()?)
        .with_retry_classifier(TransientErrorClassifier::<Refused>::new())
        .with_retry_classifier(AwsErrorCodeClassifier::<Refused>::new())
        .with_retry_classifier(HttpStatusCodeClassifier::default());
    let mut settings = Layer::new(EC2);
    settings.store_put(AuthSchemeOptionResolverParams::new(()));
    settings.store_put(SigV4OperationSigningConfig {
        region: config.region().cloned().map(SigningRegion::from),
        region_set: None,
        name: Some(SigningName::from_static("ec2")),
        signing_options: SigningOptions::default(),
    });
    settings.store_put(RetryPartition::custom(RETRIES).build());
    let plugin =
        StaticRuntimePlugin::new().with_config(settings.freeze()).with_runtime_components(components);
    let operation = Operation::builder()
        .service_name(EC2)
        .operation_name("DescribeSubnets")
        .behavior_version(BehaviorVersion::latest())
        .http_client(config.http_client()?)
        .sleep_impl(config.sleep_impl()?)
        .time_source(config.time_source()?)
        .endpoint_url(&endpoint(config, region))
        .standard_retry(config.retry_config()?)
        .timeout_config(config.timeout_config()?.clone())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .runtime_plugin(plugin)
        .serializer(request)
        .deserializer(answer);
    Some(operation.build())
}

/// Where EC2 answers in a region of partition `aws`, the only one that is acted on.
fn endpoint(config: &SdkConfig, region: &Region) -> String {
    if let Some(url) = config::custom_endpoint_of(config, EC2) {
        return url;
    }
    let fips = if config.use_fips() == Some(true) { "-fips" } else { "" };
    let domain = if config.use_dual_stack() == Some(true) { "api.aws" } else { "amazonaws.com" };
    format!("https://ec2{fips}.{region}.{domain}")
}

/// The parameters, as awsQuery wants them.
fn form(ids: &[&SubnetId], next: Option<&str>) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", "DescribeSubnets").append_pair("Version", VERSION);
    form.append_pair("Filter.1.Name", "subnet-id");
    for (index, id) in (1..).zip(ids) {
        form.append_pair(&format!("Filter.1.Value.{index}"), id.as_str());
    }
    if let Some(next) = next {
        form.append_pair("NextToken", next);
    }
    form.finish()
}

fn request(form: String) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(form));
    request.set_method("POST")?;
    request.set_uri("/")?;
    request.headers_mut().insert(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded; charset=utf-8");
    Ok(request)
}

fn answer(response: &HttpResponse) -> Result<Page, OrchestratorError<Refused>> {
    let unreadable = |error: XmlDecodeError| OrchestratorError::response(error.into());
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return page(body).map_err(unreadable);
    }
    // Who stands between us and AWS answers with pages of his own.
    let refusal = refusal(body).unwrap_or_else(|_| ErrorMetadata::builder().build());
    Err(OrchestratorError::operation(Refused(refusal)))
}

/// `<DescribeSubnetsResponse><subnetSet><item>…`.
fn page(body: &[u8]) -> Result<Page, XmlDecodeError> {
    let mut document = Document::try_from(body)?;
    let mut root = document.root_element()?;
    if !root.start_el().matches("DescribeSubnetsResponse") {
        return Err(XmlDecodeError::custom("this is no answer to DescribeSubnets"));
    }
    let mut page = Page::default();
    while let Some(mut part) = root.next_tag() {
        if part.start_el().matches("nextToken") {
            page.next = Some(try_data(&mut part)?.into_owned()).filter(|token| !token.is_empty());
        } else if part.start_el().matches("subnetSet") {
            while let Some(mut item) = part.next_tag() {
                page.subnets.extend(subnet(&mut item)?);
            }
        }
    }
    Ok(page)
}

/// A subnet without an id or a count tells nothing.
fn subnet(item: &mut ScopedDecoder<'_, '_>) -> Result<Option<Subnet>, XmlDecodeError> {
    let (mut id, mut zone, mut free, mut without_ipv4) = (None, Text::default(), None, false);
    while let Some(mut part) = item.next_tag() {
        let name = part.start_el().local().to_owned();
        match name.as_str() {
            "subnetId" => id = Some(SubnetId::new(try_data(&mut part)?.as_ref())),
            "availabilityZone" => zone = Text::new(try_data(&mut part)?),
            "availableIpAddressCount" => free = try_data(&mut part)?.parse::<u32>().ok(),
            "ipv6Native" => without_ipv4 = try_data(&mut part)? == "true",
            _ => {}
        }
    }
    let free = if without_ipv4 { Some(None) } else { free.map(Some) };
    Ok(id.zip(free).map(|(id, free)| Subnet { id, zone, free }))
}

/// `<Response><Errors><Error><Code/><Message/>…`.
fn refusal(body: &[u8]) -> Result<ErrorMetadata, XmlDecodeError> {
    let mut told = ErrorMetadata::builder();
    let mut document = Document::try_from(body)?;
    let mut root = document.root_element()?;
    while let Some(mut errors) = root.next_tag() {
        if !errors.start_el().matches("Errors") {
            continue;
        }
        while let Some(mut error) = errors.next_tag() {
            while let Some(mut part) = error.next_tag() {
                if part.start_el().matches("Code") {
                    told = told.code(try_data(&mut part)?);
                } else if part.start_el().matches("Message") {
                    told = told.message(try_data(&mut part)?);
                }
            }
        }
    }
    Ok(told.build())
}
