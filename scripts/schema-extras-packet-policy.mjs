// Schemas of policy.networking.k8s.io/v1alpha2. Facts (fields, bounds) from the Go types of kubernetes-sigs/network-policy-api; form as in
// schema-extras.mjs.

const GROUP = 'io.k8s.api.networkpolicy.v1alpha2'
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1'
const SELECTOR = `${META}.LabelSelector`
const typeMeta = {
  apiVersion: ['string', 'Version of the schema of this object, such as `v1`.'],
  kind: ['string', 'Kind of this object.'],
}

const ruleFields = (peer, field, what) => ({
  action: [
    '!string',
    'Accept and Deny end the judgement of this direction; Pass goes on with the next tier.',
    { enum: ['Accept', 'Deny', 'Pass'] },
  ],
  [field]: [`![${GROUP}.${peer}`, `Whose traffic the rule is about: ${what}, any one of them. 1 to 25.`, { list: 'atomic' }],
  name: ['string', 'Name of the rule in logs, counters and explanations; at most 100 characters.'],
  protocols: [`[${GROUP}.ClusterNetworkPolicyProtocol`, 'Protocols and ports. Absent: all traffic. 1 to 25.', { list: 'atomic' }],
})

const podPeers = {
  namespaces: [SELECTOR, 'All pods of the namespaces that it selects; pods of the host network are no peers.'],
  pods: [`${GROUP}.NamespacedPod`, 'Some pods of some namespaces; pods of the host network are no peers.'],
}

const portMatch = (protocol) => ({
  doc: `ClusterNetworkPolicyProtocol${protocol} is what of ${protocol} is matched.`,
  fields: { destinationPort: [`${GROUP}.Port`, 'Port of the destination. Absent: all.'] },
})

