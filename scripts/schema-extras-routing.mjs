// Schemas of the kinds of routing.biplane.dev that the BGP speaker reads; form as in schema-extras.mjs.

const GROUP = 'dev.biplane.routing.v1alpha1'
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1'
const typeMeta = {
  apiVersion: ['string', 'Version of the schema of this object, such as `routing.biplane.dev/v1alpha1`.'],
  kind: ['string', 'Kind of this object.'],
}
const nodeSelector = [`${META}.LabelSelector`, 'Nodes that this is for. Absent: all nodes.']
const ATOMIC = { list: 'atomic' }
const FAMILIES = { enum: ['ipv4', 'ipv6'] }

const kind = (name, doc, status) => ({
  [`${GROUP}.${name}`]: {
    doc,
    fields: {
      ...typeMeta,
      metadata: [`${META}.ObjectMeta`, 'Standard object metadata.'],
      spec: [`!${GROUP}.${name}Spec`, 'What is wanted.'],
      ...(status ? { status: [`${GROUP}.${name}Status`, 'What the routers report.'] } : {}),
    },
  },
  [`${GROUP}.${name}List`]: {
    doc: `${name}List is a list of ${name} objects.`,
    fields: {
      ...typeMeta,
      items: [`![${GROUP}.${name}`, 'The objects.'],
      metadata: [`${META}.ListMeta`, 'Standard list metadata.'],
    },
  },
})

