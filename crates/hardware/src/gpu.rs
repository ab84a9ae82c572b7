//! Graphics cards, as the driver lists them in files. No vendor library is loaded and no program is started.

use std::path::Path;

use hone_job::fs;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A graphics card with a driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Gpu {
    /// The model's name.
    pub name: String,
}

/// The NVIDIA cards below `folder` (`/proc/driver/nvidia/gpus` on Linux): one folder a card, each with a file
/// `information` that has a line `Model:`. Empty where there are none, and on other systems.
pub(crate) fn read(folder: &Path) -> Vec<Gpu> {
    let cards = fs::list_dir(folder).unwrap_or_default();
    cards.iter().filter_map(|card| model(&fs::read_to_string(&card.join("information")).ok()?)).collect()
}

fn model(information: &str) -> Option<Gpu> {
    let name = information.lines().find_map(|line| line.strip_prefix("Model:"))?.trim();
    (!name.is_empty()).then(|| Gpu { name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_read_from_the_drivers_file() {
        let folder = tempfile::tempdir().unwrap();
        let card = folder.path().join("0000:01:00.0");
        fs::create_dir_all(&card).unwrap();
        let text = "Model: \t\t NVIDIA GeForce RTX 3060\nIRQ:   \t\t 168\nGPU UUID: \t GPU-0\n";
        fs::write_atomic(&card.join("information"), text.as_bytes()).unwrap();
        assert_eq!(read(folder.path()), [Gpu { name: "NVIDIA GeForce RTX 3060".to_owned() }]);
    }

    #[test]
    fn a_machine_without_the_driver_has_no_card() {
        assert_eq!(read(Path::new("/nowhere/at/all")), []);
    }
}
