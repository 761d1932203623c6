//! Hostile strings.

use proptest::prelude::*;
use switchtower::domain::ids::{Arn, HostName, TableName};
use switchtower::domain::text::{Text, is_unsafe};

#[test]
fn what_a_terminal_would_act_on_is_replaced() {
    let cases = [
        ("plain", "plain"),
        ("\u{1b}[2J wiped", "\u{fffd}[2J wiped"),
        ("bell\u{7}", "bell\u{fffd}"),
        ("c1 \u{9b}31m", "c1 \u{fffd}31m"),
        ("eu-\u{202e}1-tsew", "eu-\u{fffd}1-tsew"),
        ("zero\u{200b}width", "zero\u{fffd}width"),
        ("two\nlines", "two\u{fffd}lines"),
        ("Grüße 日本", "Grüße 日本"),
    ];
    for (raw, safe) in cases {
        assert_eq!(Text::new(raw).as_str(), safe);
        assert_eq!(TableName::new(raw).as_str(), safe);
        let json = serde_json::to_string(raw).unwrap();
        assert_eq!(serde_json::from_str::<Text>(&json).unwrap().as_str(), safe, "also from a file");
    }
}

#[test]
fn arns_come_apart() {
    let lb = Arn::new("arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/50dc");
    assert_eq!(lb.elb_dimension(), Some("app/web/50dc"));
    assert_eq!(lb.region().unwrap().as_str(), "eu-west-1");
    let group = Arn::new("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/api/73e2");
    assert_eq!(group.elb_dimension(), Some("targetgroup/api/73e2"));
    let global = Arn::new("arn:aws:rds::123456789012:global-cluster:my-global-db");
    assert_eq!((global.region(), global.short_name()), (None, "my-global-db"));
    assert_eq!(Arn::new("nonsense").partition(), None);
    assert_eq!(HostName::normalized("\\052.Example.COM.").as_str(), "*.example.com");
}

proptest! {
    #[test]
    fn nothing_unsafe_survives(raw in any::<String>()) {
        prop_assert!(!Text::new(&raw).as_str().chars().any(is_unsafe));
    }
}
