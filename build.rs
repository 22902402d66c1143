//! Makes include/delegated_tenant.h from src/ffi.
//!
//! `DT_HEADER_FROZEN=1`, which CI sets, writes nothing and fails where the committed header is not what the source says.

use std::path::Path;
use std::{env, fs};

/// In the order of the header.
const SOURCES: [&str; 10] = ["library", "options", "cancel", "session", "check", "command", "invocation", "item", "text", "error"];

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let root = Path::new(&root);
    let header = root.join("include/delegated_tenant.h");
    for watched in ["build.rs", "src/ffi", "include"] {
        println!("cargo:rerun-if-changed={watched}");
    }
    println!("cargo:rerun-if-env-changed=DT_HEADER_FROZEN");
    let frozen = env::var("DT_HEADER_FROZEN").is_ok_and(|v| v == "1");

    // The runtime's threads run in the library's code until the process ends: unloading it would pull that away.
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }

    let made = generate(root);
    // For the test of the header, which is not to build it again.
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("delegated_tenant.h"), &made).expect("OUT_DIR is written to");
    if fs::read(&header).is_ok_and(|committed| committed == made) {
        return;
    }
    assert!(!frozen, "{} is not what src/ffi says; build without DT_HEADER_FROZEN and commit it", header.display());
    // A source that cannot be written to, as in a registry, is built from as it is.
    if let Err(e) = fs::write(&header, made) {
        println!("cargo:warning=the header is left as it is: {e}");
    }
}

fn generate(root: &Path) -> Vec<u8> {
    let mut config = cbindgen::Config::from_file(root.join("include/cbindgen.toml")).expect("include/cbindgen.toml is read");
    let part = |name| env::var(format!("CARGO_PKG_VERSION{name}")).expect("cargo sets it");
    config.after_includes = Some(format!(
        "\n/**\n * The version of the library that this header came with.\n */\n#define DT_VERSION \"{}\"\n#define DT_VERSION_MAJOR {}\n#define DT_VERSION_MINOR {}\n#define DT_VERSION_PATCH {}",
        part(""),
        part("_MAJOR"),
        part("_MINOR"),
        part("_PATCH")
    ));
    let builder =
        SOURCES.iter().fold(cbindgen::Builder::new().with_config(config), |b, name| b.with_src(root.join(format!("src/ffi/{name}.rs"))));
    let mut made = Vec::new();
    builder.generate().expect("src/ffi is read").write(&mut made);
    made
}
