import type { Pod, Service } from '../../../api/generated/types.ts'

/**
 * The variables that tell a container where services are: `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT`, one per named
 * port, and Docker's link form. Only services with an address. Source: kubernetes/pkg/kubelet/envvars.
 */
export function serviceEnv(services: readonly Service[]): Record<string, string> {
  const env: Record<string, string> = {}
  for (const service of services) {
    const ip = service.spec?.clusterIP
    const ports = service.spec?.ports ?? []
    const first = ports[0]
    if (!ip || ip === 'None' || !first) continue
    const prefix = variableName(service.metadata.name)
    env[`${prefix}_SERVICE_HOST`] = ip
    env[`${prefix}_SERVICE_PORT`] = String(first.port)
    for (const port of ports) if (port.name) env[`${prefix}_SERVICE_PORT_${variableName(port.name)}`] = String(port.port)
    for (const [index, port] of ports.entries()) {
      const protocol = (port.protocol ?? 'TCP').toLowerCase()
      const url = `${protocol}://${host(ip)}:${port.port}`
      const link = `${prefix}_PORT_${port.port}_${protocol.toUpperCase()}`
      if (index === 0) env[`${prefix}_PORT`] = url
      env[link] = url
      env[`${link}_PROTO`] = protocol
      env[`${link}_PORT`] = String(port.port)
      env[`${link}_ADDR`] = ip
    }
  }
  return env
}

/** Which services a pod is told about: those of its namespace unless it refuses links, and always the API server's. */
export function linkedServices(pod: Pod, services: readonly Service[]): Service[] {
  const links = pod.spec?.enableServiceLinks ?? true
  const isApi = ({ metadata }: Service): boolean => metadata.namespace === 'default' && metadata.name === 'kubernetes'
  const own = services.filter((service) => links && service.metadata.namespace === pod.metadata.namespace && !isApi(service))
  // last, and so the winner: programs find the API server by it
  return [...own, ...services.filter(isApi)]
}

const variableName = (name: string): string => name.toUpperCase().replaceAll(/[-.]/g, '_')
const host = (ip: string): string => (ip.includes(':') ? `[${ip}]` : ip)
