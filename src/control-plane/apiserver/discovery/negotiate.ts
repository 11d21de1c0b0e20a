export type Flavour = 'v2' | 'v2beta1' | 'legacy'

/**
 * The first form of discovery in `accept` that is served. Exact: a client that offers v2beta1 only must not be given v2, and a form with
 * a `profile` is not ours.
 */
export function negotiate(accept: string | undefined): Flavour {
  for (const offer of (accept ?? '').split(',')) {
    const [type = '', ...parameters] = offer.split(';').map((part) => part.trim().toLowerCase())
    if (type === '' || !/^(?:application|\*)\/(?:json|\*)$/.test(type)) continue
    const given = new Map(parameters.map((parameter) => parameter.split('=', 2) as [string, string]))
    if (!given.has('as')) return 'legacy'
    const version = given.get('v')
    const ours = given.get('g') === 'apidiscovery.k8s.io' && given.get('as') === 'apigroupdiscoverylist' && !given.has('profile')
    if (ours && (version === 'v2' || version === 'v2beta1')) return version
  }
  return 'legacy'
}
