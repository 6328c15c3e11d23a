//! A service in a state that fills every page, and pictures of the pages.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use qopen::journal::{
    DiskJournal, EndState, Journal as _, Layer, Note, Noted, Payload, PullId, Quarantined,
};
use qopen_simulator::Schedule;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::chromium::Chromium;
use crate::console_seed::{List, days_ago, ended, noted, published, pull_id, seed, started};
use crate::served::Served;
use crate::support::Stage;

/// The largest picture, in bytes.
const LARGEST: usize = 100_000;

/// A service whose pages have something to show, and an open pull.
pub(crate) struct Show {
    _stage: Stage,
    pub served: Served,
    /// Its login.
    pub guarded: Served,
    _guarded: Stage,
    live: String,
    /// An item in quarantine.
    item: String,
}

const SETTINGS: &str = "\
time_zone = 'Asia/Shanghai'
[[schedule]]
cron = '30 2 * * *'
robots = ['sales-north', 'sales-south', 'support-1', 'support-2']
[[schedule]]
cron = '0 */6 * * *'
robots = ['vip']
";

impl Show {
    pub(crate) async fn new() -> Self {
        // The last page never comes, so that the pull stays open.
        let schedule = Schedule {
            accounts: 560,
            page_size: 20,
            parallel: 2,
            lost_last_page: true,
            ..Schedule::default()
        };
        let stage = Stage::new(&schedule);
        let folder = stage.folder.path();
        seed(&folder.join("qopen-data"), past()).await;
        quarantine(&folder.join("qopen-data")).await;
        std::fs::write(folder.join("qopen.toml"), SETTINGS).unwrap();
        let options = ["--retain", "900d", "--settle", "20s", "--idle-timeout", "10m"];
        let served = Served::with_lists(&stage, &options);
        for _ in 0..7 {
            let callback = format!("http://{}/callback", stage.listen);
            served.http.post(callback).body("{}").send().await.unwrap();
        }
        let live = served.start_pull("support-1").await;
        served.until(&live, |it| it["pages"].as_u64() > Some(12)).await;
        let guarded_stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
        let guarded = Served::new(&guarded_stage, &[], Some("canary-control-token-0123456789"));
        let items = served.get_json("/v1/quarantine").await;
        let item = items["items"][0]["item"].as_str().unwrap().to_owned();
        Self { _stage: stage, served, guarded, _guarded: guarded_stage, live, item }
    }

    /// The pages with their names and addresses.
    pub(crate) fn pages(&self) -> Vec<(&'static str, String)> {
        let (open, closed) = (&self.served.control, &self.guarded.control);
        let live = format!("/console/pull?robot_id=support-1&mark_id={}", self.live);
        let item = format!("/console/quarantine/item?item={}", self.item);
        [
            ("robots", "/console/robots"),
            ("robot", "/console/robot?robot_id=sales-north"),
            ("pulls", "/console/pulls"),
            ("pull", &live),
            ("held", "/console/held"),
            ("held-list", "/console/held/list?robot_id=sales-south&mark_id=south-held"),
            ("quarantine", "/console/quarantine"),
            ("item", &item),
            ("callbacks", "/console/callbacks"),
        ]
        .map(|(name, path)| (name, format!("{open}{path}")))
        .into_iter()
        .chain([("login", format!("{closed}/console/login"))])
        .collect()
    }
}

/// Two weeks of lists.
fn past() -> Vec<(PullId, Vec<Noted>)> {
    let mut pulls = Vec::new();
    let robots = [
        ("sales-north", 1180_u64, 14_u64),
        ("sales-south", 940, 14),
        ("support-1", 420, 7),
        ("support-2", 377, 7),
        ("vip", 63, 3),
        ("campaign-2025", 5200, 1),
    ];
    for day in (1..=14).rev() {
        for (robot, size, days) in robots {
            if day > days && !(robot == "campaign-2025" && day == 12) {
                continue;
            }
            // A steady growth with a few losses, the same each time.
            let (added, gone) = ((day * 7 + size) % 23 + 4, (day * 5 + size) % 11);
            let accounts = size + (14 - day) * 9 + added;
            let changes = (day < days).then_some((added, gone));
            let at = days_ago(day) + Duration::from_secs(size % 900);
            let list = List { accounts, changes, at };
            pulls.push((pull_id(robot, &format!("{robot}-{day:02}")), published(&list)));
        }
    }
    let at = days_ago(0) - Duration::from_secs(5 * 3600);
    let complete = ended(EndState::Complete, "the last page and 3 s of quiet", 611);
    let held = Note::Held {
        revision: 1,
        pages: 0,
        gone: 402,
        before: 1013,
        present: 0,
        unconfirmed: false,
        left_out: Vec::new(),
        location: Some("/var/lib/qopen/lists/sales-south.jsonl.held".to_owned()),
    };
    pulls.push((pull_id("sales-south", "south-held"), noted(at, [started(), complete, held])));
    let incomplete = ended(EndState::Incomplete, "no page is marked as the last", 180);
    pulls.push((pull_id("support-2", "support-2-cut"), noted(at, [started(), incomplete])));
    let failed = ended(EndState::Failed, "no page came within 60 s", 0);
    pulls.push((pull_id("recycled", "recycled-1"), noted(at, [started(), failed])));
    pulls
}

