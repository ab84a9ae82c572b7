//! Writes the seeds of the targets for model files: `cargo run --no-default-features --example seeds -- corpus`.

fn main() {
    let corpus = std::env::args_os().nth(1).unwrap_or_else(|| "corpus".into());
    hone_fuzz::tiny::write_seeds(corpus.as_ref());
}
