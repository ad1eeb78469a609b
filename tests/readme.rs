//! The documents are true: what the README prints is what runs, and links lead to what they name.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    path::{Path, PathBuf},
};

#[test]
fn the_readme_shows_the_quickstart_as_it_is() {
    let quickstart = include_str!("../examples/quickstart.rs").trim_end();
    assert!(include_str!("../README.md").contains(quickstart), "copy examples/quickstart.rs into the README");
}

#[test]
fn the_quickstart_is_short() {
    assert!(include_str!("../examples/quickstart.rs").lines().count() < 60);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files with this ending in a folder.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    found.sort();
    assert!(!found.is_empty(), "{folder} has moved; mend this test");
    found
}

/// The text of a document without its blocks of code.
fn prose(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split("```").step_by(2).collect()
}

/// Where the links of a text lead: `[words](target)`, and `[words]: target` on a line of its own.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let defined = text.lines().filter_map(|line| line.strip_prefix('[')?.split_once(']')?.1.strip_prefix(": "));
    inline.chain(defined)
}

#[test]
fn links_to_files_lead_to_files() {
    let mut broken = Vec::new();
    let documents = ["", "docs", "docs/guide"].iter().flat_map(|folder| files(folder, ".md"));
    for path in documents {
        let text = prose(&path);
        for target in targets(&text).filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let file = target.split('#').next().unwrap();
            if !path.parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn each_link_of_the_guide_leads_somewhere_outside_rustdoc_too() {
    let definitions: String = files("src/guide", ".md").iter().map(|path| prose(path)).collect();
    let labels: Vec<&str> = definitions.lines().filter_map(|line| Some(line.split_once("]: ")?.0)).collect();
    for path in files("docs/guide", ".md") {
        let text = prose(&path);
        for label in labels.iter().filter(|label| text.contains(&format!("{label}]"))) {
            assert!(text.contains(&format!("\n{label}]: ")), "{}: {label}] has no target", path.display());
        }
    }
}

#[test]
fn the_guide_lists_its_chapters() {
    let list = fs::read_to_string(root().join("docs/guide/README.md")).unwrap();
    for path in files("docs/guide", ".md") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name == "README.md" || list.contains(&format!("]: {name}\n")), "{name} is not in the list");
    }
}
