//! Writes the protocol's test vectors: `cargo run -p icn-protocol --example vectors`.

#[path = "../tests/vectors/generate.rs"]
mod generate;
#[path = "../tests/samples/mod.rs"]
mod samples;

fn main() -> std::io::Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol/vectors");
    std::fs::create_dir_all(folder)?;
    for (name, content) in generate::files() {
        std::fs::write(format!("{folder}/{name}"), format!("{content:#}\n"))?;
        println!("{name}");
    }
    Ok(())
}
