//! The image's own documents: its configuration and manifest, from a base, our layers and what they are to do.

use std::collections::BTreeMap;

use fargateer_api::default::CONTAINER_PORT;
use serde_json::{Map, Value, json};

use crate::base::{Base, environment};
use crate::error::{Cause, Error};
use crate::hash;
use crate::inputs::Settings;
use crate::layer::Layer;
use crate::oci::{CONFIG, Descriptor, Document};
use crate::runtime::{HOME, PROGRAM};
use crate::wheels::VENV;

/// Under which an image tells how it was made, so that it can be made again on another base.
pub(crate) const SETTINGS: &str = "io.fargateer.image.settings";
/// The name and the digest of the base.
pub(crate) const BASE_NAME: &str = "org.opencontainers.image.base.name";
pub(crate) const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
/// Nobody in particular: `nobody` of the images without a shell, which has no name in others.
const USER: &str = "65532:65532";
/// There is no moment at which a reproducible image was made.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// An image: documents and the layers they name.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) config: Document,
    pub(crate) manifest: Document,
    /// Those of the base.
    pub(crate) base_layers: Vec<Descriptor>,
}

/// Our layers, in the order in which they lie on the base: what changes least lies lowest.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    pub(crate) dependencies: Layer,
    pub(crate) runtime: Layer,
    pub(crate) code: Layer,
}

impl Layers {
    pub(crate) fn each(&self) -> [(&'static str, &Layer); 3] {
        [("dependencies", &self.dependencies), ("runtime", &self.runtime), ("code", &self.code)]
    }
}

/// The image of `layers` on `base`.
pub(crate) fn image(base: &Base, settings: &Settings, layers: &Layers) -> Image {
    let config = Document::new(CONFIG, &configuration(base, settings, layers));
    let base_layers: Vec<Descriptor> = base.manifest.layers.iter().map(Descriptor::as_oci_layer).collect();
    let ours = layers.each().map(|(_, layer)| layer.descriptor.clone());
    let all: Vec<Descriptor> = base_layers.iter().cloned().chain(ours).collect();
    Image { manifest: Document::manifest(&config.descriptor, &all), config, base_layers }
}

fn configuration(base: &Base, settings: &Settings, layers: &Layers) -> Value {
    let mut diff_ids = base.diff_ids();
    diff_ids.extend(layers.each().map(|(_, layer)| json!(layer.diff_id)));
    let mut history = base.config.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
    let step = |name: &str| json!({"created": CREATED, "created_by": format!("fargateer: {name}")});
    history.extend(layers.each().map(|(name, _)| step(name)));
    let mut document = Map::new();
    // What says for which machine it is; nothing else of the base's outer fields holds for the new image.
    for field in ["architecture", "os", "os.version", "variant"] {
        document.extend(base.config.get(field).map(|value| (field.to_owned(), value.clone())));
    }
    document.insert("created".to_owned(), json!(CREATED));
    document.insert("config".to_owned(), running(base, settings));
    document.insert("rootfs".to_owned(), json!({"type": "layers", "diff_ids": diff_ids}));
    document.insert("history".to_owned(), json!(history));
    Value::Object(document)
}

/// How a container of the image runs.
fn running(base: &Base, settings: &Settings) -> Value {
    let mut running = base.config.get("config").and_then(Value::as_object).cloned().unwrap_or_default();
    // ECS ignores an image's health check, and what the base runs is not what we run.
    for field in ["Healthcheck", "Entrypoint", "Shell", "OnBuild", "Image", "Hostname"] {
        running.remove(field);
    }
    let mut labels = running.get("Labels").and_then(Value::as_object).cloned().unwrap_or_default();
    labels.extend(self::labels(base, settings).into_iter().map(|(name, value)| (name, json!(value))));
    let program = format!("/{HOME}/{PROGRAM}");
    let ours = json!({
        "User": USER,
        "WorkingDir": format!("/{HOME}"),
        "Cmd": [format!("/{VENV}/bin/python"), program],
        "Env": variables(base, settings),
        "ExposedPorts": {format!("{CONTAINER_PORT}/tcp"): {}},
        "StopSignal": "SIGTERM",
        // ECS gives a volume the owner and mode its place has in the image; /tmp is everybody's.
        "Volumes": {"/tmp": {}},
        "Labels": labels,
    });
    running.extend(ours.as_object().cloned().unwrap_or_default());
    Value::Object(running)
}

/// The base's variables with ours in their place or after them.
fn variables(base: &Base, settings: &Settings) -> Vec<String> {
    let mut variables: Vec<(String, String)> =
        environment(&base.config).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let known = |variables: &[(String, String)], name: &str| variables.iter().position(|(known, _)| known == name);
    let path = known(&variables, "PATH").and_then(|index| variables.get(index)).map(|(_, value)| value.clone());
    let path = path.unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned());
    let mut ours = vec![
        ("PATH", format!("/{VENV}/bin:{path}")),
        ("VIRTUAL_ENV", format!("/{VENV}")),
        // Nobody's home: the one place everybody may write to.
        ("HOME", "/tmp".to_owned()),
        ("PYTHONUNBUFFERED", "1".to_owned()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
    ];
    ours.extend(settings.entrypoint.clone().map(|entrypoint| ("AGENT_ENTRYPOINT", entrypoint)));
    for (name, value) in ours {
        match known(&variables, name).and_then(|index| variables.get_mut(index)) {
            Some(variable) => variable.1 = value,
            None => variables.push((name.to_owned(), value)),
        }
    }
    variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn labels(base: &Base, settings: &Settings) -> BTreeMap<String, String> {
    let mut labels = settings.labels.clone();
    let remembered = hash::canonical(&json!(settings));
    let ours = [(BASE_NAME, base.name.as_str()), (BASE_DIGEST, base.digest()), (SETTINGS, &remembered)];
    labels.extend(ours.map(|(name, value)| (name.to_owned(), value.to_owned())));
    labels
}

/// What an image of ours remembers: its settings and its layers. Nothing for an image of somebody else.
pub(crate) fn remembered(manifest: &[Descriptor], config: &Value) -> Result<Option<(Settings, Layers)>, Error> {
    let Some(text) = label(config, SETTINGS) else { return Ok(None) };
    let fault = |problem: String| Error::new(Cause::RegistryRefused, format!("the image's {SETTINGS}: {problem}"));
    let settings: Settings = serde_json::from_str(text).map_err(|error| fault(error.to_string()))?;
    let diff_ids = config.pointer("/rootfs/diff_ids").and_then(Value::as_array).cloned().unwrap_or_default();
    let ours = |back: usize| {
        let descriptor = manifest.get(manifest.len().checked_sub(back)?)?.clone();
        let diff_id = diff_ids.get(diff_ids.len().checked_sub(back)?)?.as_str()?.to_owned();
        Some(Layer { descriptor, diff_id })
    };
    let (Some(dependencies), Some(runtime), Some(code)) = (ours(3), ours(2), ours(1)) else {
        return Err(fault("there are fewer layers than ours".to_owned()));
    };
    Ok(Some((settings, Layers { dependencies, runtime, code })))
}

/// A label of an image's configuration.
pub(crate) fn label<'a>(config: &'a Value, name: &str) -> Option<&'a str> {
    config.get("config")?.get("Labels")?.get(name)?.as_str()
}
