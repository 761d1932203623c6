//! Sources that give nothing: what went wrong, in whose words, and the command that mends it.

use serde_json::{Value, json as value};
use switchtower::sim::Sim;

use super::aws::{Answer, Asked, Aws, Keys, home, json, nothing, status, sts, text, write_file};
use super::sources::{LOGIN, SSO, SSO_CACHE, instance, login_cache, login_session, renewable, sso_token};

/// The request id of every fake refusal.
const REQUEST: &str = "11111111-2222-4333-8444-555555555555";

/// One source, broken in one way.
struct Broken {
    /// `~/.aws/config`; `URL` is the server's, `HOME` the home.
    config: &'static str,
    /// Further files.
    files: Vec<(String, String)>,
    arguments: &'static [&'static str],
    variables: Vec<(&'static str, &'static str)>,
}

impl Broken {
    fn profile(config: &'static str) -> Self {
        Self { config, files: Vec::new(), arguments: &["--profile", "ops"], variables: Vec::new() }
    }

    fn with(mut self, file: &str, text: &impl ToString) -> Self {
        self.files.push((file.to_owned(), text.to_string()));
        self
    }

    /// Asserts that the program ends with 3, and that every region is told why, and what to do.
    fn tells(
        self,
        fake: impl Fn(&Asked, &Sim) -> Option<Answer> + Send + Sync + 'static,
        kind: &str,
        why: &str,
        next: &str,
    ) -> Value {
        let aws = Aws::start(fake);
        let home = home(&aws, "");
        let fill =
            |text: &str| text.replace("URL", &aws.url).replace("HOME", home.folder().to_str().unwrap());
        write_file(&home, ".aws/config", &fill(self.config));
        for (name, text) in &self.files {
            write_file(&home, name, text);
        }
        let variables: Vec<(&str, String)> =
            self.variables.iter().map(|(name, text)| (*name, fill(text))).collect();
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let (ran, document) = status(&home, &aws, self.arguments, &variables);
        assert_eq!(ran.code, Some(3), "{ran:?}");
        let error = &document["regions"][1]["identity"]["error"];
        assert_eq!((&error["kind"], &error["next_step"]), (&value!(kind), &value!(next)), "{error}");
        assert!(error["message"].as_str().unwrap().contains(why), "{error}");
        assert!(ran.err.contains("every region refuses the credentials") && ran.err.contains(why), "{ran:?}");
        let finding = document["findings"].as_array().unwrap();
        let finding = finding.iter().find(|finding| {
            finding["code"] == if kind == "denied" { "region.denied" } else { "region.credentials" }
        });
        assert_eq!(finding.map(|finding| &finding["next"]), Some(&value!(next)), "{document}");
        error.clone()
    }
}

#[test]
fn identity_center_that_wants_a_new_sign_in() {
    let next = "run `aws sso login --profile ops`";
    let ended = sso_token("access-1", -60);
    Broken::profile(SSO).with(SSO_CACHE, &ended).tells(
        nothing,
        "expired",
        "the SSO token has expired and cannot be refreshed",
        next,
    );
    Broken::profile(SSO).tells(nothing, "no_credentials", "failed to load the cached SSO token", next);
    // It could be renewed by its own words, and is not; then the portal does not take it either.
    let refusing = |asked: &Asked, _: &Sim| {
        let words = value!({"error": "invalid_grant", "message": "Session token not found or invalid"});
        let portal = asked.path.starts_with("/federation/");
        (asked.path == "/token")
            .then(|| json(400, "InvalidGrantException", &words))
            .or_else(|| portal.then(|| json(401, "UnauthorizedException", &words)))
    };
    let ended = renewable("access-1", -60);
    let told = Broken::profile(SSO).with(SSO_CACHE, &ended).tells(
        refusing,
        "expired",
        "sso:GetRoleCredentials: UnauthorizedException",
        next,
    );
    assert_eq!(told["request_id"], REQUEST);
    // A role that takes its keys from that profile needs the same sign-in.
    let on_top = "[profile base]\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = Operator\n\n\
                  [sso-session work]\nsso_region = eu-west-1\nsso_start_url = https://example.awsapps.com/start\n\n\
                  [profile ops]\nsource_profile = base\nrole_arn = arn:aws:iam::123456789012:role/switchtower-ops\n";
    let ended = sso_token("access-1", -60);
    Broken::profile(on_top).with(SSO_CACHE, &ended).tells(
        nothing,
        "expired",
        "the SSO token has expired",
        next,
    );
}

#[test]
fn a_role_that_identity_center_does_not_give() {
    let refusing = |asked: &Asked, _: &Sim| {
        let portal = asked.path.starts_with("/federation/");
        portal.then(|| json(403, "ForbiddenException", &value!({"message": "No access"})))
    };
    let next = "ask for that role in that account, or name another with sso_role_name and sso_account_id";
    let told = Broken::profile(SSO).with(SSO_CACHE, &sso_token("access-1", 3_600)).tells(
        refusing,
        "denied",
        "sso:GetRoleCredentials: ForbiddenException: No access",
        next,
    );
    assert_eq!(told["request_id"], REQUEST);
}

