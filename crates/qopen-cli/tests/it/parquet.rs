//! Lists in Parquet: what data tools read is the list.

#[cfg(feature = "parquet")]
mod written;

/// What a build without Parquet says.
#[cfg(not(feature = "parquet"))]
mod refused {
    use qopen_simulator::Schedule;

    use crate::served::Served;
    use crate::support::{Stage, qopen, text, with_settings};

    const BUILD: &str = "cargo install --path crates/qopen-cli --features parquet";

    #[test]
    fn a_build_without_parquet_names_the_build_that_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        let schedule = "[[schedule]]\ncron = '0 0 * * *'\nrobots = ['r1']\nformat = 'parquet'\n";
        std::fs::write(folder.path().join("qopen.toml"), schedule).unwrap();
        std::fs::create_dir(folder.path().join("lists")).unwrap();
        for arguments in [
            &["pull", "--robot", "r1", "--out", "x", "--format", "parquet"][..],
            &["pull", "--robot", "r1", "--out", "x.parquet"],
            &["assemble", "--out", "x.Parquet"],
            &["convert", "x.jsonl", "--format", "parquet"],
            &["demo", "--out", "x.parquet"],
            &["serve", "--out", "lists"],
        ] {
            let mut command = with_settings(qopen(folder.path(), arguments));
            let output = command.env("QOPEN_BASE_URL", "http://127.0.0.1:9").output().unwrap();
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
            assert!(said.contains("Parquet") && said.contains(BUILD), "{arguments:?}: {said}");
        }
        assert!(!folder.path().join("x").exists() && !folder.path().join("x.parquet").exists());
    }

    #[tokio::test]
    async fn the_control_api_names_the_build_too() {
        let stage = Stage::new(&Schedule { accounts: 3, ..Schedule::default() });
        let served = Served::with_lists(&stage, &[]);
        let answer = served.get("/v1/robots/r1/accounts?format=parquet").await;
        assert_eq!(answer.status(), 400);
        assert!(answer.text().await.unwrap().contains(BUILD));
        assert_eq!(served.stop().code(), Some(0));
    }
}
