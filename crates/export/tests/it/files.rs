//! GGUF files that were written are read back as they were meant.

use std::path::Path;

use candle_core::quantized::GgmlDType;
use hone_export::{ExportError, TensorPlan, write_gguf};
use hone_model::gguf::{Array, GgufFile, Value};
use proptest::prelude::*;

/// A metadata value as the format's description lays it out.
fn stored(value: &Value) -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    match value {
        Value::U32(number) => [4_u32.to_le_bytes(), number.to_le_bytes()].concat(),
        Value::F32(number) => [6_u32.to_le_bytes(), number.to_le_bytes()].concat(),
        Value::Bool(truth) => [&7_u32.to_le_bytes()[..], &[u8::from(*truth)]].concat(),
        Value::String(string) => [8_u32.to_le_bytes().to_vec(), text(string)].concat(),
        Value::Array(Array::String(list)) => {
            let mut out = [9_u32.to_le_bytes(), 8_u32.to_le_bytes()].concat();
            out.extend((list.len() as u64).to_le_bytes());
            out.extend(list.iter().flat_map(|item| text(item)));
            out
        }
        other => panic!("{other:?} is not used here"),
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u32>().prop_map(Value::U32),
        (-1e9_f32..1e9).prop_map(Value::F32),
        any::<bool>().prop_map(Value::Bool),
        "\\PC{0,30}".prop_map(Value::String),
        prop::collection::vec("\\PC{0,8}", 0..6).prop_map(|list| Value::Array(Array::String(list))),
    ]
}

fn tensor() -> impl Strategy<Value = (Vec<usize>, GgmlDType)> {
    prop_oneof![
        (prop::collection::vec(1_usize..5, 1..5), Just(GgmlDType::F32)),
        (prop::collection::vec(1_usize..5, 1..4), Just(GgmlDType::BF16)),
        ((1_usize..5, 1_usize..3).prop_map(|(rows, blocks)| vec![rows, 32 * blocks]), Just(GgmlDType::Q5_0)),
        ((1_usize..3).prop_map(|blocks| vec![256 * blocks]), Just(GgmlDType::Q6K)),
    ]
}

fn write(path: &Path, values: &[Value], tensors: &[(Vec<usize>, GgmlDType)], alignment: u64) -> u64 {
    let mut keys = vec![
        ("general.architecture".to_owned(), stored(&Value::String("gemma3".to_owned()))),
        ("general.alignment".to_owned(), stored(&Value::U32(alignment as u32))),
    ];
    keys.extend(values.iter().enumerate().map(|(index, value)| (format!("key.{index}"), stored(value))));
    let plans: Vec<TensorPlan> = tensors
        .iter()
        .enumerate()
        .map(|(index, (shape, dtype))| TensorPlan { name: format!("t{index}"), shape: shape.clone(), dtype: *dtype })
        .collect();
    write_gguf(path, &keys, &plans, alignment, |index, out| {
        let bytes = vec![index as u8 + 1; plans[index].bytes() as usize];
        out.write_all(&bytes).unwrap();
        Ok(())
    })
    .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_was_written_is_read_back_key_by_key_and_byte_by_byte(
        values in prop::collection::vec(value(), 0..8),
        tensors in prop::collection::vec(tensor(), 1..6),
        alignment in prop_oneof![Just(8_u64), Just(32), Just(256)],
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        let bytes = write(&path, &values, &tensors, alignment);
        prop_assert_eq!(bytes, hone_job::fs::metadata(&path).unwrap().len());
        let file = GgufFile::open(&path).unwrap();
        let read: Vec<&Value> = file.metadata()[2..].iter().map(|(_, value)| value).collect();
        prop_assert_eq!(read, values.iter().collect::<Vec<_>>());
        for (index, (shape, dtype)) in tensors.iter().enumerate() {
            let entry = &file.tensors()[index];
            prop_assert_eq!((&entry.shape, entry.dtype), (shape, *dtype));
            prop_assert_eq!(entry.offset % alignment, 0);
            prop_assert!(file.bytes(entry).iter().all(|byte| *byte == index as u8 + 1));
        }
    }
}

#[test]
fn a_file_cut_at_any_percent_is_refused_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    let tensors = [(vec![4, 64], GgmlDType::Q8_0), (vec![1024], GgmlDType::F32)];
    let bytes = write(&path, &[Value::String("text".repeat(50)), Value::U32(3)], &tensors, 32);
    let whole = hone_job::fs::read(&path).unwrap();
    for percent in 0..100 {
        let cut = (bytes * percent / 100) as usize;
        hone_job::fs::write_atomic(&path, &whole[..cut]).unwrap();
        let message = GgufFile::open(&path).unwrap_err().to_string();
        assert!(
            message.contains("m.gguf`") && (message.contains("is damaged at") || cut < 4),
            "{percent} %: {message}"
        );
    }
}

#[test]
fn a_tensor_of_the_wrong_size_or_a_failure_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    let plan = [TensorPlan { name: "t".to_owned(), shape: vec![2, 2], dtype: GgmlDType::F32 }];
    let error = write_gguf(&path, &[], &plan, 32, |_, out| {
        out.write_all(&[0; 15]).unwrap();
        Ok(())
    });
    assert!(matches!(error, Err(ExportError::TensorSize { expected: 16, found: 15, .. })), "{error:?}");
    let error = write_gguf(&path, &[], &plan, 32, |_, _| Err(hone_job::Cancelled.into()));
    assert!(matches!(error, Err(ExportError::Cancelled(_))));
    assert_eq!(hone_job::fs::list_dir(folder.path()).unwrap(), Vec::<std::path::PathBuf>::new());
}
