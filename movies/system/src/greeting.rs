//! What a person reads first.

use backlot::app::cli::Configuration;
use backlot::app::embedded::Embedded;
use backlot::app::out;

/// Prints the addresses and what to try.
pub fn print(running: &Embedded, configuration: &Configuration) {
    let address = |name: &str| {
        running
            .nodes()
            .iter()
            .find(|node| node.name() == name)
            .map(|node| node.address().to_string())
            .unwrap_or_default()
    };
    let (web, movie, rating) = (address("web"), address("movie"), address("rating"));
    // As it was typed, so that what is printed can be pasted.
    let movies = std::env::args()
        .next()
        .unwrap_or_else(|| "movies".to_owned());
    let mut text = format!(
        "\nMovies runs in this one process; its data is in {}\n\n  the page            http://{web}\n",
        configuration.platform.data.display()
    );
    for node in running.nodes() {
        text += &format!(
            "  {:<19} http://{}  (gRPC and REST; admin on {})\n",
            node.name(),
            node.address(),
            node.admin()
        );
    }
    text += &format!(
        "
Try
  curl http://{movie}/v1/movies/metropolis-1927
  TOKEN=$({movies} token ann)
  curl -X PUT http://{rating}/v1/ratings/movie/metropolis-1927/users/ann \\
       -H \"authorization: Bearer $TOKEN\" -H 'content-type: application/json' -d '{{\"value\": 4.5}}'
  {movies} call MovieService/GetMovieDetails '{{\"movieId\": \"metropolis-1927\"}}'
  {movies} fleet          every service its own process
  {movies} sim --seed 7   the same services in a simulated world

Ctrl-C stops."
    );
    // The services run, whether anybody reads this or not.
    drop(out::line(text));
}
