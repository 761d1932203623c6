//! Command lines of the `aws` command, version 2.
//!
//! What it is for: a line that an operator can paste, on its own, into a POSIX shell.
//! What it must not do: depend on the shell's state, but for the endpoint of ARC where the topology is not at hand.

use super::calls::{self, Call, Value};
use super::quote::quoted;
use crate::domain::Topology;
use crate::domain::ids::{BucketName, Region};
use crate::domain::text::is_unsafe;
use crate::runbook::operation::{FailureDomain, Operation};

/// A command line being written.
pub(crate) struct Line(String);

/// `aws SERVICE COMMAND`.
pub(crate) fn aws(service: &str, command: &str) -> Line {
    Line(format!("aws {service} {command}"))
}

impl Line {
    /// A command that stands in for `aws`.
    pub(crate) fn new(command: &str) -> Self {
        Self(command.to_owned())
    }

    /// An option with its value. A value that looks like an option is tied to its own.
    pub(crate) fn option(mut self, name: &str, value: &str) -> Self {
        let between = if value.starts_with('-') { '=' } else { ' ' };
        self.0.extend([format!(" --{name}{between}{}", quoted(value))]);
        self
    }

    /// An option without a value.
    pub(crate) fn switch(mut self, name: &str) -> Self {
        self.0.extend([format!(" --{name}")]);
        self
    }

    /// Where and as whom.
    pub(crate) fn at(mut self, region: Option<&Region>, profile: Option<&str>) -> Self {
        if let Some(region) = region {
            self = self.option("region", region.as_str());
        }
        if let Some(profile) = profile {
            self = self.option("profile", profile);
        }
        self
    }

    /// The line.
    pub(crate) fn end(self) -> String {
        self.0
    }
}

/// Where a call of ARC goes.
struct Endpoint<'a> {
    url: &'a str,
    region: &'a str,
}

impl Operation {
    /// The equivalent line of the `aws` command. One for ARC expects `ARC_ENDPOINT` and `ARC_REGION` in the
    /// environment; [`cli_at`](Self::cli_at) knows them.
    pub fn cli(&self) -> String {
        self.line(None, None)
    }

    /// The same with what the topology knows: the profile of the scope, and ARC's first endpoint.
    pub fn cli_at(&self, topology: &Topology) -> String {
        self.cli_each_at(topology).into_iter().next().unwrap_or_default()
    }

    /// The same for every endpoint that may take the call: five for ARC, one else. Never empty.
    pub fn cli_each_at(&self, topology: &Topology) -> Vec<String> {
        let profile = topology.scope(&self.scope()).profile;
        let profile = profile.as_deref();
        let endpoints = topology.arc.iter().flat_map(|arc| &arc.endpoints);
        if matches!(self, Self::SetRoutingControls { .. }) {
            let lines: Vec<String> = endpoints
                .map(|endpoint| {
                    let at = Endpoint { url: &endpoint.url, region: endpoint.region.as_str() };
                    self.line(Some(&at), profile)
                })
                .collect();
            if !lines.is_empty() {
                return lines;
            }
        }
        vec![self.line(None, profile)]
    }

    /// The same without an endpoint, through a shell function that adds one.
    pub(crate) fn cli_through(&self, function: &str, topology: &Topology) -> String {
        let call = calls::of(self);
        let line = Line(format!("{function} {} {}", call.command, kebab(call.operation)));
        let profile = topology.scope(&self.scope()).profile;
        parameters(line.at(None, profile.as_deref()), &call).end()
    }

    /// The topology's scope whose credentials it needs: `dns`, `arc`, or the region.
    pub fn scope(&self) -> String {
        match self.domain() {
            FailureDomain::Global => "dns".to_owned(),
            FailureDomain::DataPlane => "arc".to_owned(),
            FailureDomain::Regional(_) | FailureDomain::None => self.region().as_str().to_owned(),
        }
    }

