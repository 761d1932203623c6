//! Reading, checking and writing topologies.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use switchtower::domain::Topology;
use switchtower::domain::ids::{Arn, HostName, Region, ServiceKey};
use switchtower::domain::topology::{
    ArcEndpoint, ArcSettings, AuroraGlobal, AuroraMember, BucketReplication, CleanupSettings, DnsEntry,
    EvacuationMethod, Freeze, Freshness, FrontDoor, Hostname, LeaseSettings, Levels, LoadBalancer,
    LoadBalancerKind, NetworkStack, NotifySettings, OnEvacuate, Policy, ProbeSettings, Record, RegionEntry,
    RoutingControl, RoutingPolicy, Scope, Service, Switch, SwitchWire, SyntheticSettings, SyntheticWrite,
    Table, Thresholds,
};
use switchtower::files::Existing;
use switchtower::files::topology::{self, WriteError};

/// Each `NAME.toml` beside this file has its problems in `NAME.txt`, as they are printed.
#[test]
fn problems_point_at_line_and_key() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/topology");
    for name in ["wrong", "version", "shape", "syntax"] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.toml"))).unwrap();
        let mut found = String::new();
        for problem in topology::parse(&text).unwrap_err() {
            writeln!(found, "{name}.toml:{problem}").unwrap();
        }
        golden(&folder.join(format!("{name}.txt")), &found);
    }
}

#[test]
fn an_error_names_the_file_and_what_to_do() {
    let missing = topology::read(Path::new("/nonexistent/orders.toml")).unwrap_err().to_string();
    assert!(missing.starts_with("/nonexistent/orders.toml: No such file"), "{missing}");
    assert!(missing.contains("switchtower init"), "{missing}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.toml");
    std::fs::write(&file, "version = 1\napplication = 4\n").unwrap();
    let wrong = topology::read(&file).unwrap_err().to_string();
    assert!(
        wrong.contains("orders.toml:2: application: must be text in quotes, not the number 4"),
        "{wrong}"
    );
}

#[test]
fn the_example_is_what_init_would_write() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/topology.example.toml");
    let written = topology::render(&example());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &written).unwrap();
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(topology::parse(&text), Ok(example()));
    assert_eq!(text, written);
}

#[test]
fn every_table_opens_with_a_comment() {
    let text = topology::render(&example());
    let lines: Vec<&str> = text.lines().collect();
    let mut seen: Vec<&str> = Vec::new();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with('[')) {
        let kind = line.split(['.', ']']).next().unwrap_or(line);
        let kind = if line.contains('.') && !line.starts_with("[scope") { line } else { kind };
        if !seen.contains(&kind) {
            seen.push(kind);
            assert!(lines[index - 1].starts_with('#'), "no comment above {line}");
        }
    }
    assert!(seen.len() >= 12, "{seen:?}");
}

#[test]
fn serde_reads_the_same_as_the_reader() {
    let text = topology::render(&example());
    let by_serde: Topology = toml::from_str(&text).unwrap();
    assert_eq!(by_serde, example());
}

#[test]
fn writing_is_private_and_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/er/orders.toml");
    topology::write(&file, &example(), Existing::Keep).unwrap();
    assert_eq!(topology::read(&file).unwrap(), example());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.path().join("deep").metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
    std::fs::write(&file, "mine").unwrap();
    let refused = topology::write(&file, &example(), Existing::Keep).unwrap_err();
    assert!(matches!(refused, WriteError::Exists(_)), "{refused}");
    assert!(refused.to_string().contains("--force"), "{refused}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    topology::write(&file, &example(), Existing::Replace).unwrap();
    assert_eq!(topology::read(&file).unwrap(), example());
    let left: Vec<_> = std::fs::read_dir(file.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "temporary files stay behind: {left:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(topology in any_topology()) {
        let text = topology::render(&topology);
        prop_assert_eq!(topology::parse(&text), Ok(topology), "{}", text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(cuts in prop::collection::vec((0_usize..6_000, "[\\[\\]{}=\".,a-z0-9\n# -]{0,6}"), 1..4)) {
        let mut text = topology::render(&example());
        for (place, patch) in cuts {
            let mut place = place.min(text.len());
            while !text.is_char_boundary(place) { place -= 1; }
            text.replace_range(place..place, &patch);
        }
        let _ = topology::parse(&text);
    }
}

fn golden(file: &Path, found: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file, found).unwrap();
    }
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    assert_eq!(found, expected, "{} differs; set UPDATE_GOLDEN=1 to accept", file.display());
}

