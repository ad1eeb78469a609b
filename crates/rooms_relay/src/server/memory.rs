//! How much memory the relay may take where nobody says so.

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

use crate::limits::LARGEST_MEMORY;

/// The part of the machine's memory that clients get. The rest is for the program itself, for what the allocator keeps, and for
/// the machine's other programs.
const PART: usize = 4;

/// The budget on a machine that does not tell its memory.
const UNKNOWN: usize = 512 * 1024 * 1024;

/// A quarter of what the machine has, or of what the process's group may take, and [`LARGEST_MEMORY`] at most.
pub(super) fn default_budget() -> usize {
    budget(machine_memory(), group_memory())
}

fn budget(machine: Option<u64>, group: Option<u64>) -> usize {
    let Some(most) = machine.into_iter().chain(group).min() else { return UNKNOWN };
    (usize::try_from(most).unwrap_or(usize::MAX) / PART).min(LARGEST_MEMORY)
}

/// The machine's memory. `None` where the system does not tell.
pub(super) fn machine_memory() -> Option<u64> {
    let mut system = System::new().ok()?;
    system.refresh_memory();
    Some(system.total_memory()).filter(|total| *total > 0)
}

/// What the process and its group may take, as a container or a service has it. `None` without a limit.
pub(super) fn group_memory() -> Option<u64> {
    let pid = sysinfo::get_current_pid().ok()?;
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, ProcessRefreshKind::nothing());
    let limits = system.process(pid)?.cgroup_limits()?;
    Some(limits.total_memory).filter(|total| *total > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn it_is_a_quarter_of_the_machine_or_of_its_group_and_two_gibibytes_at_most() {
        let mib = |machine, group| budget(machine, group) / (1024 * 1024);
        assert_eq!(mib(Some(4096 * MIB), None), 1024);
        assert_eq!(mib(Some(4096 * MIB), Some(512 * MIB)), 128);
        assert_eq!(mib(Some(64 * 1024 * MIB), Some(64 * 1024 * MIB)), 2048);
        assert_eq!(mib(None, None), 512);
    }

    #[test]
    fn this_machine_tells_its_memory() {
        assert!(machine_memory().is_some_and(|bytes| bytes > 16 * MIB));
        assert!((4 * 1024 * 1024..=LARGEST_MEMORY).contains(&default_budget()));
    }
}
