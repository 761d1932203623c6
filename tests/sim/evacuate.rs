//! Taking a region out of DNS: health check flags and records, with what follows over time.

use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecordSet, ResourceRecordSetRegion,
    RrType,
};
use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::sim::{Scenario, Sim, SimOptions};

use super::{code, config, in_dns, pass, until, world, world_of};

fn route53(sim: &Sim) -> aws_sdk_route53::Client {
    aws_sdk_route53::Client::new(&config(sim, "us-east-1"))
}

fn check(sim: &Sim, site: usize) -> String {
    sim.evacuation().record_checks[site].1.as_str().to_owned()
}

async fn set(sim: &Sim, site: usize, disabled: bool, inverted: bool) {
    let client = route53(sim);
    client
        .update_health_check()
        .health_check_id(check(sim, site))
        .disabled(disabled)
        .inverted(inverted)
        .send()
        .await
        .unwrap();
}

fn zone(sim: &Sim) -> String {
    sim.topology().hostnames[0].zone_id.as_ref().unwrap().as_str().to_owned()
}

/// What the zone's servers tell clients near each region.
async fn answers(sim: &Sim) -> Vec<String> {
    let client = route53(sim);
    let mut answers = Vec::new();
    for site in 0..sim.topology().regions.len() {
        let answer = client
            .test_dns_answer()
            .hosted_zone_id(zone(sim))
            .record_name("api.example.com")
            .record_type(RrType::A)
            .edns0_client_subnet_ip(format!("198.18.{site}.0"))
            .send()
            .await
            .unwrap();
        answers.push(answer.record_data().join(","));
        pass(sim, 1).await;
    }
    answers
}

#[tokio::test(start_paused = true)]
async fn disabled_alone_is_healthy_and_with_inverted_it_is_off() {
    let sim = world("calm");
    assert_eq!(answers(&sim).await, ["203.0.113.10", "203.0.113.14"]);
    set(&sim, 0, true, false).await;
    pass(&sim, 120).await;
    assert_eq!(in_dns(&sim), [true, true], "disabled means healthy");
    set(&sim, 0, true, true).await;
    pass(&sim, 30).await;
    assert_eq!(answers(&sim).await, ["203.0.113.14", "203.0.113.14"]);
    assert_eq!(in_dns(&sim), [false, true]);
    set(&sim, 0, false, false).await;
    pass(&sim, 30).await;
    assert_eq!(in_dns(&sim), [true, true]);
}

#[tokio::test(start_paused = true)]
async fn inverted_alone_flips_back_when_the_region_really_dies() {
    for (disabled, comes_back) in [(false, true), (true, false)] {
        let sim = world("calm");
        set(&sim, 0, disabled, true).await;
        pass(&sim, 60).await;
        assert_eq!(in_dns(&sim), [false, true]);
        sim.black_out(&Region::new("us-east-1"), SignedDuration::ZERO, None);
        pass(&sim, 180).await;
        // Its load balancer is ill too, which keeps it out as long as the record evaluates that.
        let verdict = sim.world().check_healthy(&check(&sim, 0), sim.clock().now());
        assert_eq!(verdict, comes_back);
    }
}

