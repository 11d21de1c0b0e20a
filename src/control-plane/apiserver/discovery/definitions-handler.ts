import { defineKind, type KindDefinition } from '../../../api/kind.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { StatusError } from '../../../base/errors.ts'
import type { Handler, RequestInfo } from '../contract.ts'

const GROUP = 'apiextensions.k8s.io'
const PLURAL = 'customresourcedefinitions'
const GATEWAY_GROUP = 'gateway.networking.k8s.io'
/** The release of Gateway API whose kinds are served, as its own definitions say it. Source: sigs.k8s.io/gateway-api pkg/consts. */
const GATEWAY_BUNDLE: Readonly<Record<string, string>> = {
  'gateway.networking.k8s.io/bundle-version': 'v1.7.0',
  'gateway.networking.k8s.io/channel': 'standard',
}

/** For discovery alone: the objects are worked out, not stored. */
export const definitionsKind: KindDefinition = defineKind({
  group: GROUP,
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: PLURAL,
  shortNames: ['crd', 'crds'],
  namespaced: false,
  verbs: ['get', 'list'],
})

/** Whether `createDefinitionsHandler` answers this. */
export function isDefinition(info: RequestInfo): boolean {
  return info.group === GROUP && info.version === 'v1' && info.resource === PLURAL
}

/**
 * Answers `get` and `list` of CustomResourceDefinitions for the kinds of Gateway API, so that clients find out which release and channel of it is there, as
 * its conformance suite does. They are read-only and without schemas: those are in `/openapi/v3`. Selectors are not looked at but for `metadata.name`.
 * @throws {StatusError} `NotFound`, `MethodNotAllowed`
 */
export function createDefinitionsHandler(kinds: () => readonly KindDefinition[]): Handler {
  return (request) => {
    const { info } = request
    if (!info || info.subresource !== '' || (info.verb !== 'get' && info.verb !== 'list')) {
      throw new StatusError('MethodNotAllowed', 'definitions of kinds that are built in can only be read, and not be watched')
    }
    const items = definitionsOf(kinds()).filter(({ metadata }) => info.name === '' || metadata.name === info.name)
    if (info.verb === 'list') {
      const value = { apiVersion: `${GROUP}/v1`, kind: 'CustomResourceDefinitionList', metadata: { resourceVersion: '1' }, items }
      return Promise.resolve({ status: 200, body: { type: 'object', value } })
    }
    const [value] = items
    if (!value) throw new StatusError('NotFound', `${PLURAL}.${GROUP} ${JSON.stringify(info.name)} not found`)
    return Promise.resolve({ status: 200, body: { type: 'object', value } })
  }
}

/** One for each kind of Gateway API, with all its versions; the one that others are stored as comes first. */
export function definitionsOf(kinds: readonly KindDefinition[]): readonly KubeObject[] {
  const byPlural = new Map<string, KindDefinition[]>()
  for (const kind of kinds) {
    if (kind.group === GATEWAY_GROUP) byPlural.set(kind.plural, [...(byPlural.get(kind.plural) ?? []), kind])
  }
  return [...byPlural.values()].map((versions) => definitionOf(versions.toSorted((a, b) => Number(!!a.storedAs) - Number(!!b.storedAs))))
}

function definitionOf(versions: readonly KindDefinition[]): KubeObject {
  const { group, plural, kind, singular = kind.toLowerCase(), shortNames, categories, namespaced } = versions[0] as KindDefinition
  const names = {
    plural,
    singular,
    kind,
    listKind: `${kind}List`,
    ...(shortNames ? { shortNames } : {}),
    ...(categories ? { categories } : {}),
  }
  const condition = (type: string, reason: string): object => ({
    type,
    status: 'True',
    reason,
    message: 'built in',
  })
  const definition = {
    apiVersion: `${GROUP}/v1`,
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      uid: `builtin-${plural}.${group}`,
      resourceVersion: '1',
      annotations: GATEWAY_BUNDLE,
    },
    spec: {
      group,
      names,
      scope: namespaced ? 'Namespaced' : 'Cluster',
      conversion: { strategy: 'None' },
      versions: versions.map(({ version, status, storedAs }) => ({
        name: version,
        served: true,
        storage: !storedAs,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        ...(status ? { subresources: { status: {} } } : {}),
      })),
    },
    status: {
      acceptedNames: names,
      storedVersions: versions.filter(({ storedAs }) => !storedAs).map(({ version }) => version),
      conditions: [condition('NamesAccepted', 'NoConflicts'), condition('Established', 'InitialNamesAccepted')],
    },
  }
  return definition as unknown as KubeObject
}
