import { formatIp, parseIp } from '../../base/ip.ts'
import { usageError } from '../errors/cli-error.ts'

/** One end of a connection as a user writes it. */
export type EndText = {
  /** A number, or the name of a port. */
  readonly port: string | undefined
} & (
  | { readonly kind: 'ip'; readonly address: string }
  | { readonly kind: 'pod' | 'service'; readonly namespace: string | undefined; readonly name: string }
)

const FORMS = 'pod NAMESPACE/NAME or pod/NAME, service svc/NAMESPACE/NAME or NAME.NAMESPACE, or an IP address; with :PORT behind it'
const PORT = /^(?:\d{1,5}|[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$/

/**
 * Reads `10.0.0.1:80`, `[fd00::1]:80`, `shop/web:8080`, `pod/web`, `svc/shop/db:5432`, `db.shop:http`. A name alone is what `alone` says.
 * @throws CliError
 */
export function parseEnd(text: string, alone: 'pod' | 'service'): EndText {
  const { host, port } = splitPort(text)
  const bytes = parseIp(host)
  if (bytes) return { kind: 'ip', address: formatIp(bytes), port }
  const [kind, ...names] = kindOf(host, alone)
  if (names.length > 2 || names.length === 0 || names.some((name) => !/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/.test(name)))
    throw usageError(`"${text}" is no end of a connection`, `write ${FORMS}`)
  const name = names.at(-1) ?? ''
  return { kind, namespace: names.length === 2 ? names[0] : undefined, name, port }
}

function splitPort(text: string): { readonly host: string; readonly port: string | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text)
  if (bracketed) return { host: bracketed[1] ?? '', port: checkPort(text, bracketed[2]) }
  if (parseIp(text)) return { host: text, port: undefined }
  const colon = text.lastIndexOf(':')
  return colon < 0 ? { host: text, port: undefined } : { host: text.slice(0, colon), port: checkPort(text, text.slice(colon + 1)) }
}

function checkPort(text: string, port: string | undefined): string | undefined {
  if (port === undefined) return undefined
  if (!PORT.test(port) || (/^\d+$/.test(port) && (Number(port) < 1 || Number(port) > 65_535)))
    throw usageError(
      `"${text}" has no port behind its last colon`,
      'write a number up to 65535 or the name of a port; IPv6 addresses go into brackets',
    )
  return port
}

function kindOf(host: string, alone: 'pod' | 'service'): ['pod' | 'service', ...string[]] {
  const parts = host.split('/')
  const [first = ''] = parts
  if (parts.length > 1 && ['svc', 'service', 'services'].includes(first)) return ['service', ...parts.slice(1)]
  if (parts.length > 1 && ['po', 'pod', 'pods'].includes(first)) return ['pod', ...parts.slice(1)]
  if (parts.length === 2) return ['pod', ...parts]
  // as DNS has them: db.shop, db.shop.svc, db.shop.svc.cluster.local
  const labels = host.split('.')
  if (parts.length === 1 && labels.length > 1 && (labels.length === 2 || labels[2] === 'svc'))
    return ['service', labels[1] ?? '', labels[0] ?? '']
  return [alone, ...parts]
}
