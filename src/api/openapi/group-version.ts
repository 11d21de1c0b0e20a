import type { KindDefinition } from '../kind.ts'

export interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

/** Path of a group version below the server's root: `api/v1`, `apis/apps/v1`. */
export function groupVersionPath(kind: { readonly group: string; readonly version: string }): string {
  return kind.group === '' ? `api/${kind.version}` : `apis/${kind.group}/${kind.version}`
}

/** The kinds served below a path of that form. */
export function kindsOf(path: string, kinds: readonly KindDefinition[]): readonly KindDefinition[] {
  return kinds.filter((kind) => groupVersionPath(kind) === path)
}

/**
 * Group, version and kind that a schema stands for by its name, `io.k8s.api.<package>.<version>.<Kind>`; undefined for names
 * of another form. Says nothing on whether the schema is a kind at all.
 */
export function gvkOfSchemaName(name: string): GroupVersionKind | undefined {
  const hit = /^(?:io\.k8s\.(?:api|[\w-]+\.pkg\.apis)|dev(?:\.biplane)?|io(?=\.kuma\.))\.([\w-]+)\.(v\d\w*)\.(\w+)$/.exec(name)
  if (!hit) return undefined
  const [, packageName = '', version = '', kind = ''] = hit
  return { group: GROUPS[packageName] ?? packageName, version, kind }
}

// packages whose group is not their own name
const GROUPS: Readonly<Record<string, string>> = {
  core: '',
  meta: '',
  admissionregistration: 'admissionregistration.k8s.io',
  apiextensions: 'apiextensions.k8s.io',
  apiregistration: 'apiregistration.k8s.io',
  authentication: 'authentication.k8s.io',
  authorization: 'authorization.k8s.io',
  biplane: 'biplane.dev',
  certificates: 'certificates.k8s.io',
  coordination: 'coordination.k8s.io',
  discovery: 'discovery.k8s.io',
  events: 'events.k8s.io',
  flowcontrol: 'flowcontrol.apiserver.k8s.io',
  kuma: 'kuma.io',
  gateway: 'gateway.networking.k8s.io',
  networking: 'networking.k8s.io',
  networkpolicy: 'policy.networking.k8s.io',
  node: 'node.k8s.io',
  rbac: 'rbac.authorization.k8s.io',
  resource: 'resource.k8s.io',
  routing: 'routing.biplane.dev',
  scheduling: 'scheduling.k8s.io',
  storage: 'storage.k8s.io',
}
