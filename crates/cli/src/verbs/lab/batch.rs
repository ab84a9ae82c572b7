//! A batch as Transformers takes it, turned into packed sequences.

use std::path::Path;

use hone_job::{ErrorCode, fs};
use hone_model::Batch;
use serde::Deserialize;

use crate::failure::{Failure, Outcome};

/// Rows of one length, padded left or right.
#[derive(Debug, Deserialize)]
struct Padded {
    input_ids: Vec<Vec<u32>>,
    attention_mask: Vec<Vec<u8>>,
    /// Not shifted; −100 is not trained.
    labels: Vec<Vec<i64>>,
}

/// Reads the file and leaves out the padding.
pub fn read(path: &Path) -> Outcome<Batch> {
    let padded: Padded = fs::read_json(path)?;
    let uneven = || {
        Failure::new(
            ErrorCode::BadInput,
            format!("The lists in `{}` differ in shape", path.display()),
            "Give `input_ids`, `attention_mask` and `labels` the same rows and columns",
        )
    };
    if padded.attention_mask.len() != padded.input_ids.len() || padded.labels.len() != padded.input_ids.len() {
        return Err(uneven());
    }
    let mut batch = Batch::default();
    for ((ids, mask), labels) in padded.input_ids.iter().zip(&padded.attention_mask).zip(&padded.labels) {
        if mask.len() != ids.len() || labels.len() != ids.len() {
            return Err(uneven());
        }
        let real = || (0..ids.len()).filter(|at| mask[*at] != 0);
        let (ids, labels): (Vec<u32>, Vec<i64>) = real().map(|at| (ids[at], labels[at])).unzip();
        batch.push(&ids, &labels);
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_on_either_side_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("batch.json");
        let json = r#"{"input_ids": [[0, 5, 6], [7, 8, 0]], "attention_mask": [[0, 1, 1], [1, 1, 0]],
            "labels": [[-100, -100, 6], [7, 8, -100]]}"#;
        fs::write_atomic(&path, json.as_bytes()).unwrap();
        let batch = read(&path).unwrap();
        assert_eq!(batch, Batch { ids: vec![5, 6, 7, 8], labels: vec![-100, 6, 7, 8], starts: vec![0, 2] });
    }
}
