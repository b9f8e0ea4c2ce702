//! The configuration as it is written: a mirror of the TOML, where every key may be missing.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::value::{
    AnyNamespace, Clock, Days, Group, Kubeconfig, Lasting, Namespace, NodeName, Number, ObjectName,
    PodSelector, Sentinels, Unit,
};
use super::{
    Config, DrainMode, EmptyDir, ForeignCordon, Mode, PodGate, RecoveryPods, SingleReplica,
    Unmanaged, UnsafeToEvict,
};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// One file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) mode: Option<Mode>,
    pub(super) node_name: Option<NodeName>,
    pub(super) kubeconfig: Option<Kubeconfig>,
    pub(super) sentinels: Option<Sentinels>,
    pub(super) settle: Option<Lasting<0, DAY>>,
    /// The history keeps 32 reboots: a higher limit would never be reached.
    pub(super) max_reboots_per_day: Option<Number<1, 24>>,
    pub(super) lock: RawLock,
    pub(super) drain: RawDrain,
    pub(super) recovery: RawRecovery,
    pub(super) gate: RawGate,
    pub(super) window: Option<Vec<Spanned<RawWindow>>>,
}

/// Table `[lock]`.
#[derive(Debug, Default, Deserialize)]
#[serde(
    default,
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "the table [lock]"
)]
pub(super) struct RawLock {
    pub(super) namespace: Option<Namespace>,
    pub(super) name: Option<ObjectName>,
    pub(super) group: Option<Group>,
}

/// Table `[drain]`.
#[derive(Debug, Default, Deserialize)]
#[serde(
    default,
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "the table [drain]"
)]
pub(super) struct RawDrain {
    pub(super) mode: Option<DrainMode>,
    pub(super) timeout: Option<Spanned<Lasting<1, DAY>>>,
    /// The scheduler may bind for seconds after a cordon: without any quiet a node could reboot undrained.
    pub(super) quiet: Option<Spanned<Lasting<1, { HOUR / 6 }>>>,
    pub(super) volumes_timeout: Option<Lasting<0, HOUR>>,
    pub(super) unmanaged: Option<Unmanaged>,
    pub(super) empty_dir: Option<EmptyDir>,
    pub(super) single_replica: Option<SingleReplica>,
    pub(super) unsafe_to_evict: Option<UnsafeToEvict>,
    pub(super) foreign_cordon: Option<ForeignCordon>,
    pub(super) concurrency: Option<Number<1, 256>>,
}

/// Table `[recovery]`.
#[derive(Debug, Default, Deserialize)]
#[serde(
    default,
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "the table [recovery]"
)]
pub(super) struct RawRecovery {
    pub(super) units: Option<Vec<Unit>>,
    pub(super) pods: Option<RecoveryPods>,
    pub(super) soak: Option<Lasting<0, DAY>>,
}

/// Table `[gate]`, which has nothing but tables.
#[derive(Debug, Default, Deserialize)]
#[serde(
    default,
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "the table [gate]"
)]
pub(super) struct RawGate {
    pub(super) pods: Option<Vec<RawPodGate>>,
    pub(super) nodes: RawNodesGate,
}

/// One `[[gate.pods]]`.
#[derive(Debug, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table [[gate.pods]]"
)]
pub(super) struct RawPodGate {
    pub(super) selector: PodSelector,
    #[serde(default)]
    pub(super) namespace: AnyNamespace,
}

/// Table `[gate.nodes]`.
#[derive(Debug, Default, Deserialize)]
#[serde(
    default,
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "the table [gate.nodes]"
)]
pub(super) struct RawNodesGate {
    /// The most nodes that a cluster is made for is less.
    pub(super) max_not_ready: Option<Number<0, 9999>>,
}

/// One `[[window]]`.
#[derive(Debug, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table [[window]]"
)]
pub(super) struct RawWindow {
    pub(super) days: Option<Days>,
    pub(super) start: Clock,
    pub(super) end: Clock,
    pub(super) timezone: Option<Spanned<String>>,
    pub(super) must_fit: Option<Lasting<0, DAY>>,
}

impl Raw {
    /// Replaces what this file sets.
    pub(super) fn apply(self, config: &mut Config) {
        let Self {
            mode,
            node_name,
            kubeconfig,
            sentinels,
            settle,
            max_reboots_per_day,
            lock,
            drain,
            recovery,
            gate,
            window: _,
        } = self;
        set(&mut config.mode, mode);
        set(&mut config.node_name, node_name.map(|name| name.0));
        set(&mut config.kubeconfig, kubeconfig.map(|path| path.0));
        set(&mut config.sentinels, sentinels.map(|paths| paths.0));
        set(&mut config.settle, settle.map(|settle| settle.0));
        set(
            &mut config.max_reboots_per_day,
            max_reboots_per_day.map(|max| max.0),
        );

        let RawLock {
            namespace,
            name,
            group,
        } = lock;
        set(&mut config.lock.namespace, namespace.map(|name| name.0));
        set(&mut config.lock.name, name.map(|name| name.0));
        set(&mut config.lock.group, group.map(|group| group.0));

        let RawDrain {
            mode,
            timeout,
            quiet,
            volumes_timeout,
            unmanaged,
            empty_dir,
            single_replica,
            unsafe_to_evict,
            foreign_cordon,
            concurrency,
        } = drain;
        set(&mut config.drain.mode, mode);
        set(
            &mut config.drain.timeout,
            timeout.map(|timeout| timeout.into_inner().0),
        );
        set(
            &mut config.drain.quiet,
            quiet.map(|quiet| quiet.into_inner().0),
        );
        set(
            &mut config.drain.volumes_timeout,
            volumes_timeout.map(|lasting| lasting.0),
        );
        set(&mut config.drain.unmanaged, unmanaged);
        set(&mut config.drain.empty_dir, empty_dir);
        set(&mut config.drain.unsafe_to_evict, unsafe_to_evict);
        set(&mut config.drain.single_replica, single_replica);
        set(&mut config.drain.foreign_cordon, foreign_cordon);
        set(
            &mut config.drain.concurrency,
            concurrency.map(|concurrency| concurrency.0),
        );

        let RawRecovery { units, pods, soak } = recovery;
        set(
            &mut config.recovery.units,
            units.map(|units| units.into_iter().map(|unit| unit.0).collect()),
        );
        set(&mut config.recovery.pods, pods);
        set(&mut config.recovery.soak, soak.map(|soak| soak.0));

        let RawGate {
            pods,
            nodes: RawNodesGate { max_not_ready },
        } = gate;
        let pod_gate = |raw: RawPodGate| PodGate {
            namespace: raw.namespace.0,
            selector: raw.selector.0,
        };
        set(
            &mut config.gates.pods,
            pods.map(|pods| pods.into_iter().map(pod_gate).collect()),
        );
        if let Some(max) = max_not_ready {
            config.gates.max_not_ready = Some(max.0);
        }
    }
}

impl RawDrain {
    /// Where this file sets how long a drain may and must take.
    pub(super) fn patience(&self) -> Option<Range<usize>> {
        let quiet = self.quiet.as_ref().map(Spanned::span);
        quiet.or_else(|| self.timeout.as_ref().map(Spanned::span))
    }
}

fn set<T>(key: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *key = value;
    }
}