/// Two regions with one of everything.
pub(super) fn example() -> Topology {
    let regions = [("us-east-1", "Z35SXDOTRQ7X7K"), ("eu-west-1", "Z32O12XQLNTSW2")];
    let account = "123456789012";
    let elb = |region: &str, rest: &str| {
        Arn::new(format!("arn:aws:elasticloadbalancing:{region}:{account}:{rest}"))
    };
    let group = |region: &str| elb(region, "targetgroup/api/73e2d6bc24d8a067");
    let mut scope = std::collections::BTreeMap::new();
    for name in ["dns", "us-east-1", "eu-west-1"] {
        scope.insert(String::from(name), Scope { account: Some(account.into()), ..Scope::default() });
    }
    let balancer_name = |region: &str| HostName::new(format!("api-1234567890.{region}.elb.amazonaws.com"));
    let panel = format!("arn:aws:route53-recovery-control::{account}:controlpanel/0123456789abcdef");
    let controls = regions.iter().zip(1..).map(|((region, _), number)| RoutingControl {
        region: (*region).into(),
        arn: format!("{panel}/routingcontrol/{number:016}").into(),
        health_check: Some(format!("0a1b2c3d-1111-4222-8333-44445555888{number}").into()),
    });
    Topology {
        version: 1,
        application: "orders".into(),
        scope,
        hostnames: vec![Hostname {
            name: "api.example.com".into(),
            zone_id: Some("Z0123456789ABCDEFGHIJ".into()),
            private_zone: false,
            front_door: FrontDoor::default(),
        }],
        records: regions
            .iter()
            .map(|(region, zone)| Record {
                name: "api.example.com".into(),
                record_type: "A".into(),
                zone_id: "Z0123456789ABCDEFGHIJ".into(),
                set_identifier: Some((*region).into()),
                policy: RoutingPolicy::Latency,
                region: (*region).into(),
                alias_target: balancer_name(region),
                alias_zone_id: (*zone).into(),
                evaluate_target_health: true,
                health_check: Some("0a1b2c3d-1111-4222-8333-444455556666".into()),
            })
            .collect(),
        regions: regions
            .iter()
            .map(|(region, zone)| RegionEntry {
                name: (*region).into(),
                load_balancers: vec![LoadBalancer {
                    name: "api".into(),
                    arn: elb(region, "loadbalancer/app/api/50dc6c495c0c9188"),
                    dns_name: balancer_name(region),
                    canonical_zone_id: (*zone).into(),
                    kind: LoadBalancerKind::Application,
                    target_groups: vec![group(region)],
                }],
                services: vec![Service {
                    key: ServiceKey { cluster: "prod".into(), service: "api".into() },
                    arn: format!("arn:aws:ecs:{region}:{account}:service/prod/api").into(),
                    target_groups: vec![group(region)],
                    scalable: true,
                    on_evacuate: OnEvacuate::default(),
                    uses_database: true,
                }],
                alarms: vec!["api-5xx".into(), "api-unhealthy-targets".into()],
                topics: vec![format!("arn:aws:sns:{region}:{account}:oncall").into()],
            })
            .collect(),
        tables: vec![Table {
            name: "Orders".into(),
            regions: regions.iter().map(|(region, _)| Region::new(region)).collect(),
            witness: None,
        }],
        aurora: vec![AuroraGlobal {
            id: "orders-db".into(),
            arn: Some(format!("arn:aws:rds::{account}:global-cluster:orders-db").into()),
            engine: "aurora-postgresql".into(),
            members: regions
                .iter()
                .map(|(region, _)| AuroraMember {
                    region: (*region).into(),
                    id: format!("orders-db-{region}").into(),
                    arn: format!("arn:aws:rds:{region}:{account}:cluster:orders-db-{region}").into(),
                })
                .collect(),
        }],
        replication: vec![BucketReplication {
            source: "orders-us-east-1".into(),
            source_region: "us-east-1".into(),
            destination: "orders-eu-west-1".into(),
            destination_region: "eu-west-1".into(),
            rule: "everything".into(),
            metrics: true,
        }],
        dns: DnsEntry::default(),
        probe: ProbeSettings::default(),
        synthetic: SyntheticSettings::default(),
        evacuation: EvacuationMethod::ALL.to_vec(),
        switches: vec![
            Switch {
                region: "us-east-1".into(),
                home: "eu-west-1".into(),
                health_check: Some("0a1b2c3d-1111-4222-8333-444455557777".into()),
                wire: SwitchWire::Object { bucket: "orders-switch".into(), key: "evacuate/us-east-1".into() },
            },
            Switch {
                region: "eu-west-1".into(),
                home: "us-west-2".into(),
                health_check: None,
                wire: SwitchWire::Metric { namespace: "Orders".into(), name: "evacuate-eu-west-1".into() },
            },
        ],
        arc: Some(ArcSettings { endpoints: endpoints(), routing_controls: controls.collect() }),
        lease: Some(LeaseSettings { table: "switchtower-lease".into(), region: "us-west-2".into() }),
        notify: Some(NotifySettings {
            topics: vec![format!("arn:aws:sns:us-west-2:{account}:oncall").into()],
            command: ["/usr/local/bin/page", "--team", "orders"].map(String::from).to_vec(),
        }),
        cleanup: Some(CleanupSettings {
            owner_tag: Some("application".into()),
            owner_value: Some("orders".into()),
            stacks: regions
                .iter()
                .map(|(region, _)| NetworkStack { region: (*region).into(), name: "orders-network".into() })
                .collect(),
        }),
        thresholds: Thresholds::default(),
        freshness: Freshness::default(),
        policy: Policy::default(),
    }
}

