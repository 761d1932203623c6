//! STS: who we are.
//!
//! What it is for: account, identity and the end of the credentials, for the banner and for the check that
//! the right account answers. What it must not do: hold up anything; it runs beside the first sweep.

use super::Place;
use crate::domain::ids::{AccountId, Arn};
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::snapshot::Identity;

/// IAM's name of the call.
pub const GET_CALLER_IDENTITY: &str = "sts:GetCallerIdentity";

impl Place {
    /// GetCallerIdentity, and when the credentials in use end.
    pub async fn identity_now(&self) -> Result<Identity, ProbeError> {
        let client = self.sts().await;
        let answer = self.ask(GET_CALLER_IDENTITY, client.get_caller_identity().send()).await?;
        let (Some(account), Some(arn)) = (answer.account(), answer.arn()) else {
            return Err(self.error(ErrorKind::Malformed, GET_CALLER_IDENTITY, "no account in the answer"));
        };
        self.know_identity(arn);
        let access = self.access().await;
        let renewed = access.vault.as_ref().and_then(super::credentials::Vault::expires);
        Ok(Identity {
            account: AccountId::new(account),
            arn: Arn::new(arn),
            expires: renewed.or(access.expires),
        })
    }
}
