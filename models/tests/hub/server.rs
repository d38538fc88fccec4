//! A hub of one repository on this machine: what hf-hub asks for, and nothing else.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The server lives as long as the process.
pub(crate) struct Server {
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    /// By the path below the repository.
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    commit: Mutex<String>,
    /// Whoever has no such token is refused.
    token: Option<String>,
    asked: Mutex<Vec<String>>,
}

impl Server {
    pub(crate) fn new(files: &[(&str, Vec<u8>)], token: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect();
        let state = Arc::new(State {
            files: Mutex::new(files),
            commit: Mutex::new("c0ffee".to_owned()),
            token: token.map(str::to_owned),
            asked: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&shared);
                thread::spawn(move || answer(stream.unwrap(), &state));
            }
        });
        Self { url, state }
    }

    /// The paths that were asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.asked.lock().unwrap())
    }

    /// The branch moves on.
    pub(crate) fn push(&self, commit: &str, file: &str, bytes: Vec<u8>) {
        *self.state.commit.lock().unwrap() = commit.to_owned();
        self.state.files.lock().unwrap().insert(file.to_owned(), bytes);
    }
}

/// Answers one request: `GET /OWNER/NAME/resolve/REVISION/FILE` with a range of bytes.
fn answer(mut stream: TcpStream, state: &State) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
    let request = lines.next().unwrap_or_default();
    let headers: BTreeMap<String, String> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())))
        .collect();
    let path = request.split(' ').nth(1).unwrap_or_default();
    state.asked.lock().unwrap().push(path.to_owned());
    let authorized = match &state.token {
        Some(token) => headers.get("authorization") == Some(&format!("Bearer {token}")),
        None => true,
    };
    let file = path.strip_prefix("/some/model/resolve/main/");
    let files = state.files.lock().unwrap();
    let response = match (authorized, file.and_then(|file| files.get(file))) {
        (false, _) => "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into(),
        (true, None) => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into(),
        (true, Some(bytes)) => {
            let range = headers["range"].strip_prefix("bytes=").unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let start: usize = start.parse().unwrap();
            let end = end.parse().map_or(bytes.len(), |end: usize| end + 1);
            let commit = state.commit.lock().unwrap();
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{}\r\n\
                 ETag: \"{commit}-{}\"\r\nX-Repo-Commit: {commit}\r\nConnection: close\r\n\r\n",
                end - start,
                end - 1,
                bytes.len(),
                file.unwrap(),
            );
            [head.as_bytes(), &bytes[start..end]].concat()
        }
    };
    stream.write_all(&response).unwrap();
}
