// Schemas of Kuma's policies of load balancing, telemetry and the rest. Facts from Kuma's API, in our own words.
import { KUMA as G, on, percent, policy, time } from './schema-extras-kuma-support.mjs'

export function addBalancing(out) {
  const hash = [
    '[',
    'What is hashed, in order.',
    {
      of: {
        connection: ['', 'Of the connection.', { of: { sourceIP: ['boolean', 'The client’s address.'] } }],
        cookie: [
          '',
          'A cookie.',
          { of: { name: ['!string', 'Its name.'], path: ['string', 'Its path.'], ttl: time('It is made with, where absent.') } },
        ],
        filterState: ['', 'Not served here.', { of: { key: ['!string', 'Its key.'] } }],
        header: ['', 'A header.', { of: { name: ['!string', 'Its name.'] } }],
        queryParameter: ['', 'A query parameter.', { of: { name: ['!string', 'Its name.'] } }],
        terminal: ['boolean', 'The first that gives a value ends it.'],
        type: [
          '!string',
          'Kind of what is hashed.',
          { enum: ['Header', 'Cookie', 'Connection', 'SourceIP', 'QueryParameter', 'FilterState'] },
        ],
      },
    },
  ]
  policy(out, G, 'MeshLoadBalancingStrategy', 'MeshLoadBalancingStrategy says which endpoint is taken.', ['to'], {
    hashPolicies: hash,
    loadBalancer: [
      '',
      'How one is chosen.',
      {
        of: {
          leastRequest: [
            '',
            'Of LeastRequest.',
            {
              of: {
                activeRequestBias: ['int-or-string', 'How much running requests count. Default 1.'],
                choiceCount: ['int32', 'Drawn. At least 2.'],
              },
            },
          ],
          maglev: ['', 'Of Maglev.', { of: { hashPolicies: hash, tableSize: ['int32', 'A prime. Default 65537.'] } }],
          ringHash: [
            '',
            'Of RingHash.',
            {
              of: {
                hashFunction: ['string', 'Default XXHash.', { enum: ['XXHash', 'MurmurHash2'] }],
                hashPolicies: hash,
                maxRingSize: ['int32', '1 to 8000000. Default 8000000.'],
                minRingSize: ['int32', '1 to 8000000. Default 1024.'],
              },
            },
          ],
          type: ['!string', 'Kind of choice.', { enum: ['RoundRobin', 'LeastRequest', 'RingHash', 'Random', 'Maglev'] }],
        },
      },
    ],
    localityAwareness: [
      '',
      'Near ones first.',
      {
        of: {
          crossZone: ['raw', 'Accepted: there is one zone here.'],
          ...on,
          localZone: [
            '',
            'Within the zone.',
            {
              of: {
                affinityTags: [
                  '[',
                  'Most important first.',
                  { of: { key: ['!string', 'Label.'], weight: ['int32', 'Default: 90 percent to the first, and so on.'] } },
                ],
              },
            },
          ],
        },
      },
    ],
  })
}

