// Words that the schemas of gateway.networking.k8s.io share; form as in schema-extras.mjs.

/** Where the newest version of the group lies in the table of schemas. */
export const GATEWAY = 'io.k8s.api.gateway.v1'
export const META = 'io.k8s.apimachinery.pkg.apis.meta.v1'
export const ATOMIC = { list: 'atomic' }
export const SET = { list: 'set' }
export const byKeys = (...keys) => ({ list: 'map', keys })

export const group = ['string', 'API group of what is referred to; empty for core.']
export const port = ['int32', 'Number of a port, 1 to 65535.']

/** An object type: `defaults` by path, in the order in which they are applied. */
export function object(doc, fields, defaults = {}) {
  const entries = Object.entries(defaults)
  const about = entries.length === 0 ? {} : { '': ['', doc, { defaults: entries }] }
  return { doc, fields: { ...about, ...fields } }
}

/** A kind and its list in every version that is served; `spec` and `status` are shared. */
export function kindSchemas(kind, versions, doc, spec, status) {
  const named = (version) => `io.k8s.api.gateway.${version}.${kind}`
  const typeMeta = (version) => ({
    apiVersion: ['string', `Version of the schema of this object, such as \`gateway.networking.k8s.io/${version}\`.`],
    kind: ['string', 'Kind of this object.'],
  })
  return Object.fromEntries(
    versions.flatMap((version) => [
      [
        named(version),
        {
          doc,
          fields: {
            ...typeMeta(version),
            metadata: [`${META}.ObjectMeta`, 'Standard object metadata.'],
            spec: [`!${GATEWAY}.${spec}`, 'What is wanted.'],
            ...(status ? { status: [`${GATEWAY}.${status}`, 'What controllers report.'] } : {}),
          },
        },
      ],
      [
        `${named(version)}List`,
        {
          doc: `${kind}List is a list of ${kind} objects.`,
          fields: {
            ...typeMeta(version),
            items: [`![${named(version)}`, 'The objects.'],
            metadata: [`${META}.ListMeta`, 'Standard list metadata.'],
          },
        },
      ],
    ]),
  )
}
