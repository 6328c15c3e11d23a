//! Writes every target's seeds into a folder per target: `seeds FOLDER`.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("corpus"), PathBuf::from);
    for (target, _) in qopen_fuzz::TARGETS {
        let folder = folder.join(target);
        std::fs::create_dir_all(&folder)?;
        for (name, seed) in qopen_fuzz::seeds::of(target) {
            std::fs::write(folder.join(name), seed)?;
        }
    }
    Ok(())
}
