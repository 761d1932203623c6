//! Finding the topology that is meant.

use std::path::Path;

use switchtower::files::Places;

fn places(folder: &Path) -> Places {
    Places { config: folder.join("config"), state: folder.join("state") }
}

fn topologies(places: &Places, names: &[&str]) {
    std::fs::create_dir_all(places.topologies()).unwrap();
    for name in names {
        std::fs::write(places.named(name), "version = 1\n").unwrap();
    }
}

#[test]
fn nothing_there_says_how_to_begin() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path());
    let words = places.find(None).unwrap_err().to_string();
    assert!(words.contains("switchtower init") && words.contains("switchtower demo"), "{words}");
    let words = places.find(Some("orders")).unwrap_err().to_string();
    assert!(words.contains("`orders`") && words.contains("none exists yet"), "{words}");
    let words = places.find(Some("./orders.toml")).unwrap_err().to_string();
    assert!(words.contains("./orders.toml does not exist"), "{words}");
}

#[test]
fn the_only_topology_needs_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path());
    topologies(&places, &["orders"]);
    assert_eq!(places.find(None).unwrap(), places.named("orders"));
    assert_eq!(places.find(Some("orders")).unwrap(), places.named("orders"));
}

#[test]
fn of_several_one_is_chosen_by_name_or_is_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path());
    topologies(&places, &["shop", "orders"]);
    let words = places.find(None).unwrap_err().to_string();
    assert!(words.ends_with("choose with --topology: orders, shop"), "{words}");
    let words = places.find(Some("shap")).unwrap_err().to_string();
    assert!(words.ends_with("existing topologies: orders, shop"), "{words}");
    topologies(&places, &["default"]);
    assert_eq!(places.find(None).unwrap(), places.named("default"));
}

#[test]
fn a_path_is_taken_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path());
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, "").unwrap();
    assert_eq!(places.find(file.to_str()).unwrap(), file);
}

#[test]
fn names_never_leave_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path());
    for name in ["../../etc/passwd", "a/b", "..", ".", "", "ümlaut", "a\u{202e}b", "x\0y"] {
        let file = places.named(name);
        assert_eq!(file.parent(), Some(places.topologies().as_path()), "{name:?}");
        let baseline = places.baseline(name, None);
        assert_eq!(baseline.parent(), Some(places.state.join("baseline").as_path()), "{name:?}");
        let runs = places.runs(name, None);
        assert_eq!(runs.parent(), Some(places.state.join("runs").as_path()), "{name:?}");
    }
    assert_ne!(places.named("a/b"), places.named("a.b"));
    assert_ne!(places.named("a/b"), places.named("ab"));
    assert_ne!(places.named("a/b"), places.named("a\\b"));
}

#[test]
fn a_custom_endpoint_has_a_baseline_and_runs_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path());
    let real = places.baseline("orders", None);
    let simulated = places.baseline("orders", Some("http://127.0.0.1:5005"));
    assert_ne!(real, simulated);
    assert_ne!(simulated, places.baseline("orders", Some("http://127.0.0.1:5006")));
    assert_eq!(places.runs("orders", None), places.state.join("runs/orders"));
    assert_ne!(places.runs("orders", None), places.runs("orders", Some("http://127.0.0.1:5005")));
}
