import type { Pod, Service } from '../../../api/generated/types.ts'

/**
 * The /etc/hosts of a pod: itself, its hostAliases, and every service with an address under the names that cluster DNS
 * would resolve: `name` (own namespace), `name.ns`, `name.ns.svc` and `name.ns.svc.<domain>`.
 */
export function hostsFile(
  pod: Pod,
  services: readonly Service[],
  options: { readonly podIPs: readonly string[]; readonly clusterDomain: string },
): string {
  const lines = [
    '# Managed by biplane: rewritten when services change.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
  ]
  const hostname = pod.spec?.hostname ?? pod.metadata.name
  const subdomain = pod.spec?.subdomain ? `\t${hostname}.${pod.spec.subdomain}.${pod.metadata.namespace}.svc.${options.clusterDomain}` : ''
  for (const ip of options.podIPs) lines.push(`${ip}\t${hostname}${subdomain}`)
  for (const alias of pod.spec?.hostAliases ?? []) lines.push(`${alias.ip}\t${(alias.hostnames ?? []).join('\t')}`)
  for (const service of [...services].sort(byName)) {
    const ip = service.spec?.clusterIP
    if (!ip || ip === 'None') continue
    const { name, namespace } = service.metadata
    const names = [`${name}.${namespace}.svc.${options.clusterDomain}`, `${name}.${namespace}.svc`, `${name}.${namespace}`]
    if (namespace === pod.metadata.namespace) names.push(name)
    lines.push(`${ip}\t${names.join('\t')}`)
  }
  return `${lines.join('\n')}\n`
}

const byName = (a: Service, b: Service): number => {
  const [left, right] = [`${a.metadata.namespace}/${a.metadata.name}`, `${b.metadata.namespace}/${b.metadata.name}`]
  return left < right ? -1 : left > right ? 1 : 0
}
