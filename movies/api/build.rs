//! Turns the .proto files into code.

fn main() -> Result<(), backlot_build::Error> {
    backlot_build::Contract::new()
        .include("proto")
        .file("movies/metadata/v1/metadata.proto")
        .file("movies/rating/v1/rating.proto")
        .file("movies/movie/v1/movie.proto")
        .file("movies/auth/v1/auth.proto")
        .file("movies/mail/v1/mail.proto")
        .compile()
}
