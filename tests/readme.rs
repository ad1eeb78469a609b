//! The README shows real code: what it prints is what runs.

#[test]
fn the_readme_shows_the_quickstart_as_it_is() {
    let quickstart = include_str!("../examples/quickstart.rs").trim_end();
    assert!(include_str!("../README.md").contains(quickstart), "copy examples/quickstart.rs into the README");
}

#[test]
fn the_quickstart_is_short() {
    assert!(include_str!("../examples/quickstart.rs").lines().count() < 60);
}
