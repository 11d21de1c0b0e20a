// Schemas of kuma.io/v1alpha1: the mesh, its services and its gateways. Facts (fields, allowed values) from Kuma's API, in our own words.
import { KUMA as G, kind, MATCH, object } from './schema-extras-kuma-support.mjs'
import { addPolicies } from './schema-extras-kuma-policies.mjs'
import { addRoutes } from './schema-extras-kuma-routes.mjs'
import { addOwnPolicies } from './schema-extras-kuma-own.mjs'

const out = {}
const labelsOf = (what) => ['', `Which ${what}.`, { of: { matchLabels: ['{string', 'Labels that they have; empty: all.'] } }]

object(out, G, 'TargetRef', 'TargetRef says what a policy is about.', {
  kind: [
    '!string',
    'Kind of what is meant. MeshSubset and MeshServiceSubset are deprecated.',
    {
      enum: [
        'Mesh',
        'Dataplane',
        'MeshService',
        'MeshExternalService',
        'MeshMultiZoneService',
        'MeshHTTPRoute',
        'MeshTCPRoute',
        'MeshGateway',
        'MeshSubset',
        'MeshServiceSubset',
        'Service',
        'Gateway',
      ],
    },
  ],
  group: ['string', 'API group of the object, where it is none of kuma.io.'],
  labels: ['{string', 'Labels of what is meant.'],
  mesh: ['string', 'Reserved.'],
  name: ['string', 'Name of what is meant; not together with labels.'],
  namespace: ['string', 'Namespace of what is meant. Default: that of the policy.'],
  port: ['int32', 'Port of the backend, 1 to 65535.'],
  proxyTypes: ['[string', 'Only proxies of these types.', { enum: ['Sidecar', 'Gateway'] }],
  sectionName: ['string', 'Name or number of a port.'],
  tags: ['{string', 'Deprecated, write labels: tags of what is meant.'],
})
object(out, G, 'CallerMatch', 'CallerMatch is callers; all given fields must match.', MATCH)

kind(out, G, 'Mesh', 'Mesh is the settings of the whole mesh.', {
  constraints: ['raw', 'Accepted and ignored: which proxies may join is decided by the API server.'],
  logging: ['raw', 'Deprecated, write MeshAccessLog.'],
  meshServices: [
    '',
    'How services are made.',
    { of: { mode: ['string', 'Always as Exclusive here.', { enum: ['Disabled', 'Everywhere', 'ReachableBackends', 'Exclusive'] }] } },
  ],
  metrics: ['raw', 'Deprecated, write MeshMetric.'],
  mtls: [
    '',
    'Deprecated, write MeshIdentity and MeshTLS: mutual TLS of the whole mesh.',
    {
      of: {
        backends: [
          '[',
          'Certificate authorities.',
          {
            of: {
              conf: ['raw', 'Settings of the authority.'],
              dpCert: [
                '',
                'Certificates of proxies.',
                {
                  of: {
                    requestTimeout: ['string', 'How long a certificate may be waited for.'],
                    rotation: ['', 'When they are renewed.', { of: { expiration: ['string', 'How long one lives, such as 1d or 24h.'] } }],
                  },
                },
              ],
              mode: ['string', 'What plaintext callers get: STRICT (default) refuses them.', { enum: ['PERMISSIVE', 'STRICT'] }],
              name: ['!string', 'Name of the authority.'],
              rootChain: ['raw', 'Settings of the chain.'],
              type: ['!string', 'Kind of the authority; builtin is the control plane’s own.'],
            },
          },
        ],
        enabledBackend: ['string', 'Name of the authority that signs; empty: no mutual TLS.'],
        skipValidation: ['boolean', 'Accepted and ignored.'],
      },
    },
  ],
  networking: ['raw', 'Deprecated, write MeshPassthrough: outbound.passthrough.'],
  routing: ['raw', 'Deprecated, write MeshPassthrough and MeshLoadBalancingStrategy.'],
  skipCreatingInitialPolicies: ['[string', 'Kinds of policies that are not made with the mesh; `*` for all.'],
  tracing: ['raw', 'Deprecated, write MeshTrace.'],
})

