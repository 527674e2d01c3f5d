//! Images on this disk.

use std::fs;

use fargateer_image::{Output, Progress};
use tempfile::TempDir;

use crate::fixture::{self, Agent};
use crate::world::World;

#[tokio::test]
async fn an_image_on_disk_is_the_one_in_the_registry() {
    let world = World::open().await;
    let agent = Agent::greeting(&World::base_name("3.11"));
    let bench = world.builder(fixture::tools());
    let (digest, _) = bench.push(&agent).await.unwrap();
    let (folder, progress) = (TempDir::new().unwrap(), Progress::silent());
    let prepared = bench.builder.prepare(&agent.recipe, &progress).await.unwrap();
    let layout = folder.path().join("image");
    for _ in 0..2 {
        let output = Output::OciDir(layout.clone());
        let exported = bench.builder.export(&prepared, &output, "greeter:1", &progress).await.unwrap();
        assert_eq!((exported.digest.as_str(), exported.tag), (digest.as_str(), prepared.tag()));
        assert!(layout.join("blobs").join(digest.replace(':', "/")).is_file());
        let index = fs::read_to_string(layout.join("index.json")).unwrap();
        assert!(index.contains(&digest), "{index}");
    }
    let archive = folder.path().join("image.tar");
    let output = Output::DockerArchive(archive.clone());
    bench.builder.export(&prepared, &output, "greeter:1", &progress).await.unwrap();
    let mut archive = tar::Archive::new(fs::File::open(archive).unwrap());
    let entries = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
    let entries: Vec<String> = entries.collect();
    assert!(["manifest.json", "index.json", "oci-layout"].iter().all(|name| entries.contains(&(*name).to_owned())));
}

#[tokio::test]
async fn a_folder_of_something_else_is_left_alone() {
    let world = World::open().await;
    let agent = Agent::plain(&World::base_name("3.11"));
    let (bench, progress) = (world.builder(fixture::tools()), Progress::silent());
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("precious.txt"), "x").unwrap();
    let prepared = bench.builder.prepare(&agent.recipe, &progress).await.unwrap();
    let output = Output::OciDir(folder.path().to_owned());
    let error = bench.builder.export(&prepared, &output, "x", &progress).await.unwrap_err();
    assert!(error.to_string().contains("not empty"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