#[test]
fn a_session_of_aws_login_that_has_ended() {
    let next = "run `aws login --profile ops`";
    Broken::profile(LOGIN).tells(nothing, "no_credentials", "failed to read", next);
    let keys = Keys {
        id: "ASIAOLD".into(),
        secret: "s".into(),
        token: "t".into(),
        arn: String::new(),
        expires: super::aws::in_seconds(-60),
    };
    let refusing = |asked: &Asked, _: &Sim| {
        let words = value!({"error": "TOKEN_EXPIRED", "message": "The refresh token has expired"});
        (asked.path == "/v1/token").then(|| json(401, "AccessDeniedException", &words))
    };
    let old = login_session(&keys);
    Broken::profile(LOGIN).with(&login_cache(), &old).tells(
        refusing,
        "expired",
        "Your session has expired. Please reauthenticate.",
        next,
    );
}

const ROLE: &str = "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n\n\
     [profile ops]\nsource_profile = base\nrole_arn = arn:aws:iam::123456789012:role/somebody-elses\n";

#[test]
fn a_role_that_may_not_be_taken() {
    let why = "sts:AssumeRole: AccessDenied: User: arn:aws:sts::123456789012:assumed-role/switchtower-operator/demo is \
               not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/somebody-elses";
    let next = "allow sts:AssumeRole on arn:aws:iam::123456789012:role/somebody-elses, and trust this identity in it";
    let told = Broken::profile(ROLE).tells(nothing, "denied", why, next);
    let id = told["request_id"].as_str().unwrap();
    assert_eq!(id.len(), REQUEST.len(), "AWS's own: {id}");
    // Keys that AWS does not know are no question of permission.
    let unknown = |asked: &Asked, _: &Sim| {
        let words = "The security token included in the request is invalid.";
        asked.acts("AssumeRole").then(|| sts(403, "InvalidClientTokenId", words))
    };
    Broken::profile(ROLE).tells(
        unknown,
        "expired",
        "InvalidClientTokenId",
        "renew the keys of profile ops in ~/.aws/credentials",
    );
}

/// A role whose trust wants a code: the SDK sends none, AWS says no, and the way round is told.
#[test]
fn a_role_that_wants_a_code() {
    let config = "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n\n[profile ops]\n\
                  source_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/alice\n\
                  role_arn = arn:aws:iam::123456789012:role/somebody-elses\n";
    let next = "arn:aws:iam::123456789012:role/somebody-elses wants a code (mfa_serial), which cannot be asked for here: \
                run `eval \"$(aws configure export-credentials --profile ops --format env)\"`, then start without that profile";
    Broken::profile(config).tells(nothing, "denied", "not authorized to perform: sts:AssumeRole", next);
}

#[test]
fn a_process_that_fails() {
    let config = "[profile ops]\ncredential_process = sh -c 'echo the vault is sealed >&2; exit 7'\n";
    let next = "run the credential_process of profile ops by hand to see why";
    Broken::profile(config).tells(nothing, "no_credentials", "the vault is sealed", next);
}

#[test]
fn a_web_identity_that_is_not_accepted() {
    let config = "[profile ops]\nrole_arn = arn:aws:iam::123456789012:role/pod\nweb_identity_token_file = HOME/token\n";
    let next = "renew the web identity token file";
    Broken::profile(config).tells(nothing, "no_credentials", "No such file", next);
    let refusing = |code: &'static str| {
        move |asked: &Asked, _: &Sim| {
            asked.acts("AssumeRoleWithWebIdentity").then(|| sts(400, code, "No, said STS"))
        }
    };
    for code in ["ExpiredTokenException", "InvalidIdentityToken"] {
        let told =
            Broken::profile(config).with("token", &"a.b.c").tells(refusing(code), "expired", code, next);
        assert_eq!(told["request_id"], REQUEST);
    }
    let next = "allow sts:AssumeRoleWithWebIdentity on arn:aws:iam::123456789012:role/pod, and trust this identity in it";
    Broken::profile(config).with("token", &"a.b.c").tells(
        refusing("AccessDenied"),
        "denied",
        "No, said STS",
        next,
    );
}

#[test]
fn a_container_and_an_instance_without_a_role() {
    let next = "check the role of this instance or container";
    let container = || Broken {
        config: "",
        files: Vec::new(),
        arguments: &[],
        variables: vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", "URL/credentials")],
    };
    let refusing = |asked: &Asked, _: &Sim| (asked.path == "/credentials").then(|| text(403, "no role"));
    container().tells(refusing, "no_credentials", "403", next);
    let broken = Broken {
        variables: vec![("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "URL")],
        ..container()
    };
    let refusing = |asked: &Asked, _: &Sim| {
        asked.path.ends_with("/bastion").then(|| text(404, "")).or_else(|| instance(asked, || unreachable!()))
    };
    broken.tells(refusing, "no_credentials", "404", next);
}

#[test]
fn a_profile_that_does_not_exist() {
    let aws_knows = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "URL/credentials");
    let broken =
        Broken { variables: vec![aws_knows], ..Broken::profile("[profile other]\nregion = eu-west-1\n") };
    let asked_elsewhere = |asked: &Asked, _: &Sim| {
        assert_ne!(asked.path, "/credentials", "a slip of the pen must not act as somebody else");
        None
    };
    broken.tells(
        asked_elsewhere,
        "no_credentials",
        "profile `ops` was not defined",
        "name a profile that ~/.aws/config holds",
    );
}
