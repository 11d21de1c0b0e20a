// Schemas of gateway.networking.k8s.io: gateways and what stands beside them. Facts from the CRDs of release 1.7 of sigs.k8s.io/gateway-api, in our own words.

import { GATEWAY_ROUTE_EXTRAS } from './schema-extras-gateway-routes.mjs'
import { ATOMIC, byKeys, group, GATEWAY as G, kindSchemas, META, object, port } from './schema-extras-gateway-support.mjs'

const conditions = (doc) => [`[${META}.Condition`, doc, byKeys('type')]
const requiredConditions = (doc) => [`![${META}.Condition`, doc, byKeys('type')]
const parameters = (more = {}) =>
  object('ParametersReference names an object with settings of the implementation.', {
    group: ['!string', 'API group of the object; empty for core.'],
    kind: ['!string', 'Kind of the object.'],
    name: ['!string', 'Name of the object.'],
    ...more,
  })

export const GATEWAY_EXTRAS = {
  ...GATEWAY_ROUTE_EXTRAS,
  ...kindSchemas(
    'GatewayClass',
    ['v1', 'v1beta1'],
    'GatewayClass is a kind of Gateway that one controller looks after.',
    'GatewayClassSpec',
    'GatewayClassStatus',
  ),
  [`${G}.GatewayClassSpec`]: object('GatewayClassSpec says who looks after gateways of this class.', {
    controllerName: ['!string', 'Who looks after them, such as `biplane.dev/gateway-controller`. Cannot be changed.'],
    description: ['string', 'For people, at most 64 characters.'],
    parametersRef: [`${G}.ParametersReference`, 'Settings of the implementation.'],
  }),
  [`${G}.ParametersReference`]: parameters({ namespace: ['string', 'Namespace of the object; absent for cluster-scoped kinds.'] }),
  [`${G}.LocalParametersReference`]: parameters(),
  [`${G}.GatewayClassStatus`]: object('GatewayClassStatus is what the controller says about the class.', {
    conditions: conditions('`Accepted`: the controller looks after the class.'),
    supportedFeatures: [`[${G}.SupportedFeature`, 'Features of the API that gateways of the class have, sorted by name.', byKeys('name')],
  }),
  [`${G}.SupportedFeature`]: object('SupportedFeature is one feature of the API.', { name: ['!string', 'Name of the feature.'] }),

  ...kindSchemas(
    'Gateway',
    ['v1', 'v1beta1'],
    'Gateway takes traffic from outside at its listeners and hands it to routes.',
    'GatewaySpec',
    'GatewayStatus',
  ),
  [`${G}.GatewaySpec`]: object('GatewaySpec is what a gateway listens on.', {
    addresses: [`[${G}.GatewaySpecAddress`, 'Addresses asked for; absent: whatever the cluster gives.', ATOMIC],
    allowedListeners: [`${G}.AllowedListeners`, 'Which ListenerSets may add listeners. Default: none.'],
    defaultScope: ['string', 'Routes without a parent that ask for default gateways attach here.', { enum: ['All', 'None'] }],
    gatewayClassName: ['!string', 'Class of the gateway.'],
    infrastructure: [`${G}.GatewayInfrastructure`, 'How what runs the gateway is made.'],
    listeners: [`![${G}.Listener`, 'Ports that are listened on, by unique names.', byKeys('name')],
    tls: [`${G}.GatewayTLSConfig`, 'TLS of the gateway as a whole.'],
  }),
  [`${G}.GatewaySpecAddress`]: object(
    'GatewaySpecAddress is an address asked for.',
    {
      routability: ['string', 'From where the address can be reached: Cluster, or a prefixed word of the implementation.'],
      type: ['string', 'IPAddress, Hostname or NamedAddress. Default IPAddress.'],
      value: ['string', 'The address; absent: any of that type.'],
    },
    { type: 'IPAddress' },
  ),
  [`${G}.AllowedListeners`]: object(
    'AllowedListeners says which ListenerSets may add listeners.',
    { namespaces: [`${G}.ListenerNamespaces`, 'Namespaces of the ListenerSets.'] },
    { namespaces: { from: 'None' } },
  ),
  [`${G}.ListenerNamespaces`]: object(
    'ListenerNamespaces are namespaces that listeners may come from.',
    {
      from: ['string', 'Default None.', { enum: ['All', 'Selector', 'Same', 'None'] }],
      selector: [`${META}.LabelSelector`, 'Labels of the namespaces, with `from: Selector`.', { map: 'atomic' }],
    },
    { from: 'None' },
  ),
  [`${G}.GatewayInfrastructure`]: object('GatewayInfrastructure is how what runs the gateway is made.', {
    annotations: ['{string', 'Annotations put on everything that is made.'],
    labels: ['{string', 'Labels put on everything that is made.'],
    parametersRef: [`${G}.LocalParametersReference`, 'Settings of the implementation, in the namespace of the gateway.'],
  }),
  [`${G}.Listener`]: object(
    'Listener is a port with a protocol and, where the protocol knows names, a host.',
    {
      allowedRoutes: [`${G}.AllowedRoutes`, 'Which routes may attach. Default: those of the same namespace.'],
      hostname: ['string', 'Host that requests must ask for; `*.` matches one or more labels. Absent: all.'],
      name: ['!string', 'Unique in the gateway; routes name it as their section.'],
      port: ['!int32', 'Port listened on; several listeners may share one.'],
      protocol: ['!string', 'HTTP, HTTPS, TLS, TCP or UDP.'],
      tls: [`${G}.ListenerTLSConfig`, 'TLS, for protocols HTTPS and TLS.'],
    },
    { allowedRoutes: { namespaces: { from: 'Same' } } },
  ),
  [`${G}.AllowedRoutes`]: object(
    'AllowedRoutes says which routes may attach.',
    {
      kinds: [`[${G}.RouteGroupKind`, 'Kinds of the routes; absent: all that fit the protocol.', ATOMIC],
      namespaces: [`${G}.RouteNamespaces`, 'Namespaces of the routes.'],
    },
    { namespaces: { from: 'Same' } },
  ),
  [`${G}.RouteGroupKind`]: object('RouteGroupKind is a kind of route.', {
    group: ['string', 'API group. Default gateway.networking.k8s.io.'],
    kind: ['!string', 'Kind of route.'],
  }),
  [`${G}.RouteNamespaces`]: object(
    'RouteNamespaces are namespaces that routes may come from.',
    {
      from: ['string', 'Default Same.', { enum: ['All', 'Selector', 'Same'] }],
      selector: [`${META}.LabelSelector`, 'Labels of the namespaces, with `from: Selector`.', { map: 'atomic' }],
    },
    { from: 'Same' },
  ),
  [`${G}.ListenerTLSConfig`]: object(
    'ListenerTLSConfig is the TLS of a listener.',
    {
      certificateRefs: [
        `[${G}.SecretObjectReference`,
        'Secrets of type kubernetes.io/tls; the first that fits the name asked for is shown.',
        ATOMIC,
      ],
      mode: ['string', 'Terminate ends TLS here, Passthrough hands it on. Default Terminate.', { enum: ['Terminate', 'Passthrough'] }],
      options: ['{string', 'Settings of the implementation.'],
    },
    { mode: 'Terminate' },
  ),
  [`${G}.SecretObjectReference`]: object(
    'SecretObjectReference names a Secret; one in another namespace needs a ReferenceGrant there.',
    {
      group,
      kind: ['string', 'Default Secret.'],
      name: ['!string', 'Name of the Secret.'],
      namespace: ['string', 'Default: the namespace of what refers to it.'],
    },
    { group: '', kind: 'Secret' },
  ),
  [`${G}.ObjectReference`]: object('ObjectReference names an object of any kind.', {
    group: ['!string', 'API group of the object; empty for core.'],
    kind: ['!string', 'Kind of the object.'],
    name: ['!string', 'Name of the object.'],
    namespace: ['string', 'Default: the namespace of what refers to it.'],
  }),
  [`${G}.GatewayTLSConfig`]: object('GatewayTLSConfig is the TLS of a gateway as a whole.', {
    backend: [`${G}.GatewayBackendTLS`, 'Towards backends.'],
    frontend: [`${G}.FrontendTLSConfig`, 'Towards clients.'],
  }),
  [`${G}.GatewayBackendTLS`]: object('GatewayBackendTLS is how the gateway shows itself to backends.', {
    clientCertificateRef: [`${G}.SecretObjectReference`, 'Secret with the certificate that backends see.'],
  }),
  [`${G}.FrontendTLSConfig`]: object('FrontendTLSConfig is what clients must show.', {
    default: [`!${G}.FrontendTLS`, 'For ports that are not named in perPort.'],
    perPort: [`[${G}.TLSPortConfig`, 'By port, instead of the default.', byKeys('port')],
  }),
  [`${G}.FrontendTLS`]: object('FrontendTLS is what clients of a port must show.', {
    validation: [`${G}.FrontendTLSValidation`, 'Certificates of clients. Absent: none are asked for.'],
  }),
  [`${G}.TLSPortConfig`]: object('TLSPortConfig is what clients of one port must show.', {
    port: ['!int32', 'Number of the port, 1 to 65535.'],
    tls: [`!${G}.FrontendTLS`, 'What they must show.'],
  }),
  [`${G}.FrontendTLSValidation`]: object(
    'FrontendTLSValidation is how certificates of clients are verified.',
    {
      caCertificateRefs: [`![${G}.ObjectReference`, 'ConfigMaps whose `ca.crt` holds authorities that are trusted.', ATOMIC],
      mode: [
        'string',
        'AllowInsecureFallback lets clients without a valid certificate pass. Default AllowValidOnly.',
        { enum: ['AllowValidOnly', 'AllowInsecureFallback'] },
      ],
    },
    { mode: 'AllowValidOnly' },
  ),
  [`${G}.GatewayStatus`]: object('GatewayStatus is what the controller says about a gateway.', {
    addresses: [`[${G}.GatewayStatusAddress`, 'Where the gateway can be reached.', ATOMIC],
    attachedListenerSets: ['int32', 'ListenerSets that are attached.'],
    conditions: conditions('`Accepted`: it makes sense. `Programmed`: proxies run it.'),
    listeners: [`[${G}.ListenerStatus`, 'One for each listener.', byKeys('name')],
  }),
  [`${G}.GatewayStatusAddress`]: object(
    'GatewayStatusAddress is an address of the gateway.',
    {
      routability: ['string', 'From where the address can be reached.'],
      type: ['string', 'IPAddress, Hostname or NamedAddress. Default IPAddress.'],
      value: ['!string', 'The address.'],
    },
    { type: 'IPAddress' },
  ),
  [`${G}.ListenerStatus`]: object('ListenerStatus is what the controller says about a listener.', {
    attachedRoutes: ['!int32', 'Routes that are attached.'],
    conditions: requiredConditions('`Accepted`, `Conflicted`, `Programmed` and `ResolvedRefs`.'),
    name: ['!string', 'Name of the listener.'],
    supportedKinds: [`[${G}.RouteGroupKind`, 'Kinds of routes that can attach.', ATOMIC],
  }),

  ...kindSchemas('ListenerSet', ['v1'], 'ListenerSet adds listeners to a Gateway that allows it.', 'ListenerSetSpec', 'ListenerSetStatus'),
  [`${G}.ListenerSetSpec`]: object('ListenerSetSpec is the listeners of a set.', {
    listeners: [`![${G}.Listener`, 'Ports that are listened on, by unique names.', byKeys('name')],
    parentRef: [`!${G}.ParentGatewayReference`, 'The gateway that gets them.'],
  }),
  [`${G}.ParentGatewayReference`]: object(
    'ParentGatewayReference names a Gateway.',
    {
      group: ['string', 'Default gateway.networking.k8s.io.'],
      kind: ['string', 'Default Gateway.'],
      name: ['!string', 'Name of the Gateway.'],
      namespace: ['string', 'Default: the namespace of the set.'],
    },
    { group: 'gateway.networking.k8s.io', kind: 'Gateway' },
  ),
  [`${G}.ListenerSetStatus`]: object('ListenerSetStatus is what the controller says about a set.', {
    conditions: conditions('`Accepted` and `Programmed`.'),
    listeners: [`[${G}.ListenerStatus`, 'One for each listener.', byKeys('name')],
  }),

  ...kindSchemas(
    'ReferenceGrant',
    ['v1', 'v1beta1'],
    'ReferenceGrant lets objects of other namespaces refer to objects of its own.',
    'ReferenceGrantSpec',
  ),
  [`${G}.ReferenceGrantSpec`]: object('ReferenceGrantSpec is who may refer to what.', {
    from: [`![${G}.ReferenceGrantFrom`, 'Who may refer.', ATOMIC],
    to: [`![${G}.ReferenceGrantTo`, 'What may be referred to.', ATOMIC],
  }),
  [`${G}.ReferenceGrantFrom`]: object('ReferenceGrantFrom is a kind of objects of a namespace.', {
    group: ['!string', 'API group; empty for core.'],
    kind: ['!string', 'Kind of what refers.'],
    namespace: ['!string', 'Namespace of what refers.'],
  }),
  [`${G}.ReferenceGrantTo`]: object('ReferenceGrantTo is a kind of objects, or one of them.', {
    group: ['!string', 'API group; empty for core.'],
    kind: ['!string', 'Kind of what is referred to.'],
    name: ['string', 'Name of the object. Absent: all of the kind.'],
  }),

  ...kindSchemas(
    'BackendTLSPolicy',
    ['v1', 'v1alpha3'],
    'BackendTLSPolicy says how gateways speak TLS to a backend.',
    'BackendTLSPolicySpec',
    'PolicyStatus',
  ),
  [`${G}.BackendTLSPolicySpec`]: object('BackendTLSPolicySpec is which backends, and how their certificates are verified.', {
    options: ['{string', 'Settings of the implementation.'],
    targetRefs: [`![${G}.PolicyTargetReference`, 'Backends of the same namespace.', ATOMIC],
    validation: [`!${G}.BackendTLSPolicyValidation`, 'How certificates are verified.'],
  }),
  [`${G}.PolicyTargetReference`]: object('PolicyTargetReference names what a policy is for.', {
    group: ['!string', 'API group; empty for core.'],
    kind: ['!string', 'Kind, such as Service.'],
    name: ['!string', 'Name of the object.'],
    sectionName: ['string', 'A part of it: name of a port. Absent: all of it.'],
  }),
  [`${G}.BackendTLSPolicyValidation`]: object('BackendTLSPolicyValidation is how certificates of backends are verified.', {
    caCertificateRefs: [`[${G}.LocalObjectReference`, 'ConfigMaps whose `ca.crt` holds authorities that are trusted.', ATOMIC],
    hostname: ['!string', 'Server name asked for, and name that the certificate must have.'],
    subjectAltNames: [`[${G}.SubjectAltName`, 'Names of which the certificate must have one, instead of hostname.', ATOMIC],
    wellKnownCACertificates: ['string', 'System: the authorities that the system of the proxy trusts.'],
  }),
  [`${G}.LocalObjectReference`]: object('LocalObjectReference names an object of the same namespace.', {
    group: ['!string', 'API group; empty for core.'],
    kind: ['!string', 'Kind of the object.'],
    name: ['!string', 'Name of the object.'],
  }),
  [`${G}.SubjectAltName`]: object('SubjectAltName is a name in a certificate.', {
    hostname: ['string', 'With type Hostname; may start with `*.`.'],
    type: ['!string', 'What the name is.', { enum: ['Hostname', 'URI'] }],
    uri: ['string', 'With type URI, such as a SPIFFE ID.'],
  }),
  [`${G}.PolicyStatus`]: object('PolicyStatus is what controllers say about a policy.', {
    ancestors: [`![${G}.PolicyAncestorStatus`, 'By gateway or service that it works for.', ATOMIC],
  }),
  [`${G}.PolicyAncestorStatus`]: object('PolicyAncestorStatus is what a controller says about a policy at one place.', {
    ancestorRef: [`!${G}.ParentReference`, 'The place.'],
    conditions: requiredConditions('`Accepted` and `ResolvedRefs`.'),
    controllerName: ['!string', 'Who says so.'],
  }),
  [`${G}.ParentReference`]: object(
    'ParentReference names what a route attaches to: a Gateway, a ListenerSet or a Service.',
    {
      group: ['string', 'Default gateway.networking.k8s.io; empty for Services.'],
      kind: ['string', 'Default Gateway.'],
      name: ['!string', 'Name of the parent.'],
      namespace: ['string', 'Default: the namespace of the route.'],
      port,
      sectionName: ['string', 'Name of a listener or of a port.'],
    },
    { kind: 'Gateway' },
  ),
}
