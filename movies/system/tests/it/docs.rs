//! The lines that the documents tell people to type, typed.

use crate::site::{SERVICES, Site};
use backlot_testkit::Program;

/// Fails where a reader would see an error: curl says nothing of a status by itself.
const PREAMBLE: &str = "set -euo pipefail
curl() { command curl --fail-with-body \"$@\"; }
";

/// The blocks of a document that begin with "```sh run".
fn blocks(text: &str) -> Vec<String> {
    let parts = text.split("```sh run\n").skip(1);
    let blocks = parts.filter_map(|part| part.split_once("\n```"));
    blocks.map(|(block, _)| block.to_owned()).collect()
}

/// What bash is told, so that lines for the usual places and `movies` work at this site.
pub(crate) fn script(site: &Site, lines: &str) -> String {
    let mut script = lines.to_owned();
    // What a reader has at the usual places is elsewhere here.
    let ports = [8085, 8084, 8081, 8082, 8083, 8080, 8087, 8088, 8086, 8089];
    assert_eq!(ports.len(), SERVICES.len());
    for (service, port) in SERVICES.iter().zip(ports) {
        let usual = format!("127.0.0.1:{port}");
        script = script.replace(&usual, &site.address(service));
        let usual = format!("127.0.0.1:{}", port + 10);
        script = script.replace(&usual, &site.admin(service));
    }
    script = script.replace("127.0.0.1:8070", &site.registry());
    script = script.replace("movies-data", &site.data().display().to_string());
    let flags: Vec<String> = SERVICES
        .iter()
        .map(|service| {
            let (calls, admin) = (site.address(service), site.admin(service));
            format!("--set {service}.server.listen={calls} --set {service}.server.admin={admin}")
        })
        .chain([format!("--set registry.address={}", site.registry())])
        .collect();
    // The simulated world has no such places.
    let (program, data) = (env!("CARGO_BIN_EXE_movies"), site.data().display());
    let flags = flags.join(" ");
    let movies_command = format!(
        "movies() {{
    if [ \"$1\" = sim ]; then '{program}' \"$@\"; else '{program}' \"$@\" --data '{data}' {flags}; fi
}}
cd '{data}'
"
    );
    format!("{PREAMBLE}{movies_command}{script}")
}

#[tokio::test]
async fn every_line_that_a_document_says_to_run_runs() {
    let documents = std::path::absolute("../../docs").unwrap();
    let mut ran = 0;
    for entry in std::fs::read_dir(documents).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for block in blocks(&text) {
            ran += 1;
            let site = Site::new();
            let mut movies = site.embedded().await;
            let script = script(&site, &block);
            let ended = Program::new("bash").arg("-c").arg(&script).run().await;
            assert!(
                ended.status.success(),
                "{}: {script}\n{}{}",
                path.display(),
                ended.out,
                ended.err
            );
            movies.terminate();
            assert_eq!(movies.exit_code().await, 0, "{}", movies.said());
        }
    }
    assert!(ran >= 2, "{ran} blocks ran");
}
