//! Which part of the agent's code answers: found before anything is built, so that a missing name is told at once and not
//! by a container that does not start.
//!
//! A look at lines, not a Python parser: it may take a name for defined that is not (then the runtime says so when it
//! starts), and must not miss one that is.

use fargateer_api::default::AGENT_FILE;
use fargateer_api::spec::Build;

use crate::context::Context;
use crate::error::Error;
use crate::runtime::PROGRAM;

/// What a module's agent may be called, in the order in which the runtime looks.
const SYMBOLS: [&str; 8] = ["create_agent", "get_agent", "build_agent", "agent", "app", "invoke", "handler", "main"];

/// The `module:symbol` to tell the runtime, or none where it finds out by itself.
pub(crate) fn entrypoint(context: &Context, build: &Build) -> Result<Option<String>, Error> {
    if let Some(entrypoint) = &build.entrypoint {
        return explicit(context, entrypoint).map(|()| Some(entrypoint.clone()));
    }
    let file = build.agent.as_deref().unwrap_or(AGENT_FILE);
    if build.agent.is_none() && !context.contains(file) && context.contains(PROGRAM) {
        // A server of the user's own serves what it likes.
        return Ok(None);
    }
    if !context.contains(file) {
        return Err(Error::context(file, "there is no such file in the context")
            .hinted("name the file that defines the agent in `agent`"));
    }
    let text = context.text(file)?;
    let Some(symbol) = SYMBOLS.into_iter().find(|symbol| defines(&text, symbol)) else {
        let problem = format!("defines none of {}", SYMBOLS.join(", "));
        return Err(Error::context(file, problem).hinted("name what answers in `entrypoint`, as `module:symbol`"));
    };
    let module = module(file)?;
    Ok((file != AGENT_FILE).then(|| format!("{module}:{symbol}")))
}

/// The module that a file is: `a/b.py` is `a.b`.
fn module(file: &str) -> Result<String, Error> {
    let stem = file.strip_suffix(".py").map(|stem| stem.trim_end_matches("/__init__"));
    let named = |part: &str| {
        let inner = |c: char| c.is_alphanumeric() || c == '_';
        !part.is_empty() && part.chars().all(inner) && !part.starts_with(|c: char| c.is_numeric())
    };
    match stem.filter(|stem| stem.split('/').all(named)) {
        Some(stem) => Ok(stem.replace('/', ".")),
        None => Err(Error::context(file, "not the name of a Python module").hinted("as in `agent: support_bot.py`")),
    }
}

/// Whether `module:symbol` is in the context. A module that is not there may come with the requirements.
fn explicit(context: &Context, entrypoint: &str) -> Result<(), Error> {
    let (module, symbol) = entrypoint.split_once(':').unwrap_or((entrypoint, ""));
    let named = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    if !named(module) || !named(symbol) {
        return Err(Error::context("entrypoint", format!("`{entrypoint}` is not `module:symbol`"))
            .hinted("as in `entrypoint: support_bot:agent`"));
    }
    let path = module.replace('.', "/");
    let files = [format!("{path}.py"), format!("{path}/__init__.py")];
    let Some(file) = files.iter().find(|file| context.contains(file)) else { return Ok(()) };
    let first = symbol.split('.').next().unwrap_or(symbol);
    if defines(&context.text(file)?, first) {
        return Ok(());
    }
    Err(Error::context(file, format!("defines no `{first}`")).hinted("`entrypoint` names what the module defines"))
}

/// Whether the module's text binds `name` outside of any function or class.
fn defines(text: &str, name: &str) -> bool {
    let (mut inside_scope, mut inside_import) = (false, false);
    for line in text.lines() {
        let indented = line.starts_with([' ', '\t']);
        let code = line.trim().split(" #").next().unwrap_or_default();
        if inside_import {
            inside_import = !code.contains(')');
            if !inside_scope && names(code, name) {
                return true;
            }
            continue;
        }
        if !indented && !code.is_empty() && !code.starts_with(['#', '@', ')', ']', '}']) {
            inside_scope = ["def ", "class ", "async def "].iter().any(|word| code.starts_with(word));
        }
        if (!indented || !inside_scope) && binds(code, name) {
            return true;
        }
        inside_import = is_import(code) && code.contains('(') && !code.contains(')');
    }
    false
}

fn is_import(code: &str) -> bool {
    code.starts_with("import ") || code.starts_with("from ")
}

fn binds(code: &str, name: &str) -> bool {
    let code = code.strip_prefix("async ").unwrap_or(code);
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    for word in ["def ", "class "] {
        if let Some(rest) = code.strip_prefix(word) {
            return rest.trim_start().strip_prefix(name).is_some_and(ends);
        }
    }
    if is_import(code) {
        return code.split_once("import ").is_some_and(|(_, imported)| names(imported, name));
    }
    !code.starts_with('#') && assigns(code, name)
}

/// Whether what is imported has this name here.
fn names(imported: &str, name: &str) -> bool {
    imported.trim_matches(['(', ')', ' ', '\\']).split(',').any(|one| {
        let bound = one.split_once(" as ").map_or(one, |(_, alias)| alias).trim();
        bound == name || bound == "*"
    })
}

/// Whether one of the targets of an assignment is `name`: `a = b: T = value`, `a, b = values`.
fn assigns(code: &str, name: &str) -> bool {
    let mut rest = code;
    while let Some((target, after)) = rest.split_once('=') {
        // A comparison, an operator with `=`, or an argument's name.
        if after.starts_with('=') || target.ends_with(['!', '<', '>', ':']) || target.contains('(') {
            return false;
        }
        let target = target.split(':').next().unwrap_or_default();
        if target.split([',', '*', '[', ']']).any(|one| one.trim() == name) {
            return true;
        }
        rest = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_defines_is_seen() {
        let cases = [
            "agent = Agent()",
            "agent: Agent = Agent()",
            "other = agent = Agent()",
            "agent, tools = make()",
            "def agent(payload):\n    pass",
            "async def agent(payload): ...",
            "class agent:\n    pass",
            "from bots import agent",
            "from bots import support as agent",
            "from bots import (\n    agent,\n    other,\n)",
            "from bots import (\n    support as agent,\n)",
            "from bots import *",
            "import bots.support as agent",
            "if OFFLINE:\n    agent = A()\nelse:\n    agent = B()",
            "try:\n    from x import agent\nexcept ImportError:\n    raise",
            "@decorated(\n    1,\n)\ndef agent(): ...",
        ];
        for text in cases {
            assert!(defines(text, "agent"), "{text}");
        }
    }

    #[test]
    fn what_a_module_does_not_define_is_missed() {
        let cases = [
            "agents = 1",
            "def make():\n    agent = Agent()\n    return agent",
            "class A:\n    agent = 1",
            "print(agent == 1)",
            "# agent = 1",
            "from agent import other",
            "subagent = Agent()",
            "x.agent = 1",
        ];
        for text in cases {
            assert!(!defines(text, "agent"), "{text}");
        }
    }

    #[test]
    fn a_file_is_a_module() {
        assert_eq!(module("a/b.py").unwrap(), "a.b");
        assert_eq!(module("a/__init__.py").unwrap(), "a");
        assert!(module("my-bot.py").is_err() && module("bot.txt").is_err());
    }
}