kind(out, G, 'MeshIdentity', 'MeshIdentity gives proxies their SPIFFE identities.', {
  provider: [
    '!',
    'Who signs them.',
    {
      of: {
        bundled: [
          '',
          'The control plane.',
          {
            of: {
              autogenerate: ['', 'A CA of its own.', { of: { enabled: ['boolean', 'Make one. Default true.'] } }],
              ca: [
                '',
                'A CA that is given.',
                { of: { certificate: ['raw', 'Where its certificate is.'], privateKey: ['raw', 'Where its key is.'] } },
              ],
              certificateParameters: ['', 'Certificates of proxies.', { of: { expiry: ['string', 'How long one lives. Default 24h.'] } }],
              insecureAllowSelfSigned: ['boolean', 'A CA that signed itself may be given.'],
              meshTrustCreation: ['string', 'Whether a MeshTrust with the CA is made.', { enum: ['Enabled', 'Disabled'] }],
            },
          },
        ],
        spire: ['raw', 'A SPIRE agent beside the proxies.'],
        type: ['!string', 'Kind of the provider.', { enum: ['Bundled', 'Spire', 'Extension'] }],
      },
    },
  ],
  selector: ['', 'Whose identities. Absent: nobody’s.', { of: { dataplane: labelsOf('proxies') } }],
  spiffeID: [
    '',
    'What they look like.',
    {
      of: {
        path: ['string', 'Template of the path. Default /ns/{{ .Namespace }}/sa/{{ .ServiceAccount }}.'],
        trustDomain: ['string', 'Template of the trust domain. Default {{ .Mesh }}.{{ .Zone }}.mesh.local.'],
      },
    },
  ],
})
kind(out, G, 'MeshTrust', 'MeshTrust is certificate authorities of one trust domain.', {
  caBundles: [
    '![',
    'Certificates of the authorities.',
    {
      of: {
        pem: ['', 'In PEM.', { of: { value: ['!string', 'One or more certificates.'] } }],
        type: ['!string', 'Form of the bundle.', { enum: ['Pem'] }],
      },
    },
  ],
  origin: ['raw', 'Who made it.'],
  trustDomain: ['!string', 'Domain whose identities they sign.'],
})

const port = ['!int32', '1 to 65535.']
const protocol = (text) => ['string', text, { enum: ['tcp', 'tls', 'http', 'http2', 'grpc', 'kafka'] }]
const where = ['raw', 'Where the value is: inline, inlineString or secret.']
const vips = {
  addresses: ['[raw', 'Host names and who made them.'],
  hostnameGenerators: ['[raw', 'How each generator fared.'],
  vip: ['raw', 'Address that clients dial.'],
}

kind(
  out,
  G,
  'MeshExternalService',
  'MeshExternalService is a service outside of the mesh.',
  {
    endpoints: ['[', 'Its servers.', { of: { address: ['!string', 'IP address or host name.'], port } }],
    extension: ['raw', 'Not served here.'],
    match: [
      '!',
      'How it is reached from within.',
      {
        of: {
          port,
          protocol: protocol('What it speaks. Default tcp.'),
          type: ['string', 'By host names of a HostnameGenerator.', { enum: ['HostnameGenerator'] }],
        },
      },
    ],
    tls: [
      '',
      'TLS towards its servers.',
      {
        of: {
          allowRenegotiation: ['boolean', 'Accepted and ignored: TLS 1.3 has none.'],
          enabled: ['boolean', 'Default false.'],
          verification: [
            '',
            'What must be right about their certificates.',
            {
              of: {
                caCert: where,
                clientCert: where,
                clientKey: where,
                mode: ['string', 'Default Secured.', { enum: ['SkipSAN', 'SkipCA', 'SkipAll', 'Secured'] }],
                serverName: ['string', 'Server name that is asked for. Default: the host name.'],
                subjectAltNames: [
                  '[',
                  'One must be in the certificate.',
                  { of: { type: ['string', 'Default Exact.', { enum: ['Exact', 'Prefix'] }], value: ['!string', 'The name.'] } },
                ],
              },
            },
          ],
          version: [
            '',
            'Versions of TLS.',
            {
              of: {
                max: ['string', 'Highest.', { enum: ['TLSAuto', 'TLS10', 'TLS11', 'TLS12', 'TLS13'] }],
                min: ['string', 'Lowest.', { enum: ['TLSAuto', 'TLS10', 'TLS11', 'TLS12', 'TLS13'] }],
              },
            },
          ],
        },
      },
    ],
  },
  { status: vips },
)
const servicePorts = [
  '[',
  'Its ports.',
  {
    of: {
      appProtocol: protocol('What it speaks. Default tcp.'),
      name: ['string', 'Name of the port.'],
      port,
      targetPort: ['int-or-string', 'Port of the proxies. Default port.'],
    },
  },
]
kind(
  out,
  G,
  'MeshService',
  'MeshService is proxies under one name.',
  {
    identities: [
      '[',
      'Who answers.',
      { of: { type: ['!string', 'Kind of value.', { enum: ['ServiceTag', 'SpiffeID'] }], value: ['!string', 'The identity.'] } },
    ],
    ports: servicePorts,
    selector: [
      '',
      'Its proxies.',
      {
        of: {
          dataplaneLabels: ['', 'By labels.', { of: { matchLabels: ['{string', 'Labels that they have.'] } }],
          dataplaneRef: ['', 'By name.', { of: { name: ['string', 'Name of the proxy.'] } }],
          dataplaneTags: ['{string', 'Deprecated, write dataplaneLabels.'],
        },
      },
    ],
    state: ['string', 'Whether any proxy is ready.', { enum: ['Available', 'Unavailable'] }],
  },
  {
    status: {
      ...vips,
      dataplaneProxies: ['raw', 'How many there are.'],
      tls: ['raw', 'Whether all take TLS.'],
      vips: ['[raw', 'Addresses that clients dial.'],
    },
  },
)
kind(
  out,
  G,
  'MeshMultiZoneService',
  'MeshMultiZoneService is services of all zones under one name; there is one zone here.',
  { ports: servicePorts, selector: ['!', 'Its services.', { of: { meshService: labelsOf('services') } }] },
  { status: { ...vips, meshServices: ['[raw', 'The services.'], vips: ['[raw', 'Addresses that clients dial.'] } },
)
kind(out, G, 'HostnameGenerator', 'HostnameGenerator gives services host names.', {
  extension: ['raw', 'Not served here.'],
  selector: [
    '',
    'Which services get one.',
    {
      of: {
        meshExternalService: labelsOf('external services'),
        meshMultiZoneService: labelsOf('services of many zones'),
        meshService: labelsOf('services'),
      },
    },
  ],
  template: ['string', 'Such as {{ .DisplayName }}.{{ .Namespace }}.mesh; also {{ label "name" }}, .Name, .Mesh and .Zone.'],
})

