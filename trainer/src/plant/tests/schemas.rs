//! Records of other times: of earlier releases, of later ones, from a backup.

use super::*;

/// As the program of each earlier release left it, with something in it, in a database of its own.
async fn brought_up_to_date(url_of: impl AsyncFn(usize) -> String) {
    use sqlx::migrate::Migrator;
    let every = sqlx::migrate!("src/plant/migrations");
    for released in 1..every.iter().count() {
        let url = url_of(released).await;
        sqlx::any::install_default_drivers();
        let pool = sqlx::AnyPool::connect(&url).await.unwrap();
        let then = every.iter().take(released).cloned().collect::<Vec<_>>();
        Migrator { migrations: then.into(), ..Migrator::DEFAULT }.run(&pool).await.unwrap();
        let then = Record { pool };
        let said = vec![decision("gl2", 1), word("gl2", "w1", 1, Label::Nok, None)];
        let first = batch("gl2", Place::default(), place(10), said);
        then.store(PREFIX, &first, moment(0)).await.unwrap();
        let before = then.coils(&Query::default()).await.unwrap();
        let told = then.coil("gl2", "gl2-1").await.unwrap();
        then.close().await;
        let now = Record::open(&url).await.unwrap();
        assert_eq!(now.coils(&Query::default()).await.unwrap(), before, "schema {released}");
        assert_eq!(now.coil("gl2", "gl2-1").await.unwrap(), told, "schema {released}");
        assert_eq!(now.labelled("gl2").await.unwrap()[0].coil.matrix, matrix());
        let second = batch("gl2", place(10), place(20), vec![decision("gl2", 2)]);
        assert_eq!(now.store(PREFIX, &second, moment(0)).await.unwrap().upto, place(20));
        now.close().await;
    }
}

#[test]
fn a_record_of_every_released_schema_is_brought_up_to_date_and_keeps_what_it_has() {
    on_a_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        brought_up_to_date(async |n| format!("sqlite://{}/{n}.sqlite?mode=rwc", folder.path().display()))
            .await;
    });
}

#[test]
fn a_record_of_every_released_schema_is_brought_up_to_date_on_postgresql() {
    let Some(url) = database("a_record_of_every_released_schema_is_brought_up_to_date_on_postgresql") else {
        return;
    };
    on_a_runtime(async {
        sqlx::any::install_default_drivers();
        let pool = sqlx::AnyPool::connect(&url).await.unwrap();
        let schema = |n: usize| format!("released_{}_{n}", std::process::id());
        brought_up_to_date(async |n| {
            let sql = format!("CREATE SCHEMA {}", schema(n));
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
            let join = if url.contains('?') { '&' } else { '?' };
            format!("{url}{join}options[search_path]={}", schema(n))
        })
        .await;
        for n in 1..sqlx::migrate!("src/plant/migrations").iter().count() {
            let sql = format!("DROP SCHEMA {} CASCADE", schema(n));
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
        }
    });
}

#[test]
fn a_record_of_a_later_program_is_left_alone() {
    on_a_runtime(async {
        let (folder, record) = record().await;
        let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
            VALUES (9999, 'of tomorrow', TRUE, x'00', 0)";
        sqlx::query(sql).execute(&record.pool).await.unwrap();
        record.close().await;
        let refused = Record::in_file(&folder.path().join("record.sqlite")).await.unwrap_err();
        assert!(refused.to_string().contains("update the older of the two"), "{refused}");
    });
}

#[test]
fn a_record_from_a_backup_stands_where_it_stood() {
    on_a_runtime(async {
        let (folder, record) = record().await;
        let file = |name: &str| folder.path().join(name);
        let first = batch("gl2", Place::default(), place(10), vec![decision("gl2", 1)]);
        record.store(PREFIX, &first, moment(0)).await.unwrap();
        record.close().await;
        std::fs::copy(file("record.sqlite"), file("backup.sqlite")).unwrap();
        let record = Record::in_file(&file("record.sqlite")).await.unwrap();
        let second = batch("gl2", place(10), place(20), vec![decision("gl2", 2)]);
        record.store(PREFIX, &second, moment(0)).await.unwrap();
        record.close().await;
        let restored = Record::in_file(&file("backup.sqlite")).await.unwrap();
        let third = batch("gl2", place(20), place(30), vec![decision("gl2", 3)]);
        let stands = restored.store(PREFIX, &third, moment(0)).await.unwrap();
        assert_eq!(stands.upto, place(10), "and the line sends from there");
        assert_eq!(restored.store(PREFIX, &second, moment(0)).await.unwrap().upto, place(20));
    });
}
