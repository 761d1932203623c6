//! One observation of everything in each scenario.

use switchtower::poll::{DEADLINE, observe_once};

use super::fixture::world;

#[tokio::test(start_paused = true)]
async fn scratch() {
    for name in switchtower::sim::scenario_names() {
        let world = world(&name);
        let start = world.clock.now();
        let seen = observe_once(
            world.cloud.clone(),
            world.topology.clone(),
            world.sim.probe(),
            world.clock,
            DEADLINE,
        )
        .await;
        println!("=== {name} took {:?} usage {:?}", world.clock.now() - start, seen.usage);
        macro_rules! show {
            ($what:expr, $map:expr) => {
                for (key, value) in $map {
                    if let Some(error) = value.error() {
                        println!("{} {:?}: {error} [{:?}]", $what, key, error.kind);
                    } else if value.is_pending() {
                        println!("{} {:?} PENDING", $what, key);
                    }
                }
            };
        }
        for region in &seen.regions {
            let at = &region.region;
            println!("-- {at} {:?}", region.identity.value());
            if let Some(error) = region.identity.error() {
                println!("identity: {error} [{:?}]", error.kind);
            }
            show!("lb", &region.load_balancers);
            show!("tg", &region.target_groups);
            show!("svc", &region.services);
            show!("scaling", &region.scaling);
            show!("table", &region.tables);
            show!("global", &region.global_clusters);
            show!("db", &region.db_clusters);
            show!("bucket", &region.buckets);
            show!("alarm", &region.alarms);
            show!("topic", &region.topics);
            show!("metric", &region.metrics);
            for probe in &region.probes {
                println!(
                    "probe {} via {}: {:?} {:?}",
                    probe.url,
                    probe.via,
                    probe.result.value().map(|r| r.status),
                    probe.result.error().map(ToString::to_string)
                );
            }
            let points: usize =
                region.metrics.values().filter_map(|s| s.value()).map(|s| s.points().len()).sum();
            println!("{} series, {points} points", region.metrics.len());
        }
        let dns = &seen.dns;
        show!("record", &dns.records);
        show!("check", &dns.health_checks);
        show!("checkers", &dns.checkers);
        show!("failure", &dns.last_failures);
        show!("dns metric", &dns.metrics);
        println!(
            "records {:?}",
            dns.records.iter().map(|(n, r)| (n.to_string(), r.value().map(Vec::len))).collect::<Vec<_>>()
        );
        println!("control {:?}", dns.control.as_ref().map(|c| c.result.value().map(|r| r.status)));
        if name == "calm" {
            let region = &seen.regions[0];
            println!("{:#?}", region.services.values().next());
            println!("{:#?}", region.tables.values().next());
            println!("{:#?}", region.global_clusters.values().next());
            println!("{:#?}", region.buckets.values().next());
            println!("{:#?}", region.alarms.values().next());
            println!("{:#?}", dns.health_checks.values().next());
            println!("{:#?}", dns.checkers.values().next());
            for call in world.sim.calls() {
                println!("{} {} {} {}", call.service, call.operation, call.region, call.status);
            }
        }
    }
}
