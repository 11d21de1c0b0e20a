import { relative } from 'node:path'
import type { Pod } from '../../../api/generated/types.ts'
import { EXCLUDE_INBOUND_ANNOTATION, HEALTH_PORT, INBOUND_PORT, MESH_PORT } from '../../../policy/traffic/model/index.ts'
import type { PodCgroup } from '../runtime.ts'
import type { MountInfo } from '../runtimes/process/mountinfo.ts'
import { portsOf } from './plan-interception.ts'

/** A meshed pod in the network of its node. */
export interface CgroupPod {
  readonly pod: Pod
  /** Its own IPv4 address, in the loopback network. */
  readonly ip: string
  /** Absent: it has no process. */
  readonly cgroup?: PodCgroup
}

/** Where nft looks cgroups up, wherever their tree is mounted. */
const NFT_CGROUPS = '/sys/fs/cgroup'

/**
 * The table of a node whose pods share its network, as one transaction that replaces it. What is dialled at a pod's address goes to the inbound port of its
 * sidecar, but for what the pod's own processes dial, its sidecar among them, and for the ports that are the sidecar's own or that the pod has excluded: whatever
 * the sidecar refuses, or all of it while no sidecar runs, does not get to the application at this address. Only connections that begin are looked at: those that
 * the kernel has not followed before there was a table go on. The original destination stays known to the kernel (SO_ORIGINAL_DST).
 * @param pods none: the table is removed
 */
export function compileCgroupInterception(table: string, pods: readonly CgroupPod[]): string {
  const replaced = `table ip ${table}\ndelete table ip ${table}\n`
  if (pods.length === 0) return replaced
  const chains = pods.map(({ pod, ip, cgroup }) => {
    const ports = new Set([HEALTH_PORT, MESH_PORT, ...portsOf(pod, EXCLUDE_INBOUND_ANNOTATION)])
    return `  chain in-${ip} {
${cgroup ? `    socket cgroupv2 level ${cgroup.level} "${relative(NFT_CGROUPS, cgroup.path)}" return\n` : ''}    tcp dport { ${[...ports].join(', ')} } return
    meta l4proto tcp dnat to :${INBOUND_PORT}
  }
`
  })
  return `${replaced}table ip ${table} {
${chains.join('')}  chain output {
    type nat hook output priority -100; policy accept;
    tcp flags & (fin | syn | rst | ack) == syn ip daddr vmap { ${pods.map(({ ip }) => `${ip} : goto in-${ip}`).join(', ')} }
  }
}
`
}

/** That of the machine itself. Source: linux/proc_ns.h, PROC_CGROUP_INIT_INO. */
const FIRST_NAMESPACE = 'cgroup:[4026531835]'

/**
 * Why the kernel would not count levels of cgroups from the root that is mounted here; undefined: it does.
 * @param machine `namespace` is what /proc/self/ns/cgroup says, `release` the kernel's
 */
export function cgroupProblem(machine: {
  readonly mounts: readonly MountInfo[]
  readonly namespace: string
  readonly release: string
}): string | undefined {
  const { mounts, namespace, release } = machine
  const mount = mounts.find(({ fsType }) => fsType === 'cgroup2')
  if (!mount) return 'no cgroup2 is mounted'
  if (mount.root !== '/') return `only a part of cgroup2 is mounted (${mount.root})`
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10))
  const knowsNamespaces = major > 6 || (major === 6 && minor >= 11)
  return namespace === FIRST_NAMESPACE || knowsNamespaces ? undefined : 'in a cgroup namespace this takes Linux 6.11 or newer'
}
