//! The dependency rule of the design: which layer may use what. Reads the sources, so that a forbidden import fails here
//! before it spreads.

#![expect(clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A layer, the other layers it may use, and whether it is sans-IO.
struct Layer {
    name: &'static str,
    may_use: &'static [&'static str],
    /// No I/O, no clock, no threads, no global randomness, no engine.
    sans_io: bool,
}

const LAYERS: &[Layer] = &[
    Layer { name: "protocol", may_use: &[], sans_io: true },
    Layer { name: "client", may_use: &["protocol"], sans_io: true },
    Layer { name: "session", may_use: &["client", "protocol"], sans_io: true },
    Layer { name: "transport", may_use: &["protocol", "web"], sans_io: false },
    Layer { name: "bridge", may_use: &["client", "transport", "protocol", "web"], sans_io: false },
    Layer {
        name: "plugin",
        may_use: &["session", "bridge", "client", "transport", "protocol", "relay", "web"],
        sans_io: false,
    },
    Layer { name: "ui", may_use: &["plugin", "session", "client", "protocol"], sans_io: false },
    Layer { name: "relay", may_use: &["protocol"], sans_io: true },
    Layer { name: "web", may_use: &[], sans_io: false },
    Layer { name: "testing", may_use: &["plugin", "bridge", "client", "session", "relay", "protocol"], sans_io: true },
];

/// What a sans-IO layer does without.
const IMPURE: &[&str] = &[
    "bevy::",
    "tokio",
    "web_sys",
    "axum",
    "std::net",
    "std::thread",
    "std::fs",
    "thread::spawn",
    "Instant::now",
    "SystemTime::now",
    "getrandom",
    "rand::rng",
    "thread_rng",
];

/// Files of sans-IO layers that do without less, and what they may use: the relay's listener is its I/O, simulated time has
/// to start at some instant, which only the clock can make, and the rig holds whole apps.
const EXCEPTIONS: &[(&str, &[&str])] =
    &[("relay/listener", IMPURE), ("testing/net.rs", &["Instant::now"]), ("testing/rig", &["bevy::"])];

/// What belongs to a browser.
const BROWSER: &[&str] = &["web_sys", "js_sys", "wasm_bindgen", "crate::web"];

/// The files that may use a browser. They compile for wasm32 only, and all else is the same on every target.
const BROWSER_FILES: &[&str] = &[
    "src/web.rs",
    "src/web/",
    "transport/web.rs",
    "bridge/runtime/web.rs",
    "bridge/page/web.rs",
    "plugin/identity/storage.rs",
    "plugin/page/web.rs",
];

/// Files that only compile for tests.
fn is_test_file(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
}

fn sources(layer: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = vec![root.join(format!("{layer}.rs"))];
    let mut folders = vec![root.join(layer)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.retain(|path| !is_test_file(path));
    found
}

/// The code of a file: without comments, and without the tests at its end.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn violations() -> Vec<String> {
    let mut found = Vec::new();
    for layer in LAYERS {
        for path in sources(layer.name) {
            let code = code(&path);
            let name = path.to_string_lossy().replace('\\', "/");
            let allowed = EXCEPTIONS.iter().filter(|(file, _)| name.contains(file)).flat_map(|(_, words)| *words);
            let allowed: Vec<&str> = allowed.copied().collect();
            for other in LAYERS.iter().filter(|other| other.name != layer.name) {
                let used = ["crate::", "bevy_rooms::"].iter().any(|root| uses(&code, root, other.name));
                if used && !layer.may_use.contains(&other.name) {
                    found.push(format!("{} uses the layer {}", path.display(), other.name));
                }
            }
            let for_browsers = BROWSER_FILES.iter().any(|file| name.contains(file));
            for word in BROWSER.iter().filter(|word| !for_browsers && code.contains(**word)) {
                found.push(format!("{} is no file for browsers and uses {word}", path.display()));
            }
            for word in IMPURE.iter().filter(|word| layer.sans_io && !allowed.contains(word)) {
                if code.contains(word) {
                    found.push(format!("{} is sans-IO and uses {word}", path.display()));
                }
            }
        }
    }
    found
}

/// Whether `root::layer` stands in the code, alone or in a braced import.
fn uses(code: &str, root: &str, layer: &str) -> bool {
    let names = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').next() == Some(layer);
    code.match_indices(root).any(|(at, _)| {
        let rest = &code[at + root.len()..];
        match rest.strip_prefix('{') {
            Some(list) => top_level_items(list).iter().any(|item| names(item.trim())),
            None => names(rest),
        }
    })
}

/// The items of a braced import, without what stands in braces inside them.
fn top_level_items(list: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut depth = 0;
    for character in list.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            other if depth == 0 => items.iter_mut().last().expect("one item at least").push(other),
            _ => {}
        }
    }
    items
}

#[test]
fn no_layer_uses_what_the_design_forbids() {
    assert_eq!(violations(), Vec::<String>::new());
}

#[test]
fn every_layer_has_sources() {
    for layer in LAYERS {
        assert!(sources(layer.name).len() > 1, "the layer {} has moved; mend this test", layer.name);
    }
}

#[test]
fn a_braced_import_is_read_item_by_item() {
    let code = "use crate::{\n    client::{Event, session},\n    protocol::Data,\n};";
    assert!(uses(code, "crate::", "client") && uses(code, "crate::", "protocol"));
    assert!(!uses(code, "crate::", "session"), "a name inside an item is not a layer");
    assert!(uses("fn f() { crate::relay::spawn(); }", "crate::", "relay"));
    assert!(!uses("use crate::clients::X;", "crate::", "client"));
}
