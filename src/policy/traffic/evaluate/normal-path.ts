import { pathOf } from './request-view.ts'

const UNUSUAL = /[%\\#;]|\/\/|\/\./

/**
 * A path as the most generous server would read it, for judging alone; what is forwarded stays as it came. In this order: the query and a fragment go;
 * percent-encoded ASCII is decoded once (`%2e`, `%2f` and `%5c` too; control characters and anything malformed stay as written), `\` becomes `/`, parameters
 * of segments (`;a=b`) go, slashes are merged, dot segments removed (RFC 3986 5.2.4). Idempotent unless a path was encoded twice.
 */
export function normalPath(path: string): string {
  const bare = pathOf(path)
  if (!UNUSUAL.test(bare)) return bare
  const fragment = bare.indexOf('#')
  const decoded = (fragment < 0 ? bare : bare.slice(0, fragment)).replaceAll(/%([0-7][0-9a-fA-F])/g, decode).replaceAll('\\', '/')
  const segments: string[] = []
  let ended = false
  for (const raw of decoded.split('/')) {
    const parameters = raw.indexOf(';')
    const segment = parameters < 0 ? raw : raw.slice(0, parameters)
    ended = segment === '' || segment === '.' || segment === '..'
    if (segment === '..') segments.pop()
    else if (!ended) segments.push(segment)
  }
  return `/${segments.join('/')}${ended && segments.length > 0 ? '/' : ''}`
}

function decode(all: string, hex: string): string {
  const code = Number.parseInt(hex, 16)
  // `%25` stays: decoded, what follows could be taken for an encoding
  return code < 0x20 || code === 0x7f || code === 0x25 ? all : String.fromCharCode(code)
}

/** The readings of a path that a rule must hold for: as it came, and normalised where that differs. */
export function pathReadings(path: string): readonly [string] | readonly [string, string] {
  const bare = pathOf(path)
  if (!UNUSUAL.test(bare)) return [bare]
  const normal = normalPath(bare)
  return normal === bare ? [bare] : [bare, normal]
}
