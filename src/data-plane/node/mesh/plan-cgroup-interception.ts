import { relative } from 'node:path'
import type { Pod } from '../../../api/generated/types.ts'
import {
  EXCLUDE_INBOUND_ANNOTATION,
  EXCLUDE_OUTBOUND_ANNOTATION,
  HEALTH_PORT,
  INBOUND_PORT,
  MESH_PORT,
  OUTBOUND_PORT,
  PROXY_UID,
} from '../../../policy/traffic/model/index.ts'
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

/** Where the addresses of all pods of a machine are that share its network. */
const PODS = '127.64.0.0/16'

/**
 * The table of a node whose pods share its network, as one transaction that replaces it. In: what is dialled at a pod's address goes to the inbound port of its
 * sidecar, but for what the pod's own processes dial, its sidecar among them, and for the ports that are the sidecar's own or that the pod has excluded: whatever
 * the sidecar refuses, or all of it while no sidecar runs, does not get to the application at this address. Out: what the application dials at other pods goes to
 * its sidecar, which knows who takes mutual TLS. Only connections that begin are looked at: those that the kernel has not followed before there was a table go
 * on. The original destination stays known to the kernel (SO_ORIGINAL_DST).
 * @param pods none: the table is removed
 */
export function compileCgroupInterception(table: string, pods: readonly CgroupPod[]): string {
  const replaced = `table ip ${table}\ndelete table ip ${table}\n`
  if (pods.length === 0) return replaced
  const running = pods.flatMap(({ pod, ip, cgroup }) => (cgroup ? [{ pod, ip, cgroup }] : []))
  const outbound = running.map(({ pod, ip }) =>
    chain(`out-${ip}`, [
      `ip daddr ${ip} return`,
      ...portRule(portsOf(pod, EXCLUDE_OUTBOUND_ANNOTATION)),
      `meta l4proto tcp dnat to ${ip}:${OUTBOUND_PORT}`,
    ]),
  )
  const inbound = pods.map(({ pod, ip, cgroup }) =>
    chain(`in-${ip}`, [
      ...(cgroup ? [`socket cgroupv2 level ${cgroup.level} "${nameOf(cgroup)}" return`] : []),
      ...portRule([HEALTH_PORT, MESH_PORT, ...portsOf(pod, EXCLUDE_INBOUND_ANNOTATION)]),
      `meta l4proto tcp dnat to :${INBOUND_PORT}`,
    ]),
  )
  // what an application may dial past its own sidecar is led to that of the other pod: its chain returns here
  const senders = running.map(({ ip, cgroup }) => `"${nameOf(cgroup)}" : jump out-${ip}`)
  const level = running[0]?.cgroup.level
  const output = chain('output', [
    'type nat hook output priority -100; policy accept;',
    'meta l4proto != tcp return',
    'tcp flags & (fin | syn | rst | ack) != syn return',
    ...(level === undefined
      ? []
      : [`meta skuid != ${PROXY_UID} ip daddr ${PODS} socket cgroupv2 level ${level} vmap { ${senders.join(', ')} }`]),
    `ip daddr vmap { ${pods.map(({ ip }) => `${ip} : goto in-${ip}`).join(', ')} }`,
  ])
  return `${replaced}table ip ${table} {\n${[...outbound, ...inbound, output].join('')}}\n`
}

const chain = (name: string, rules: readonly string[]): string => `  chain ${name} {\n${rules.map((rule) => `    ${rule}\n`).join('')}  }\n`
const portRule = (ports: readonly number[]): readonly string[] =>
  ports.length === 0 ? [] : [`tcp dport { ${[...new Set(ports)].join(', ')} } return`]
const nameOf = ({ path }: PodCgroup): string => relative(NFT_CGROUPS, path)

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
