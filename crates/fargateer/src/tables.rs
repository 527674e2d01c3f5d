//! Tables of specs (`dynamodb://TABLE`): found by their address, and opened once for reading rows and telling statuses.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use fargateer_controller::port::{Lease, Statuses};
use fargateer_store::source::table::TableSource;
use fargateer_store::status::row::RowStatuses;
use fargateer_store::table::SpecTable;

use crate::cli;
use crate::output::hinted;

/// The tables of specs of a machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables {
    all: Vec<SpecTable>,
    statuses: Option<Arc<RowStatuses>>,
}

/// The name of the table at `address`; none when it is the address of something else.
pub(crate) fn name(address: &str) -> anyhow::Result<Option<String>> {
    let named = SpecTable::named(address).map(cli::table_name).transpose();
    named.map_err(|problem| hinted(format!("{address}: no table has this name"), problem))
}

/// The names of the tables among `sources`.
pub(crate) fn names(sources: &[String]) -> anyhow::Result<Vec<String>> {
    let names = sources.iter().map(|source| name(source)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(names.into_iter().flatten().collect())
}

impl Tables {
    /// The tables `names`, reached by `config`, and `statuses`, which from now on are told in their rows, too, while `lease`
    /// is held.
    pub(crate) fn open(
        config: &SdkConfig,
        names: &[String],
        statuses: Arc<dyn Statuses>,
        lease: Arc<dyn Lease>,
    ) -> (Self, Arc<dyn Statuses>) {
        if names.is_empty() {
            return (Self::default(), statuses);
        }
        let all: Vec<SpecTable> = names.iter().map(|name| SpecTable::new(config, name)).collect();
        let statuses = Arc::new(RowStatuses::new(statuses, lease, all.clone()));
        (Self { all, statuses: Some(Arc::clone(&statuses)) }, statuses)
    }

    /// Makes them all.
    pub(crate) async fn create(&self) -> anyhow::Result<()> {
        for table in &self.all {
            table.create().await.map_err(anyhow::Error::msg)?;
        }
        Ok(())
    }

    /// The one at `address` as a source, if it is one of these.
    pub(crate) fn source(&self, address: &str, poll: Duration) -> Option<TableSource> {
        let table = self.all.iter().find(|table| table.address() == address)?;
        let source = TableSource::new(table.clone(), poll).following();
        Some(match &self.statuses {
            Some(statuses) => source.telling(Arc::clone(statuses)),
            None => source,
        })
    }

    /// Tells in their rows what could not be told so far.
    pub(crate) async fn finish(&self) {
        if let Some(statuses) = &self.statuses {
            statuses.finish().await;
        }
    }
}
