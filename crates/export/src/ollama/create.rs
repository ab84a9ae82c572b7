//! From a model file to a model in Ollama.

use std::path::Path;

use hone_job::Job;
use sha2::{Digest, Sha256};

use super::{Client, check_name};
use crate::error::Result;
use crate::modelfile::Modelfile;

/// What is to be created.
#[derive(Debug, Clone, Copy)]
pub struct CreateRequest<'a> {
    /// The name in Ollama. A model of that name is replaced.
    pub name: &'a str,
    /// The model file.
    pub model_file: &'a Path,
    /// Template and parameters; its texts go through the API, which loses no character.
    pub modelfile: &'a Modelfile,
}

/// Gives Ollama the model file and creates the model. The file on our side is only read.
///
/// # Errors
/// When the name is not one, no server answers, it is too old or refuses, the connection breaks, or the job is cancelled.
pub fn create(client: &Client, request: &CreateRequest<'_>, job: &Job) -> Result<()> {
    check_name(request.name)?;
    let version = client.version()?;
    version.can_create()?;
    if let Some(warning) = version.warning() {
        job.notice("ollama_old", warning);
    }
    job.stage("ollama");
    let digest = digest(request.model_file, job)?;
    if !client.has_blob(&digest)? {
        client.upload(&digest, request.model_file, job)?;
    }
    client.create(&body(request, &digest), job)
}

fn body(request: &CreateRequest<'_>, digest: &str) -> serde_json::Value {
    let modelfile = request.modelfile;
    let mut body = serde_json::json!({
        "model": request.name,
        "files": { "model.gguf": digest },
        "template": modelfile.template,
        "parameters": {
            "stop": modelfile.stops,
            "num_ctx": modelfile.context,
            // As it reads in the Modelfile: a 32-bit 0.3 is not 0.30000001192.
            "temperature": modelfile.temperature.to_string().parse::<f64>().unwrap_or(0.0),
            "repeat_penalty": 1.0,
        },
        "stream": true,
    });
    if let Some(system) = &modelfile.system {
        body["system"] = system.as_str().into();
    }
    body
}

/// `sha256:` and the file's digest in hex.
fn digest(path: &Path, job: &Job) -> Result<String> {
    use std::fmt::Write;
    use std::io::Read;
    let mut file = hone_job::fs::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        job.check()?;
        let read = file.read(&mut buffer).map_err(|source| hone_job::fs::FsError {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
    }
    let mut text = "sha256:".to_owned();
    for byte in hash.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
