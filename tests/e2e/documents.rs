//! A few small documents to drop on the window.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Desk;

const CHAPTER: &str = "# The night ferry\n\n## Times\n\nThe night ferry *Alma* leaves pier 4 at 22:40 and reaches Torsund \
    at 06:15. In the week after midsummer it leaves at 23:10.\n\n## Lost things\n\nWhat is found on board is kept in the \
    blue cupboard beside the purser's desk for 21 days. Ring 5531 and ask for Marit Ohlen.\n";

const QUESTIONS: &[(&str, &str, &str)] = &[
    ("When does the night ferry leave?", "The night ferry leaves at 22:40.", "train"),
    ("From which pier does the Alma leave?", "The Alma leaves from pier 4.", "train"),
    ("When does the Alma reach Torsund?", "She reaches Torsund at 06:15.", "train"),
    ("When does she leave in the week after midsummer?", "She leaves at 23:10.", "train"),
    ("Where are lost things kept?", "They are kept in the blue cupboard beside the purser's desk.", "train"),
    ("For how long are found things kept?", "They are kept for 21 days.", "train"),
    ("Which number do I ring for lost things?", "Ring 5531.", "train"),
    ("Whom do I ask for at 5531?", "Ask for Marit Ohlen.", "train"),
    ("How many cabins has the Alma?", "The Alma has 64 cabins.", "train"),
    ("Where is breakfast served?", "Breakfast is served on deck 3.", "train"),
    ("What does a bicycle cost?", "A bicycle  costs 90 crowns.", "valid"),
    ("Who is the captain?", "The captain is Ingrid Salo.", "valid"),
    ("At what time does the night ferry set off?", "The night ferry leaves at 22:40.", "exam"),
    ("Who looks after lost things?", "Ask for Marit Ohlen.", "exam"),
];

const MANUAL: &str = "# The winch\n\n## Terms\n\n**Fairlead**: a ring that keeps a rope from chafing. A capstan is an upright \
    drum that a rope is wound around.\n\n## Starting\n\n1. Open the seawater valve on deck 2.\n2. Press the green button for three \
    seconds.\n3. Wait until the gauge shows 4 bar.\n\n## Limits\n\n| Rope | Load |\n| --- | --- |\n| hemp | 2.1 t |\n| steel | 9 t |\n";

const PAGE: &str = "<html><head><title>Galley</title></head><body><main><h1>Galley</h1><h2>Hours</h2><p>The galley opens at \
    05:30 and closes at 21:15. Coffee is free for the night watch.</p></main></body></html>";

impl Desk {
    /// Writes a chapter, a table of questions, and a file that is no PDF; answers where they lie.
    pub fn write_documents(&self) -> Vec<PathBuf> {
        let folder = self.home().join("My documents");
        std::fs::create_dir_all(&folder).unwrap();
        let table: String = QUESTIONS.iter().map(|(q, a, s)| format!("\"{q}\",\"{a}\",{s}\n")).collect();
        let files = [
            ("ferry.md", CHAPTER.to_owned()),
            ("fragen 问答.csv", format!("question,answer,split\n{table}")),
            ("broken.pdf", "%PDF-1.7\ncut off".to_owned()),
        ];
        let write = |(name, text): (&str, String)| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        files.map(write).into()
    }

    /// Writes a PDF as a scanner makes it, two pages without text; answers where it lies.
    pub fn write_scan(&self) -> PathBuf {
        let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/data/tests/made/scan.pdf");
        let path = self.home().join("ferry scan.pdf");
        std::fs::copy(made, &path).unwrap();
        path
    }

    /// Writes an archive of a manual and a web page; answers where it lies.
    pub fn write_archive(&self) -> PathBuf {
        let folder = self.home().join("Packed");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in [("winch.md", MANUAL), ("galley.html", PAGE)] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let packed = Command::new("python3")
            .args(["-m", "zipfile", "-c", "office.zip", "winch.md", "galley.html"])
            .current_dir(&folder)
            .status();
        assert!(packed.is_ok_and(|status| status.success()), "python3 could not pack the archive");
        folder.join("office.zip")
    }
}