const mesh = { mesh: ['string', 'Name of the mesh. Default `default`.'] }
kind(
  out,
  G,
  'MeshGateway',
  'MeshGateway is listeners at the edge of the mesh. Deprecated, write Gateway of gateway.networking.k8s.io.',
  {
    conf: [
      '',
      'What is listened to.',
      {
        of: {
          listeners: [
            '[',
            'Ports and host names.',
            {
              of: {
                crossMesh: ['boolean', 'Not served here.'],
                hostname: ['string', 'Host that is served; empty or `*`: all.'],
                port: ['int32', '1 to 65535.'],
                protocol: ['string', 'What is spoken.', { enum: ['TCP', 'TLS', 'HTTP', 'HTTPS'] }],
                resources: ['raw', 'Limits; connectionLimit.'],
                tags: ['{string', 'Tags that routes choose it by.'],
                tls: [
                  '',
                  'TLS of clients.',
                  {
                    of: {
                      certificates: ['[raw', 'Secrets with certificates.'],
                      mode: ['string', 'Where TLS ends.', { enum: ['NONE', 'TERMINATE', 'PASSTHROUGH'] }],
                      options: ['raw', 'Not served here.'],
                    },
                  },
                ],
              },
            },
          ],
        },
      },
    ],
    selectors: ['[', 'Which gateways serve it, by tags.', { of: { match: ['{string', 'Tags such as kuma.io/service.'] } }],
    tags: ['{string', 'Tags of the gateway.'],
  },
  { more: mesh },
)
kind(
  out,
  G,
  'MeshGatewayInstance',
  'MeshGatewayInstance is pods that serve a MeshGateway. Deprecated, write Gateway of gateway.networking.k8s.io.',
  {
    podTemplate: ['raw', 'Metadata and spec of the pods.'],
    replicas: ['int32', 'How many. Default 1.'],
    resources: ['raw', 'Resources of the container.'],
    serviceTemplate: ['raw', 'Metadata and spec of the service.'],
    serviceType: ['string', 'Type of the service.', { enum: ['LoadBalancer', 'ClusterIP', 'NodePort'] }],
    tags: ['{string', 'Tags by which a MeshGateway selects it.'],
  },
)
kind(
  out,
  G,
  'Dataplane',
  'Dataplane is one proxy.',
  {
    metrics: ['raw', 'Its metrics.'],
    networking: ['raw', 'Its addresses and ports.'],
    probes: ['raw', 'Its probes.'],
  },
  { more: mesh },
)
addPolicies(out)
addRoutes(out)
addOwnPolicies(out)

export const KUMA_EXTRAS = out
