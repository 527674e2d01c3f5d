//! Each of ECR's quirks, on and off.

use fargateer_sim::Registry;

use crate::fixture::{self, Agent};
use crate::install::no_tools;
use crate::world::{REPOSITORY, World};

fn settings() -> Vec<Registry> {
    let mut all = Vec::new();
    for bits in 0..8 {
        let on = |bit: u8| bits & bit != 0;
        let registry =
            Registry { refuses_mounts: on(1), refuses_same_tag: on(2), breaks_chunks: on(4), endpoint: None };
        all.push(registry);
    }
    all
}

#[tokio::test]
async fn an_image_arrives_whole_whatever_the_registrys_quirks() {
    let mut digests = Vec::new();
    for registry in settings() {
        let world = World::with(registry.clone()).await;
        let agent = Agent::greeting(&World::base_name("3.11"));
        let (digest, moved) = world.builder(fixture::tools()).push(&agent).await.unwrap();
        assert_eq!(moved.mounted, usize::from(!registry.refuses_mounts), "{registry:?}: {moved:?}");
        // Every layer is there with the bytes that its digest says.
        let hand = world.hand();
        let manifest = hand.get(REPOSITORY, &format!("manifests/{digest}")).await.unwrap();
        for layer in manifest["layers"].as_array().unwrap() {
            let expected = layer["digest"].as_str().unwrap();
            assert_eq!(crate::registry::digest(&hand.bytes(REPOSITORY, expected).await), expected, "{registry:?}");
        }
        assert!(!world.requests().contains(&"GetUpload".to_owned()), "{registry:?}");
        let (again, _) = world.builder(no_tools()).push(&agent).await.unwrap();
        assert_eq!(again, digest, "{registry:?}");
        digests.push(digest);
    }
    digests.dedup();
    assert_eq!(digests.len(), 1);
}
