use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use hone_job::Event;
use sha2::{Digest, Sha256};

use super::*;
use crate::source::catalogue;

/// A hub with one file, named by `etag`, that notes the ranges it is asked for.
struct Hub {
    endpoint: String,
    ranges: Arc<Mutex<Vec<String>>>,
}

fn hub(file: Vec<u8>, etag: String) -> Hub {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let noted = ranges.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut range = String::new();
            for line in BufReader::new(stream.try_clone().unwrap()).lines().map_while(std::io::Result::ok) {
                if line.is_empty() {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
                    value.clone_into(&mut range);
                }
            }
            noted.lock().unwrap().push(range.clone());
            let (first, last) = range.split_once('-').unwrap();
            let first: usize = first.parse().unwrap();
            let end = last.parse().map_or(file.len(), |last: usize| last + 1);
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\ncontent-length: {}\r\ncontent-range: bytes {first}-{}/{}\r\netag: \"{etag}\"\r\nx-repo-commit: 0123\r\nconnection: close\r\n\r\n",
                end - first,
                end - 1,
                file.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&file[first..end]));
        }
    });
    Hub { endpoint, ranges }
}

/// The smallest file that opens: no tensors, one key, and room behind it.
fn model() -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend([0_u64.to_le_bytes(), 1_u64.to_le_bytes(), 20_u64.to_le_bytes()].concat());
    bytes.extend(b"general.architecture");
    bytes.extend(8_u32.to_le_bytes());
    bytes.extend(6_u64.to_le_bytes());
    bytes.extend(b"gemma3");
    bytes.resize(100_000, 0);
    bytes
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_model_is_fetched_with_progress_and_the_hubs_leftovers_are_gone() {
    let hub = hub(model(), digest(&model()));
    let folder = tempfile::tempdir().unwrap();
    let last = Arc::new(Mutex::new((0, 0)));
    let seen = last.clone();
    let job = Job::new(move |event| {
        if let Event::Progress { done, total, .. } = event {
            *seen.lock().unwrap() = (done, total);
        }
    });
    let entry = &catalogue()[0];
    let path = fetch(entry, folder.path(), &hub.endpoint, &job).unwrap();
    assert_eq!(hone_job::fs::read(&path).unwrap(), model());
    assert_eq!(*last.lock().unwrap(), (100_000, 100_000));
    assert_eq!(hone_job::fs::list_dir(folder.path()).unwrap(), [path]);
    let asked = hub.ranges.lock().unwrap().len();
    fetch(entry, folder.path(), &hub.endpoint, &job).unwrap();
    assert_eq!(hub.ranges.lock().unwrap().len(), asked, "what is there is not fetched again");
}

#[test]
fn an_interrupted_download_goes_on_where_it_stopped() {
    let hub = hub(model(), digest(&model()));
    let folder = tempfile::tempdir().unwrap();
    let entry = &catalogue()[0];
    let blobs =
        folder.path().join(".hub").join(format!("models--{}", entry.repository.replace('/', "--"))).join("blobs");
    hone_job::fs::create_dir_all(&blobs).unwrap();
    hone_job::fs::write_atomic(&blobs.join(format!("{}.part", digest(&model()))), &model()[..60_000]).unwrap();
    let path = fetch(entry, folder.path(), &hub.endpoint, &Job::silent()).unwrap();
    assert_eq!(hone_job::fs::read(&path).unwrap(), model());
    assert_eq!(*hub.ranges.lock().unwrap(), ["0-0", "60000-"]);
}

#[test]
fn a_file_that_is_not_what_the_hub_announced_is_not_kept() {
    let hub = hub(model(), digest(b"another file"));
    let folder = tempfile::tempdir().unwrap();
    let error = fetch(&catalogue()[0], folder.path(), &hub.endpoint, &Job::silent()).unwrap_err();
    assert!(error.to_string().contains("its SHA-256 is"), "{error}");
    assert!(!folder.path().join(catalogue()[0].file).exists());
}

#[test]
fn a_hub_that_does_not_answer_is_a_network_error_with_the_files_name() {
    let folder = tempfile::tempdir().unwrap();
    let error = fetch(&catalogue()[0], folder.path(), "http://127.0.0.1:9", &Job::silent()).unwrap_err();
    assert_eq!(hone_job::Explain::code(&error), hone_job::ErrorCode::Network);
    assert!(error.to_string().contains(catalogue()[0].remote_file));
}
