//! What acts on the world: AWS, and the builder of images beside it.

use std::sync::Arc;

use async_trait::async_trait;
use fargateer_aws::Aws;
use fargateer_controller::port::{Cloud, Images};
use fargateer_plan::action::Action;
use fargateer_plan::build::Change;
use fargateer_plan::desired::Place;
use fargateer_plan::echo::Done;
use fargateer_plan::failure::Failure;
use fargateer_plan::observed::{Finding, Look};
use futures::future::join_all;

/// AWS and the builder of images, as one.
pub(crate) struct Hands {
    pub(crate) aws: Arc<Aws>,
    pub(crate) images: Arc<dyn Images>,
}

#[async_trait]
impl Cloud for Hands {
    async fn look(&self, place: &Place, looks: &[Look]) -> Vec<Finding> {
        if !looks.iter().any(|look| matches!(look, Look::Build(_))) {
            return self.aws.look(place, looks).await;
        }
        let finds: Vec<_> = looks.iter().map(|look| Box::pin(self.find(place, look))).collect();
        join_all(finds).await
    }

    fn distrust(&self) {
        self.aws.distrust();
    }

    async fn act(&self, place: &Place, action: &Action) -> Result<Done, Failure> {
        match action {
            Action::Image(Change::Build(order)) => self.images.build(place, order).await.map(Done::Image),
            Action::Repository(_)
            | Action::LogGroup(_)
            | Action::TaskDefinition(_)
            | Action::Service(_)
            | Action::Scaling(_) => self.aws.act(place, action).await,
        }
    }
}

impl Hands {
    async fn find(&self, place: &Place, look: &Look) -> Finding {
        if let Look::Build(order) = look {
            return Finding::Build(self.images.look(place, order).await);
        }
        let found = self.aws.look(place, std::slice::from_ref(look)).await;
        found.into_iter().next().unwrap_or_else(|| unanswered(look))
    }
}

/// A port that answers fewer looks than it was given breaks its contract; nothing is believed then.
fn unanswered(look: &Look) -> Finding {
    tracing::error!(?look, "a look was not answered");
    Finding::Gone(fargateer_plan::seen::Seen::NotLooked)
}