export function addTelemetry(out) {
  const format = [
    '',
    'Form of a line.',
    {
      of: {
        json: ['[', 'Of type Json.', { of: { key: ['!string', 'Field.'], value: ['!string', 'With operators.'] } }],
        omitEmptyValues: ['boolean', 'Leave out what is empty.'],
        plain: ['string', 'Of type Plain, with operators such as %REQ(:METHOD)%.'],
        type: ['!string', 'Kind of form.', { enum: ['Plain', 'Json'] }],
      },
    },
  ]
  policy(out, G, 'MeshAccessLog', 'MeshAccessLog says where calls are logged.', ['to', 'rules'], {
    backends: [
      '[',
      'Where to.',
      {
        of: {
          file: ['', 'Of type File.', { of: { format, path: ['!string', 'Such as /dev/stdout.'] } }],
          openTelemetry: [
            '',
            'Of type OpenTelemetry.',
            {
              of: {
                attributes: ['[', 'Of each record.', { of: { key: ['!string', 'Name.'], value: ['!string', 'With operators.'] } }],
                backendRef: ['raw', 'Not served here.'],
                body: ['any', 'Of each record.'],
                endpoint: ['string', 'host:port.'],
              },
            },
          ],
          tcp: ['', 'Of type Tcp.', { of: { address: ['!string', 'host:port.'], format } }],
          type: ['!string', 'Kind of place.', { enum: ['Tcp', 'File', 'OpenTelemetry'] }],
        },
      },
    ],
  })
  const profileMatch = [
    '[',
    'Names.',
    {
      of: {
        match: ['!string', 'What the name is compared with.'],
        type: ['!string', 'How.', { enum: ['Prefix', 'Regex', 'Exact', 'Contains'] }],
      },
    },
  ]
  policy(out, G, 'MeshMetric', 'MeshMetric says which metrics are shown, and to whom.', ['default'], {
    applications: [
      '[',
      'Applications whose metrics are added.',
      {
        of: {
          address: ['string', 'Default: the pod.'],
          name: ['string', 'Its name.'],
          path: ['string', 'Default /metrics.'],
          port: ['!int32', '1 to 65535.'],
        },
      },
    ],
    backends: [
      '[',
      'To whom.',
      {
        of: {
          openTelemetry: [
            '',
            'Of type OpenTelemetry.',
            { of: { backendRef: ['raw', 'Not served here.'], endpoint: ['string', 'host:port.'], refreshInterval: time('Default 60s.') } },
          ],
          prometheus: [
            '',
            'Of type Prometheus.',
            {
              of: {
                clientId: ['string', 'Accepted and ignored.'],
                path: ['string', 'Default /metrics.'],
                port: ['int32', 'Default 5670.'],
                tls: [
                  '',
                  'TLS.',
                  { of: { mode: ['string', 'Default Disabled.', { enum: ['Disabled', 'ProvidedTLS', 'ActiveMTLSBackend'] }] } },
                ],
              },
            },
          ],
          type: ['!string', 'Kind of reader.', { enum: ['Prometheus', 'OpenTelemetry'] }],
        },
      },
    ],
    sidecar: [
      '',
      'Of the proxy itself.',
      {
        of: {
          includeUnused: ['boolean', 'Those that never changed too. Default false.'],
          profiles: [
            '',
            'Which.',
            {
              of: {
                appendProfiles: [
                  '[',
                  'The first counts. Default Basic.',
                  { of: { name: ['!string', 'Name of the profile.', { enum: ['All', 'Basic', 'None'] }] } },
                ],
                exclude: profileMatch,
                include: profileMatch,
              },
            },
          ],
        },
      },
    ],
  })
  policy(out, G, 'MeshTrace', 'MeshTrace says where spans go.', ['default'], {
    backends: [
      '[',
      'Where to; at most one.',
      {
        of: {
          datadog: [
            '',
            'Of type Datadog.',
            { of: { splitService: ['boolean', 'Not served here.'], url: ['!string', 'http://host:port.'] } },
          ],
          openTelemetry: [
            '',
            'Of type OpenTelemetry.',
            { of: { backendRef: ['raw', 'Not served here.'], endpoint: ['string', 'host:port.'] } },
          ],
          type: ['!string', 'Kind of place.', { enum: ['Zipkin', 'Datadog', 'OpenTelemetry'] }],
          zipkin: [
            '',
            'Of type Zipkin.',
            {
              of: {
                apiVersion: ['string', 'Default httpJson.', { enum: ['httpJson', 'httpProto'] }],
                sharedSpanContext: ['boolean', 'Accepted and ignored.'],
                traceId128bit: ['boolean', 'Accepted and ignored: always.'],
                url: ['!string', 'Of the collector.'],
              },
            },
          ],
        },
      },
    ],
    sampling: [
      '',
      'How many.',
      {
        of: {
          client: percent('Of those that ask. Default 100.'),
          overall: percent('Of all. Default 100.'),
          random: percent('At random. Default 100.'),
        },
      },
    ],
    tags: [
      '[',
      'Of each span.',
      {
        of: {
          header: ['', 'From a header.', { of: { default: ['string', 'Where it is absent.'], name: ['!string', 'Its name.'] } }],
          literal: ['string', 'As it is.'],
          name: ['!string', 'Name of the tag.'],
        },
      },
    ],
  })
}

export function addRest(out) {
  policy(out, G, 'MeshPassthrough', 'MeshPassthrough says which destinations outside of the mesh may be called.', ['default'], {
    appendMatch: [
      '[',
      'What may be called in mode Matched.',
      {
        of: {
          port: ['int32', 'Default: all.'],
          protocol: ['string', 'Default tcp.', { enum: ['tcp', 'tls', 'grpc', 'http', 'http2', 'mysql'] }],
          type: ['!string', 'Kind of value.', { enum: ['Domain', 'IP', 'CIDR'] }],
          value: ['!string', 'Such as api.example.com, *.example.com, 192.0.2.1 or 192.0.2.0/24.'],
        },
      },
    ],
    passthroughMode: ['string', 'Default None.', { enum: ['All', 'Matched', 'None'] }],
  })
  policy(
    out,
    G,
    'MeshProxyPatch',
    'MeshProxyPatch changes the configuration of Envoy as it is; our own proxies leave it alone.',
    ['default'],
    {
      appendModifications: [
        '[raw',
        'Changes: one of cluster, listener, networkFilter, httpFilter, virtualHost, each with operation, match, value and jsonPatches.',
      ],
    },
  )
}
