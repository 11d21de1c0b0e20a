import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Pod, Service } from '../../../api/generated/types.ts'
import { LOCAL_SERVICES_FILE, type LocalService, type LocalServices } from '../../../policy/traffic/model/index.ts'
import { isIntercepted } from './plan-interception.ts'

/** Addresses that one pod has for services. */
const PER_POD = 128

/**
 * The first of a pod's addresses for services: 127.128.0.0/9 holds 128 for each pod of 127.64.0.0/16. Undefined for pods elsewhere.
 */
function aliasOf(podIp: string, index: number): string | undefined {
  const [, node, pod] = /^127\.64\.(\d+)\.(\d+)$/.exec(podIp) ?? []
  if (node === undefined || pod === undefined || index >= PER_POD) return undefined
  const number = (Number(node) * 256 + Number(pod)) * PER_POD + index
  return `127.${128 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`
}

/** Services that can be given an alias: those with an address and TCP ports alone. The API server's is left alone, no proxy has a say there. */
function hasAlias({ metadata, spec }: Service): boolean {
  if (metadata.namespace === 'default' && metadata.name === 'kubernetes') return false
  const ports = spec?.ports ?? []
  return !!spec?.clusterIP && spec.clusterIP !== 'None' && ports.length > 0 && ports.every(({ protocol = 'TCP' }) => protocol === 'TCP')
}

/**
 * The table of a pod. Addresses stay with their services as long as those are there. Services of the pod's own namespace come first; those for which
 * there is no room keep their own address, and are reached past the sidecar.
 */
export function planLocalServices(pod: Pod, podIp: string, services: readonly Service[], before: LocalServices): LocalServices {
  const key = (service: { readonly namespace?: string | undefined; readonly name: string }): string =>
    `${service.namespace ?? ''}/${service.name}`
  const own = (service: Service): number => (service.metadata.namespace === pod.metadata.namespace ? 0 : 1)
  const wanted = services.filter(hasAlias).sort((a, b) => own(a) - own(b) || (key(a.metadata) < key(b.metadata) ? -1 : 1))
  const kept = new Map(before.services.map((entry) => [key(entry), entry.alias]))
  const present = new Set(wanted.map(({ metadata }) => key(metadata)))
  const taken = new Set([...kept].flatMap(([name, alias]) => (present.has(name) ? [alias] : [])))
  let next = 0
  const free = (): string | undefined => {
    for (;;) {
      const alias = aliasOf(podIp, next++)
      if (alias === undefined || !taken.has(alias)) return alias
    }
  }
  const entries = wanted.flatMap(({ metadata, spec }): LocalService[] => {
    const alias = kept.get(key(metadata)) ?? free()
    if (alias === undefined) return []
    const ports = (spec?.ports ?? []).map(({ port }) => port)
    return [{ namespace: metadata.namespace ?? '', name: metadata.name, alias, address: spec?.clusterIP ?? '', ports }]
  })
  return { services: entries }
}

/**
 * The services as the containers of a meshed pod are to see them: with the addresses that their sidecar serves; the table for the sidecar is written
 * beside. Pods without sidecar, and pods that are intercepted otherwise, see services as they are.
 * @param dir the pod's directory
 */
export function localServices(
  pod: Pod,
  sandbox: { readonly dir: string; readonly ips: readonly string[] },
  services: readonly Service[],
): readonly Service[] {
  const podIp = sandbox.ips[0] ?? ''
  if (!isIntercepted(pod) || aliasOf(podIp, 0) === undefined) return services
  const path = join(sandbox.dir, LOCAL_SERVICES_FILE)
  const before = readTable(path)
  const table = planLocalServices(pod, podIp, services, before)
  const text = JSON.stringify(table)
  // the sidecar watches for it, also where there is no service yet
  if (text !== JSON.stringify(before) || !existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(`${path}.tmp`, text)
    // the sidecar is another user, and it watches the directory
    chmodSync(dirname(path), 0o755)
    chmodSync(`${path}.tmp`, 0o644)
    renameSync(`${path}.tmp`, path)
  }
  const aliases = new Map(table.services.map(({ namespace, name, alias }) => [`${namespace}/${name}`, alias]))
  return services.map((service) => {
    const alias = aliases.get(`${service.metadata.namespace ?? ''}/${service.metadata.name}`)
    return alias === undefined ? service : { ...service, spec: { ...service.spec, clusterIP: alias, clusterIPs: [alias] } }
  })
}

function readTable(path: string): LocalServices {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as LocalServices
  } catch {
    return { services: [] }
  }
}
