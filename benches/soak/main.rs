//! 500 sessions one after the other, from Rust and from PowerShell: memory, handles, threads and the ledger's files stay
//! where they were after the first 50. `cargo bench --bench soak`; a number as argument runs as many instead.

mod measure;
#[path = "../../tests/it/support.rs"]
#[allow(dead_code, reason = "the tests' helpers")]
mod support;

use measure::{Tenant, cycles, module, watch};
use std::path::Path;
use std::process::Command;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let ["--cycles", uri, marks] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        let marks: Vec<usize> = marks.split(',').map(|m| m.parse().expect("a number")).collect();
        return cycles(uri, &marks);
    }
    let most = arguments.iter().find_map(|a| a.parse().ok()).unwrap_or(500);
    let marks = [most / 10, most / 2, most];
    let tenant = Tenant::start();
    let ledger = Path::new(env!("CARGO_TARGET_TMPDIR")).join("soak-bench");
    let this = std::env::current_exe().expect("a program");

    println!("from Rust");
    let list = marks.map(|m| m.to_string()).join(",");
    for sample in watch(Command::new(&this).args(["--cycles", &tenant.uri, &list]), &ledger) {
        println!("{sample}");
    }
    let Some(pwsh) = support::find_pwsh() else {
        println!("no pwsh: the module is left out");
        return;
    };
    println!("from PowerShell");
    for sample in watch(&mut module(&pwsh, this.parent().expect("a folder"), &tenant.uri, &marks), &ledger) {
        println!("{sample}");
    }
}