export const ROUTING_EXTRAS = {
  ...kind('Router', 'Router makes the nodes that it selects speak BGP.', true),
  [`${GROUP}.RouterSpec`]: {
    doc: 'RouterSpec is the BGP speaker of a node. Where several select one node, the first by name wins.',
    fields: {
      advertise: [`${GROUP}.RouterAdvertise`, 'What of the cluster is announced. Export policies of peers still decide.'],
      asn: ['!int64', 'Autonomous system number, 1 to 4294967295.'],
      clusterID: ['string', 'Cluster identifier for route reflection, in the form of an IPv4 address. Default: the router ID.'],
      distances: [`${GROUP}.RouterDistances`, 'Administrative distances: the source with the lowest wins a prefix.'],
      drain: [
        'boolean',
        'Announces everything with the GRACEFUL_SHUTDOWN community (RFC 8326), so that traffic leaves before the node does.',
      ],
      gracefulRestart: [`${GROUP}.GracefulRestart`, 'Restart without loss of traffic (RFC 4724, RFC 8538).'],
      kernel: [`${GROUP}.RouterKernel`, 'How routes get into the forwarding table.'],
      listen: [`${GROUP}.RouterListen`, 'Where connections of peers are taken.'],
      maximumPaths: ['int32', 'Next hops that one prefix may have at once, 1 to 64. Default 1.'],
      multipathRelax: ['boolean', 'Paths over different neighbouring systems may share the traffic when they are equally long.'],
      nodeSelector,
      routerID: ['string', 'In the form of an IPv4 address. Default: the IPv4 address of the node.'],
    },
  },
  [`${GROUP}.RouterAdvertise`]: {
    doc: 'RouterAdvertise says what of the cluster is announced.',
    fields: {
      clusterIPs: ['boolean', 'Cluster addresses of services, one by one. Default false.'],
      loadBalancerIPs: [
        'boolean',
        'Load-balancer addresses of services; with externalTrafficPolicy Local only from nodes with a ready endpoint. Default true.',
      ],
      podCIDRs: ['boolean', 'Pod ranges of the node. Default true.'],
      staticRoutes: ['boolean', 'StaticRoutes of the node. Default false.'],
    },
  },
  [`${GROUP}.RouterDistances`]: {
    doc: 'RouterDistances are administrative distances, 1 to 255.',
    fields: {
      external: ['int32', 'Routes of external peers. Default 20.'],
      internal: ['int32', 'Routes of internal peers. Default 200.'],
    },
  },
  [`${GROUP}.RouterKernel`]: {
    doc: 'RouterKernel is how routes get into the forwarding table of the node.',
    fields: {
      install: ['boolean', 'False: routes are only held and passed on (a route reflector). Default true.'],
      metricBase: ['int32', 'Added to the administrative distance to make the metric of the kernel. Default 0.'],
      table: ['int64', 'Routing table, 1 to 4294967295. Default 254 (main).'],
    },
  },
  [`${GROUP}.RouterListen`]: {
    doc: 'RouterListen is where connections of peers are taken.',
    fields: {
      addresses: ['[string', 'Addresses of the node to listen on. Default: all.', { list: 'set' }],
      port: ['int32', 'TCP port. Default 179.'],
    },
  },
  [`${GROUP}.GracefulRestart`]: {
    doc: 'GracefulRestart is restart without loss of traffic (RFC 4724, RFC 8538).',
    fields: {
      enabled: ['boolean', 'Default true.'],
      restartTimeSeconds: ['int32', 'How long peers wait for our return, 1 to 4095. Default 120.'],
      stalePathsTimeSeconds: ['int32', 'How long routes of a peer that came back are kept until it has sent them again. Default 360.'],
    },
  },
  [`${GROUP}.RouterStatus`]: {
    doc: 'RouterStatus is what the routers report.',
    fields: { nodes: [`{${GROUP}.RouterNodeStatus`, 'By name of the node.'] },
  },
  [`${GROUP}.RouterNodeStatus`]: {
    doc: 'RouterNodeStatus is the speaker of one node.',
    fields: {
      established: ['int32', 'Sessions that are up.'],
      observedGeneration: ['int64', 'Generation of the Router that is in force.'],
      peers: ['int32', 'Sessions that are wanted.'],
      problems: ['[string', 'What of the configuration could not be used, and why.', { list: 'atomic' }],
      routerID: ['string', 'The router ID in use.'],
    },
  },

  ...kind('BGPPeer', 'BGPPeer is a neighbour with which the selected nodes speak BGP.', true),
  [`${GROUP}.BGPPeerSpec`]: {
    doc: 'BGPPeerSpec is one neighbour, or a range of addresses from which neighbours may come.',
    fields: {
      addPathReceive: ['boolean', 'Take several paths for one prefix from the peer (RFC 7911).'],
      address: ['string', 'Address of the peer; a link-local one with its interface: fe80::1%eth0. This or prefixes.'],
      allowASIn: ['int32', 'How often our own AS may stand in a path that is taken. Default 0.'],
      asn: ['int64', 'AS of the peer. This, asnRange or peerType.'],
      asnRange: [`${GROUP}.ASNRange`, 'The AS of the peer is one of these.'],
      bfd: [`${GROUP}.BGPPeerBFD`, 'Detection of a dead path within a second (RFC 5880).'],
      dynamicLimit: ['int32', 'Neighbours that prefixes may bring at once. Default 100.'],
      ebgpMultihopTTL: ['int32', 'Hops that packets may take to an external peer that is not on a link of the node, 2 to 255.'],
      enforceFirstAS: [
        'boolean',
        'Paths of an external peer must begin with its own AS. False for a route server that does not add itself. Default true.',
      ],
      exportPolicies: ['[string', 'RoutePolicies in order. External peers without any get nothing (RFC 8212).', { list: 'atomic' }],
      families: ['[string', 'Address families to exchange. Default: the one of the address.', { list: 'set', ...FAMILIES }],
      gracefulRestart: [`${GROUP}.GracefulRestart`, 'Instead of that of the Router.'],
      importPolicies: ['[string', 'RoutePolicies in order. Of external peers without any nothing is taken (RFC 8212).', { list: 'atomic' }],
      localASN: ['int64', 'AS to use with this peer instead of that of the Router.'],
      localAddress: ['string', 'Address of the node to use. Default: the one that the kernel chooses.'],
      maximumPrefixes: [
        `[${GROUP}.MaximumPrefixes`,
        'Bounds on what the peer may send.',
        { list: 'map', keys: ['family'], strategy: ['merge'], merge: 'family' },
      ],
      nextHopSelf: ['boolean', 'Routes are passed on to the peer with this node as next hop, also those of internal peers.'],
      nodeSelector,
      passive: ['boolean', 'Never connect, wait for the peer.'],
      passwordSecretRef: [`${GROUP}.SecretKeyReference`, 'Password for TCP MD5 signatures (RFC 2385), at most 80 bytes.'],
      peerType: ['string', 'External: any AS but ours. Internal: ours.', { enum: ['External', 'Internal'] }],
      port: ['int32', 'TCP port of the peer. Default 179.'],
      prefixes: ['[string', 'Neighbours may come from these addresses; they are waited for. This or address.', { list: 'set' }],
      routeReflectorClient: ['boolean', 'Routes of internal peers are passed on to this internal peer (RFC 4456).'],
      shutdown: ['boolean', 'Keeps the session down.'],
      shutdownMessage: ['string', 'Told to the peer on shutdown (RFC 9003), at most 255 bytes.'],
      timers: [`${GROUP}.BGPPeerTimers`, 'Timers of the session.'],
      ttlSecurityHops: ['int32', 'The peer is at most so many hops away, 1 to 254; packets from further away are dropped (RFC 5082).'],
    },
  },
  [`${GROUP}.ASNRange`]: {
    doc: 'ASNRange is a range of AS numbers.',
    fields: { first: ['!int64', 'The lowest.'], last: ['!int64', 'The highest.'] },
  },
  [`${GROUP}.SecretKeyReference`]: {
    doc: 'SecretKeyReference names an entry of a Secret.',
    fields: {
      key: ['string', 'Default password.'],
      name: ['!string', 'Name of the Secret.'],
      namespace: ['string', 'Namespace of the Secret. Default kube-system.'],
    },
  },
  [`${GROUP}.BGPPeerBFD`]: {
    doc: 'BGPPeerBFD is bidirectional forwarding detection for a peer, with one hop or (with ebgpMultihopTTL) several.',
    fields: {
      detectMultiplier: ['int32', 'Packets in a row that may be lost, 1 to 255. Default 3.'],
      enabled: ['boolean', 'Default true.'],
      graceful: [
        'boolean',
        'A dead path only ends the session as a restart of the peer does, where its BFD shares the fate of its control plane. Default false.',
      ],
      minimumReceiveMilliseconds: ['int32', 'Shortest interval at which packets are taken, 10 to 60000. Default 300.'],
      minimumTransmitMilliseconds: ['int32', 'Shortest interval at which packets are sent, 10 to 60000. Default 300.'],
    },
  },
  [`${GROUP}.BGPPeerTimers`]: {
    doc: 'BGPPeerTimers are timers of a session.',
    fields: {
      connectRetrySeconds: ['int32', 'Between attempts to connect, 1 to 65535. Default 15.'],
      holdSeconds: ['int32', 'Silence after which the peer is taken for dead: 0 (never) or 3 to 65535. Default 90.'],
      keepaliveSeconds: ['int32', 'Between signs of life, 1 to 21845. Default and upper bound: a third of the hold time agreed on.'],
    },
  },
  [`${GROUP}.MaximumPrefixes`]: {
    doc: 'MaximumPrefixes is a bound on what a peer may send.',
    fields: {
      action: ['string', 'What happens above the limit. Default Restart.', { enum: ['Warn', 'Restart', 'Shutdown'] }],
      family: ['!string', 'Address family.', FAMILIES],
      limit: ['!int32', 'Number of prefixes.'],
      restartSeconds: ['int32', 'For Restart: how long the session stays down. Default 300.'],
    },
  },
  [`${GROUP}.BGPPeerStatus`]: {
    doc: 'BGPPeerStatus is what the routers report.',
    fields: { sessions: [`{${GROUP}.BGPSessionStatus`, 'By name of the node.'] },
  },
  [`${GROUP}.BGPSessionStatus`]: {
    doc: 'BGPSessionStatus is the session of one node with the peer, or a summary where the peer is a range.',
    fields: {
      address: ['string', 'Address of the peer.'],
      asn: ['int64', 'AS that the peer said it is.'],
      bfd: ['string', 'State of BFD: Up, Down, Init or AdminDown.'],
      capabilities: ['[string', 'What both sides can.', { list: 'atomic' }],
      holdSeconds: ['int32', 'Hold time agreed on.'],
      lastError: ['string', 'Why the session was last lost, in words.'],
      localAddress: ['string', 'Our address of the session.'],
      messagesReceived: ['int64', 'Since the process started.'],
      messagesSent: ['int64', 'Since the process started.'],
      neighbors: ['{string', 'For a range: state by address.'],
      prefixesAccepted: ['int64', 'Received and let through by the import policies.'],
      prefixesReceived: ['int64', 'Received from the peer.'],
      prefixesSent: ['int64', 'Announced to the peer.'],
      routerID: ['string', 'Router ID of the peer.'],
      since: ['date-time', 'When the state was entered.'],
      state: ['string', 'Idle, Connect, Active, OpenSent, OpenConfirm or Established; Listening for a range.'],
      transitions: ['int64', 'How often the session was established.'],
    },
  },

  ...kind('RoutePolicy', 'RoutePolicy lets routes through, refuses and changes them.', false),
  [`${GROUP}.RoutePolicySpec`]: {
    doc: 'RoutePolicySpec is a list of rules. The first rule that matches and accepts or rejects decides.',
    fields: {
      defaultAction: [
        'string',
        'What happens to a route that no rule decided. Default: the next policy of the peer decides; behind the last it is rejected.',
        { enum: ['Accept', 'Reject'] },
      ],
      rules: [`[${GROUP}.RoutePolicyRule`, 'In order.', { list: 'map', keys: ['name'], strategy: ['merge'], merge: 'name' }],
    },
  },
  [`${GROUP}.RoutePolicyRule`]: {
    doc: 'RoutePolicyRule is one rule.',
    fields: {
      action: [
        '!string',
        'Continue goes on with the next rule, keeping what `set` has changed.',
        { enum: ['Accept', 'Reject', 'Continue'] },
      ],
      match: [`${GROUP}.RouteMatch`, 'All that is given must hold. Absent: every route.'],
      name: ['!string', 'Unique in the policy; explanations name it.'],
      set: [`${GROUP}.RouteActions`, 'Changes to a route that matches.'],
    },
  },
  [`${GROUP}.RouteMatch`]: {
    doc: 'RouteMatch is a condition on routes. All fields that are given must hold; of a plain list any entry.',
    fields: {
      asPath: ['[string', 'Regular expressions over the path as text, such as ^65001_; _ stands for a border between numbers.', ATOMIC],
      asPathLength: [`${GROUP}.NumberRange`, 'Length of the path as best path selection counts it.'],
      communities: [`${GROUP}.CommunityMatch`, 'Such as 65001:100, 65001:*, no-export, no-advertise, graceful-shutdown or blackhole.'],
      largeCommunities: [`${GROUP}.CommunityMatch`, 'Such as 65001:1:2; each part may be *.'],
      localPreference: [`${GROUP}.NumberRange`, 'Local preference.'],
      med: [`${GROUP}.NumberRange`, 'Multi-exit discriminator; a route without has 0.'],
      nextHops: ['[string', 'The next hop lies in one of these prefixes.', ATOMIC],
      originAs: ['[int64', 'One of these AS originated the route.', ATOMIC],
      origins: ['[string', 'Origin of the route.', { list: 'set', enum: ['IGP', 'EGP', 'Incomplete'] }],
      prefixes: [`[${GROUP}.PrefixMatch`, 'Destination.', ATOMIC],
      sources: [
        '[string',
        'Where the route came from; LoadBalancer stands for all addresses of services.',
        { list: 'set', enum: ['BGP', 'Static', 'PodRange', 'LoadBalancer', 'Connected'] },
      ],
    },
  },
  [`${GROUP}.CommunityMatch`]: {
    doc: 'CommunityMatch is a condition on the communities of a route.',
    fields: {
      all: ['[string', 'All of these are there.', ATOMIC],
      any: ['[string', 'One of these is there.', ATOMIC],
      none: ['[string', 'None of these is there.', ATOMIC],
    },
  },
  [`${GROUP}.NumberRange`]: {
    doc: 'NumberRange is a range of numbers; an end that is absent is open.',
    fields: { max: ['int64', 'Inclusive.'], min: ['int64', 'Inclusive.'] },
  },
  [`${GROUP}.PrefixMatch`]: {
    doc: 'PrefixMatch selects a prefix, or with ge or le the prefixes below it.',
    fields: {
      ge: ['int32', 'Shortest length that matches. Default: that of prefix; alone it means up to the full length.'],
      le: ['int32', 'Longest length that matches.'],
      prefix: ['!string', 'Such as 10.0.0.0/8.'],
    },
  },
  [`${GROUP}.RouteActions`]: {
    doc: 'RouteActions are changes to a route.',
    fields: {
      addMed: ['int64', 'Added to the MED, within 0 and 4294967295.'],
      communities: [`${GROUP}.CommunityActions`, 'Communities (RFC 1997).'],
      largeCommunities: [`${GROUP}.CommunityActions`, 'Large communities (RFC 8092).'],
      localPreference: ['int64', 'Local preference.'],
      med: ['int64', 'Multi-exit discriminator.'],
      nextHop: ['string', 'self, unchanged (export only) or an address.'],
      origin: ['string', 'Origin.', { enum: ['IGP', 'EGP', 'Incomplete'] }],
      prepend: [`${GROUP}.ASPathPrepend`, 'Makes the path longer.'],
      removeMed: ['boolean', 'Takes the MED away.'],
    },
  },
  [`${GROUP}.CommunityActions`]: {
    doc: 'CommunityActions are changes to the communities of a route.',
    fields: {
      add: ['[string', 'Added last.', ATOMIC],
      remove: ['[string', 'Removed; * stands for any value of a part.', ATOMIC],
      replace: ['[string', 'Instead of all that are there.', ATOMIC],
    },
  },
  [`${GROUP}.ASPathPrepend`]: {
    doc: 'ASPathPrepend makes a path longer.',
    fields: {
      as: ['int64', "Default: our own on export, the neighbour's on import."],
      count: ['!int32', '1 to 32.'],
    },
  },

  ...kind('StaticRoute', 'StaticRoute is a configured route of the selected nodes.', true),
  [`${GROUP}.StaticRouteSpec`]: {
    doc: 'StaticRouteSpec is a configured route.',
    fields: {
      distance: ['int32', 'Administrative distance, 1 to 255. Default 1.'],
      nextHops: [`[${GROUP}.StaticNextHop`, 'Several share the traffic.', { list: 'atomic' }],
      nodeSelector,
      prefix: ['!string', 'Destination, such as 192.0.2.0/24.'],
      type: [
        'string',
        'Unicast needs next hops; the others drop, silently or with an ICMP message. Default Unicast.',
        { enum: ['Unicast', 'Blackhole', 'Unreachable', 'Prohibit'] },
      ],
    },
  },
  [`${GROUP}.StaticNextHop`]: {
    doc: 'StaticNextHop is one way out.',
    fields: {
      address: ['string', 'Address of the gateway. This, device or both.'],
      device: ['string', 'Name of the interface.'],
      weight: ['int32', 'Share of the traffic, 1 to 256. Default 1.'],
    },
  },
  [`${GROUP}.StaticRouteStatus`]: {
    doc: 'StaticRouteStatus is what the routers report.',
    fields: { nodes: ['{string', 'By name of the node: Installed, or what is in the way.'] },
  },
}