/// Items in quarantine, of a pull and of none.
async fn quarantine(folder: &Path) {
    let journal = DiskJournal::open(folder).unwrap();
    let of = pull_id("support-2", "support-2-cut");
    for (pull, layer, reason, payload) in [
        (Some(of), Layer::Json, "a string ends in the middle of a character", "one"),
        (None, Layer::Content, "the content cannot be decrypted with any key", "two"),
    ] {
        let item = Quarantined::new(pull, layer, reason, Payload::new(payload.as_bytes().to_vec()));
        journal.quarantine(item).await.unwrap();
    }
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub language: &'static str,
    pub scheme: &'static str,
    /// Width of the window, in pixels.
    pub width: u32,
}

/// Opens a page in a language, a color scheme and a width.
pub(crate) fn look_at(browser: &mut Chromium, url: &str, Look { language, scheme, width }: Look) {
    let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
    browser.call("Emulation.setEmulatedMedia", json!({ "features": [feature] })).unwrap();
    let (height, mobile) = (800, width < 600);
    let metrics =
        json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
    browser.call("Emulation.setDeviceMetricsOverride", metrics).unwrap();
    let link = if url.contains('?') { '&' } else { '?' };
    browser.open(&format!("{url}{link}lang={language}"));
}

/// Makes the pictures: `cargo xtask screenshots`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it makes the pictures of docs/console"]
async fn every_page_has_its_pictures() {
    let folder = PathBuf::from(std::env::var_os("QOPEN_SCREENSHOTS").expect("a folder"));
    std::fs::create_dir_all(&folder).unwrap();
    let mut browser = Chromium::launch("en").expect("a browser");
    let show = Show::new().await;
    block_in_place(|| {
        let light = |language| Look { language, scheme: "light", width: 1000 };
        let small = Look { language: "zh", scheme: "dark", width: 360 };
        for (name, url) in show.pages() {
            for (ending, look) in [("en", light("en")), ("zh", light("zh")), ("360-dark", small)] {
                if ending == "360-dark" && !["robots", "robot", "pull"].contains(&name) {
                    continue;
                }
                look_at(&mut browser, &url, look);
                let file = folder.join(format!("{name}.{ending}.png"));
                let size = picture(&mut browser, &file, look.width);
                assert!(size <= LARGEST, "{} has {size} bytes", file.display());
            }
        }
    });
}

/// Writes a picture of the whole page, at most 1,000 pixels of it. Returns its size in bytes.
fn picture(browser: &mut Chromium, file: &Path, width: u32) -> usize {
    let height = browser.eval("document.documentElement.scrollHeight").as_u64().unwrap().min(1000);
    let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
    let options = json!({
        "format": "png", "captureBeyondViewport": true, "optimizeForSpeed": false, "clip": clip
    });
    let taken: Value = browser.call("Page.captureScreenshot", options).unwrap();
    let bytes = small(&base64_of(taken["data"].as_str().unwrap()));
    std::fs::write(file, &bytes).unwrap();
    bytes.len()
}

/// Returns a picture with at most 256 colors: the nearest ones, if it has more.
fn small(bytes: &[u8]) -> Vec<u8> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(frame.bit_depth, png::BitDepth::Eight);
    let samples = frame.color_type.samples();
    let colors: Vec<[u8; 3]> =
        pixels[..frame.buffer_size()].chunks(samples).map(|it| [it[0], it[1], it[2]]).collect();
    let coarse = |bits: u32| {
        let most = (1_u32 << bits) - 1;
        // White stays white.
        let nearest = move |it: u8| ((u32::from(it) >> (8 - bits)) * 255 / most) as u8;
        move |color: &[u8; 3]| color.map(nearest)
    };
    let different: HashSet<[u8; 3]> = colors.iter().copied().collect();
    let palette = |bits: u32| different.iter().map(coarse(bits)).collect::<BTreeSet<_>>();
    let bits = (4..=8).rev().find(|bits| palette(*bits).len() <= 256).unwrap_or(2);
    let palette = palette(bits);
    let places: HashMap<[u8; 3], u8> = palette.iter().copied().zip(0..=255).collect();
    let indexed: Vec<u8> = colors.iter().map(|it| places[&coarse(bits)(it)]).collect();
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, frame.width, frame.height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_compression(png::Compression::High);
    // Neighbors in a palette have nothing in common.
    encoder.set_filter(png::Filter::NoFilter);
    encoder.set_palette(palette.iter().flatten().copied().collect::<Vec<u8>>());
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&indexed).unwrap();
    writer.finish().unwrap();
    out
}

fn base64_of(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}