    fn line(&self, endpoint: Option<&Endpoint<'_>>, profile: Option<&str>) -> String {
        if let Self::EmptyBucket { region, bucket } = self {
            return empty_bucket(region, bucket, profile);
        }
        let call = calls::of(self);
        let line = aws(call.command, &kebab(call.operation));
        let line = match (self.domain(), endpoint) {
            // Route 53 has one endpoint, which signs for itself.
            (FailureDomain::Global, _) => line.at(None, profile),
            (FailureDomain::DataPlane, Some(endpoint)) => {
                let region = Region::new(endpoint.region);
                line.option("endpoint-url", endpoint.url).at(Some(&region), profile)
            }
            (FailureDomain::DataPlane, None) => {
                let Line(mut text) = line;
                text.push_str(r#" --endpoint-url "$ARC_ENDPOINT" --region "$ARC_REGION""#);
                Line(text).at(None, profile)
            }
            (FailureDomain::Regional(region), _) => line.at(Some(&region), profile),
            (FailureDomain::None, _) => line.at(Some(&self.region()), profile),
        };
        parameters(line, &call).end()
    }
}

/// The call's parameters as options, or all of them as one JSON text when the command would read a value as
/// something else: `file://…` is a file to it, and a control character is an order to a terminal.
fn parameters(line: Line, call: &Call) -> Line {
    let twisted = |value: &str| {
        value.chars().any(is_unsafe)
            || ["file://", "fileb://", "http://", "https://"].iter().any(|scheme| value.starts_with(scheme))
    };
    let any_twisted = call
        .parameters
        .iter()
        .any(|parameter| matches!(&parameter.value, Value::Text(text) if text.is_empty() || twisted(text)));
    if any_twisted {
        let all: serde_json::Map<_, _> = call
            .parameters
            .iter()
            .map(|parameter| (parameter.name.to_owned(), parameter.value.json()))
            .collect();
        return line.option("cli-input-json", &escaped(&serde_json::Value::Object(all)));
    }
    call.parameters.iter().fold(line, |line, parameter| {
        let name = kebab(parameter.name);
        match &parameter.value {
            Value::Text(text) => line.option(&name, text),
            Value::Number(number) => line.option(&name, &number.to_string()),
            Value::Flag(true) => line.switch(&name),
            Value::Flag(false) => line.switch(&format!("no-{name}")),
            Value::Structure(json) => line.option(&name, &escaped(json)),
        }
    })
}

/// JSON in which every character that a terminal would act on is written as `\u….`
fn escaped(json: &serde_json::Value) -> String {
    let mut out = String::new();
    for c in json.to_string().chars() {
        if is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.extend([format!("\\u{unit:04x}")]);
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// AWS's names as the command line spells them: `DBClusterIdentifier` is `db-cluster-identifier`.
fn kebab(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let after = chars.get(at + 1);
        let starts = c.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || after.is_some_and(char::is_ascii_lowercase)
            });
        if starts {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Page by page until nothing is left, then the uploads that were never finished. A hundred keys at a time: a
/// word of a command line may hold 128 KiB. In a subshell, so that a failure ends it and not the operator's shell.
fn empty_bucket(region: &Region, bucket: &BucketName, profile: Option<&str>) -> String {
    let call =
        |command: &str| aws("s3api", command).at(Some(region), profile).option("bucket", bucket.as_str());
    let list = call("list-object-versions")
        .option("max-keys", "100")
        .option("output", "json")
        .option("query", "[Versions, DeleteMarkers][].{Key: Key, VersionId: VersionId}")
        .end();
    let delete = call("delete-objects").end();
    let uploads = call("list-multipart-uploads")
        .option("output", "text")
        .option("query", "(Uploads || `[]`)[].[UploadId, Key]")
        .end();
    let abort = call("abort-multipart-upload").end();
    format!(
        "( while batch=$({list}) || exit; [ \"$batch\" != '[]' ]; do {delete} --delete \"{{\\\"Objects\\\": $batch, \
         \\\"Quiet\\\": true}}\" || exit; done; uploads=$({uploads}) || exit; printf '%s\\n' \"$uploads\" | while IFS=\"$(printf \
         '\\t')\" read -r id key; do [ -z \"$id\" ] || {abort} --upload-id \"$id\" --key \"$key\" || exit; done )"
    )
}
