import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** One kernel setting: a path below /proc/sys/net and its value. */
export type Setting = readonly [path: string, value: string]

const ROOT = '/proc/sys/net'

/** Of the node's end of a pod's link, before it is up. */
export function hostEndSettings(device: string): readonly Setting[] {
  return [
    // what comes over the link must be from the pod: strict, whatever the machine's default is
    [`ipv4/conf/${device}/rp_filter`, '1'],
    // 127.0.0.1:hostPort leads to the pod; its answers come back over this link
    [`ipv4/conf/${device}/route_localnet`, '1'],
    [`ipv4/conf/${device}/send_redirects`, '0'],
    [`ipv4/conf/${device}/forwarding`, '1'],
    // the one address it has is ours to choose, and nobody else's: none is made, none is looked for twice
    [`ipv6/conf/${device}/addr_gen_mode`, '1'],
    [`ipv6/conf/${device}/accept_dad`, '0'],
    [`ipv6/conf/${device}/accept_ra`, '0'],
    [`ipv6/conf/${device}/disable_ipv6`, '0'],
  ]
}

/** Of a pod's namespace, before it has devices other than lo. */
export const POD_SETTINGS: readonly Setting[] = [
  ['ipv6/conf/all/disable_ipv6', '0'],
  ['ipv6/conf/default/disable_ipv6', '0'],
  // an address is usable at once: nobody else is on the link
  ['ipv6/conf/default/accept_dad', '0'],
  ['ipv6/conf/default/dad_transmits', '0'],
  ['ipv6/conf/default/accept_ra', '0'],
  // the pod's network is its own: its programs may use all of it
  ['ipv4/ip_unprivileged_port_start', '0'],
  ['ipv4/ping_group_range', '0 2147483647'],
]

/** Of the node: it forwards. Setting what is set already would reset other settings. */
const FORWARDING: readonly Setting[] = [
  ['ipv4/ip_forward', '1'],
  ['ipv6/conf/all/forwarding', '1'],
]

/** Writes settings into the network namespace of this thread. Those of a family that the kernel lacks are passed over. */
export function applySettings(settings: readonly Setting[]): void {
  for (const [path, value] of settings) {
    const file = `${ROOT}/${path}`
    if (path.startsWith('ipv6/') && !hasIpv6()) continue
    writeFileSync(file, value)
  }
}

/** As applySettings, but what has its value already is not written. */
function ensureSettings(settings: readonly Setting[]): void {
  applySettings(settings.filter(([path, value]) => readSetting(path) !== value))
}

/** Value of a setting in the network namespace of this thread; undefined when there is none. */
export function readSetting(path: string): string | undefined {
  try {
    return readFileSync(`${ROOT}/${path}`, 'utf8').trim()
  } catch {
    return undefined
  }
}

/**
 * Makes this machine forward packets of both families. Forwarding machines do not listen to router advertisements unless told to: links that
 * did go on doing so.
 */
export function ensureForwarding(): void {
  if (readSetting('ipv6/conf/all/forwarding') === '0') {
    const listening = readdirSync(`${ROOT}/ipv6/conf`).filter((device) => readSetting(`ipv6/conf/${device}/accept_ra`) === '1')
    applySettings(listening.filter((device) => device !== 'all').map((device) => [`ipv6/conf/${device}/accept_ra`, '2']))
  }
  ensureSettings(FORWARDING)
}

/** Names of the devices in the network namespace of this thread. */
export function devicesHere(): ReadonlySet<string> {
  const lines = readFileSync('/proc/thread-self/net/dev', 'utf8').split('\n').slice(2)
  return new Set(lines.map((line) => line.split(':')[0]?.trim() ?? '').filter((name) => name !== ''))
}

/** Index of a device in the network namespace of this thread; undefined when there is none, or the kernel does not tell. */
export function deviceIndex(device: string): number | undefined {
  try {
    for (const line of readFileSync('/proc/thread-self/net/igmp', 'utf8').split('\n')) {
      const [, index, name] = /^(\d+)\s+([^\s:]+)/.exec(line) ?? []
      if (name === device) return Number(index)
    }
  } catch {
    // a kernel without multicast
  }
  return undefined
}

/** Whether the kernel has IPv6. */
export function hasIpv6(): boolean {
  return existsSync(`${ROOT}/ipv6`)
}
