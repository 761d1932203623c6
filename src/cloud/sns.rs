//! SNS: topics that alarms reach.
//!
//! What it is for: whether somebody hears of an alarm. What it must not do: publish.

use super::Place;
use crate::domain::ids::Arn;
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::snapshot::TopicState;

/// IAM's name of the call.
pub const GET_TOPIC_ATTRIBUTES: &str = "sns:GetTopicAttributes";

impl Place {
    /// Subscriptions of a topic.
    pub async fn topic(&self, arn: &Arn) -> Result<TopicState, ProbeError> {
        let client = self.sns().await;
        let answer = self
            .ask(GET_TOPIC_ATTRIBUTES, client.get_topic_attributes().topic_arn(arn.as_str()).send())
            .await?;
        let attributes = answer.attributes().cloned().unwrap_or_default();
        let count = |name: &str| attributes.get(name).and_then(|value| value.parse().ok());
        match (count("SubscriptionsConfirmed"), count("SubscriptionsPending")) {
            (Some(subscriptions), pending) => {
                Ok(TopicState { subscriptions, pending: pending.unwrap_or_default() })
            }
            (None, _) => Err(self.error(
                ErrorKind::Malformed,
                GET_TOPIC_ATTRIBUTES,
                "no number of subscriptions in the answer",
            )),
        }
    }
}
