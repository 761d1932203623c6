#[tokio::test(start_paused = true)]
async fn scratch() {
    use switchtower::sim::cloudwatch::source::{MetricId, MetricSource};
    for name in switchtower::sim::scenario_names() {
        let t0 = std::time::Instant::now();
        let sim = super::world(&name);
        let world = sim.world();
        println!("== {name} {:?}", sim.scenario());
        for step in 0..3 {
            let now = sim.clock().now();
            println!(
                " at {now}: {:?}",
                sim.view()
                    .regions
                    .iter()
                    .map(|r| (
                        r.region.clone(),
                        r.up,
                        r.in_dns,
                        r.healthy_tasks,
                        r.desired_tasks,
                        r.served_last_minute,
                        r.failed_last_minute
                    ))
                    .collect::<Vec<_>>()
            );
            for site in &world.fleet.sites {
                let alarms: Vec<String> = world
                    .alarms_at(&site.region, now)
                    .into_iter()
                    .filter(|a| a.state != "OK")
                    .map(|a| format!("{} {} {}", a.name, a.state, a.since))
                    .collect();
                if !alarms.is_empty() {
                    println!("   {} {alarms:#?}", site.region);
                }
                if step == 0 {
                    let minute = |back: i64| {
                        switchtower::domain::metric::floor_minute(now) - jiff::SignedDuration::from_mins(back)
                    };
                    for id in world.metrics(&site.region, now) {
                        if id.dimensions.iter().any(|(k, _)| k == "TargetGroup")
                            && id.name != "HealthyHostCount"
                        {
                            continue;
                        }
                        if [
                            "SSLHandshakeTime",
                            "ConnectionTime",
                            "ConsumedLCUs",
                            "AuroraGlobalDBDataTransferBytes",
                            "AuroraGlobalDBProgressLag",
                            "TimeToFirstByte",
                            "AuroraGlobalDBReplicatedWriteIO",
                        ]
                        .contains(&id.name.as_str())
                        {
                            continue;
                        }
                        let _: &MetricId = &id;
                        let values: Vec<String> = (0..9)
                            .map(|b| {
                                world.samples(&site.region, &id, minute(b), now).map_or("-".into(), |s| {
                                    if id.name == "TargetResponseTime" {
                                        format!("{:.2}", s.values[12].0)
                                    } else {
                                        format!("{:.1}", s.values.last().unwrap().0)
                                    }
                                })
                            })
                            .collect();
                        if name == "calm" || world.timeline().first().is_some() {
                            println!(
                                "   {} {}/{} {:?} {}",
                                site.region,
                                id.namespace,
                                id.name,
                                id.dimensions
                                    .iter()
                                    .map(|d| d.1.chars().take(22).collect::<String>())
                                    .collect::<Vec<_>>(),
                                values.join(" ")
                            );
                        }
                    }
                }
            }
            sim.clock().sleep(std::time::Duration::from_secs(300)).await;
        }
        println!("   took {:?}", t0.elapsed());
    }
}