#[tokio::test(start_paused = true)]
async fn when_all_are_unhealthy_all_are_answered() {
    let sim = world("calm");
    set(&sim, 0, true, true).await;
    set(&sim, 1, true, true).await;
    pass(&sim, 60).await;
    assert_eq!(in_dns(&sim), [true, true]);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_somebody_changed_meanwhile_refuses_the_update() {
    let sim = world("calm");
    let client = route53(&sim);
    let update = |version: i64| {
        client
            .update_health_check()
            .health_check_id(check(&sim, 0))
            .health_check_version(version)
            .disabled(true)
    };
    let updated = update(1).send().await.unwrap().health_check.unwrap();
    assert_eq!(updated.health_check_version(), 2);
    assert_eq!(updated.health_check_config().unwrap().disabled(), Some(true));
    let late = update(1).send().await;
    assert_eq!(late.as_ref().unwrap_err().raw_response().unwrap().status().as_u16(), 409);
    assert_eq!(code(late), "HealthCheckVersionMismatch");
    let read = client.get_health_check().health_check_id(check(&sim, 0)).send().await.unwrap();
    assert_eq!(read.health_check.unwrap().health_check_version(), 2);
    let unknown = client.update_health_check().health_check_id("nope").disabled(true).send().await;
    assert_eq!(code(unknown), "NoSuchHealthCheck");
}

#[tokio::test(start_paused = true)]
async fn a_linked_check_is_read_only() {
    let sim = world_of(SimOptions { linked_checks: vec![Region::new("eu-west-1")], ..SimOptions::default() });
    let client = route53(&sim);
    let read = client.get_health_check().health_check_id(check(&sim, 1)).send().await.unwrap();
    let linked = read.health_check.unwrap().linked_service.unwrap();
    assert_eq!(linked.service_principal(), Some("servicediscovery.amazonaws.com"));
    let refused = client.update_health_check().health_check_id(check(&sim, 1)).disabled(true).send().await;
    assert_eq!(code(refused), "AccessDenied");
}

#[tokio::test(start_paused = true)]
async fn traffic_follows_dns_and_kept_connections_end_later() {
    let sim = world("calm");
    pass(&sim, 120).await;
    let before = sim.view().regions[0].served_last_minute;
    set(&sim, 0, true, true).await;
    let share = |sim: &Sim| sim.view().regions[0].served_last_minute as f64 / before as f64;
    pass(&sim, 240).await;
    let kept = share(&sim);
    assert!(kept > 0.005 && kept < 0.05, "{kept}");
    let passed = until(&sim, 1_800, "traffic below one percent", |sim| share(sim) < 0.01).await;
    assert!(passed < 600, "{passed}");
    pass(&sim, 3_600).await;
    assert!(share(&sim) < 0.000_1, "{}", share(&sim));
    let failed: f64 =
        sim.users_failed_since(super::START.parse().unwrap()).iter().map(|(_, failed)| failed).sum();
    let served: u64 = sim.view().regions.iter().map(|region| region.served).sum();
    assert!(failed < 0.001 * served as f64, "{failed} of {served}");
}

fn record(sim: &Sim, site: usize, name: &str, kind: RrType) -> ResourceRecordSet {
    let topology = sim.topology();
    let region = topology.regions[site].name.as_str().to_owned();
    let balancer = &topology.regions[site].load_balancers[0];
    ResourceRecordSet::builder()
        .name(format!("{name}."))
        .r#type(kind)
        .set_identifier(&region)
        .region(ResourceRecordSetRegion::from(region.as_str()))
        .health_check_id(check(sim, site))
        .alias_target(
            AliasTarget::builder()
                .hosted_zone_id(balancer.canonical_zone_id.as_str())
                .dns_name(format!("dualstack.{}.", balancer.dns_name.as_str()))
                .evaluate_target_health(true)
                .build()
                .unwrap(),
        )
        .build()
        .unwrap()
}

fn batch(action: &ChangeAction, records: impl IntoIterator<Item = ResourceRecordSet>) -> ChangeBatch {
    let change =
        |record| Change::builder().action(action.clone()).resource_record_set(record).build().unwrap();
    ChangeBatch::builder().set_changes(Some(records.into_iter().map(change).collect())).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn records_change_together_or_not_at_all() {
    let sim = world("calm");
    let client = route53(&sim);
    let change = |batch| client.change_resource_record_sets().hosted_zone_id(zone(&sim)).change_batch(batch);
    let all: Vec<_> = ["api.example.com", "www.example.com"]
        .into_iter()
        .flat_map(|name| [RrType::A, RrType::Aaaa].map(|kind| record(&sim, 0, name, kind)))
        .collect();
    // One record of the batch is not what is there.
    let mut wrong = all.clone();
    wrong[3].health_check_id = None;
    assert_eq!(code(change(batch(&ChangeAction::Delete, wrong)).send().await), "InvalidChangeBatch");
    let again = change(batch(&ChangeAction::Create, all[..1].to_vec())).send().await;
    assert_eq!(code(again), "InvalidChangeBatch");
    pass(&sim, 60).await;
    let mut stray = all[0].clone();
    stray.health_check_id = Some("11111111-2222-4333-a444-555555555555".into());
    assert_eq!(code(change(batch(&ChangeAction::Upsert, [stray])).send().await), "NoSuchHealthCheck");
    assert_eq!(in_dns(&sim), [true, true]);

    let sent = change(batch(&ChangeAction::Delete, all.clone())).send().await.unwrap().change_info.unwrap();
    assert_eq!(sent.status(), &ChangeStatus::Pending);
    // What is pending is listed as if it were there, and not yet answered.
    let listed = client.list_resource_record_sets().hosted_zone_id(zone(&sim)).send().await.unwrap();
    let here = listed.resource_record_sets().iter().filter(|set| set.set_identifier() == Some("us-east-1"));
    assert_eq!(here.count(), 0);
    assert_eq!(in_dns(&sim), [true, true]);
    let status = async || client.get_change().id(sent.id()).send().await.unwrap().change_info.unwrap().status;
    assert_eq!(status().await, ChangeStatus::Pending);
    pass(&sim, 45).await;
    assert_eq!(status().await, ChangeStatus::Insync);
    assert_eq!(in_dns(&sim), [false, true]);
    assert_eq!(answers(&sim).await, ["203.0.113.14", "203.0.113.14"]);
    assert_eq!(code(client.get_change().id("C0000000000000").send().await), "NoSuchChange");

    change(batch(&ChangeAction::Create, all)).send().await.unwrap();
    pass(&sim, 45).await;
    assert_eq!(in_dns(&sim), [true, true]);
}

#[tokio::test(start_paused = true)]
async fn names_without_records_lead_nowhere_and_their_users_fail() {
    let sim = world("calm");
    let client = route53(&sim);
    let gone = [0, 1].map(|site| record(&sim, site, "api.example.com", RrType::A));
    let batch = batch(&ChangeAction::Delete, gone);
    client.change_resource_record_sets().hosted_zone_id(zone(&sim)).change_batch(batch).send().await.unwrap();
    let from = sim.clock().now();
    pass(&sim, 300).await;
    let failed: f64 = sim.users_failed_since(from).iter().map(|(_, failed)| failed).sum();
    assert!(failed > 10_000.0, "{failed}");
    assert_eq!(in_dns(&sim), [true, true], "other names still lead there");
}

#[tokio::test(start_paused = true)]
async fn a_record_needs_its_check_and_its_targets() {
    let text = "name = \"own\"\ndescription = \"…\"\n[[effect]]\nkind = \"tasks_lost\"\nfraction = 1.0\n\
                services = [\"web\"]";
    let sim = world("calm");
    sim.start(&Scenario::parse(text).unwrap(), None).unwrap();
    pass(&sim, 120).await;
    assert!(sim.world().check_healthy(&check(&sim, 0), sim.clock().now()), "the endpoint itself answers");
    assert_eq!(in_dns(&sim), [false, true]);
}
