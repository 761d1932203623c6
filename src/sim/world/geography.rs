//! The thirty regions that the reference application can span, and what depends on the place.
//!
//! What it is for: load balancer zones, daily waves, distances.
//! What it must not do: hold anything that changes.

/// A region as the world needs it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Region name.
    pub name: &'static str,
    /// Canonical hosted zone of its load balancers.
    pub elb_zone: &'static str,
    /// Latitude and longitude, degrees.
    pub at: (f64, f64),
    /// Users near it, as a share of a large region's.
    pub demand: f64,
}

const fn place(name: &'static str, elb_zone: &'static str, at: (f64, f64), demand: f64) -> Place {
    Place { name, elb_zone, at, demand }
}

/// The regions, in the order in which `demo --regions N` takes them.
pub const PLACES: [Place; 30] = [
    place("us-east-1", "Z35SXDOTRQ7X7K", (38.9, -77.4), 1.0),
    place("eu-west-1", "Z32O12XQLNTSW2", (53.3, -6.3), 0.8),
    place("us-west-2", "Z1H1FL5HABSF5", (45.8, -119.7), 0.7),
    place("ap-northeast-1", "Z14GRHDCWA56QT", (35.7, 139.7), 0.75),
    place("eu-central-1", "Z215JYRZR1TBD5", (50.1, 8.7), 0.7),
    place("ap-southeast-1", "Z1LMS91P8CMLE5", (1.4, 103.8), 0.55),
    place("us-east-2", "Z3AADJGX6KTTL2", (40.0, -83.0), 0.5),
    place("ap-south-1", "ZP97RAFLXTNZK", (19.1, 72.9), 0.65),
    place("eu-west-2", "ZHURV8PSTC4K8", (51.5, -0.1), 0.5),
    place("ap-southeast-2", "Z1GM3OXH4ZPM65", (-33.9, 151.2), 0.35),
    place("ca-central-1", "ZQSVJUPU6J1EY", (45.5, -73.6), 0.3),
    place("sa-east-1", "Z2P70J7HTTTPLU", (-23.5, -46.6), 0.45),
    place("eu-north-1", "Z23TAZ6LKFMNIO", (59.3, 18.1), 0.25),
    place("eu-west-3", "Z3Q77PNBQS71R4", (48.9, 2.4), 0.35),
    place("us-west-1", "Z368ELLRRE2KJ0", (37.4, -121.9), 0.4),
    place("ap-northeast-2", "ZWKZPGTI48KDX", (37.6, 127.0), 0.4),
    place("ap-northeast-3", "Z5LXEXXYW11ES", (34.7, 135.5), 0.2),
    place("eu-south-1", "Z3ULH7SSC9OV64", (45.5, 9.2), 0.2),
    place("me-south-1", "ZS929ML54UICD", (26.1, 50.6), 0.15),
    place("af-south-1", "Z268VQBMOI5EKX", (-33.9, 18.4), 0.15),
    place("ap-east-1", "Z3DQVH9N71FHZ0", (22.3, 114.2), 0.3),
    place("me-central-1", "Z08230872XQRWHG2XF6I", (24.5, 54.4), 0.15),
    place("eu-central-2", "Z06391101F2ZOEP8P5EB3", (47.4, 8.5), 0.15),
    place("eu-south-2", "Z0956581394HF5D5LXGAP", (41.6, -0.9), 0.15),
    place("ap-south-2", "Z0173938T07WNTVAEPZN", (17.4, 78.5), 0.2),
    place("ap-southeast-3", "Z08888821HLRG5A9ZRTER", (-6.2, 106.8), 0.3),
    place("ap-southeast-4", "Z09517862IB2WZLPXG76F", (-37.8, 145.0), 0.15),
    place("il-central-1", "Z09170902867EHPV2DABU", (32.1, 34.8), 0.15),
    place("ca-west-1", "Z06473681N0SF6OS049SD", (51.0, -114.1), 0.1),
    place("mx-central-1", "Z023552324OKD1BB28BH5", (20.6, -100.4), 0.15),
];

/// Distance in degrees of arc on the globe.
pub fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    let ((lat_a, lon_a), (lat_b, lon_b)) = (a, b);
    let (lat_a, lat_b) = (lat_a.to_radians(), lat_b.to_radians());
    let angle = lat_a.sin() * lat_b.sin() + lat_a.cos() * lat_b.cos() * (lon_a - lon_b).to_radians().cos();
    angle.clamp(-1.0, 1.0).acos().to_degrees()
}
