//! Every source that signs: what is asked of it, and whose calls AWS then sees.

use http_body_util::Full;
use serde_json::{Value, json as value};
use sha2::{Digest as _, Sha256};
use switchtower::sim::Sim;

use super::aws::{ACCOUNT, Answer, Asked, Aws, Keys, home, identities, in_seconds, json, nothing, sts, text};
use super::aws::{status, write_file};
use crate::cli::program::Home;

/// Who Identity Center lets us be.
const OPERATOR: &str = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Operator_0a1b2c3d/alice";

/// A profile of Identity Center, with its session.
pub(super) const SSO: &str = "[profile ops]\nsso_session = work\nsso_account_id = 123456789012\n\
     sso_role_name = Operator\nregion = eu-west-1\n\n[sso-session work]\nsso_region = eu-west-1\n\
     sso_start_url = https://example.awsapps.com/start\nsso_registration_scopes = sso:account:access\n";

/// Where the token of that session is kept: the SHA-1 of its name.
pub(super) const SSO_CACHE: &str = ".aws/sso/cache/e274eeff768c6396088ec6eb091f4bf4d47ab1e0.json";

/// A profile of `aws login`.
pub(super) const LOGIN: &str = "[profile ops]\nlogin_session = arn:aws:iam::123456789012:user/alice\n";

/// Asserts that a profile's keys sign, and that the document tells whose they are.
fn seen_to_sign(aws: &Aws, home: &Home, keys: &Keys, more: &[&str], variables: &[(&str, &str)]) -> Value {
    let (ran, document) = status(home, aws, more, variables);
    assert_eq!(identities(&document), [&keys.arn, &keys.arn], "{ran:?}");
    assert_eq!(document["accounts"]["dns"], ACCOUNT, "{ran:?}");
    assert_eq!(document["regions"][0]["ecs"][0]["running"]["error"], Value::Null, "{ran:?}");
    aws.is_asked_by(keys);
    document
}

/// A token of Identity Center as the AWS CLI keeps it; it ends in so many seconds.
pub(super) fn sso_token(token: &str, seconds: i64) -> Value {
    value!({
        "startUrl": "https://example.awsapps.com/start",
        "region": "eu-west-1",
        "accessToken": token,
        "expiresAt": in_seconds(seconds).to_string(),
    })
}

/// The same, which can be renewed.
pub(super) fn renewable(token: &str, seconds: i64) -> Value {
    let mut cached = sso_token(token, seconds);
    cached["clientId"] = value!("client");
    cached["clientSecret"] = value!("client-secret");
    cached["registrationExpiresAt"] = value!(in_seconds(86_400).to_string());
    cached["refreshToken"] = value!("refresh-1");
    cached
}

/// The portal, which gives the keys of a role for the right token.
fn portal(asked: &Asked, sim: &Sim, token: &str) -> Option<Answer> {
    if !asked.path.starts_with("/federation/credentials") {
        return None;
    }
    assert!(asked.path.contains("role_name=Operator") && asked.path.contains("account_id=123456789012"));
    if asked.header("x-amz-sso_bearer_token") != Some(token) {
        let words = value!({"message": "Session token not found or invalid"});
        return Some(json(401, "UnauthorizedException", &words));
    }
    let keys = Keys::mint(sim, "sso", OPERATOR, 3_600);
    let given = value!({
        "accessKeyId": keys.id, "secretAccessKey": keys.secret, "sessionToken": keys.token,
        "expiration": keys.expires.as_millisecond(),
    });
    Some(json(200, "", &value!({"roleCredentials": given})))
}

fn operator(aws: &Aws) -> Keys {
    Keys::mint(&aws.sim, "sso", OPERATOR, 3_600)
}

#[test]
fn identity_center_with_a_token_that_is_good() {
    let aws = Aws::start(|asked, sim| portal(asked, sim, "access-1"));
    let home = home(&aws, SSO);
    write_file(&home, SSO_CACHE, &sso_token("access-1", 3_600).to_string());
    seen_to_sign(&aws, &home, &operator(&aws), &["--profile", "ops"], &[]);
}

