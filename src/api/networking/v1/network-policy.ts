import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { formatLabelSelector } from '../../print/columns.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkCidr, isProperSubnet } from '../../validation/ip.ts'
import { checkLabelSelector } from '../../validation/labels.ts'
import { checkPortNumber } from '../../validation/names.ts'
import { checkPort } from '../../validation/probe.ts'

export const networkPolicies: KindDefinition<NetworkPolicy> = defineKind({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  namespaced: true,
  shortNames: ['netpol'],
  schema: 'io.k8s.api.networking.v1.NetworkPolicy',
  columns: [
    {
      name: 'Pod-Selector',
      type: 'string',
      description: 'Labels of the pods that it holds for.',
      value: ({ spec }) => formatLabelSelector(spec?.podSelector),
    },
  ],
  strategy: { validate: ({ spec }) => collectErrors((errors) => checkPolicy(errors, spec ?? {})) },
})

function checkPolicy(errors: FieldErrors, spec: NetworkPolicySpec): void {
  checkLabelSelector(errors, 'spec.podSelector', spec.podSelector)
  spec.ingress?.forEach(({ ports, from }, i) => {
    ports?.forEach((port, j) => checkPolicyPort(errors, `spec.ingress[${i}].ports[${j}]`, port))
    from?.forEach((peer, j) => checkPeer(errors, `spec.ingress[${i}].from[${j}]`, peer))
  })
  spec.egress?.forEach(({ ports, to }, i) => {
    ports?.forEach((port, j) => checkPolicyPort(errors, `spec.egress[${i}].ports[${j}]`, port))
    to?.forEach((peer, j) => checkPeer(errors, `spec.egress[${i}].to[${j}]`, peer))
  })
  const types = spec.policyTypes ?? []
  if (types.length > 2) errors.invalid('spec.policyTypes', types, 'may not specify more than two policyTypes')
}

function checkPolicyPort(errors: FieldErrors, field: string, { port, endPort }: NetworkPolicyPort): void {
  if (port !== undefined) checkPort(errors, `${field}.port`, port)
  if (endPort === undefined) return
  if (port === undefined) errors.invalid(`${field}.endPort`, endPort, 'may not be specified when `port` is not specified')
  else if (typeof port === 'string') errors.invalid(`${field}.endPort`, endPort, 'may not be specified when `port` is non-numeric')
  else if (endPort < port) errors.invalid(`${field}.endPort`, endPort, 'must be greater than or equal to `port`')
  errors.invalidEach(`${field}.endPort`, endPort, checkPortNumber(endPort))
}

function checkPeer(errors: FieldErrors, field: string, { podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer): void {
  checkLabelSelector(errors, `${field}.podSelector`, podSelector)
  checkLabelSelector(errors, `${field}.namespaceSelector`, namespaceSelector)
  if (ipBlock) checkBlock(errors, `${field}.ipBlock`, ipBlock)
  if (!podSelector && !namespaceSelector && !ipBlock) errors.required(field, 'must specify a peer')
  else if (ipBlock && (podSelector || namespaceSelector)) errors.forbidden(field, 'may not specify both ipBlock and another peer')
}

function checkBlock(errors: FieldErrors, field: string, { cidr, except }: IPBlock): void {
  if (!cidr) return errors.required(`${field}.cidr`)
  if (!checkCidr(errors, `${field}.cidr`, cidr)) return
  except?.forEach((inner, i) => {
    const path = `${field}.except[${i}]`
    if (checkCidr(errors, path, inner) && !isProperSubnet(inner, cidr)) errors.invalid(path, inner, 'must be a strict subset of `cidr`')
  })
}