/// Leaves parts of the wiring out, and fills others with words.
fn act(
    topology: &mut Topology,
    say: &[String],
    [switches, arc, lease, notify, cleanup, tag, keep, check]: [bool; 8],
) {
    let words = || say.iter().map(|word| format!("w{word}"));
    for (switch, word) in topology.switches.iter_mut().zip(words().cycle()) {
        match &mut switch.wire {
            SwitchWire::Object { key, .. } => *key = word,
            SwitchWire::Metric { namespace, .. } => *namespace = word,
        }
        if check {
            switch.health_check = None;
        }
    }
    if switches {
        topology.switches.remove(0);
    }
    if arc {
        topology.arc = None;
    }
    if lease {
        topology.lease = None;
    }
    if keep && let Some(service) = topology.regions[0].services.first_mut() {
        service.on_evacuate = OnEvacuate::Keep;
        service.uses_database = false;
    }
    topology.notify = match (notify, tag) {
        (true, _) => None,
        (false, true) => Some(NotifySettings { topics: Vec::new(), command: words().collect() }),
        (false, false) => Some(NotifySettings::default()),
    };
    if cleanup {
        topology.cleanup = None;
    } else if tag && let Some(cleanup) = &mut topology.cleanup {
        (cleanup.owner_tag, cleanup.owner_value) = (None, None);
        cleanup.stacks.truncate(1);
    }
}