#[test]
fn identity_center_with_a_token_that_is_renewed() {
    let aws = Aws::start(|asked, sim| {
        if asked.path == "/token" {
            assert_eq!(asked.member("grantType"), "refresh_token");
            assert_eq!(
                (asked.member("refreshToken"), asked.member("clientSecret")),
                ("refresh-1".into(), "client-secret".into())
            );
            let renewed = value!({"accessToken": "access-2", "tokenType": "Bearer", "expiresIn": 3_600, "refreshToken": "refresh-2"});
            return Some(json(200, "", &renewed));
        }
        portal(asked, sim, "access-2")
    });
    let home = home(&aws, SSO);
    write_file(&home, SSO_CACHE, &renewable("access-1", -60).to_string());
    seen_to_sign(&aws, &home, &operator(&aws), &["--profile", "ops"], &[]);
    // The next program, this one or the AWS CLI, finds the new token, and with it the way to another.
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(home.path(SSO_CACHE)).unwrap()).unwrap();
    assert_eq!((&kept["accessToken"], &kept["refreshToken"]), (&value!("access-2"), &value!("refresh-2")));
}

/// The older kind of profile, and endpoints that the configuration file names.
#[test]
fn identity_center_without_a_session_and_at_an_endpoint_of_the_profile() {
    let aws = Aws::start(|asked, sim| portal(asked, sim, "access-1"));
    let config = "[profile ops]\nsso_start_url = https://example.awsapps.com/start\nsso_region = eu-west-1\n\
                  sso_account_id = 123456789012\nsso_role_name = Operator\nservices = here\n\n\
                  [services here]\nsso =\n  endpoint_url = URL\n";
    let home = home(&aws, config);
    let by_url = ".aws/sso/cache/e8be5486177c5b5392bd9aa76563515b29358e6e.json";
    write_file(&home, by_url, &sso_token("access-1", 3_600).to_string());
    let elsewhere = [("AWS_ENDPOINT_URL_SSO", "")];
    let (ran, document) = status(&home, &aws, &["--profile", "ops"], &elsewhere);
    assert_eq!(identities(&document), [OPERATOR, OPERATOR], "{ran:?}");
    aws.is_asked_by(&operator(&aws));
}

/// Where `aws login` keeps the session of that ARN.
pub(super) fn login_cache() -> String {
    let hash = Sha256::digest(b"arn:aws:iam::123456789012:user/alice");
    let name: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(".aws/login/cache/{name}.json")
}

/// A session of `aws login` as the AWS CLI keeps it. The key is the one of the SDK's own tests and opens nothing.
pub(super) fn login_session(keys: &Keys) -> Value {
    value!({
        "accessToken": {
            "accessKeyId": keys.id, "secretAccessKey": keys.secret, "sessionToken": keys.token,
            "accountId": ACCOUNT, "expiresAt": keys.expires.to_string(),
        },
        "tokenType": "aws_sigv4",
        "refreshToken": "refresh-1",
        "idToken": "identity",
        "clientId": "arn:aws:signin:::devtools/same-device",
        "dpopKey": "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIFDZHUzOG1Pzq+6F0mjMlOSp1syN9LRPBuHMoCFXTcXhoAoGCCqGSM49\n\
                    AwEHoUQDQgAE9qhj+KtcdHj1kVgwxWWWw++tqoh7H7UHs7oXh8jBbgF47rrYGC+t\n\
                    djiIaHK3dBvvdE7MGj5HsepzLm3Kj91bqA==\n-----END EC PRIVATE KEY-----\n",
    })
}

const ALICE: &str = "arn:aws:iam::123456789012:user/alice";

#[test]
fn aws_login_with_a_session_that_is_good() {
    let aws = Aws::start(nothing);
    let keys = Keys::mint(&aws.sim, "login", ALICE, 3_600);
    let home = home(&aws, LOGIN);
    write_file(&home, &login_cache(), &login_session(&keys).to_string());
    seen_to_sign(&aws, &home, &keys, &["--profile", "ops"], &[]);
}