export const PACKET_POLICY_EXTRAS = {
  [`${GROUP}.ClusterNetworkPolicy`]: {
    doc: "ClusterNetworkPolicy judges packets of pods in all namespaces: before the namespaces' own policies (tier Admin) or after them (Baseline).",
    fields: {
      ...typeMeta,
      metadata: [`${META}.ObjectMeta`, 'Standard object metadata.'],
      spec: [`!${GROUP}.ClusterNetworkPolicySpec`, 'The pods, and what holds for them.'],
      status: [`${GROUP}.ClusterNetworkPolicyStatus`, 'What those who carry it out say of it.'],
    },
  },
  [`${GROUP}.ClusterNetworkPolicyList`]: {
    doc: 'ClusterNetworkPolicyList is a list of cluster network policies.',
    fields: {
      ...typeMeta,
      items: [`![${GROUP}.ClusterNetworkPolicy`, 'The policies.'],
      metadata: [`${META}.ListMeta`, 'Standard list metadata.'],
    },
  },
  [`${GROUP}.ClusterNetworkPolicySpec`]: {
    doc: 'ClusterNetworkPolicySpec is the pods that a policy is for and the rules for their packets.',
    fields: {
      egress: [
        `[${GROUP}.ClusterNetworkPolicyEgressRule`,
        'Rules for what the pods send, in order. At most 25. None: not judged by this policy.',
        { list: 'atomic' },
      ],
      ingress: [
        `[${GROUP}.ClusterNetworkPolicyIngressRule`,
        'Rules for what the pods receive, in order. At most 25. None: not judged by this policy.',
        { list: 'atomic' },
      ],
      priority: ['!int32', '0 to 1000; lower is judged earlier within the tier. Equal priorities: by name.'],
      subject: [`!${GROUP}.ClusterNetworkPolicySubject`, 'The pods that the policy is for.'],
      tier: [
        '!string',
        'Admin: before NetworkPolicies. Baseline: only where no NetworkPolicy selects the pod.',
        { enum: ['Admin', 'Baseline'] },
      ],
    },
  },
  [`${GROUP}.ClusterNetworkPolicyStatus`]: {
    doc: 'ClusterNetworkPolicyStatus is what those who carry out a policy say of it.',
    fields: {
      conditions: [`[${META}.Condition`, 'Current state, by type.', { list: 'map', keys: ['type'], strategy: ['merge'], merge: 'type' }],
    },
  },
  [`${GROUP}.ClusterNetworkPolicySubject`]: {
    doc: 'ClusterNetworkPolicySubject selects pods; exactly one field. Pods of the host network are never selected.',
    fields: {
      namespaces: [SELECTOR, 'All pods of the namespaces that it selects.'],
      pods: [`${GROUP}.NamespacedPod`, 'Some pods of some namespaces.'],
    },
  },
  [`${GROUP}.NamespacedPod`]: {
    doc: 'NamespacedPod selects pods by their namespace and their own labels.',
    fields: {
      namespaceSelector: [SELECTOR, 'The namespaces. Absent or empty: all.'],
      podSelector: [`!${SELECTOR}`, 'The pods in them. Empty: all.'],
    },
  },
  [`${GROUP}.ClusterNetworkPolicyIngressRule`]: {
    doc: 'ClusterNetworkPolicyIngressRule is a rule for packets to the pods.',
    fields: ruleFields('ClusterNetworkPolicyIngressPeer', 'from', 'the sources'),
  },
  [`${GROUP}.ClusterNetworkPolicyEgressRule`]: {
    doc: 'ClusterNetworkPolicyEgressRule is a rule for packets from the pods.',
    fields: ruleFields('ClusterNetworkPolicyEgressPeer', 'to', 'the destinations'),
  },
  [`${GROUP}.ClusterNetworkPolicyIngressPeer`]: {
    doc: 'ClusterNetworkPolicyIngressPeer is sources of traffic; exactly one field.',
    fields: podPeers,
  },
  [`${GROUP}.ClusterNetworkPolicyEgressPeer`]: {
    doc: 'ClusterNetworkPolicyEgressPeer is destinations of traffic; exactly one field.',
    fields: {
      ...podPeers,
      domainNames: ['[string', 'DNS names. Not enforced by biplane: such a policy is refused.', { list: 'set' }],
      networks: ['[string', 'CIDRs, inside and outside of the cluster. 1 to 25.', { list: 'set' }],
      nodes: [SELECTOR, 'Nodes, by all of their addresses.'],
    },
  },
  [`${GROUP}.ClusterNetworkPolicyProtocol`]: {
    doc: 'ClusterNetworkPolicyProtocol is a protocol or a named port; exactly one field.',
    fields: {
      destinationNamedPort: ['string', 'Name of a container port of the destination, whatever its protocol. Not for networks and nodes.'],
      sctp: [`${GROUP}.ClusterNetworkPolicyProtocolSCTP`, 'SCTP.'],
      tcp: [`${GROUP}.ClusterNetworkPolicyProtocolTCP`, 'TCP.'],
      udp: [`${GROUP}.ClusterNetworkPolicyProtocolUDP`, 'UDP.'],
    },
  },
  [`${GROUP}.ClusterNetworkPolicyProtocolTCP`]: portMatch('TCP'),
  [`${GROUP}.ClusterNetworkPolicyProtocolUDP`]: portMatch('UDP'),
  [`${GROUP}.ClusterNetworkPolicyProtocolSCTP`]: portMatch('SCTP'),
  [`${GROUP}.Port`]: {
    doc: 'Port is one port or a range of them; exactly one field.',
    fields: {
      number: ['int32', '1 to 65535.'],
      range: [`${GROUP}.PortRange`, 'A range of ports.'],
    },
  },
  [`${GROUP}.PortRange`]: {
    doc: 'PortRange is the ports from start to end, both included; start is less than end.',
    fields: { end: ['!int32', '1 to 65535.'], start: ['!int32', '1 to 65535.'] },
  },
}
