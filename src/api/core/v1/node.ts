import type { Node } from '../../generated/types.ts'
import { findCondition } from '../../conditions.ts'
import { defineKind, type Column, type KindDefinition, type Strategy } from '../../kind.ts'
import { ageColumn, nameColumn } from '../../print/columns.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkCidr, isDualStack } from '../../validation/ip.ts'
import { checkResourceQuantity } from '../../validation/quantities.ts'
import { semanticEqual } from '../../validation/semantic-equal.ts'
import { checkTaints } from '../../validation/tolerations.ts'

const ROLE_PREFIX = 'node-role.kubernetes.io/'

const columns: readonly Column<Node>[] = [
  nameColumn,
  { name: 'Status', type: 'string', description: 'The status of the node', value: statusCell },
  { name: 'Roles', type: 'string', description: 'The roles of the node', value: rolesCell },
  ageColumn,
  {
    name: 'Version',
    type: 'string',
    description: 'Version of the node agent.',
    value: ({ status }) => status?.nodeInfo?.kubeletVersion ?? '',
  },
  {
    name: 'Internal-IP',
    type: 'string',
    priority: 1,
    description: 'Address inside the cluster.',
    value: (node) => addressCell(node, 'InternalIP'),
  },
  {
    name: 'External-IP',
    type: 'string',
    priority: 1,
    description: 'Address from outside.',
    value: (node) => addressCell(node, 'ExternalIP'),
  },
  {
    name: 'OS-Image',
    type: 'string',
    priority: 1,
    description: 'Operating system of the node.',
    value: ({ status }) => status?.nodeInfo?.osImage || '<unknown>',
  },
  {
    name: 'Kernel-Version',
    type: 'string',
    priority: 1,
    description: 'Kernel of the node.',
    value: ({ status }) => status?.nodeInfo?.kernelVersion || '<unknown>',
  },
  {
    name: 'Container-Runtime',
    type: 'string',
    priority: 1,
    description: 'What runs the pods of the node.',
    value: ({ status }) => status?.nodeInfo?.containerRuntimeVersion || '<unknown>',
  },
]

const strategy: Strategy<Node> = {
  setDefaults({ spec }) {
    // two names of one field
    if (spec?.podCIDR && !spec.podCIDRs?.length) spec.podCIDRs = [spec.podCIDR]
    else if (spec && !spec.podCIDR && spec.podCIDRs?.length) spec.podCIDR = spec.podCIDRs[0]
  },
  prepareForCreate: ({ spec }) => pairPodCidrs(spec, undefined),
  prepareForUpdate: (next, previous) => pairPodCidrs(next.spec, previous.spec),
  validate: (node) => collectErrors((errors) => checkNode(errors, node)),
  validateUpdate: (next, previous) => collectErrors((errors) => checkNodeUpdate(errors, next, previous)),
}

export const nodes: KindDefinition<Node> = defineKind({
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  namespaced: false,
  shortNames: ['no'],
  schema: 'io.k8s.api.core.v1.Node',
  status: true,
  ownColumns: true,
  columns,
  fieldSelectors: { 'spec.unschedulable': ({ spec }) => String(spec?.unschedulable ?? false) },
  strategy,
})

function statusCell(node: Node): string {
  const ready = findCondition(node.status?.conditions, 'Ready')
  const state = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'
  return node.spec?.unschedulable ? `${state},SchedulingDisabled` : state
}

function rolesCell(node: Node): string {
  const roles = new Set<string>()
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(ROLE_PREFIX) && key.length > ROLE_PREFIX.length) roles.add(key.slice(ROLE_PREFIX.length))
    else if (key === 'kubernetes.io/role' && value !== '') roles.add(value)
  }
  return [...roles].toSorted().join(',') || '<none>'
}

function addressCell(node: Node, type: string): string {
  return node.status?.addresses?.find((address) => address.type === type)?.address ?? '<none>'
}

/** Where the two names say different things, the one that was changed counts. */
function pairPodCidrs(spec: Node['spec'], previous: Node['spec']): void {
  if (!spec?.podCIDR || spec.podCIDR === spec.podCIDRs?.[0]) return
  if (spec.podCIDR !== previous?.podCIDR) spec.podCIDRs = [spec.podCIDR]
  else spec.podCIDR = spec.podCIDRs?.[0]
}

function checkNode(errors: FieldErrors, node: Node): void {
  // upstream reports taints under metadata
  checkTaints(errors, 'metadata.taints', node.spec?.taints)
  for (const list of ['capacity', 'allocatable'] as const) {
    for (const [name, text] of Object.entries(node.status?.[list] ?? {}))
      checkResourceQuantity(errors, `status.${list}.${name}`, name, text)
  }
  const prefixes = node.spec?.podCIDRs ?? []
  prefixes.forEach((prefix, i) => checkCidr(errors, `spec.podCIDRs[${i}]`, prefix))
  if (prefixes.length > 2 || (prefixes.length === 2 && !isDualStack(prefixes))) {
    errors.invalid('spec.podCIDRs', prefixes, 'may specify no more than one CIDR for each IP family')
  }
}

function checkNodeUpdate(errors: FieldErrors, next: Node, previous: Node): void {
  const seen = new Set<string>()
  next.status?.addresses?.forEach((address, i) => {
    const key = `${address.type} ${address.address}`
    if (seen.has(key)) errors.duplicate(`status.addresses[${i}]`, address)
    seen.add(key)
  })
  if (previous.spec?.podCIDRs?.length && !semanticEqual(next.spec?.podCIDRs, previous.spec.podCIDRs)) {
    errors.forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid')
  }
  if (previous.spec?.providerID && next.spec?.providerID !== previous.spec.providerID) {
    errors.forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid')
  }
}