#[test]
fn aws_login_with_a_session_that_is_renewed() {
    let aws = Aws::start(|asked, sim| {
        if asked.path != "/v1/token" {
            return None;
        }
        // Proof of possession: a header, a statement and a signature.
        assert_eq!(asked.header("dpop").map(|proof| proof.split('.').count()), Some(3), "{asked:?}");
        assert_eq!(
            (asked.member("grantType"), asked.member("refreshToken")),
            ("refresh_token".into(), "refresh-1".into())
        );
        let keys = Keys::mint(sim, "renewed", ALICE, 900);
        let given =
            value!({"accessKeyId": keys.id, "secretAccessKey": keys.secret, "sessionToken": keys.token});
        let renewed = value!({"accessToken": given, "tokenType": "aws_sigv4", "expiresIn": 900, "refreshToken": "refresh-2"});
        Some(json(200, "", &renewed))
    });
    let home = home(&aws, LOGIN);
    let old = Keys::mint(&aws.sim, "login", ALICE, -60);
    write_file(&home, &login_cache(), &login_session(&old).to_string());
    let renewed = Keys::mint(&aws.sim, "renewed", ALICE, 900);
    seen_to_sign(&aws, &home, &renewed, &["--profile", "ops"], &[]);
    let kept: Value =
        serde_json::from_str(&std::fs::read_to_string(home.path(&login_cache())).unwrap()).unwrap();
    assert_eq!(
        (&kept["accessToken"]["accessKeyId"], &kept["refreshToken"]),
        (&value!("ASIARENEWED"), &value!("refresh-2"))
    );
}

#[test]
fn a_process_that_prints_them() {
    let aws = Aws::start(nothing);
    let keys = Keys::mint(&aws.sim, "process", "arn:aws:sts::123456789012:assumed-role/vault/alice", 3_600);
    let home = home(&aws, "[profile ops]\ncredential_process = cat \"HOME/my keys.json\" \n");
    let config = std::fs::read_to_string(home.path(".aws/config")).unwrap();
    write_file(&home, ".aws/config", &config.replace("HOME", home.folder().to_str().unwrap()));
    let printed = value!({
        "Version": 1, "AccessKeyId": keys.id, "SecretAccessKey": keys.secret, "SessionToken": keys.token,
        "Expiration": keys.expires.to_string(),
    });
    write_file(&home, "my keys.json", &printed.to_string());
    seen_to_sign(&aws, &home, &keys, &["--profile", "ops"], &[]);
}

/// Keys as containers and instances hand them out.
pub(super) fn handed_out(keys: &Keys) -> String {
    value!({
        "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": in_seconds(-60).to_string(),
        "AccessKeyId": keys.id, "SecretAccessKey": keys.secret, "Token": keys.token,
        "Expiration": keys.expires.to_string(),
    })
    .to_string()
}

#[test]
fn the_role_of_a_container() {
    let role = "arn:aws:sts::123456789012:assumed-role/bastion-task/0123456789abcdef";
    let aws = Aws::start(move |asked, sim| {
        if asked.path != "/v1/credentials" {
            return None;
        }
        assert_eq!(asked.header("authorization"), Some("pod-token"), "{asked:?}");
        Some(text(200, &handed_out(&Keys::mint(sim, "container", role, 3_600))))
    });
    let home = home(&aws, "");
    let uri = format!("{}/v1/credentials", aws.url);
    write_file(&home, "pod-token", "pod-token");
    let file = home.path("pod-token");
    let keys = Keys::mint(&aws.sim, "container", role, 3_600);
    for proof in [
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod-token"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap()),
    ] {
        seen_to_sign(&aws, &home, &keys, &[], &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri), proof]);
    }
}

/// Version 2 of instance metadata: nothing is told without a token of its own.
pub(super) fn instance(asked: &Asked, keys: impl FnOnce() -> Keys) -> Option<Answer> {
    let path = asked.path.strip_prefix("/latest/")?;
    if path == "api/token" {
        assert_eq!(asked.method, "PUT");
        let lasting = asked.header("x-aws-ec2-metadata-token-ttl-seconds").unwrap();
        let answer = text(200, "metadata-token");
        let (mut parts, body): (_, Full<_>) = answer.into_parts();
        parts.headers.insert("x-aws-ec2-metadata-token-ttl-seconds", lasting.parse().unwrap());
        return Some(Answer::from_parts(parts, body));
    }
    if asked.header("x-aws-ec2-metadata-token") != Some("metadata-token") {
        return Some(text(401, "version 1 is switched off"));
    }
    Some(match path {
        "meta-data/iam/security-credentials/" => text(200, "bastion"),
        "meta-data/iam/security-credentials/bastion" => text(200, &handed_out(&keys())),
        _ => text(404, ""),
    })
}

