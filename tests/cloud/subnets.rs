//! The one call that this program writes itself: what is sent to EC2, and what is made of its answers.

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use switchtower::cloud::{Cloud, Keys};
use switchtower::domain::ids::ServiceKey;
use switchtower::domain::observation::{ErrorKind, Observed};
use switchtower::runbook::{Executor, Fact, Known};
use switchtower::sim::SimOptions;

use super::act::{api, west};
use super::fixture::with;

/// ECS tells of one service in two subnets; EC2 answers its calls in turn, the last answer again and again.
#[derive(Clone)]
struct Answers {
    ec2: &'static [(u16, &'static str)],
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A request to EC2.
#[derive(Clone, Debug)]
struct Asked {
    uri: String,
    headers: Vec<(String, String)>,
    body: String,
}

const SERVICE: &str = r#"{"services": [{"serviceName": "api", "networkConfiguration": {"awsvpcConfiguration":
    {"subnets": ["subnet-1", "subnet-2"]}}}, {"serviceName": "web"}]}"#;

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answers")
    }
}

impl HttpClient for Answers {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Answers {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (status, body) =
            if request.uri().contains("//ecs.") { (200, SERVICE) } else { self.next(&request) };
        let answer = http::Response::builder().status(status).header("x-amzn-requestid", "req-9");
        let answer: HttpResponse = answer.body(SdkBody::from(body)).unwrap().try_into().unwrap();
        HttpConnectorFuture::ready(Ok(answer))
    }
}

impl Answers {
    fn next(&self, request: &HttpRequest) -> (u16, &'static str) {
        let mut asked = self.asked.lock().unwrap();
        asked.push(Asked {
            uri: request.uri().to_owned(),
            headers: request
                .headers()
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: String::from_utf8(request.body().bytes().unwrap().to_vec()).unwrap(),
        });
        self.ec2[asked.len().min(self.ec2.len()) - 1]
    }
}

/// What becomes of the fact, and what EC2 was asked.
async fn told(ec2: &'static [(u16, &'static str)]) -> (Observed<Known>, Vec<Asked>) {
    let (told, asked) = told_of([api()], ec2).await;
    (told[0].clone(), asked)
}

/// The same of several services.
async fn told_of<const N: usize>(
    keys: [ServiceKey; N],
    ec2: &'static [(u16, &'static str)],
) -> ([Observed<Known>; N], Vec<Asked>) {
    let world = with(SimOptions::default());
    let answers = Answers { ec2, asked: Arc::default() };
    let signing =
        Keys { access_key: "AKIATEST", secret_key: "secret", session_token: Some("token"), expires: None };
    let cloud = Cloud::simulated(SharedHttpClient::new(answers.clone()), world.clock, &signing);
    let acting = cloud.acting(world.topology.clone(), world.sim.probe(), None);
    let wanted = keys.map(|key| Fact::Subnets(west(), key));
    let facts = acting.observe(&wanted).await;
    let asked = answers.asked.lock().unwrap().clone();
    (wanted.map(|fact| facts.get(&fact).unwrap().clone()), asked)
}

#[tokio::test(start_paused = true)]
async fn a_service_without_subnets_needs_no_answer_of_ec2() {
    let web = ServiceKey { service: "web".into(), ..api() };
    let ([first, second], _) = told_of([api(), web], &[(403, "")]).await;
    assert_eq!(first.error().map(|error| error.kind), Some(ErrorKind::Denied), "{first:?}");
    assert_eq!((second.value(), second.error()), (Some(&Known::Subnets(Vec::new())), None));
}

const FIRST: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeSubnetsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
    <requestId>req</requestId>
    <subnetSet>
        <item>
            <subnetId>subnet-1</subnetId><availableIpAddressCount>17</availableIpAddressCount>
            <availabilityZone>eu-west-1a</availabilityZone><ipv6Native>false</ipv6Native>
            <ipv6CidrBlockAssociationSet><item><subnetId>not this</subnetId></item></ipv6CidrBlockAssociationSet>
            <tagSet><item><key>availableIpAddressCount</key><value>3</value></item></tagSet>
        </item>
    </subnetSet>
    <nextToken>more &amp; more</nextToken>
</DescribeSubnetsResponse>"#;

const SECOND: &str = r#"<DescribeSubnetsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><subnetSet>
    <item><subnetId>subnet-2</subnetId><availableIpAddressCount>0</availableIpAddressCount>
    <availabilityZone>eu-west-1b</availabilityZone><ipv6Native>true</ipv6Native></item>
    <item><subnetId>subnet-3</subnetId><availableIpAddressCount>5</availableIpAddressCount></item>
    </subnetSet></DescribeSubnetsResponse>"#;

#[tokio::test(start_paused = true)]
async fn a_signed_form_is_sent_and_every_page_is_read() {
    let (told, asked) = told(&[(200, FIRST), (200, SECOND)]).await;
    let Some(Known::Subnets(subnets)) = told.value() else { panic!("{told:?}") };
    let subnets: Vec<_> = subnets.iter().map(|one| (one.id.as_str(), one.zone.as_str(), one.free)).collect();
    assert_eq!(subnets, [("subnet-1", "eu-west-1a", Some(17)), ("subnet-2", "eu-west-1b", None)]);
    assert_eq!(asked.len(), 2);
    let filter = "Action=DescribeSubnets&Version=2016-11-15&Filter.1.Name=subnet-id&Filter.1.Value.1=subnet-1\
                  &Filter.1.Value.2=subnet-2";
    assert_eq!(asked[0].body, filter);
    assert_eq!(asked[1].body, format!("{filter}&NextToken=more+%26+more"));
    let header = |name: &str| {
        asked[0].headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    };
    assert_eq!(asked[0].uri, "https://ec2.eu-west-1.amazonaws.com/");
    assert_eq!(header("content-type"), "application/x-www-form-urlencoded; charset=utf-8");
    assert_eq!(header("x-amz-security-token"), "token");
    assert!(header("user-agent").starts_with("switchtower/"), "{:?}", asked[0].headers);
    assert!(header("authorization").contains("/eu-west-1/ec2/aws4_request"), "{:?}", asked[0].headers);
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_none_of_ec2s_are_told_apart() {
    let refused = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are &lt;not&gt; authorized\
                   </Message></Error></Errors><RequestID>r</RequestID></Response>";
    for (status, body, kind, words) in [
        (403, refused, ErrorKind::Denied, "UnauthorizedOperation: You are <not> authorized"),
        (200, "<html>sign in here</html>", ErrorKind::Malformed, "no answer to DescribeSubnets"),
        (200, "", ErrorKind::Malformed, "could not be read"),
        (200, "{}", ErrorKind::Malformed, "could not be read"),
        (502, "<html>bad gateway</html>", ErrorKind::ServiceDown, "502"),
        (403, "no XML at all", ErrorKind::Denied, "403"),
    ] {
        let ec2: &'static [(u16, &'static str)] = Box::leak(Box::new([(status, body)]));
        let (told, _) = told(ec2).await;
        let error = told.error().unwrap_or_else(|| panic!("{body}: {told:?}"));
        assert_eq!(error.kind, kind, "{body}: {error}");
        assert!(error.to_string().contains(words), "{body}: {error}");
        assert_eq!(error.call, "ec2:DescribeSubnets");
    }
}
