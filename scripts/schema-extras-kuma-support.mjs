// Builds the schemas of kuma.io and of our policies beside it from nested tables.
// Field: [type, docs, options?] as in schema-extras.mjs; `@Name` is a schema of the same group; `of` in the options nests fields, the
// type is then `!`, `[`, `{` or '' before an object whose name is made from its place.

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1'
export const KUMA = 'io.kuma.v1alpha1'
export const OWN = 'dev.biplane.v1alpha1'
export const ATOMIC = { list: 'atomic' }

const upper = (name) => name[0].toUpperCase() + name.slice(1)

/** Adds the schema `name`, and those of its nested objects, to `into`. */
export function object(into, group, name, doc, fields) {
  const entries = Object.entries(fields).map(([field, [type, text, options = {}]]) => {
    const { of, ...rest } = options
    let full = type.replace('@', `${group}.`)
    if (of) {
      const nested = `${name}${upper(field)}`
      object(into, group, nested, `${nested} is one part of ${name}. ${text}`, of)
      full = `${type}${group}.${nested}`
    }
    const list = full.replace('!', '').startsWith('[') && rest.list === undefined ? ATOMIC : {}
    return [field, [full, text, ...(Object.keys({ ...rest, ...list }).length > 0 ? [{ ...rest, ...list }] : [])]]
  })
  into[`${group}.${name}`] = { doc, fields: Object.fromEntries(entries) }
}

/** A kind, its list, its spec and its status with conditions (and more, by `status`). `more` stands beside spec. */
export function kind(into, group, name, doc, spec, { status = {}, more = {} } = {}) {
  const typeMeta = {
    apiVersion: ['string', 'Version of the schema of this object, such as `v1alpha1`.'],
    kind: ['string', 'Kind of this object.'],
  }
  object(into, group, name, doc, {
    ...typeMeta,
    metadata: [`${META}.ObjectMeta`, 'Standard object metadata.'],
    ...more,
    spec: [`@${name}Spec`, 'What is wanted.'],
    status: [`@${name}Status`, 'What the control plane says of it.'],
  })
  object(into, group, `${name}List`, `${name}List is a list of objects of the kind ${name}.`, {
    ...typeMeta,
    items: [`![@${name}`, 'The objects.'],
    metadata: [`${META}.ListMeta`, 'Standard list metadata.'],
  })
  delete into[`${group}.${name}List`].fields.items[2]
  into[`${group}.${name}List`].fields.items.length = 2
  object(into, group, `${name}Spec`, `${name}Spec is what is wanted of ${name}.`, spec)
  object(into, group, `${name}Status`, `${name}Status is what the control plane says of ${name}.`, {
    conditions: [`[${META}.Condition`, 'Current state, by type.', { list: 'map', keys: ['type'], strategy: ['merge'], merge: 'type' }],
    ...status,
  })
}

const TARGET = '@TargetRef'
const top = { targetRef: [TARGET, 'Whose proxies: Mesh (default) or Dataplane with labels or a name; sectionName is a port.'] }
const match = {
  spiffeID: [
    '',
    'Of the caller’s certificate.',
    {
      of: {
        type: ['!string', 'How value is compared.', { enum: ['Exact', 'Prefix'] }],
        value: ['!string', 'Such as spiffe://default.mesh.local/ns/shop/sa/cart.'],
      },
    },
  ],
  sni: [
    '',
    'Server name that the caller asked for.',
    { of: { type: ['!string', 'How value is compared.', { enum: ['Exact'] }], value: ['!string', 'The name.'] } },
  ],
}
export const MATCH = match

/** Adds a policy of the common frame. `sides`: of to, rules (with from, its older spelling) and default; `conf`: fields of each default. */
export function policy(into, group, name, doc, sides, conf, { conf: confDoc = 'What holds.' } = {}) {
  object(into, group, `${name}Conf`, `${name}Conf is the settings of ${name}. ${confDoc}`, conf)
  const what = { default: [`@${name}Conf`, confDoc] }
  const spec = { ...top }
  if (sides.includes('to')) {
    spec.to = [
      '[',
      'For calls that go out, by destination.',
      { of: { targetRef: [`!${TARGET}`, 'The destination: Mesh (all), a service or a route.'], ...what } },
    ]
  }
  if (sides.includes('rules')) {
    const matches =
      group === KUMA ? ['[@CallerMatch', 'One must match; empty: all callers.'] : ['[any', 'One must match; empty: all callers.']
    spec.rules = ['[', 'For calls that come in, by caller.', { of: { matches, ...what } }]
    spec.from = [
      '[',
      'Deprecated, write rules: for calls that come in, by labels of the caller.',
      { of: { targetRef: [`!${TARGET}`, 'The callers.'], ...what } },
    ]
  }
  if (sides.includes('default')) spec.default = [`@${name}Conf`, confDoc]
  kind(into, group, name, doc, spec)
}

export const percent = (text) => ['int-or-string', `${text} 0 to 100; a decimal as a string.`]
export const time = (text) => ['string', `${text} A duration such as 500ms, 5s or 1h30m.`]
export const on = { disabled: ['boolean', 'Switched off.'] }