#[test]
fn the_role_of_an_instance() {
    let role = "arn:aws:sts::123456789012:assumed-role/bastion/i-0123456789abcdef0";
    let aws = Aws::start(move |asked, sim| instance(asked, || Keys::mint(sim, "instance", role, 21_600)));
    let home = home(&aws, "[profile eu]\nregion = eu-west-1\n");
    let keys = Keys::mint(&aws.sim, "instance", role, 21_600);
    let metadata = [("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &aws.url)];
    seen_to_sign(&aws, &home, &keys, &[], &metadata);
    // A profile that names a region and no keys stands on the instance too.
    seen_to_sign(&aws, &home, &keys, &["--profile", "eu"], &metadata);
}

/// The answer of STS to a web identity.
fn federated(keys: &Keys) -> Answer {
    let Keys { id, secret, token, arn, expires } = keys;
    sts(
        200,
        "",
        &format!(
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{id}</AccessKeyId>\
         <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>\
         <Expiration>{expires}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROA:pod</AssumedRoleId>\
         <Arn>{arn}</Arn></AssumedRoleUser></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        ),
    )
}

#[test]
fn a_web_identity_by_environment_and_by_profile() {
    let role = "arn:aws:sts::123456789012:assumed-role/pod-reader/pod";
    let aws = Aws::start(move |asked, sim| {
        if !asked.acts("AssumeRoleWithWebIdentity") {
            return None;
        }
        assert_eq!(asked.key(), None, "nobody signs this");
        let form: Vec<_> = form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
        let has = |name: &str, value: &str| form.contains(&(name.to_owned(), value.to_owned()));
        assert!(has("WebIdentityToken", "header.claims.signature"), "{form:?}");
        assert!(has("RoleArn", "arn:aws:iam::123456789012:role/pod-reader"), "{form:?}");
        Some(federated(&Keys::mint(sim, "pod", role, 3_600)))
    });
    let config = "[profile ops]\nrole_arn = arn:aws:iam::123456789012:role/pod-reader\n\
                  web_identity_token_file = HOME/token\nrole_session_name = pod\n";
    let home = home(&aws, "");
    write_file(&home, ".aws/config", &config.replace("HOME", home.folder().to_str().unwrap()));
    write_file(&home, "token", "header.claims.signature");
    let keys = Keys::mint(&aws.sim, "pod", role, 3_600);
    seen_to_sign(&aws, &home, &keys, &["--profile", "ops"], &[]);
    let file = home.path("token");
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod-reader"),
        ("AWS_ROLE_SESSION_NAME", "pod"),
    ];
    seen_to_sign(&aws, &home, &keys, &[], &variables);
}

/// Who names a profile means it, whatever keys a shell still holds; the AWS CLI does the same.
#[test]
fn a_profile_that_is_named_goes_before_keys_in_the_environment() {
    let aws = Aws::start(nothing);
    let keys = Keys::mint(&aws.sim, "file", "arn:aws:iam::123456789012:user/ops", 3_600);
    let shell = Keys::mint(&aws.sim, "shell", "arn:aws:iam::123456789012:user/somebody-else", 3_600);
    let home = home(&aws, "");
    let file = format!(
        "[ops]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        keys.id, keys.secret, keys.token
    );
    write_file(&home, ".aws/credentials", &file);
    let variables = [
        ("AWS_ACCESS_KEY_ID", shell.id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_SESSION_TOKEN", &shell.token),
    ];
    seen_to_sign(&aws, &home, &keys, &["--profile", "ops"], &variables);
    // A topology that names a profile for a scope means it too.
    let mut topology = aws.topology();
    topology.scope.insert("lease".into(), topology.scope("dns"));
    for scope in topology.scope.values_mut() {
        scope.profile = Some("ops".into());
    }
    super::aws::settle(&home, &topology);
    seen_to_sign(&aws, &home, &keys, &[], &variables);
}
