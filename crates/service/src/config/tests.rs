use super::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    listen: String,
    workers: u16,
    #[serde(with = "human_duration")]
    patience: Duration,
    tags: Vec<String>,
    admin: Option<String>,
    labels: BTreeMap<String, String>,
    store: StoreConfig,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StoreConfig {
    path: String,
    password: Secret,
    readers: u8,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: "127.0.0.1:8082".into(),
            workers: 4,
            patience: Duration::from_secs(5),
            tags: vec![],
            admin: None,
            labels: BTreeMap::new(),
            store: StoreConfig::default(),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig {
            path: "rating.db".into(),
            password: Secret::default(),
            readers: 2,
        }
    }
}

impl Validate for Config {
    fn validate(&self, at: &str, problems: &mut Problems) {
        if self.workers == 0 {
            problems.push(
                at,
                "workers",
                "must be at least 1, got 0",
                "leave it out for 4",
            );
        }
    }
}

fn take(layers: Layers) -> (Config, Problems) {
    let mut tree = layers.tree();
    let mut problems = Problems::default();
    let config = tree.take("rating", &mut problems);
    tree.finish(&mut problems);
    (config, problems)
}

fn text(text: &str) -> Layers {
    Layers::new().text("movies.toml", text).unwrap()
}

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn nothing_given_is_all_defaults() {
    let (config, problems) = take(Layers::new());
    assert_eq!(config, Config::default());
    assert!(problems.is_empty());
}

#[test]
fn flags_win_over_variables_over_files_over_defaults() {
    let layers = text("[rating]\nlisten = \"file\"\nworkers = 1\npatience = \"1s\"")
        .variables(
            "MOVIES",
            &variables(&[
                ("MOVIES_RATING__LISTEN", "variable"),
                ("MOVIES_RATING__WORKERS", "2"),
            ]),
        )
        .flag("rating.listen=flag");
    let (config, problems) = take(layers);
    assert_eq!(problems.to_string(), "");
    assert_eq!((config.listen.as_str(), config.workers), ("flag", 2));
    assert_eq!(config.patience, Duration::from_secs(1));
    assert_eq!(config.store, StoreConfig::default());
}

#[test]
fn every_problem_is_told_at_once_with_key_origin_and_cure() {
    let layers = text(
        "[rating]\nlisen = \"x\"\nworkers = \"many\"\npatience = 5\n\n[rating.store]\npaht = \"x\"\nreaders = 300\n\n[ratting]\nx = 1\n",
    )
    .flag("rating.tags=3");
    let (config, problems) = take(layers);
    let expected = "\
rating.lisen: unknown key; did you mean rating.listen? (from movies.toml line 2)
rating.store.paht: unknown key; did you mean rating.store.path? (from movies.toml line 7)
rating.patience: invalid type: integer `5`, expected a number and a unit in quotes, for example \"5s\", \"250ms\" or \"1m 30s\"; the default is \"5s\" (from movies.toml line 4)
rating.store.readers: invalid value: integer `300`, expected u8; the default is 2 (from movies.toml line 8)
rating.tags: invalid type: integer `3`, expected a sequence; the default is [] (from command line)
rating.workers: invalid type: string \"many\", expected u16; the default is 4 (from movies.toml line 3)
ratting: unknown key; did you mean rating? (from movies.toml line 10)";
    assert_eq!(problems.to_string(), expected);
    assert_eq!(config, Config::default());
}

#[test]
fn validation_speaks_of_the_same_keys_and_origins() {
    let (_, problems) = take(text("[rating]\nworkers = 0"));
    assert_eq!(
        problems.to_string(),
        "rating.workers: must be at least 1, got 0; leave it out for 4 (from movies.toml line 2)"
    );
}

