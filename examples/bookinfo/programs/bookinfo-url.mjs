// Where a Bookinfo service is, with the variables that override it.
import { serviceUrl } from '../../shared/service-url.mjs'

/** NAME_HOSTNAME and SERVICES_DOMAIN override the host `name`, NAME_SERVICE_PORT the port 9080. */
export function bookinfoUrl(name) {
  const prefix = name.toUpperCase()
  const domain = process.env.SERVICES_DOMAIN ? `.${process.env.SERVICES_DOMAIN}` : ''
  const hostname = process.env[`${prefix}_HOSTNAME`]
  if (hostname === undefined && domain === '') return serviceUrl(name, 9080)
  return `http://${hostname ?? name}${domain}:${process.env[`${prefix}_SERVICE_PORT`] ?? 9080}`
}
