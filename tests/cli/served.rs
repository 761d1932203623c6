//! `init` and `status` against `sim --listen`, as an operator would run them.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::program::{Home, Ran, Sim, finish};

/// A home with a topology of the calm world. That world has just been asked much by `init`, and throttles like
/// AWS; the tests observe others of the same seed, whose resources are the same.
fn home() -> Home {
    let home = Home::new();
    let sim = Sim::start(&home, &[]);
    let ran = home.init(&sim);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    home
}

/// Another world, where the topology's own requests then go.
fn serve(home: &Home, arguments: &[&str]) -> Sim {
    let sim = Sim::start(home, arguments);
    let file = home.path(ORDERS);
    let text = std::fs::read_to_string(&file).unwrap();
    let base = text.lines().find(|line| line.starts_with("base = ")).unwrap();
    let new = format!("base = \"{}/_sim/app/{{region}}\"", sim.url);
    std::fs::write(&file, text.replace(base, &new)).unwrap();
    sim
}

const ORDERS: &str = ".config/switchtower/topologies/orders.toml";

fn status(home: &Home, sim: &Sim, arguments: &[&str]) -> Ran {
    let fixed = ["status", "--topology", "orders", "--endpoint-url", &sim.url];
    home.run(&[&fixed[..], arguments].concat())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn init_writes_once_and_prints_the_path() {
    let home = Home::new();
    let sim = Sim::start(&home, &[]);
    let ran = home.init(&sim);
    let file = home.path(ORDERS);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out, format!("{}\n", file.display()), "stdout has the path alone");
    for line in ["found      us-east-1: ECS service prod/api", "found      global table Orders"] {
        assert!(ran.err.contains(line), "{}", ran.err);
    }
    let again = home.init(&sim);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("--force"), "{}", again.err);
}

#[test]
fn init_says_first_what_it_could_not_read_and_writes_the_rest() {
    let home = Home::new();
    let sim = Sim::start(&home, &["--scenario", "black-hole"]);
    let regions = ["--regions", "us-east-1,eu-west-1", "--output", "orders.toml"];
    let fixed = ["init", "--endpoint-url", &sim.url, "--hostname", "api.example.com"];
    let ran = home.run(&[&fixed[..], &regions].concat());
    assert_eq!((ran.code, ran.out.as_str()), (Some(10), "orders.toml\n"), "{ran:?}");
    let first = ran.err.lines().next().unwrap();
    let start = "switchtower: the topology is incomplete, these could not be read: ";
    assert!(
        first.starts_with(start) && first.contains("eu-west-1 (load balancers, ECS services, "),
        "{first}"
    );
    assert!(first.ends_with("; run init again with --force when they can"), "{first}");
    let why = "\nnot read   eu-west-1: ECS services could not be read: ecs:ListClusters in eu-west-1: no answer within ";
    assert!(ran.err.contains(why), "{}", ran.err);
    let text = std::fs::read_to_string(home.path("orders.toml")).unwrap();
    assert!(text.contains("name = \"Orders\"") && text.contains("us-east-1"), "{text}");
}

#[test]
fn init_writes_where_to_ask_for_proof() {
    let home = Home::new();
    let sim = Sim::start(&home, &[]);
    let fixed = ["init", "--endpoint-url", &sim.url, "--hostname", "api.example.com"];
    let regions = ["--regions", "us-east-1,eu-west-1", "--output", "orders.toml", "--force"];
    let cases = [
        (
            &["--dns-server", "2001:db8::53", "--probe-control", "https://example.net/"][..],
            ["\nserver = \"[2001:db8::53]:53\"\n", "\ncontrol = \"https://example.net/\"\n"],
        ),
        (&[], ["\n# server = \"192.0.2.53:53\"\n", "\n# control = \"https://example.net/\"\n"]),
    ];
    for (arguments, expected) in cases {
        let ran = home.run(&[&fixed[..], &regions, arguments].concat());
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        let text = std::fs::read_to_string(home.path("orders.toml")).unwrap();
        assert!(expected.iter().all(|line| text.contains(line)), "{arguments:?}: {text}");
    }
}