#[test]
fn a_syntax_error_has_line_and_column() {
    let problems = Layers::new()
        .text("movies.toml", "[rating]\nlisten = \nworkers = 4")
        .unwrap_err();
    assert!(
        problems
            .to_string()
            .starts_with("movies.toml line 2, column 10"),
        "{problems}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let problems = Layers::new().file("/nowhere/movies.toml").unwrap_err();
    assert!(
        problems
            .to_string()
            .starts_with("/nowhere/movies.toml: cannot be read"),
        "{problems}"
    );
}

#[test]
fn one_underscore_too_few_is_understood() {
    let given = variables(&[
        ("MOVIES_RATING_STORE_PATH", "x"),
        ("MOVIES_RATING__STORE__PATHS", "x"),
        ("HOME", "/"),
    ]);
    let (_, problems) = take(Layers::new().variables("MOVIES", &given));
    let text = problems.to_string();
    assert_eq!(problems.len(), 2, "{text}");
    assert_eq!(
        text.matches("did you mean MOVIES_RATING__STORE__PATH?")
            .count(),
        2,
        "{text}"
    );
    assert!(
        text.contains("(from environment variable MOVIES_RATING_STORE_PATH)"),
        "{text}"
    );
}

#[test]
fn the_right_name_in_the_wrong_table_is_found() {
    let (_, problems) = take(text("[rating]\nreaders = 3"));
    assert!(
        problems
            .to_string()
            .contains("did you mean rating.store.readers?"),
        "{problems}"
    );
}

#[test]
fn values_of_variables_are_toml_or_else_text() {
    let given = variables(&[
        ("M_RATING__WORKERS", "7"),
        ("M_RATING__TAGS", "[\"a\", \"b\"]"),
        ("M_RATING__LISTEN", "0x10"),
        ("M_RATING__ADMIN", "1.10"),
        ("M_RATING__LABELS__TEAM", "2024-01-01"),
        ("M_RATING__STORE__PATH", "a\nb = 1"),
    ]);
    let (config, problems) = take(Layers::new().variables("M", &given));
    assert_eq!(problems.to_string(), "");
    assert_eq!(config.workers, 7);
    assert_eq!(config.tags, ["a", "b"]);
    // Text that looks like a number stays the text it was.
    assert_eq!(config.listen, "0x10");
    assert_eq!(config.admin.as_deref(), Some("1.10"));
    assert_eq!(config.labels["team"], "2024-01-01");
    assert_eq!(config.store.path, "a\nb = 1");
}

#[test]
fn malformed_flags_and_variables_tell_how_to_write_them_and_no_value() {
    let layers = Layers::new()
        .flag("hunter2")
        .flag("rating..listen=hunter2")
        .variables("M", &variables(&[("M___X", "hunter2")]));
    let (_, problems) = take(layers);
    assert_eq!(problems.len(), 3, "{problems}");
    assert!(
        problems.to_string().contains("write KEY=VALUE"),
        "{problems}"
    );
    assert!(!problems.to_string().contains("hunter2"), "{problems}");
}

#[test]
fn a_table_where_a_value_belongs_is_refused_and_the_other_way_round() {
    let (_, problems) = take(text("[rating.workers]\nx = 1\n[rating.store]\n"));
    assert!(
        problems
            .to_string()
            .contains("rating.workers: invalid type: map"),
        "{problems}"
    );
    let (_, problems) = take(text("rating = 5"));
    assert!(
        problems.to_string().starts_with("rating: must be a table"),
        "{problems}"
    );
    let (_, problems) = take(text("[rating]\nstore = 5"));
    assert!(
        problems.to_string().starts_with("rating.store: "),
        "{problems}"
    );
}

#[test]
fn a_renamed_key_fails_with_its_new_name() {
    let mut tree = text("[rating]\ndatabase = \"x\"")
        .variables("M", &variables(&[("M_RATING__DB", "y")]))
        .tree();
    tree.renamed(&[
        ("rating.database", "rating.store.path"),
        ("rating.db", "rating.store.path"),
        ("rating.no", "x"),
    ]);
    let mut problems = Problems::default();
    let _config: Config = tree.take("rating", &mut problems);
    tree.finish(&mut problems);
    assert_eq!(
        problems.to_string(),
        "rating.database: renamed to rating.store.path; write rating.store.path instead (from movies.toml line 2)\n\
         rating.db: renamed to rating.store.path; write M_RATING__STORE__PATH instead (from environment variable M_RATING__DB)"
    );
}

#[test]
fn several_parts_take_their_own_tables() {
    #[derive(Default, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Top {
        data: String,
    }
    impl Validate for Top {}
    let mut tree = text("data = \"here\"\ndat = 1\n[rating]\nworkers = 2\n[services.movie]\nworkers = 3\n[services.mail]\n").tree();
    let mut problems = Problems::default();
    let top: Top = tree.take("", &mut problems);
    let rating: Config = tree.take("rating", &mut problems);
    let movie: Config = tree.take("services.movie", &mut problems);
    tree.finish(&mut problems);
    assert_eq!(
        (top.data.as_str(), rating.workers, movie.workers),
        ("here", 2, 3)
    );
    let text = problems.to_string();
    assert_eq!(problems.len(), 2, "{text}");
    assert!(
        text.contains("dat: unknown key; did you mean data?"),
        "{text}"
    );
    assert!(text.contains("services.mail: unknown key"), "{text}");
}

