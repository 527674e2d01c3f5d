//! Amazon ECS on Fargate: the operations, one file a resource, and what ECS does by itself.
//!
//! Only replica services on Fargate with the ECS deployment controller are simulated: no EC2 instances, no task sets.

mod account_setting;
mod blue_green;
mod capacity_provider;
mod circuit_breaker;
mod cluster;
mod command;
mod container_rules;
mod deployment;
pub(crate) mod driven;
mod event;
mod exec;
mod instance;
mod protection;
mod quota;
mod scheduler;
mod service;
mod service_deployment;
mod service_input;
mod service_revision;
mod service_rules;
mod service_update;
mod service_view;
mod tag;
mod task;
mod task_api;
mod task_definition;
mod task_definition_defaults;
mod task_definition_list;
mod task_definition_rules;
mod task_run;
mod task_set;
mod task_size;
mod task_step;
mod task_view;
mod verdict;

pub(crate) use cluster::create as create_cluster;
pub(crate) use scheduler::{rescale, wake};
pub(crate) use task_api::interrupt;
pub(crate) use task_definition::purge as purge_definition;
pub(crate) use task_step::advance as advance_task;
pub(crate) use verdict::revise as revise_behaviour;

use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use account_setting::Whose;
use serde_json::Value;

/// Answers one ECS operation.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    match operation {
        "CreateCluster" => cluster::create(region, input),
        "DescribeClusters" => cluster::describe(region, input),
        "ListClusters" => cluster::list(region, input),
        "DeleteCluster" => cluster::delete(region, input),
        "UpdateCluster" | "UpdateClusterSettings" => cluster::update(region, input),
        "PutClusterCapacityProviders" => cluster::put_capacity_providers(region, input),
        "RegisterTaskDefinition" => task_definition::register(region, input),
        "DescribeTaskDefinition" => task_definition::describe(region, input),
        "DeregisterTaskDefinition" => task_definition::deregister(region, input),
        "DeleteTaskDefinitions" => task_definition::delete(region, input),
        "ListTaskDefinitions" => task_definition_list::list(region, input),
        "ListTaskDefinitionFamilies" => task_definition_list::families(region, input),
        "CreateService" => service::create(region, input),
        "UpdateService" => service_update::update(region, input),
        "DeleteService" => service::delete(region, input),
        "DescribeServices" => service_view::describe(region, input),
        "ListServices" => service_view::list(region, input),
        "ListServicesByNamespace" => service_view::list_by_namespace(region, input),
        "ListServiceDeployments" => service_deployment::list(region, input),
        "DescribeServiceDeployments" => service_deployment::describe(region, input),
        "StopServiceDeployment" => service_deployment::stop(region, input),
        "DescribeServiceRevisions" => service_revision::describe(region, input),
        "ListTasks" => task_api::list(region, input),
        "DescribeTasks" => task_api::describe(region, input),
        "StopTask" => task_api::stop(region, input),
        "RunTask" => task_run::run(region, input),
        "GetTaskProtection" => protection::get(region, input),
        "UpdateTaskProtection" => protection::update(region, input),
        "ExecuteCommand" => exec::execute(region, input),
        "TagResource" => tag::add(region, input),
        "UntagResource" => tag::remove(region, input),
        "ListTagsForResource" => tag::list(region, input),
        _ => account(region, operation, input),
    }
}

/// What does not belong to one cluster's services and tasks.
fn account(region: &mut Region, operation: &str, input: &Value) -> Answer {
    match operation {
        "ListAccountSettings" => account_setting::list(region, input),
        "PutAccountSetting" => account_setting::put(region, input, Whose::Principal),
        "PutAccountSettingDefault" => account_setting::put(region, input, Whose::Everybody),
        "DeleteAccountSetting" => account_setting::delete(region, input),
        "DescribeCapacityProviders" => capacity_provider::describe(region, input),
        "CreateCapacityProvider" => capacity_provider::create(region, input),
        "UpdateCapacityProvider" => capacity_provider::update(region, input),
        "DeleteCapacityProvider" => capacity_provider::delete(region, input),
        "ListContainerInstances" => instance::list(region, input),
        "DescribeContainerInstances" | "UpdateContainerInstancesState" => instance::describe(region, input),
        "DeregisterContainerInstance" | "UpdateContainerAgent" => instance::change(region, input),
        "StartTask" => instance::start_task(region, input),
        "ListAttributes" => instance::attributes(region, input),
        "PutAttributes" | "DeleteAttributes" => instance::change_attributes(region, input),
        "CreateTaskSet" | "DescribeTaskSets" | "UpdateTaskSet" | "DeleteTaskSet" | "UpdateServicePrimaryTaskSet" => {
            task_set::refuse(region, input)
        }
        "ContinueServiceDeployment" => service_deployment::resume(region, input),
        _ => Err(Refusal::unknown_operation()),
    }
}
