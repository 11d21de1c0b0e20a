// Where another service is.
import { readFileSync } from 'node:fs'

/**
 * Base URL of a service of the own namespace. As root the node writes service names into /etc/hosts, and the name is used. Without root it
 * cannot, and the address comes from the variables that every container gets: NAME_SERVICE_HOST and NAME_SERVICE_PORT.
 */
export function serviceUrl(name, port) {
  const address = serviceAddress(name, port)
  return `http://${address.host}:${address.port}`
}

export function serviceAddress(name, port) {
  const prefix = name.toUpperCase().replaceAll('-', '_')
  const host = process.env[`${prefix}_SERVICE_HOST`]
  if (host === undefined || isInHostsFile(name)) return { host: name, port }
  return { host, port: Number(process.env[`${prefix}_SERVICE_PORT`] ?? port) }
}

// read each time: a service may be created after this program started
function isInHostsFile(name) {
  try {
    const lines = readFileSync('/etc/hosts', 'utf8').split('\n')
    return lines.some((line) => line.split('#')[0].split(/\s+/).slice(1).includes(name))
  } catch {
    return false
  }
}
