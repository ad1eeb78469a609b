//! The dependency rules of the design that Cargo cannot check. Cargo sees to it that a crate uses only the crates in its
//! manifest. This reads the sources: a sans-IO crate touches no I/O, no clock and no process-wide state, only a few files know
//! a browser, and the modules of `bevy_rooms` use each other in one direction.

#![expect(clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The crates that are sans-IO: no I/O, no clock, no threads, no global randomness, no process-wide state, no engine.
const SANS_IO: &[&str] = &["rooms_protocol", "rooms_client", "rooms_session", "rooms_relay", "rooms_sim"];

/// What a sans-IO crate does without.
const IMPURE: &[&str] = &[
    "bevy::",
    "tokio",
    "web_sys",
    "axum",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "ToSocketAddrs",
    "std::thread",
    "std::fs",
    "thread::spawn",
    "Instant::now",
    "SystemTime::now",
    "getrandom",
    "rand::rng",
    "thread_rng",
    "static ",
    "thread_local!",
];

/// Files of sans-IO crates that do without less, and what they may use: the relay's server is its I/O, a shared
/// frame keeps its encoded forms in cells of its own, and simulated time has to start at some instant, which only the clock can
/// make.
const EXCEPTIONS: &[(&str, &[&str])] =
    &[("rooms_relay/src/server", IMPURE), ("rooms_relay/src/bin", IMPURE), ("rooms_sim/src/net.rs", &["Instant::now"])];

/// The modules of `bevy_rooms`, and the others of them that each may use.
const MODULES: &[(&str, &[&str])] = &[("plugin", &[]), ("ui", &["plugin"]), ("testing", &["plugin"])];

/// What belongs to a browser.
const BROWSER: &[&str] = &["web_sys", "js_sys", "wasm_bindgen", "crate::web"];

/// The files that may use a browser. They compile for wasm32 only, and all else is the same on every target.
const BROWSER_FILES: &[&str] = &[
    "rooms_net/src/web.rs",
    "rooms_net/src/web/",
    "rooms_net/src/transport/web.rs",
    "rooms_net/src/bridge/runtime/web.rs",
    "rooms_net/src/bridge/page_events/web.rs",
    "src/plugin/identity/storage.rs",
    "src/plugin/web_page/web.rs",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sources below a folder, without those that only compile for tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
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
    found.retain(|path| {
        let below = path.strip_prefix(root()).unwrap_or(path);
        !below.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
    });
    found
}

/// The code of a file: without comments, and without the tests at its end.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let ends = ["#[cfg(test)]\nmod tests {", "#[cfg(test)]\npub(crate) mod tests {"];
    let end = ends.iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len());
    text[..end].lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// A file's path from the root of the workspace.
fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// Which of these words stand in the code of a sans-IO file.
fn impurities(name: &str, code: &str) -> Vec<&'static str> {
    let allowed = |word: &&str| EXCEPTIONS.iter().any(|(file, words)| name.contains(file) && words.contains(word));
    // A lifetime is no item of static storage.
    let code = code.replace("'static ", "");
    IMPURE.iter().copied().filter(|word| !allowed(word) && code.contains(word)).collect()
}

#[test]
fn a_sans_io_crate_touches_no_io_no_clock_and_no_process_wide_state() {
    let mut found = Vec::new();
    for layer in SANS_IO {
        let files = sources(&root().join("crates").join(layer).join("src"));
        assert!(files.len() > 3, "the crate {layer} has moved; mend this test");
        for path in files {
            let name = name(&path);
            found.extend(impurities(&name, &code(&path)).into_iter().map(|word| format!("{name} uses {word}")));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn only_the_files_for_browsers_use_a_browser() {
    let folders = [root().join("src"), root().join("crates")];
    let files: Vec<_> = folders.iter().flat_map(|folder| sources(folder)).collect();
    for file in BROWSER_FILES {
        assert!(files.iter().any(|path| name(path).contains(file)), "{file} has moved; mend this test");
    }
    let mut found = Vec::new();
    for path in files {
        let (name, code) = (name(&path), code(&path));
        // The root names the module under which `bevy_rooms` finds it.
        if !BROWSER_FILES.iter().any(|file| name.contains(file)) {
            found.extend(BROWSER.iter().filter(|word| code.contains(**word)).map(|word| format!("{name} uses {word}")));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_modules_of_bevy_rooms_use_each_other_in_one_direction() {
    let mut found = Vec::new();
    for (module, may_use) in MODULES {
        let mut files = sources(&root().join("src").join(module));
        files.push(root().join("src").join(format!("{module}.rs")));
        assert!(files.len() > 3, "the module {module} has moved; mend this test");
        for path in files {
            let code = code(&path);
            for (other, _) in MODULES.iter().filter(|(other, _)| other != module && !may_use.contains(other)) {
                if ["crate::", "bevy_rooms::"].iter().any(|root| uses(&code, root, other)) {
                    found.push(format!("{} uses the module {other}", name(&path)));
                }
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

/// Whether `root::module` stands in the code, alone or in a braced import.
fn uses(code: &str, root: &str, module: &str) -> bool {
    let names = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').next() == Some(module);
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
fn static_storage_is_found_and_lifetimes_are_not() {
    assert_eq!(impurities("rooms_client/src/x.rs", "static NEXT: AtomicU64 = AtomicU64::new(1);"), ["static "]);
    assert_eq!(impurities("rooms_client/src/x.rs", "fn name() -> &'static str { \"x\" }"), Vec::<&str>::new());
}

#[test]
fn a_braced_import_is_read_item_by_item() {
    let code = "use crate::{\n    client::{Event, session},\n    protocol::Data,\n};";
    assert!(uses(code, "crate::", "client") && uses(code, "crate::", "protocol"));
    assert!(!uses(code, "crate::", "session"), "a name inside an item is not a module");
    assert!(uses("fn f() { crate::relay::spawn(); }", "crate::", "relay"));
    assert!(!uses("use crate::clients::X;", "crate::", "client"));
}
