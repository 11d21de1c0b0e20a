/** The 61 fixed entries as `name` or `name=value`; index 1 is the first. Source: RFC 7541 appendix A. */
const ENTRIES = [
  ':authority',
  ':method=GET',
  ':method=POST',
  ':path=/',
  ':path=/index.html',
  ':scheme=http',
  ':scheme=https',
  ...['200', '204', '206', '304', '400', '404', '500'].map((status) => `:status=${status}`),
  'accept-charset',
  'accept-encoding=gzip, deflate',
  ...'accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control'.split(' '),
  ...'content-disposition content-encoding content-language content-length content-location content-range content-type'.split(' '),
  ...'cookie date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since'.split(' '),
  ...'last-modified link location max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after'.split(' '),
  ...'server set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate'.split(' '),
]

/** Name and value of entry `index - 1`. */
export const STATIC_TABLE: readonly (readonly [name: string, value: string])[] = ENTRIES.map((entry) => {
  const equals = entry.indexOf('=')
  return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)]
})

/** Entries of the static table: indexes above it are of the dynamic table. */
export const STATIC_COUNT = 61

/** Index of the first entry with this name. */
export const STATIC_NAMES: ReadonlyMap<string, number> = new Map(STATIC_TABLE.map(([name], i) => [name, i + 1] as const).reverse())

/** Index of the entry with this name and value, by name, then value; an entry without a value stands for the empty one. */
export const STATIC_FIELDS: ReadonlyMap<string, ReadonlyMap<string, number>> = (() => {
  const fields = new Map<string, Map<string, number>>()
  STATIC_TABLE.forEach(([name, value], i) => {
    const values = fields.get(name) ?? new Map<string, number>()
    values.set(value, i + 1)
    fields.set(name, values)
  })
  return fields
})()
