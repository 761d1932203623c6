//! Rules for single values: ARNs, accounts, DNS names, region names.

use super::Checker;
use crate::domain::ids::{AccountId, Arn, Region};

/// What an ARN must be.
pub(super) struct Expected<'a> {
    pub(super) service: &'a str,
    pub(super) region: Option<&'a Region>,
    /// How its resource part starts.
    pub(super) resource: &'a str,
    pub(super) example: &'a str,
}

impl Checker<'_> {
    pub(super) fn account(&mut self, path: &str, account: &AccountId) {
        let digits = account.as_str();
        if digits.len() != 12 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            self.say(path, format!("\"{digits}\" is no account; write twelve digits in quotes"));
        }
    }

    /// True when the ARN is what it must be; otherwise says why not.
    pub(super) fn arn(&mut self, path: &str, arn: &Arn, expected: &Expected<'_>) -> bool {
        let mut parts = arn.as_str().splitn(6, ':');
        let service = parts.nth(2).unwrap_or_default();
        let resource = arn.resource().unwrap_or_default();
        if !arn.partition().is_some_and(partition_like) || resource.is_empty() {
            self.say(path, format!("\"{arn}\" is no ARN; write one such as {}", expected.example));
        } else if service != expected.service || !resource.starts_with(expected.resource) {
            self.say(
                path,
                format!("\"{arn}\" is the ARN of something else; write one such as {}", expected.example),
            );
        } else if let Some(region) = expected.region
            && arn.region().as_ref() != Some(region)
        {
            let found = arn.region().map_or_else(|| "no region".into(), |found| found.to_string());
            self.say(
                path,
                format!("is in {found}, but this entry is of {region}; move it or correct the ARN"),
            );
        } else if let Some(account) = arn.account() {
            let before = self.problems.len();
            self.account(path, &account);
            return self.problems.len() == before;
        } else {
            self.say(path, format!("\"{arn}\" names no account; write one such as {}", expected.example));
        }
        self.problems.last().is_none_or(|problem| problem.path != path)
    }

    pub(super) fn dns_name(&mut self, path: &str, name: &str) {
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*'))
        };
        if name.len() > 253 || !name.split('.').all(label) {
            self.say(
                path,
                format!("\"{name}\" is no DNS name; write the name alone, such as \"api.example.com\""),
            );
        }
    }

    pub(super) fn region_name(&mut self, path: &str, region: &Region) {
        let name = region.as_str();
        let letters = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        let parts: Vec<&str> = name.split('-').collect();
        let numbered = parts.last().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        if !letters || parts.len() < 3 || !numbered || parts.contains(&"") {
            self.say(path, format!("\"{name}\" is no region; write its code, such as \"eu-west-1\""));
        }
    }

    pub(super) fn listed_region(&mut self, path: &str, region: &Region) -> bool {
        let listed = self.regions.contains(region);
        if !listed {
            let regions = self.listed();
            self.say(path, format!("{region} is not listed as a [[region]]; {regions}"));
        }
        listed
    }

    /// A part that lies wholly elsewhere does not belong to this application's regions.
    pub(super) fn some_listed(&mut self, path: &str, regions: &[Region]) {
        if !regions.iter().any(|region| self.regions.contains(region)) {
            let listed = self.listed();
            self.say(path, format!("names no region of this file; {listed}"));
        }
    }

    pub(super) fn listed(&self) -> String {
        if self.regions.is_empty() {
            return "no region is listed".into();
        }
        let names: Vec<&str> = self.regions.iter().map(Region::as_str).collect();
        format!("listed are {}", names.join(", "))
    }
}

pub(super) fn partition_like(partition: &str) -> bool {
    partition == "aws"
        || partition.strip_prefix("aws-").is_some_and(|rest| {
            !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        })
}

/// Names and ids of AWS that hold neither blanks nor slashes nor colons.
pub(super) fn identifier(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

pub(super) fn url_like(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with(['/', ':'])
            && !url.contains(|c: char| c.is_whitespace() || c.is_control())
    })
}
