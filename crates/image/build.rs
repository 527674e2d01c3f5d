//! Embeds the runtime: `runtime/agent_server.py` and the modules of `runtime/fargateer_runtime`, and nothing else that lies
//! there. Every file so embedded is part of the runtime layer, under the same name below `/app`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The program, and the package beside it.
const PROGRAM: &str = "agent_server.py";
const PACKAGE: &str = "fargateer_runtime";

fn main() -> io::Result<()> {
    let crate_folder = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let runtime = crate_folder.join("runtime");
    println!("cargo::rerun-if-changed={}", runtime.join(PROGRAM).display());
    println!("cargo::rerun-if-changed={}", runtime.join(PACKAGE).display());
    let mut names = vec![PROGRAM.to_owned()];
    names.extend(modules(&runtime.join(PACKAGE))?);
    names.sort();
    let mut code = String::from("&[\n");
    for name in names {
        let path = runtime.join(&name).display().to_string();
        writeln!(code, "    ({name:?}, include_bytes!({path:?})),").map_err(io::Error::other)?;
    }
    code.push_str("]\n");
    fs::write(PathBuf::from(variable("OUT_DIR")?).join("runtime.rs"), code)
}

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script by the environment")]
fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(io::Error::other)
}

/// The Python files of the package, its subpackages included; none where there is no package.
fn modules(package: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![(package.to_owned(), PACKAGE.to_owned())];
    while let Some((folder, name)) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let inner = format!("{name}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                folders.push((entry.path(), inner));
            } else if Path::new(&inner).extension().is_some_and(|ending| ending == "py") {
                found.push(inner);
            }
        }
    }
    Ok(found)
}
