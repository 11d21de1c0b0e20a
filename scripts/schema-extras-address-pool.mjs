// Schema of AddressPool of routing.biplane.dev; form as in schema-extras.mjs.

const GROUP = 'dev.biplane.routing.v1alpha1'
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1'
const typeMeta = {
  apiVersion: ['string', 'Version of the schema of this object, such as `routing.biplane.dev/v1alpha1`.'],
  kind: ['string', 'Kind of this object.'],
}

export const ADDRESS_POOL_EXTRAS = {
  [`${GROUP}.AddressPool`]: {
    doc: 'AddressPool is addresses for services of type LoadBalancer.',
    fields: {
      ...typeMeta,
      metadata: [`${META}.ObjectMeta`, 'Standard object metadata.'],
      spec: [`!${GROUP}.AddressPoolSpec`, 'What is wanted.'],
      status: [`${GROUP}.AddressPoolStatus`, 'What is in use.'],
    },
  },
  [`${GROUP}.AddressPoolList`]: {
    doc: 'AddressPoolList is a list of AddressPool objects.',
    fields: {
      ...typeMeta,
      items: [`![${GROUP}.AddressPool`, 'The objects.'],
      metadata: [`${META}.ListMeta`, 'Standard list metadata.'],
    },
  },
  [`${GROUP}.AddressPoolSpec`]: {
    doc: 'AddressPoolSpec is which addresses, and for which services.',
    fields: {
      addresses: ['![string', 'CIDRs such as 192.0.2.0/24 and ranges such as 192.0.2.10-192.0.2.20, of either family.', { list: 'atomic' }],
      autoAssign: ['boolean', 'False: only services that ask for the pool or for an address of it get one. Default true.'],
      avoidBuggyIPs: ['boolean', 'Leaves out IPv4 addresses that end in 0 or 255: old devices drop them. Default false.'],
      namespaceSelector: [`${META}.LabelSelector`, 'Namespaces whose services may have them. Absent: all.'],
      priority: ['int32', 'Pools with a larger one are used up first; then by name. Default 0.'],
      serviceSelector: [`${META}.LabelSelector`, 'Services that may have them. Absent: all.'],
    },
  },
  [`${GROUP}.AddressPoolStatus`]: {
    doc: 'AddressPoolStatus is what of the pool is in use. Counts beyond 2^53 are given as 2^53 - 1.',
    fields: {
      assignedIPv4: ['int64', 'IPv4 addresses that services have.'],
      assignedIPv6: ['int64', 'IPv6 addresses that services have.'],
      availableIPv4: ['int64', 'IPv4 addresses that are free.'],
      availableIPv6: ['int64', 'IPv6 addresses that are free.'],
      conditions: [
        `[${META}.Condition`,
        'Conflicting: whether other pools have addresses of this one.',
        { list: 'map', keys: ['type'], strategy: ['merge'], merge: 'type' },
      ],
      observedGeneration: ['int64', 'Generation of the pool that the rest was made from.'],
    },
  },
}
