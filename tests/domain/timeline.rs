//! The timeline reports what moved, and nothing else.

use switchtower::domain::changes::Timeline;
use switchtower::domain::ids::ServiceKey;
use switchtower::domain::observation::ErrorKind;

use super::fixture::{World, error, service_state};

fn lines(timeline: &mut Timeline, world: &World) -> Vec<String> {
    timeline
        .observe(&world.topology, &world.snapshot(), &world.verdict())
        .into_iter()
        .map(|change| {
            let region = change.region.map(|region| region.to_string()).unwrap_or_default();
            format!("{region} {} {} {}", change.pane, change.resource, change.what)
        })
        .collect()
}

#[test]
fn what_moved_is_told_once() {
    let mut world = World::healthy();
    let mut timeline = Timeline::default();
    assert!(lines(&mut timeline, &World::unread()).is_empty(), "nothing was known");
    assert!(lines(&mut timeline, &world).is_empty(), "first values are no change");
    assert!(lines(&mut timeline, &world).is_empty(), "nothing moved");
    let api = ServiceKey { cluster: "prod".into(), service: "api".into() };
    let at = world.now;
    world.regions[0].services.get_mut(&api).unwrap().succeed(service_state(4, 3), at);
    assert_eq!(
        lines(&mut timeline, &world),
        [
            "us-east-1 region  verdict healthy -> degraded",
            " region  verdict healthy -> degraded",
            "us-east-1 ecs api running 4 -> 3"
        ]
    );
    world.regions[0].services.get_mut(&api).unwrap().fail(error(ErrorKind::Throttled, at));
    assert!(lines(&mut timeline, &world).is_empty(), "an error is no change of the value");
}
