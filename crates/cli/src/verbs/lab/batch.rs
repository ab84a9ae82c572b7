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
    /// What the tokens of each row count in the loss; all 1 without it.
    #[serde(default)]
    row_weights: Option<Vec<f32>>,
}

/// Reads the file and leaves out the padding.
pub fn read(path: &Path) -> Outcome<Batch> {
    let padded: Padded = fs::read_json(path)?;
    let uneven = || {
        Failure::new(
            ErrorCode::BadInput,
            format!("The lists in `{}` differ in shape", path.display()),
            "Give `input_ids`, `attention_mask` and `labels` the same rows and columns, and `row_weights` a number per row",
        )
    };
    if padded.attention_mask.len() != padded.input_ids.len() || padded.labels.len() != padded.input_ids.len() {
        return Err(uneven());
    }
    if padded.row_weights.as_ref().is_some_and(|weights| weights.len() != padded.input_ids.len()) {
        return Err(uneven());
    }
    let mut batch = Batch::default();
    let rows = padded.input_ids.iter().zip(&padded.attention_mask).zip(&padded.labels);
    for (row, ((ids, mask), labels)) in rows.enumerate() {
        if mask.len() != ids.len() || labels.len() != ids.len() {
            return Err(uneven());
        }
        let real = || (0..ids.len()).filter(|at| mask[*at] != 0);
        let (ids, labels): (Vec<u32>, Vec<i64>) = real().map(|at| (ids[at], labels[at])).unzip();
        batch.push(&ids, &labels);
        if let Some(weights) = padded.row_weights.as_ref().filter(|_| !ids.is_empty()) {
            batch.weights.push(weights[row]);
        }
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
        let (ids, labels) = (vec![5, 6, 7, 8], vec![-100, 6, 7, 8]);
        assert_eq!(batch, Batch { ids, labels, starts: vec![0, 2], weights: Vec::new() });
    }

    #[test]
    fn weights_stay_with_their_rows_and_an_empty_row_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("batch.json");
        let json = |weights: &str| {
            format!(
                r#"{{"input_ids": [[5], [0], [7]], "attention_mask": [[1], [0], [1]], "labels": [[5], [-100], [7]],
                "row_weights": {weights}}}"#
            )
        };
        fs::write_atomic(&path, json("[0.5, 3, 2]").as_bytes()).unwrap();
        assert_eq!(read(&path).unwrap().weights, [0.5, 2.0]);
        fs::write_atomic(&path, json("[1]").as_bytes()).unwrap();
        assert!(read(&path).is_err());
    }
}
