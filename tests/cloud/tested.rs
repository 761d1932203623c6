//! Where our own DNS questions come to nothing, Route 53 says what its servers would answer; nobody waits for it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::SignedDuration;
use switchtower::cloud::Acting;
use switchtower::domain::ids::HostName;
use switchtower::domain::observation::ErrorKind;
use switchtower::ports::{BoxFuture, Clock, DnsAnswer, DnsLookup, DnsQuestion, NameServer, ProbeFailure};
use switchtower::runbook::{Answer, Executor, Fact, Facts, Known, Operation};
use switchtower::sim::{FaultKind, InjectedFault, Mode};

use super::act::{apply, east, hands, pass};
use super::fixture::World;

/// A way to name servers on which some questions are lost.
struct Lossy {
    inner: Arc<dyn DnsLookup>,
    clock: Clock,
    passes: fn(&DnsQuestion) -> bool,
    finds: bool,
}

fn lost() -> ProbeFailure {
    ProbeFailure { kind: ErrorKind::TimedOut, message: "no answer".into() }
}

impl DnsLookup for Lossy {
    fn lookup<'a>(&'a self, host: &'a HostName) -> BoxFuture<'a, Result<Vec<IpAddr>, ProbeFailure>> {
        self.inner.lookup(host)
    }

    fn ask(&self, question: DnsQuestion) -> BoxFuture<'_, Result<DnsAnswer, ProbeFailure>> {
        if (self.passes)(&question) {
            return self.inner.ask(question);
        }
        Box::pin(async move {
            self.clock.sleep(question.timeout).await;
            Err(lost())
        })
    }

    fn name_servers<'a>(
        &'a self,
        zone: &'a HostName,
        timeout: std::time::Duration,
    ) -> BoxFuture<'a, Result<Vec<NameServer>, ProbeFailure>> {
        if self.finds {
            return self.inner.name_servers(zone, timeout);
        }
        Box::pin(async move {
            self.clock.sleep(timeout).await;
            Err(lost())
        })
    }
}

/// True for clients of every second network.
fn half(question: &DnsQuestion) -> bool {
    let third = |client: switchtower::ports::ClientSubnet| match client.address() {
        IpAddr::V4(address) => address.octets()[2],
        IpAddr::V6(_) => 0,
    };
    question.client.is_none_or(|client| third(client) % 2 == 1)
}

fn through(world: &World, passes: fn(&DnsQuestion) -> bool, finds: bool) -> Acting {
    let dns = Lossy { inner: world.sim.probe(), clock: world.clock, passes, finds };
    world.cloud.acting(world.topology.clone(), world.sim.probe(), Some(Arc::new(dns)))
}

async fn answers(world: &World, acting: &Acting) -> (Facts, Fact, SignedDuration) {
    let fact = Fact::Answers(world.topology.hostnames[0].name.clone());
    let started = world.clock.now();
    let facts = acting.observe(std::slice::from_ref(&fact)).await;
    (facts, fact, world.clock.now().duration_since(started))
}

fn regions(answers: &[Answer]) -> BTreeSet<String> {
    answers.iter().filter_map(|answer| answer.region.as_ref().map(ToString::to_string)).collect()
}

/// How many of the answers Route 53 told, of how many.
fn told(facts: &Facts, fact: &Fact) -> (usize, usize) {
    let answers = facts.answers(fact).unwrap_or_else(|| panic!("{:?}", facts.error(fact)));
    assert!(answers.iter().all(|answer| answer.ttl == 60 && answer.region.is_some()), "{answers:?}");
    (answers.iter().filter(|answer| answer.tested).count(), answers.len())
}

fn calls(world: &World) -> usize {
    world.sim.calls().iter().filter(|call| call.operation == "TestDNSAnswer").count()
}

#[tokio::test(start_paused = true)]
async fn route_53_stands_in_where_its_servers_do_not_answer() {
    // A, and AAAA, for the places of both regions; for thirty by the servers themselves.
    for (name, passes, finds, expected) in [
        ("all is heard", (|_| true) as fn(&DnsQuestion) -> bool, true, (0, 60)),
        ("nothing is heard", |_| false, true, (4, 4)),
        ("half is heard", half, true, (4, 30 + 4)),
        ("nobody tells the servers", |_| true, false, (4, 4)),
    ] {
        let (world, _) = hands("calm");
        let acting = through(&world, passes, finds);
        let (facts, fact, took) = answers(&world, &acting).await;
        assert_eq!(told(&facts, &fact), expected, "{name}");
        assert_eq!(calls(&world), expected.0, "{name}: nothing is asked of the API without need");
        assert!(took < SignedDuration::from_millis(3_900), "{name}: {took:?}");
        let both = BTreeSet::from(["eu-west-1".to_owned(), "us-east-1".to_owned()]);
        assert_eq!(regions(facts.answers(&fact).unwrap()), both, "{name}");

        let object = world.sim.evacuation().switch_object.unwrap();
        let put = Operation::PutSwitchObject {
            region: object.region,
            bucket: object.bucket.as_str().into(),
            key: object.keys[0].1.clone(),
            steers: east(),
        };
        apply(&world, &acting, &put).await.unwrap();
        pass(&world, 120).await;
        let (facts, fact, _) = answers(&world, &acting).await;
        let left = BTreeSet::from(["eu-west-1".to_owned()]);
        assert_eq!(regions(facts.answers(&fact).unwrap()), left, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_route_53_tells_nothing_either_nothing_is_known() {
    let (world, _) = hands("calm");
    let kind = FaultKind::Refuse { status: 403, code: "AccessDenied".into() };
    world.sim.inject(InjectedFault::next("route53", "TestDNSAnswer", kind).on(0));
    for (passes, words) in
        [((|_| false) as fn(&DnsQuestion) -> bool, "60 of 60 questions"), (half, "30 of 60 questions")]
    {
        let acting = through(&world, passes, true);
        let (facts, fact, _) = answers(&world, &acting).await;
        assert_eq!(facts.value(&fact), None);
        let error = facts.error(&fact).unwrap();
        let message = error.message.as_str();
        assert!(message.starts_with(words) && message.contains("route53:TestDNSAnswer"), "{message}");
    }
    world.sim.apis_down(&east(), &["route53"], Mode::Hang, SignedDuration::ZERO, None);
    let acting = through(&world, |_| false, true);
    let (facts, fact, took) = answers(&world, &acting).await;
    assert_eq!(facts.error(&fact).unwrap().kind, ErrorKind::TimedOut);
    assert!(took < SignedDuration::from_secs(4), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_takes_users_out_never_waits_behind_what_only_looks() {
    let (world, _) = hands("calm");
    let acting = through(&world, |_| false, true);
    let names: Vec<Fact> =
        world.topology.hostnames.iter().map(|host| Fact::Answers(host.name.clone())).collect();
    let check = Fact::HealthCheck(world.sim.evacuation().record_checks[0].1.clone());
    let check = std::slice::from_ref(&check);
    // In the midst of it a run wants to know a check.
    let (_, took) = tokio::join!(acting.observe(&names), async {
        pass_millis(&world, 1_650).await;
        let started = world.clock.now();
        let seen = acting.observe(check).await;
        assert!(matches!(seen.value(&check[0]), Some(Known::HealthCheck(_))), "{:?}", seen.error(&check[0]));
        world.clock.now().duration_since(started)
    });
    assert!(calls(&world) >= 8, "both names are asked for: {}", calls(&world));
    assert!(took < SignedDuration::from_secs(1), "{took:?}");
}

async fn pass_millis(world: &World, millis: u64) {
    world.clock.sleep(std::time::Duration::from_millis(millis)).await;
}
