//! Replays the committed inputs of every target.

use std::path::PathBuf;

use icn_fuzz::TARGETS;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz"))
}

#[test]
fn every_input_is_harmless() {
    for (name, target) in TARGETS {
        let folder = root().join("corpus").join(name);
        let mut inputs = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            let bytes = std::fs::read(&path).unwrap();
            target(&bytes);
            // Each input also cut short, and with one bit turned in each of its first bytes.
            for at in 0..bytes.len().min(512) {
                target(&bytes[..at]);
                let mut turned = bytes.clone();
                turned[at] ^= 1 << (at % 8);
                target(&turned);
            }
            inputs += 1;
        }
        assert!(inputs > 0, "{name} has no inputs");
    }
}

#[test]
fn every_target_has_a_program_and_a_folder() {
    let names: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (folder, suffix) in [("corpus", ""), ("fuzz_targets", ".rs")] {
        let mut found: Vec<String> = std::fs::read_dir(root().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| name.strip_suffix(suffix).unwrap().to_owned())
            .collect();
        found.sort_unstable();
        assert_eq!(found, names, "{folder}");
    }
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for name in names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}