#[test]
fn a_secret_is_never_printed() {
    let (config, problems) = take(text("[rating.store]\npassword = \"hunter2\""));
    assert!(problems.is_empty());
    assert_eq!(config.store.password.expose(), "hunter2");
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(!print("rating", &config).contains("hunter2"));
    let (_, problems) = take(text("[rating.store]\npassword = 424242"));
    assert!(
        problems.to_string().contains("must be text in quotes"),
        "{problems}"
    );
    assert!(!problems.to_string().contains("424242"), "{problems}");
}

#[test]
fn a_secret_of_digits_in_a_variable_is_text() {
    let given = variables(&[("M_RATING__STORE__PASSWORD", "007")]);
    let (config, problems) = take(Layers::new().variables("M", &given));
    assert!(problems.is_empty(), "{problems}");
    assert_eq!(config.store.password.expose(), "007");
}

#[test]
fn a_secret_is_read_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "hunter2\n").unwrap();
    let given = variables(&[("M_RATING__STORE__PASSWORD__FILE", file.to_str().unwrap())]);
    let (config, problems) =
        take(text("[rating.store]\npassword = \"old\"").variables("M", &given));
    assert!(problems.is_empty(), "{problems}");
    assert_eq!(config.store.password.expose(), "hunter2");

    let (_, problems) = take(text("[rating.store]\npassword = { file = \"/nowhere/x\" }"));
    assert!(
        problems
            .to_string()
            .contains("\"/nowhere/x\" cannot be read"),
        "{problems}"
    );
}

#[test]
fn a_printed_mask_is_not_taken_for_the_secret() {
    let (_, problems) = take(text("[rating.store]\npassword = \"***\""));
    assert!(
        problems.to_string().contains("write the secret itself"),
        "{problems}"
    );
}

#[test]
fn what_is_printed_reads_back_and_tells_the_defaults() {
    let config = Config {
        listen: "a \"quoted\"\nline".into(),
        workers: 9,
        tags: vec!["x".into()],
        labels: BTreeMap::from([("a b".into(), "c".into())]),
        ..Config::default()
    };
    let page = print("rating", &config);
    assert!(page.contains("workers = 9  # default 4"), "{page}");
    assert!(page.contains("# admin is not set"), "{page}");
    assert!(page.contains("patience = \"5s\"\n"), "{page}");
    let (read, problems) = take(text(&page));
    assert_eq!(problems.to_string(), "");
    assert_eq!(read, config);
}

#[test]
fn origins_can_be_asked_for() {
    let mut tree = text("[rating]\nworkers = 2").flag("rating.listen=x").tree();
    assert_eq!(
        tree.origin("rating.workers").unwrap().to_string(),
        "movies.toml line 2"
    );
    assert_eq!(tree.origin("rating.listen"), Some(&Origin::Flag));
    assert_eq!(tree.origin("rating.patience"), None);
    let _config: Config = tree.take("rating", &mut Problems::default());
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(file in "[\\[\\]a-z.=\"0-9 \n]{0,40}", flag in ".{0,30}") {
        if let Ok(layers) = Layers::new().text("f", &file) {
            let (_, problems) = take(layers.flag(&flag));
            drop(problems.to_string());
        }
    }
}