/// The five of one ARC cluster.
fn endpoints() -> Vec<ArcEndpoint> {
    let regions = ["us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2", "ap-northeast-1"];
    let endpoint = |region: &str| ArcEndpoint {
        url: format!("https://0a1b2c3d.route53-recovery-cluster.{region}.amazonaws.com/v1"),
        region: region.into(),
    };
    regions.map(endpoint).to_vec()
}

/// Valid topologies that differ from the example in names, lists, numbers and optional parts.
fn any_topology() -> impl Strategy<Value = Topology> {
    let words = "[a-zA-Z0-9 \"'\\\\#=äß\\[\\]{}-]{1,20}";
    (
        (words, prop::collection::vec(words, 1..4), any::<bool>(), prop::option::of("[a-z]{1,8}")),
        prop::collection::vec(words, 0..12),
        (0.0_f64..1e6, 0.0_f64..1e6, 1_u64..100_000, 1_u64..60),
        prop::collection::vec((0_i64..4_000_000_000, 1_i64..1_000_000, words), 0..3),
        (any::<bool>(), any::<bool>(), any::<bool>()),
        (
            prop::sample::subsequence(EvacuationMethod::ALL.to_vec(), 0..=EvacuationMethod::ALL.len())
                .prop_shuffle(),
            prop::array::uniform8(any::<bool>()),
        ),
    )
        .prop_map(
            |((name, say, private, profile), alarms, numbers, freezes, parts, (evacuation, acting))| {
                let mut topology = example();
                topology.application = format!("a{name}").into();
                topology.evacuation = evacuation;
                act(&mut topology, &say, acting);
                topology.hostnames[0].private_zone = private;
                if let Some(scope) = topology.scope.get_mut("dns") {
                    scope.profile = profile;
                }
                topology.regions[1].alarms = alarms.iter().map(|word| format!("a{word}").into()).collect();
                let (low, high) = (numbers.0.min(numbers.1), numbers.0.max(numbers.1));
                topology.thresholds.p99_ms = Levels { warning: low, critical: high };
                topology.thresholds.certificate_days = Levels { warning: high, critical: low };
                topology.freshness.metrics = numbers.2;
                topology.probe.timeout_seconds = numbers.3;
                topology.policy.answers_live_seconds = numbers.2;
                topology.policy.quiet_minutes = numbers.3;
                topology.policy.soak_minutes = numbers.2;
                topology.policy.freezes = freezes
                    .into_iter()
                    .map(|(from, long, reason)| Freeze {
                        from: jiff::Timestamp::from_second(from).unwrap(),
                        until: jiff::Timestamp::from_second(from + long).unwrap(),
                        reason: format!("r{reason}").into(),
                    })
                    .collect();
                if private {
                    topology.synthetic.path = Some("/deep".into());
                    topology.synthetic.write = Some(SyntheticWrite {
                        method: "POST".into(),
                        path: "/canary".into(),
                        body: format!("{{\"{name}\": \"{{token}}\"}}"),
                        content_type: "application/json".into(),
                        status: parts.0.then_some(201),
                        read_back: parts.1.then(|| "/canary/{token}".into()),
                    });
                }
                if parts.0 {
                    topology.aurora.clear();
                    topology.probe.control = Some("https://example.net/".into());
                    topology.dns.server = Some("[2001:db8::53]:53".parse().unwrap());
                }
                if parts.1 {
                    topology.tables[0].witness = Some("us-west-2".into());
                    topology.regions[0].load_balancers.clear();
                    topology.regions[0].services.clear();
                    topology.records.remove(0);
                }
                if parts.2 {
                    topology.replication.clear();
                    topology.hostnames.clear();
                    topology.probe.base = Some("http://127.0.0.1:8080/_sim/app/{region}".into());
                    topology.dns.server = Some("127.0.0.1:5053".parse().unwrap());
                    topology.scope.clear();
                }
                topology
            },
        )
}
