//! What kinds of objects there are, and by which names an API server knows them.

/// A kind of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `v1`.
    ConfigMap,
    /// `v1`.
    Node,
    /// `v1`.
    Pod,
    /// `policy/v1`.
    PodDisruptionBudget,
    /// `apps/v1`.
    Deployment,
    /// `apps/v1`.
    ReplicaSet,
    /// `apps/v1`.
    StatefulSet,
    /// `apps/v1`.
    DaemonSet,
    /// `v1`.
    ReplicationController,
    /// `v1`.
    Namespace,
    /// `v1`.
    Event,
    /// `rbac.authorization.k8s.io/v1`.
    Role,
    /// `rbac.authorization.k8s.io/v1`.
    RoleBinding,
    /// `rbac.authorization.k8s.io/v1`.
    ClusterRole,
    /// `rbac.authorization.k8s.io/v1`.
    ClusterRoleBinding,
}

impl Kind {
    /// All of them.
    pub(super) const ALL: [Self; 15] = [
        Self::ConfigMap,
        Self::Node,
        Self::Pod,
        Self::PodDisruptionBudget,
        Self::Deployment,
        Self::ReplicaSet,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ReplicationController,
        Self::Namespace,
        Self::Event,
        Self::Role,
        Self::RoleBinding,
        Self::ClusterRole,
        Self::ClusterRoleBinding,
    ];

    /// `kind` of an object.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Node => "Node",
            Self::Pod => "Pod",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::Deployment => "Deployment",
            Self::ReplicaSet => "ReplicaSet",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicationController => "ReplicationController",
            Self::Namespace => "Namespace",
            Self::Event => "Event",
            Self::Role => "Role",
            Self::RoleBinding => "RoleBinding",
            Self::ClusterRole => "ClusterRole",
            Self::ClusterRoleBinding => "ClusterRoleBinding",
        }
    }

    /// The name in a path: `configmaps`.
    pub fn resource(self) -> String {
        format!("{}s", self.name().to_lowercase())
    }

    /// The group in a path; empty for the core group.
    pub fn group(self) -> &'static str {
        match self {
            Self::ConfigMap
            | Self::Node
            | Self::Pod
            | Self::ReplicationController
            | Self::Namespace
            | Self::Event => "",
            Self::Deployment | Self::ReplicaSet | Self::StatefulSet | Self::DaemonSet => "apps",
            Self::PodDisruptionBudget => "policy",
            Self::Role | Self::RoleBinding | Self::ClusterRole | Self::ClusterRoleBinding => {
                "rbac.authorization.k8s.io"
            }
        }
    }

    /// `apiVersion` of an object.
    pub fn api_version(self) -> String {
        match self.group() {
            "" => "v1".to_owned(),
            group => format!("{group}/v1"),
        }
    }

    /// Resource and group in one, as most messages of the server say it: `roles.rbac.authorization.k8s.io`.
    pub(super) fn qualified(self) -> String {
        match self.group() {
            "" => self.resource(),
            group => format!("{}.{group}", self.resource()),
        }
    }

    /// Whether objects of this kind live in a namespace.
    pub fn is_namespaced(self) -> bool {
        !matches!(
            self,
            Self::Node | Self::Namespace | Self::ClusterRole | Self::ClusterRoleBinding
        )
    }
}