#[test]
fn status_tells_every_number_as_json_and_as_text() {
    let home = home();
    let ran = status(&home, &serve(&home, &[]), &["--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let document = json(&ran.out);
    assert_eq!(document["schema"], "switchtower.status/1");
    assert_eq!(document["application"], "orders");
    assert_eq!(document["health"], "healthy");
    assert_eq!(document["accounts"]["dns"], "123456789012");
    let region = &document["regions"][0];
    assert_eq!(region["region"], "us-east-1");
    assert_eq!(region["in_dns"]["value"], true);
    let running = &region["ecs"][0]["running"];
    assert_eq!(running["value"], region["ecs"][0]["desired"]["value"]);
    assert_eq!(
        (&running["unit"], &running["stale"], &running["error"]),
        (&"count".into(), &false.into(), &Value::Null)
    );
    assert!(region["alb"][0]["requests_per_s"]["value"].as_f64().unwrap() > 1.0);
    assert_eq!(region["probe"][0]["status"]["value"], 200);
    assert!(region["dynamodb"][0]["replication_latency_ms"]["eu-west-1"]["value"].is_number());

    let text = status(&home, &serve(&home, &[]), &[]);
    assert_eq!(text.code, Some(0));
    assert!(!text.out.contains('\x1b'), "no colours in a pipe");
    let last = text.out.lines().last().unwrap();
    assert!(last.starts_with("summary  healthy  2 regions, 0 critical findings"), "{last}");
    let sim = serve(&home, &[]);
    let coloured = status(&home, &sim, &["--color", "always"]);
    assert!(coloured.out.contains("\x1b[32m"), "{}", coloured.out);
    assert_eq!(text.err, "");

    // A reader that has gone costs neither an error nor the verdict.
    let fixed = ["status", "--topology", "orders", "--endpoint-url", &sim.url];
    let mut child = home.command(&fixed).spawn().unwrap();
    drop(child.stdout.take());
    let ran = finish(child);
    assert_eq!(ran.err, "");
    assert!(matches!(ran.code, Some(0 | 12)), "{ran:?}");
}

#[test]
fn an_outage_is_the_first_line_and_the_exit_code() {
    let home = home();
    let sim = serve(&home, &["--scenario", "regional-outage"]);
    let ran = status(&home, &sim, &[]);
    assert_eq!(ran.code, Some(11), "{ran:?}");
    let first = ran.out.lines().next().unwrap();
    assert!(first.starts_with("finding  critical  us-east-1"), "{first}");
}

#[test]
fn refused_credentials_are_told_from_an_outage() {
    let home = home();
    let sim = serve(&home, &[]);
    let expired = serve(&home, &["--scenario", "expired-credentials"]);
    let ran = status(&home, &expired, &["--json"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(ran.err.contains("every region refuses the credentials"), "{}", ran.err);
    let kind = &json(&ran.out)["regions"][0]["ecs"][0]["running"]["error"]["kind"];
    assert_eq!(kind, "expired");
    let document = json(&ran.out);
    let mut findings = document["findings"].as_array().unwrap().iter();
    let finding = findings.find(|finding| finding["code"] == "region.credentials").unwrap();
    let next = finding["next"].as_str().unwrap();
    assert!(next.starts_with("renew the keys in the environment"), "{finding}");

    let mut nobody = home.command(&["status", "--topology", "orders", "--endpoint-url", &sim.url]);
    nobody.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let ran = finish(nobody.spawn().unwrap());
    assert_eq!(ran.code, Some(3), "{}", ran.err);
}

#[test]
fn what_was_known_is_shown_with_its_age_when_nothing_answers() {
    let home = home();
    let sim = serve(&home, &[]);
    assert_eq!(status(&home, &sim, &[]).code, Some(0));
    let url = sim.url.clone();
    drop(sim);
    let ran = home.run(&["status", "--topology", "orders", "--endpoint-url", &url, "--json"]);
    assert!(matches!(ran.code, Some(11 | 12)), "{ran:?}");
    let document = json(&ran.out);
    let running = &document["regions"][0]["ecs"][0]["running"];
    assert!(running["value"].is_number(), "{running}");
    assert_eq!((&running["stale"], &running["saved"]), (&true.into(), &true.into()));
    assert_eq!(running["error"]["kind"], "unreachable", "{running}");
}

#[test]
fn a_watch_prints_an_object_a_line_until_it_is_interrupted() {
    let home = home();
    let sim = serve(&home, &[]);
    let fixed = ["status", "--watch", "--json", "--topology", "orders", "--endpoint-url", &sim.url];
    let mut child = home.command(&fixed).stderr(Stdio::null()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let document = json(&line);
    assert_eq!(document["health"], "healthy", "{}", document["findings"]);
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let ran = finish(child);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
}

#[test]
fn the_log_is_a_file_and_never_the_terminal() {
    let home = home();
    let sim = serve(&home, &[]);
    let ran = status(&home, &sim, &["-v", "--log-file", "my.log"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let log = std::fs::read_to_string(home.path("my.log")).unwrap();
    assert!(log.contains("topology read"), "{log}");
    assert!(home.path(".local/state/switchtower/log").is_dir());
    let missing = home.run(&["status", "--log-file", "my.log/below-a-file.log"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("choose another file with --log-file"), "{}", missing.err);
}

#[test]
fn the_simulation_answers_dns_beside_and_ends_with_a_signal() {
    let home = Home::new();
    let arguments = ["sim", "--listen", "127.0.0.1:0", "--dns", "127.0.0.1:0"];
    let mut child = home.command(&arguments).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut line = || out.next().unwrap().unwrap();
    assert!(line().starts_with("listening on http://127.0.0.1:"));
    let said = line();
    let server: std::net::SocketAddr = said.strip_prefix("answering DNS on ").unwrap().parse().unwrap();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    // api.example.com A, by hand.
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03api\x07example\x03com\0\0\x01\0\x01";
    socket.send_to(question, server).unwrap();
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer).unwrap();
    assert_eq!(answer[length - 4..length], [203, 0, 113, 10]);

    let taken = home.run(&["sim", "--listen", "127.0.0.1:0", "--dns", &server.to_string()]);
    assert_eq!(taken.code, Some(1), "{taken:?}");
    assert!(taken.err.contains("choose another port, or 0"), "{}", taken.err);
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let ran = finish(child);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let hint =
        format!("near eu-west-1: dig @127.0.0.1 -p {} api.example.com +subnet=198.18.1.0/24", server.port());
    assert!(ran.err.contains(&hint), "{}", ran.err);
}
