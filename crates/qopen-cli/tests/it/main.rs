//! The binary as people and scripts meet it: real processes, loopback, files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[cfg(target_os = "linux")]
mod alerts;
#[cfg(unix)]
mod backups;
#[cfg(target_os = "linux")]
mod basis;
mod beside;
mod browser;
mod callbacks;
mod chaos;
#[cfg(target_os = "linux")]
mod chromium;
mod console;
#[cfg(target_os = "linux")]
mod console_acts;
#[cfg(target_os = "linux")]
mod console_axe;
mod console_callbacks;
mod console_lists;
#[cfg(target_os = "linux")]
mod console_live;
mod console_many;
mod console_pages;
#[cfg(target_os = "linux")]
mod console_screens;
mod console_seed;
mod convert;
mod crashes;
mod csv_lists;
mod damaged;
mod described;
mod differences;
mod doors;
#[cfg(target_os = "linux")]
mod evidence;
mod examples;
mod exports;
mod file_size;
mod formats;
#[cfg(target_os = "linux")]
mod full_disk;
mod guards;
mod guards_served;
mod healthcheck;
mod history;
#[cfg(target_os = "linux")]
mod hostile;
#[cfg(unix)]
mod init;
#[cfg(target_os = "linux")]
mod init_asked;
#[cfg(unix)]
mod interrupted;
#[cfg(target_os = "linux")]
mod keys;
mod languages;
mod later;
mod leaks;
mod left_out;
mod libreoffice;
#[cfg(unix)]
mod listening;
mod listing;
mod losses;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
mod metrics;
mod mysql;
mod named;
mod next;
mod odd;
mod offline;
#[cfg(feature = "otel")]
mod otel;
mod outages;
#[cfg(unix)]
mod packaging;
mod parquet;
#[cfg(target_os = "linux")]
mod pasted;
mod peer;
mod places;
mod pulls;
mod purged;
#[cfg(target_os = "linux")]
mod readers;
mod reading;
mod requests;
mod robots;
mod robots_all;
mod schedules;
mod served;
mod serving;
#[cfg(unix)]
mod settings;
mod shared;
mod singer;
#[cfg(target_os = "linux")]
mod soak;
mod spans;
mod sqlite;
#[cfg(unix)]
mod supervised;
mod support;
#[cfg(unix)]
mod switches;
#[cfg(target_os = "linux")]
mod terminal;
mod texts;
#[cfg(unix)]
mod troubles;
#[cfg(unix)]
mod upgrades;
mod verified;
mod webhooks;
mod xlsx;
mod xlsx_room;
